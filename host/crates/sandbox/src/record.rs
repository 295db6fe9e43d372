// SPDX-License-Identifier: Apache-2.0
//! What a step did, for the history: facts only, bounded in size, without the host's paths.
//!
//! Keys of the configuration are not in here: the implementation of [`crate::ConfigAccess`] knows
//! which of them are secret, and records them.

use crate::access::Level;
use crate::imports::Import;
use crate::step::Budget;
use serde::Serialize;
use std::collections::BTreeSet;

/// What one run of a step did and used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StepRecord {
    /// What the component imports, as far as it uses it.
    pub imports: Vec<Import>,
    /// The paths that were touched or denied, sorted.
    pub files: Vec<Touched>,
    /// How many more paths there were than `files` lists.
    pub files_not_listed: u64,
    /// The log, standard output and standard error, in order.
    pub log: Vec<LogLine>,
    /// Bytes of log beyond the budget, which were dropped.
    pub log_dropped_bytes: u64,
    /// Budgets that were spent.
    pub spent: BTreeSet<Budget>,
    /// What was used.
    pub usage: Usage,
}

/// What happened at one path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one path"
)]
pub struct Touched {
    /// The path, relative to the tree.
    pub path: String,
    /// Bytes read.
    #[serde(skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// Bytes written.
    #[serde(skip_serializing_if = "is_zero")]
    pub written_bytes: u64,
    /// Looked at: opened for reading, listed, or asked for size and kind.
    #[serde(skip_serializing_if = "is_false")]
    pub read: bool,
    /// Content or times changed.
    #[serde(skip_serializing_if = "is_false")]
    pub written: bool,
    /// A file, directory or symlink was created here.
    #[serde(skip_serializing_if = "is_false")]
    pub created: bool,
    /// What stood here was removed.
    #[serde(skip_serializing_if = "is_false")]
    pub removed: bool,
    /// What stood here was moved there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// What stands here came from there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What was refused here: `read`, `write`, `create`, `remove`, `rename`, `link`, `open` (of a
    /// device, fifo or socket), `resolve` (a way out of the tree).
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub denied: BTreeSet<&'static str>,
}

impl Touched {
    /// Whether the tree differs at this path because of the step.
    pub fn is_change(&self) -> bool {
        self.written
            || self.created
            || self.removed
            || self.renamed_to.is_some()
            || self.renamed_from.is_some()
    }
}

/// A line of a step's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The text, without control characters.
    pub line: String,
}

/// What a run used of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Wall time.
    pub time_ms: u64,
    /// Fuel: roughly, instructions.
    pub fuel: u64,
    /// The most linear memory at any time.
    pub memory_peak_bytes: u64,
    /// Bytes written to files.
    pub written_bytes: u64,
    /// Bytes read from files.
    pub read_bytes: u64,
    /// Files, directories and symlinks created.
    pub files: u64,
    /// Bytes of log kept.
    pub log_bytes: u64,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature is serde's"
)]
fn is_false(flag: &bool) -> bool {
    !*flag
}
