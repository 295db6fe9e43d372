// SPDX-License-Identifier: Apache-2.0
//! From the libraries' errors to failures: the one place where a code gets its exit code.

use cofferdam_config::ConfigError;
use cofferdam_install::AdoptError;
use cofferdam_install::InstallError;
use cofferdam_package::PackageError;
use cofferdam_sandbox::CompileError;
use cofferdam_sandbox::SandboxError;
use cofferdam_tree::TreeError;
use serde_json::json;

use super::Exit;
use super::Failure;
use super::chain;
use super::help_in;
use crate::time::rfc3339;

/// Codes that say that the machine failed, not the package and not the operator.
const OF_THE_MACHINE: &[&str] = &["io", "sync-failed", "sandbox-engine"];

/// Codes of an install in which nothing can be done before a person has looked at it.
const FOR_A_PERSON: &[&str] = &[
    "from-disk-undecided",
    "generation-unreadable",
    "history-cut",
    "history-unreadable",
    "interrupted",
    "journal-unreadable",
    "needs-person",
    "refused-unreadable",
];

impl From<PackageError> for Failure {
    fn from(error: PackageError) -> Self {
        let code = error.code();
        let exit = if error.is_package_at_fault() {
            Exit::PackageRefused
        } else {
            Exit::Internal
        };
        Self::new(
            exit_of(code, exit),
            code,
            chain(&error),
            help_in(cofferdam_package::CODES, code),
        )
    }
}

impl From<TreeError> for Failure {
    fn from(error: TreeError) -> Self {
        if let TreeError::Package { source, .. } = error {
            return source.into();
        }
        let code = error.code();
        let exit = if code == "digest-mismatch" {
            Exit::PackageRefused
        } else {
            Exit::Refused
        };
        let paths = json!({ "paths": error.paths() });
        Self::new(
            exit_of(code, exit),
            code,
            chain(&error),
            help_in(cofferdam_tree::CODES, code),
        )
        .with_details(paths)
    }
}

impl From<InstallError> for Failure {
    fn from(error: InstallError) -> Self {
        match error {
            InstallError::Package(error) => error.into(),
            InstallError::Tree(error) => error.into(),
            InstallError::Busy { holder } => {
                let message = if holder.is_named() {
                    format!(
                        "the install is busy: `{}` (process {}) has held it since {}",
                        holder.command,
                        holder.pid,
                        rfc3339(holder.since_unix_s),
                    )
                } else {
                    format!("the install is busy: {holder} holds it")
                };
                let help = help_in(cofferdam_install::CODES, "busy");
                Self::new(Exit::Busy, "busy", message, help)
                    .with_details(json!({ "holder": holder }))
            }
            error => {
                let code = error.code();
                let details = details_of(&error);
                Self::new(
                    exit_of(code, Exit::Refused),
                    code,
                    chain(&error),
                    help_in(cofferdam_install::CODES, code),
                )
                .with_details(details)
            }
        }
    }
}

impl From<AdoptError> for Failure {
    fn from(error: AdoptError) -> Self {
        match error {
            AdoptError::Install(error) => error.into(),
            AdoptError::Tree(error) => error.into(),
            error => {
                let code = error.code();
                Self::new(
                    exit_of(code, Exit::Refused),
                    code,
                    chain(&error),
                    help_in(cofferdam_install::CODES, code),
                )
            }
        }
    }
}

impl From<SandboxError> for Failure {
    fn from(error: SandboxError) -> Self {
        if let SandboxError::Compile(error) = error {
            return error.into();
        }
        let code = error.code();
        Self::new(
            exit_of(code, Exit::Refused),
            code,
            chain(&error),
            help_in(cofferdam_sandbox::CODES, code),
        )
    }
}

impl From<CompileError> for Failure {
    fn from(error: CompileError) -> Self {
        let code = error.code();
        let exit = if code == "component-imports" {
            Exit::Refused
        } else {
            Exit::PackageRefused
        };
        Self::new(
            exit_of(code, exit),
            code,
            chain(&error),
            help_in(cofferdam_sandbox::CODES, code),
        )
    }
}

impl Failure {
    /// Whether it is the machine that failed, and not what was asked for.
    pub fn is_of_the_machine(&self) -> bool {
        OF_THE_MACHINE.contains(&self.code) || self.code == "disk-full"
    }

    /// A configuration file that the vendor calls `name` cannot be read or edited.
    pub fn config(name: &str, error: &ConfigError) -> Self {
        let code = error.code();
        Self::new(
            Exit::Refused,
            code,
            format!("configuration file `{name}`: {}", chain(error)),
            help_in(cofferdam_config::CODES, code),
        )
        .with_details(json!({ "config": name }))
    }
}

fn exit_of(code: &str, otherwise: Exit) -> Exit {
    if OF_THE_MACHINE.contains(&code) {
        Exit::Internal
    } else if FOR_A_PERSON.contains(&code) {
        Exit::NeedsPerson
    } else {
        otherwise
    }
}

fn details_of(error: &InstallError) -> serde_json::Value {
    match error {
        InstallError::StateChanged { changes, paths, .. } => {
            json!({ "changes": changes, "paths": paths })
        }
        InstallError::FromDiskUndecided { undecided } => json!(undecided),
        _ => json!({}),
    }
}
