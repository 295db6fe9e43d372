// SPDX-License-Identifier: Apache-2.0
//! The machine of the story: a folder, the product, and the agent's port.

use super::agent;
use crate::failure::Outcome;
use crate::say;
use crate::tool::Tool;
use serde_json::Value;
use std::path::PathBuf;

/// The install, relative to the folder of the demo.
pub(super) const INSTALL: &str = "opt/acme-agent";

/// Where the story takes place.
pub(super) struct Machine {
    /// The folder that every command runs in.
    pub(super) folder: PathBuf,
    /// Where the agent listens.
    pub(super) port: u16,
    cofferdam: PathBuf,
    steps_target: PathBuf,
}

impl Machine {
    /// A machine in an empty folder, with a port that nobody uses.
    pub(super) fn new(folder: PathBuf, cofferdam: PathBuf, steps_target: PathBuf) -> Outcome<Self> {
        Ok(Self {
            folder,
            port: agent::free_port()?,
            cofferdam,
            steps_target,
        })
    }

    /// The install directory.
    pub(super) fn install(&self) -> PathBuf {
        self.folder.join(INSTALL)
    }

    /// Shows and runs `cofferdam` with the words of `line`, which must end with `code`.
    pub(super) fn cofferdam(&self, line: &str, code: i32) -> Outcome {
        say::command(&format!("cofferdam {line}"));
        let found = self.product().args(line.split_whitespace()).code()?;
        check_code("cofferdam", line, found, code)
    }

    /// Runs `cofferdam` with the words of `line` and `--json`, quietly, and returns its facts.
    pub(super) fn facts(&self, line: &str) -> Outcome<Value> {
        let text = self
            .product()
            .args(line.split_whitespace())
            .arg("--json")
            .output()?;
        Ok(serde_json::from_str(&text)?)
    }

    /// Shows and runs a program of the system, which must end with `code`.
    pub(super) fn shell(&self, line: &str, code: i32) -> Outcome {
        say::command(line);
        let mut words = line.split_whitespace();
        let program = words.next().unwrap_or_default();
        // A relative program is found from the folder of the demo, as a shell would.
        let program = if program.contains('/') {
            self.folder.join(program).into_os_string()
        } else {
            program.into()
        };
        let found = Tool::new(program).args(words).within(&self.folder).code()?;
        check_code("", line, found, code)
    }

    fn product(&self) -> Tool {
        Tool::new(&self.cofferdam)
            .within(&self.folder)
            // A list of the machine's installs of its own, and the steps built below the target directory.
            .env("COFFERDAM_REGISTRY", self.folder.join("registry"))
            .env("CARGO_TARGET_DIR", &self.steps_target)
    }
}

fn check_code(program: &str, line: &str, found: i32, expected: i32) -> Outcome {
    if found != expected {
        let line = format!("{program} {line}");
        let line = line.trim();
        return Err(format!("`{line}` ended with exit code {found}, expected {expected}").into());
    }
    if expected != 0 {
        say::note(&format!("exit code {found}"));
    }
    say::line("");
    Ok(())
}
