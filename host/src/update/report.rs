// SPDX-License-Identifier: Apache-2.0
//! The facts of an update, as `plan` and `apply` give them to programs and to people.

use cofferdam_install::Ready;
use cofferdam_package::signature::SignatureReport;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::Wall;
use serde::Serialize;

use crate::config_session::KeyChange;
use crate::config_session::TouchedKeys;
use crate::update::grants::EffectiveGrants;

/// What an update does, in full: the answer of `plan`, and what `apply` carries out.
#[derive(Debug, Serialize)]
pub struct Plan {
    /// The package's id.
    pub id: String,
    /// What is being left.
    pub from: From,
    /// What comes.
    pub to: To,
    /// The package digest.
    pub package_digest: String,
    /// Who signed it.
    pub signatures: Vec<SignatureReport>,
    /// Covers all that a reviewer decides on; `apply --expect` takes it.
    pub outcome_digest: String,
    /// Covers what steps left at the paths of state that they touched.
    pub data_digest: String,
    /// Managed files.
    pub files: Files,
    /// Seeds: the vendor's first versions of files that are the operator's.
    pub seeds: Seeds,
    /// Managed files of the live tree that are not as the live package has them.
    pub drift: Vec<String>,
    /// Keys that steps changed; secrets masked.
    pub config: Vec<KeyChange>,
    /// The steps, in the order in which they run.
    pub steps: Vec<StepReport>,
    /// What the kernel holds the processes of the steps to; empty without steps.
    pub confinement: Vec<Wall>,
    /// Space on the install's file system.
    pub disk: Disk,
    /// What else the operator should know.
    pub notes: Vec<String>,
}

/// What is being left.
#[derive(Clone, Debug, Serialize)]
pub struct From {
    /// `None` when an install was adopted without a package.
    pub version: Option<String>,
    /// The number of the live generation.
    pub generation: u64,
}

impl From {
    /// The live generation of an install at rest.
    pub(crate) fn of_live(ready: &Ready) -> Self {
        let live = ready.journal().live_generation();
        Self {
            version: live
                .and_then(|live| live.version.as_ref())
                .map(ToString::to_string),
            generation: ready.journal().live,
        }
    }
}

/// What comes.
#[derive(Clone, Debug, Serialize)]
pub struct To {
    /// The package's version.
    pub version: String,
}

/// Managed files, by path.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Files {
    /// New in this version.
    pub added: Vec<String>,
    /// Other content, mode or link target.
    pub changed: Vec<String>,
    /// Not in this version.
    pub removed: Vec<String>,
}

/// Seeds, by path.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Seeds {
    /// Installed, because no file stood there.
    pub installed: Vec<String>,
    /// The vendor's default is another one than before; the operator's file stays.
    pub default_changed: Vec<String>,
}

/// Space on the install's file system.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Disk {
    /// Bytes that the update may need at most, steps' budgets included.
    pub needed_bytes: u64,
    /// Bytes that are free for us.
    pub free_bytes: u64,
    /// Inodes that the update may need at most.
    pub needed_inodes: u64,
    /// Inodes that are free for us; the largest number where the file system makes them as needed.
    pub free_inodes: u64,
}

/// One step: what it may do, what it did, how it ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// The step's name.
    pub name: String,
    /// The phase that it runs in.
    pub phase: String,
    /// What the vendor says that it is for.
    pub reason: String,
    /// `ok`, `refuse`, `defer`, `healthy`, `unhealthy`, `not-run`, or the code of its failure.
    pub verdict: String,
    /// The reason that goes with the verdict.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// What it may reach: requested and allowed.
    pub grants: EffectiveGrants,
    /// The keys that it used.
    pub keys: TouchedKeys,
    /// The files that it used, its limits and its log; absent for a step that did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<StepRecord>,
    /// How long it ran, in seconds.
    pub seconds: f64,
}

/// How `apply` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyResult {
    /// The new generation is live.
    Committed,
    /// The install is as the package has it already; nothing was done.
    Unchanged,
    /// The live package was put back as it should be.
    Repaired,
    /// The new generation was unhealthy; the old one is live again.
    RolledBack,
    /// A step asked to try again later; nothing was done.
    Deferred,
}

/// One stage of `apply` and how long it took.
#[derive(Clone, Debug, Serialize)]
pub struct Stage {
    /// The stage's name.
    pub name: &'static str,
    /// Seconds of wall time.
    pub seconds: f64,
}

/// The answer of `apply`.
#[derive(Debug, Serialize)]
pub struct Applied {
    /// How it ended.
    pub result: ApplyResult,
    /// The package's id.
    pub id: String,
    /// The generation that is live now.
    pub generation: u64,
    /// The version that is live now.
    pub version: Option<String>,
    /// What was left, for `committed` and `rolled-back`.
    pub from: From,
    /// The outcome digest of what was built; `None` when nothing was.
    pub outcome_digest: Option<String>,
    /// The data digest of what was built; `None` when nothing was.
    pub data_digest: Option<String>,
    /// Whether the live generation has proved healthy.
    pub confirmed: bool,
    /// The stages in order.
    pub stages: Vec<Stage>,
    /// Seconds between the stop of the service and its start; 0 without a service.
    pub downtime_seconds: f64,
    /// What the kernel held the processes of the steps to; empty without steps.
    pub confinement: Vec<Wall>,
    /// The steps that ran.
    pub steps: Vec<StepReport>,
    /// Managed files that changed.
    pub files: Files,
    /// Keys that changed.
    pub config: Vec<KeyChange>,
    /// What went wrong after the commit without undoing it.
    pub warnings: Vec<String>,
}
