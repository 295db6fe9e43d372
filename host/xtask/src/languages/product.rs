// SPDX-License-Identifier: Apache-2.0
//! The product as this task runs it: in one folder, quietly, its facts read from `--json`.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::tool::Tool;
use serde_json::Value;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::Stdio;

/// `cofferdam`, and the folder that everything happens in.
pub(super) struct Product {
    cofferdam: PathBuf,
    /// Empty at the start; keys are there.
    pub(super) folder: PathBuf,
}

/// What a command said.
pub(super) struct Answer {
    /// Its exit code.
    pub(super) code: i32,
    /// Its JSON.
    pub(super) facts: Value,
}

impl Product {
    /// Makes the vendor's keys in a folder.
    pub(super) fn prepare(cofferdam: PathBuf, folder: PathBuf) -> Outcome<Self> {
        let product = Self { cofferdam, folder };
        product.done(["keygen", "vendor", "--no-password"])?;
        Ok(product)
    }

    /// Runs a command that must succeed; gives its facts.
    pub(super) fn done<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome<Value> {
        let answer = self.run(arguments)?;
        if answer.code == 0 {
            return Ok(answer.facts);
        }
        Err(format!(
            "cofferdam ended with exit code {}: {:#}",
            answer.code, answer.facts["error"]
        )
        .into())
    }

    /// Runs a command and takes whatever it says.
    pub(super) fn run<A: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = A>,
    ) -> Outcome<Answer> {
        let mut command = Tool::new(&self.cofferdam)
            .args(arguments)
            .arg("--json")
            .within(&self.folder)
            // A list of the machine's installs of its own.
            .env("COFFERDAM_REGISTRY", self.folder.join("registry"))
            .into_command();
        command.stdin(Stdio::null()).stderr(Stdio::null());
        let output = command
            .output()
            .map_err(|error| Failure::at(&self.cofferdam, &error))?;
        let code = output.status.code();
        Ok(Answer {
            code: code.ok_or_else(|| format!("cofferdam ended with {}", output.status))?,
            facts: serde_json::from_slice(&output.stdout)?,
        })
    }
}

/// The lines of a step's log, each with its level.
pub(super) fn log_lines(record: &Value) -> Vec<String> {
    let lines = record["log"].as_array().into_iter().flatten();
    lines
        .map(|line| {
            let part = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            format!("{:<5} {}", part("level"), part("line"))
        })
        .collect()
}
