// SPDX-License-Identifier: Apache-2.0
//! How a command fails: one stable code, an exit code, what was found, and what to do next.
//!
//! Libraries return their own error enums; the `From` conversions here are the one place where such
//! an error gets its exit code and its help text. Nothing below the command line composes help.

mod convert;

use std::error::Error as StdError;
use std::fmt;

use serde_json::Value;
use serde_json::json;

/// The exit codes of `cofferdam`: an interface, documented in `host/docs/exit-codes.md`.
///
/// Any exit but [`Exit::Done`] and [`Exit::NeedsPerson`] means that the old generation is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// An error of Cofferdam's own, or of the machine below it.
    Internal = 1,
    /// The command line was not understood.
    Usage = 2,
    /// The package was refused: format, signature or digest.
    PackageRefused = 3,
    /// Refused by policy, by version or by the state of the install.
    Refused = 4,
    /// A step failed or refused.
    StepFailed = 5,
    /// A step asked to try again later.
    Deferred = 6,
    /// The new generation was unhealthy and was rolled back.
    RolledBack = 7,
    /// Another command holds the install.
    Busy = 8,
    /// Interrupted, or a person must decide; the install is the old one or the new one, whole.
    NeedsPerson = 9,
    /// Reserved for findings of an audit.
    AuditFindings = 10,
}

impl Exit {
    /// Every exit code, in order, with the meaning that the documentation gives it.
    pub const ALL: &[(Self, &str)] = &[
        (Self::Done, "done"),
        (Self::Internal, "internal error, or an error of the machine"),
        (Self::Usage, "usage"),
        (
            Self::PackageRefused,
            "package refused: format, signature or digest",
        ),
        (
            Self::Refused,
            "refused by policy, version or state of the install",
        ),
        (Self::StepFailed, "a step failed or refused"),
        (Self::Deferred, "deferred"),
        (Self::RolledBack, "unhealthy and rolled back"),
        (Self::Busy, "busy"),
        (Self::NeedsPerson, "interrupted, or needs a person"),
        (Self::AuditFindings, "reserved for audit findings"),
    ];

    /// The number that the process exits with.
    pub fn number(self) -> u8 {
        self as u8
    }
}

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub struct Failure {
    /// Stable, `kebab-case`: the same in tests, JSON output and metrics.
    pub code: &'static str,
    /// The exit code of the process.
    pub exit: Exit,
    /// What was found and what was expected; causes are appended after a colon.
    pub message: String,
    /// What to do next.
    pub help: String,
    /// Facts for programs; an object, possibly empty.
    pub details: Value,
}

impl Failure {
    /// A failure with a help text and no further details.
    pub fn new(
        exit: Exit,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self {
            code,
            exit,
            message: message.into(),
            help: help.into(),
            details: json!({}),
        }
    }

    /// The same failure with facts for programs.
    #[must_use]
    pub fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// An input or output error on the named object.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        let (code, help) = match error.kind() {
            std::io::ErrorKind::NotFound => ("not-found", "check the path and try again"),
            std::io::ErrorKind::PermissionDenied => (
                "permission-denied",
                "run as the owner of the file, or as root",
            ),
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
                ("disk-full", "free space on that file system and try again")
            }
            std::io::ErrorKind::AlreadyExists => (
                "already-exists",
                "choose another name, or remove the existing one first",
            ),
            _ => (
                "io",
                "see the message; the file system or the machine refused",
            ),
        };
        let exit = if code == "io" {
            Exit::Internal
        } else {
            Exit::Refused
        };
        Self::new(exit, code, format!("{what}: {error}"), help)
    }

    /// The `error` object of the JSON output.
    pub fn to_json(&self) -> Value {
        json!({
            "code": self.code,
            "message": self.message,
            "help": self.help,
            "details": self.details,
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.code)
    }
}

impl StdError for Failure {}

/// An error's message followed by those of its sources, each after a colon.
pub fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// The help text for a code, from the tables that the libraries publish beside their errors.
pub fn help_in(codes: &'static [(&'static str, &'static str)], code: &str) -> &'static str {
    codes
        .iter()
        .find(|(known, _)| *known == code)
        .map_or("", |(_, help)| help)
}
