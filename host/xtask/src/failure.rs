// SPDX-License-Identifier: Apache-2.0
//! Why a task ended: a sentence for the person at the terminal.

use std::fmt;
use std::io;
use std::path::Path;

/// The result of a task or a part of one.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// What went wrong, in words.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// An error of the system at a path.
    pub(crate) fn at(path: &Path, error: &io::Error) -> Self {
        Self(format!("`{}`: {error}", path.display()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Failure {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl From<&str> for Failure {
    fn from(words: &str) -> Self {
        Self(words.to_owned())
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self(format!("output that is not the JSON expected: {error}"))
    }
}
