// SPDX-License-Identifier: Apache-2.0
//! The effective grants of a step: what its signed manifest requests, within what the policy allows.
//!
//! Decided before any instance exists, shown in the plan, part of the outcome digest. A request above
//! a ceiling is refused, never cut down in silence: the step would fail in a way that nobody foresaw.

use std::collections::BTreeSet;
use std::time::Duration;

use cofferdam_install::settings::ManagedWrites;
use cofferdam_install::settings::Policy;
use cofferdam_package::glob::Glob;
use cofferdam_package::glob::GlobError;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Step;
use cofferdam_package::manifest::StepLimits;
use cofferdam_package::path::PayloadPath;
use cofferdam_sandbox::FileGrants;
use cofferdam_sandbox::Limits;
use serde::Serialize;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;

/// The most that any step may use where the operator has not set another ceiling: enough for a
/// migration of some gigabytes, and no more than a machine can bear beside its service.
const CEILING: StepLimits = StepLimits {
    time_ms: 10 * 60 * 1000,
    memory_bytes: 1 << 30,
    written_bytes: 16 << 30,
    files: 1_000_000,
    log_bytes: 4 << 20,
};

/// What one step may reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EffectiveGrants {
    /// Path patterns that it may read.
    pub read: Vec<String>,
    /// Path patterns that it may write (and read).
    pub write: Vec<String>,
    /// Key patterns that it may read.
    pub config_read: Vec<String>,
    /// Key patterns that it may write (and read).
    pub config_write: Vec<String>,
    /// Whether it may write managed files.
    pub managed_writes: bool,
    /// What it may use up.
    pub limits: StepLimits,
}

/// The paths of one tree that no pattern of a step opens.
#[derive(Clone, Debug, Default)]
pub struct TreeRules {
    /// Config files (reachable by keys only) and the operator's live files.
    pub hidden: GlobSet,
    /// Paths that the package owns.
    pub managed: BTreeSet<String>,
    /// Directories that the payload fills with executables.
    pub executable_dirs: BTreeSet<String>,
}

impl TreeRules {
    /// The rules for a tree of this package.
    pub fn new(manifest: &Manifest, roles: &[String], hidden: GlobSet) -> Self {
        let mut made = Self {
            hidden,
            ..Self::default()
        };
        for entry in manifest.entries_for(roles) {
            match &entry.kind {
                EntryKind::File { keep: true, .. } => {}
                EntryKind::File {
                    mode, keep: false, ..
                } => {
                    made.managed.insert(entry.path.as_str().to_owned());
                    if mode.bits() & 0o111 != 0 {
                        made.executable_dirs
                            .insert(entry.path.parent().unwrap_or("").to_owned());
                    }
                }
                EntryKind::Directory { .. } | EntryKind::Symlink { .. } => {
                    made.managed.insert(entry.path.as_str().to_owned());
                }
            }
        }
        made
    }

    /// The same rules with more managed paths: those of the version being left.
    #[must_use]
    pub fn with_managed(mut self, paths: impl IntoIterator<Item = String>) -> Self {
        self.managed.extend(paths);
        self
    }
}

impl EffectiveGrants {
    /// Requested and allowed.
    ///
    /// # Errors
    /// `limit-above-policy`, `managed-writes-not-allowed`.
    pub fn decide(step: &Step, policy: &Policy) -> Result<Self, Failure> {
        let name = step.name.as_str();
        let ceilings = &policy.ceilings;
        let time_ms = ceilings
            .time
            .and_then(|time| u64::try_from(time.as_millis()).ok());
        for (what, requested, allowed) in [
            (
                "time (ms)",
                step.limits.time_ms,
                time_ms.unwrap_or(CEILING.time_ms),
            ),
            (
                "memory (bytes)",
                step.limits.memory_bytes,
                ceilings.memory_bytes.unwrap_or(CEILING.memory_bytes),
            ),
            (
                "written (bytes)",
                step.limits.written_bytes,
                ceilings.written_bytes.unwrap_or(CEILING.written_bytes),
            ),
            (
                "files",
                step.limits.files,
                ceilings.files.unwrap_or(CEILING.files),
            ),
            (
                "log (bytes)",
                step.limits.log_bytes,
                ceilings.log_bytes.unwrap_or(CEILING.log_bytes),
            ),
        ] {
            if requested > allowed {
                return Err(Failure::new(
                    Exit::Refused,
                    "limit-above-policy",
                    format!(
                        "step `{name}` requests {what} {requested}, the policy allows {allowed}"
                    ),
                    "raise it under [policy.limits] in install.toml, or ask the vendor",
                )
                .with_details(json!({
                    "step": name,
                    "limit": what,
                    "requested": requested,
                    "allowed": allowed,
                })));
            }
        }
        if step.allow_managed_writes && policy.managed_writes == ManagedWrites::Refused {
            return Err(Failure::new(
                Exit::Refused,
                "managed-writes-not-allowed",
                format!(
                    "step `{name}` requests to write managed files, the policy does not allow it"
                ),
                "set allow-managed-writes = true under [policy] in install.toml, or ask the vendor",
            )
            .with_details(json!({ "step": name })));
        }
        Ok(Self {
            read: step.read.clone(),
            write: step.write.clone(),
            config_read: step.config_read.clone(),
            config_write: step.config_write.clone(),
            managed_writes: step.allow_managed_writes,
            limits: step.limits.clone(),
        })
    }

    /// The write patterns.
    ///
    /// # Errors
    /// Never for patterns of a verified manifest.
    pub fn write_globs(&self) -> Result<GlobSet, GlobError> {
        GlobSet::parse(&self.write)
    }

    /// What the sandbox judges files by.
    ///
    /// # Errors
    /// Never for patterns of a verified manifest.
    pub fn files(&self, rules: &TreeRules) -> Result<FileGrants, GlobError> {
        let mut grants = FileGrants {
            read: GlobSet::parse(&self.read)?,
            write: self.write_globs()?,
            hidden: rules.hidden.clone(),
            protected: BTreeSet::new(),
            no_new_in: BTreeSet::new(),
            executables: self.managed_writes,
        };
        if !self.managed_writes {
            grants.protected.clone_from(&rules.managed);
            grants.no_new_in.clone_from(&rules.executable_dirs);
        }
        Ok(grants)
    }

    /// What the session judges keys by: to be read, to be written.
    ///
    /// # Errors
    /// Never for patterns of a verified manifest.
    pub fn keys(&self) -> Result<(KeyGlobSet, KeyGlobSet), GlobError> {
        Ok((
            KeyGlobSet::parse(&self.config_read)?,
            KeyGlobSet::parse(&self.config_write)?,
        ))
    }

    /// What the sandbox stops the step at.
    pub fn limits(&self) -> Limits {
        Limits {
            time: Duration::from_millis(self.limits.time_ms),
            memory_bytes: self.limits.memory_bytes,
            written_bytes: self.limits.written_bytes,
            files: self.limits.files,
            log_bytes: self.limits.log_bytes,
        }
    }
}

/// A set of patterns that matches exactly these paths, whatever characters they have.
pub fn exactly<'a>(paths: impl IntoIterator<Item = &'a PayloadPath>) -> GlobSet {
    GlobSet::new(paths.into_iter().map(Glob::literal).collect())
}
