// SPDX-License-Identifier: Apache-2.0
//! Running other programs: what is run, where, and what a failure says.

use crate::failure::Failure;
use crate::failure::Outcome;
use std::env;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::process::Stdio;

/// A program and its arguments, about to be run.
pub(crate) struct Tool(Command);

impl Tool {
    /// A program by name or path.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self(Command::new(program))
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        Self::new(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
    }

    /// Adds an argument.
    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.0.arg(argument);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.0.args(arguments);
        self
    }

    /// Runs it in a folder.
    pub(crate) fn within(mut self, folder: &Path) -> Self {
        self.0.current_dir(folder);
        self
    }

    /// Sets a variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// The command, for a caller that wants more than to wait for it.
    pub(crate) fn into_command(self) -> Command {
        self.0
    }

    /// Runs it with our streams; anything but success is a failure.
    pub(crate) fn run(mut self) -> Outcome {
        let status = self.0.status().map_err(|error| self.not_started(&error))?;
        if status.success() {
            return Ok(());
        }
        Err(format!("`{}` ended with {status}", self.words()).into())
    }

    /// Runs it with our streams and returns its exit code.
    pub(crate) fn code(mut self) -> Outcome<i32> {
        let status = self.0.status().map_err(|error| self.not_started(&error))?;
        status
            .code()
            .ok_or_else(|| format!("`{}` ended with {status}", self.words()).into())
    }

    /// Runs it and returns what it printed; anything but success is a failure.
    pub(crate) fn output(mut self) -> Outcome<String> {
        self.0.stderr(Stdio::inherit());
        let output = self.0.output().map_err(|error| self.not_started(&error))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(format!("`{}` ended with {}", self.words(), output.status).into())
    }

    /// Runs it silently; whether it is there and succeeds.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.0.status().is_ok_and(|status| status.success())
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        format!("`{}` could not be started: {error}", self.words()).into()
    }

    fn words(&self) -> String {
        let program = Path::new(self.0.get_program());
        let program = program
            .file_name()
            .unwrap_or(program.as_os_str())
            .to_string_lossy();
        let arguments = self.0.get_args().map(|argument| argument.to_string_lossy());
        std::iter::once(program)
            .chain(arguments)
            .collect::<Vec<_>>()
            .join(" ")
    }
}
