// SPDX-License-Identifier: Apache-2.0
//! A command that has ended: its exit code and what it printed.

use std::process::Command;

use serde_json::Value;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub(super) fn of(command: &mut Command) -> Self {
        let output = command.output().unwrap();
        Self {
            exit: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The same, once the exit code is as expected.
    #[track_caller]
    pub(crate) fn expect(self, exit: i32) -> Self {
        assert_eq!(
            self.exit,
            Some(exit),
            "stdout: {}\nstderr: {}",
            self.stdout,
            self.stderr
        );
        self
    }

    /// The one JSON object on standard output.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let value: Value = serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}\n{}", self.stdout, self.stderr));
        assert!(value.is_object(), "{value}");
        value
    }

    /// The code of the failure that `--json` reported.
    #[track_caller]
    pub(crate) fn code(&self) -> String {
        let json = self.json();
        let error = &json["error"];
        for member in ["code", "message", "help"] {
            let text = error[member].as_str();
            assert!(
                text.is_some_and(|text| !text.is_empty()),
                "no {member}: {json}"
            );
        }
        assert!(error["details"].is_object(), "no details: {json}");
        error["code"].as_str().unwrap().to_owned()
    }
}
