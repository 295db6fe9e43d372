// SPDX-License-Identifier: Apache-2.0
//! What a step is told and what it may answer, and what its failure looks like.
//!
//! The mirror of `wit/step.wit`, with one addition: [`Verdict::Failed`], which only the host gives.

use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// Where in an update a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The live tree; may veto.
    Check,
    /// The next tree, old files still in place.
    Prepare,
    /// The next tree, new files in place.
    Migrate,
    /// The live tree after the swap; says whether it works.
    Health,
    /// As `Migrate`, once per fleet.
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

/// What a step is told about the update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The id of the package.
    pub package_id: String,
    /// The name of the step.
    pub step: String,
    /// The phase it runs in.
    pub phase: Phase,
    /// The version being left.
    pub from_version: Option<String>,
    /// The version of the package.
    pub to_version: String,
    /// The data format of the version being left.
    pub from_data_format: Option<u64>,
    /// The data format of the package's version.
    pub to_data_format: u64,
    /// The roles of this machine.
    pub roles: Vec<String>,
    /// What the service printed (`health` only).
    pub service_output: String,
}

/// How a run of a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Go on.
    Ok,
    /// Not for this machine as it is; the reason.
    Refuse(String),
    /// Not now.
    Defer {
        /// Why.
        reason: String,
        /// When it is worth asking again.
        retry_after_seconds: u32,
    },
    /// The new version works.
    Healthy,
    /// It does not; the reason.
    Unhealthy(String),
    /// The step did not give an answer that counts.
    Failed(Failure),
}

/// Why a step gave no answer that counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind of failure.
    pub kind: FailureKind,
    /// What the operator reads: the step's own words where it had any. Free of control characters
    /// other than line feeds.
    pub message: String,
    /// The step's own functions, innermost first, demangled.
    pub backtrace: Vec<String>,
}

/// The kinds of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The step returned an error.
    Error,
    /// The step panicked.
    Panicked,
    /// The step hit a wasm trap, or ended itself.
    Trapped,
    /// The time was up.
    TimedOut,
    /// The step wanted more memory than its limit.
    OutOfMemory,
    /// The step executed more instructions than belong to its time limit.
    OutOfFuel,
    /// A budget was spent, and the step failed because of it.
    OverBudget(Budget),
    /// The answer is not one that the phase has.
    WrongVerdict,
    /// The component could not be instantiated, or no process for it was to be had.
    NotStarted,
    /// The process that ran the step ended before it: killed, or broken down.
    Killed,
    /// A wall of the kernel is missing, and the policy requires it.
    Unconfined,
    /// The disk or a quota of the machine was full when the step wrote.
    DiskFull,
    /// The machine could not do something else that the step asked for.
    MachineFailed,
}

/// A budget of [`crate::Limits`] that can be spent without ending the step at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Budget {
    /// Bytes written to files.
    WrittenBytes,
    /// Files, directories and symlinks created.
    Files,
    /// Handles open at once.
    Handles,
    /// The list of paths that were touched: without room in it, nothing more is changed.
    Paths,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::WrittenBytes => "written bytes",
            Self::Files => "files created",
            Self::Handles => "open handles",
            Self::Paths => "recorded paths",
        })
    }
}

impl FailureKind {
    /// The stable code of this kind.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Error => "step-error",
            Self::Panicked => "step-panicked",
            Self::Trapped => "step-trapped",
            Self::TimedOut => "step-timed-out",
            Self::OutOfMemory => "step-out-of-memory",
            Self::OutOfFuel => "step-out-of-fuel",
            Self::OverBudget(_) => "step-over-budget",
            Self::WrongVerdict => "step-wrong-verdict",
            Self::NotStarted => "step-not-started",
            Self::Killed => "step-killed",
            Self::Unconfined => "sandbox-unconfined",
            Self::DiskFull => "disk-full",
            Self::MachineFailed => "io",
        }
    }
}

impl Failure {
    /// The stable code of the failure's kind.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }
}
