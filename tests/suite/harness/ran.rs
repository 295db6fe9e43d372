// SPDX-License-Identifier: Apache-2.0
//! A command that has ended: its exit code and what it printed.

use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use serde_json::Value;
use wait4::Wait4;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    /// The exit code; `None` when a signal ended it.
    pub(crate) exit: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// The most memory that it, or one process that it waited for, had at once, in bytes.
    pub(crate) peak_bytes: u64,
}

impl Ran {
    /// Runs a command to its end and keeps what it said.
    pub(crate) fn of(command: &mut Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::at_the_end_of(command.spawn().unwrap())
    }

    /// Waits for the end of a process whose output was left to us.
    pub(crate) fn at_the_end_of(mut child: Child) -> Self {
        let stdout = child.stdout.take().unwrap();
        let stderr = std::thread::spawn({
            let stderr = child.stderr.take().unwrap();
            move || std::io::read_to_string(stderr).unwrap()
        });
        let stdout = std::io::read_to_string(stdout).unwrap();
        let stderr = stderr.join().unwrap();
        let ended = child.wait4().unwrap();
        Self {
            exit: ended.status.code(),
            stdout,
            stderr,
            peak_bytes: ended.rusage.maxrss,
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
