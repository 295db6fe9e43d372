// SPDX-License-Identifier: Apache-2.0
//! What a step is told about the update it is part of.

use std::fmt;

/// Where in an update a step runs; the manifest says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The live tree, while the service runs; nothing may be written. Answer `Ok`, `Refuse`, `Defer`.
    Check,
    /// The next tree, with the old version's files still in place. Answer `Ok` or `Refuse`.
    Prepare,
    /// The next tree, with the new version's files in place. Answer `Ok` or `Refuse`.
    Migrate,
    /// The live tree after the swap; nothing may be written. Answer `Healthy` or `Unhealthy`.
    Health,
    /// As `Migrate`, but once for a whole fleet.
    Finalize,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Check => "check",
            Self::Prepare => "prepare",
            Self::Migrate => "migrate",
            Self::Health => "health",
            Self::Finalize => "finalize",
        })
    }
}

/// The update that a step is part of.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The id of the package: the same in every version of the software.
    pub package_id: String,
    /// The name of this step, as the manifest has it.
    pub step: String,
    /// The phase in which it runs.
    pub phase: Phase,
    /// The version being left; none at a first install, or when it is not known.
    pub from_version: Option<String>,
    /// The version of the package.
    pub to_version: String,
    /// The data format of the version being left; none at a first install.
    pub from_data_format: Option<u64>,
    /// The data format that the package's version reads and writes.
    pub to_data_format: u64,
    /// The roles of this machine, sorted.
    pub roles: Vec<String>,
    /// In [`Phase::Health`]: the end of what the service printed since it was started.
    pub service_output: String,
}

impl Context {
    /// Whether this machine has a role.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|own| own == role)
    }
}
