// SPDX-License-Identifier: Apache-2.0
//! Where the password of a key comes from: a variable for machines, the terminal for people.
//!
//! Never the command line, where every user of the machine could read it.

use std::ffi::OsString;

use super::super::Code;
use crate::failure::Failure;

/// The variable that gives a password where nobody can type one (CI).
pub const VARIABLE: &str = "COFFERDAM_PASSWORD";

/// Answers when a key needs a password.
#[derive(Debug)]
pub enum Password {
    /// From [`VARIABLE`].
    Given(String),
    /// Ask on the terminal.
    Ask,
}

impl Password {
    /// What the value of [`VARIABLE`] means: a password, or none set.
    ///
    /// # Errors
    /// `password-rejected` for a value that is not Unicode, or empty.
    pub fn from_variable(value: Option<OsString>) -> Result<Self, Failure> {
        match value {
            None => Ok(Self::Ask),
            Some(value) => value
                .into_string()
                .ok()
                .filter(|value| !value.is_empty())
                .map(Self::Given)
                .ok_or_else(|| {
                    Code::PasswordRejected
                        .because(format!("the variable {VARIABLE} is empty or not Unicode"))
                }),
        }
    }

    /// The password that opens an existing key.
    ///
    /// # Errors
    /// `password-needed` without a terminal.
    pub fn existing(&self, key_name: &str) -> Result<String, Failure> {
        match self {
            Self::Given(password) => Ok(password.clone()),
            Self::Ask => prompt(&format!("Password of {key_name}: ")),
        }
    }

    /// The password that shall protect a new key; asked twice.
    ///
    /// # Errors
    /// `password-needed` without a terminal; `password-rejected` when empty or not the same twice.
    pub fn new_key(&self, key_name: &str) -> Result<String, Failure> {
        let first = match self {
            Self::Given(password) => return Ok(password.clone()),
            Self::Ask => prompt(&format!("New password for {key_name}: "))?,
        };
        if first.is_empty() {
            return Err(Code::PasswordRejected.because("the password is empty"));
        }
        if prompt("The same again: ")? != first {
            return Err(Code::PasswordRejected.because("the two passwords differ"));
        }
        Ok(first)
    }
}

fn prompt(text: &str) -> Result<String, Failure> {
    rpassword::prompt_password(text).map_err(|error| {
        Code::PasswordNeeded.because(format!(
            "the key needs a password, and no terminal can ask for it: {error}"
        ))
    })
}
