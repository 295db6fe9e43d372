// SPDX-License-Identifier: Apache-2.0
//! What a step did, for the history: facts only, bounded in size, without the host's paths.
//!
//! Keys of the configuration are not in here: the implementation of [`crate::ConfigAccess`] knows
//! which of them are secret, and records them.

use crate::access::Level;
use crate::imports::Import;
use crate::step::Budget;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;

/// What one run of a step did and used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts about one path"
)]
pub struct Touched {
    /// The path, relative to the tree.
    pub path: String,
    /// Bytes read.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub read_bytes: u64,
    /// Bytes written.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub written_bytes: u64,
    /// Looked at: opened for reading, listed, or asked for size and kind.
    #[serde(default, skip_serializing_if = "is_false")]
    pub read: bool,
    /// Content or times changed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub written: bool,
    /// A file, directory or symlink was created here.
    #[serde(default, skip_serializing_if = "is_false")]
    pub created: bool,
    /// What stood here was removed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub removed: bool,
    /// What stood here was moved there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<String>,
    /// What stands here came from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What was refused here.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub denied: BTreeSet<Denied>,
}

/// What a step asked for at a path and did not get. In the order of the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Denied {
    /// To make a file, directory or symlink.
    Create,
    /// A hard link, or a symlink that leads out of the tree.
    Link,
    /// To open a device, fifo or socket.
    Open,
    /// To read a file, list a directory, or look at either.
    Read,
    /// To remove what is there.
    Remove,
    /// To move something away from here, or to here.
    Rename,
    /// A way out of the tree, or through what is not granted.
    Resolve,
    /// To change content, size or times.
    Write,
}

impl Denied {
    /// The word for it, as it is in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Link => "link",
            Self::Open => "open",
            Self::Read => "read",
            Self::Remove => "remove",
            Self::Rename => "rename",
            Self::Resolve => "resolve",
            Self::Write => "write",
        }
    }
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// How much it matters.
    pub level: Level,
    /// The text, without control characters.
    pub line: String,
}

/// What a run used of its limits.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Failure;
    use crate::step::FailureKind;
    use crate::step::Verdict;

    /// A run happens in another process than the one that keeps its record.
    #[test]
    fn an_outcome_survives_the_way_through_json() {
        let record = StepRecord {
            imports: vec![Import {
                interface: "wasi:io/poll@0.2.6".to_owned(),
                functions: vec!["block".to_owned()],
                offered: true,
            }],
            files: vec![
                Touched {
                    path: "data/\u{1f600}\n\"a\"".to_owned(),
                    written: true,
                    written_bytes: u64::MAX,
                    renamed_to: Some("data/b".to_owned()),
                    denied: [Denied::Create, Denied::Link, Denied::Open, Denied::Read].into(),
                    ..Touched::default()
                },
                Touched {
                    path: "data/b".to_owned(),
                    denied: [
                        Denied::Remove,
                        Denied::Rename,
                        Denied::Resolve,
                        Denied::Write,
                    ]
                    .into(),
                    ..Touched::default()
                },
            ],
            files_not_listed: 7,
            log: vec![LogLine {
                level: Level::Warn,
                line: "two words".to_owned(),
            }],
            log_dropped_bytes: 3,
            spent: [Budget::Handles, Budget::Files, Budget::WrittenBytes].into(),
            usage: Usage {
                fuel: u64::MAX,
                ..Usage::default()
            },
        };
        let text = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<StepRecord>(&text).unwrap(), record);

        let failed = |kind| {
            Verdict::Failed(Failure {
                kind,
                message: "m".to_owned(),
                backtrace: vec!["f".to_owned()],
            })
        };
        for verdict in [
            Verdict::Ok,
            Verdict::Refuse("no".to_owned()),
            Verdict::Defer {
                reason: "later".to_owned(),
                retry_after_seconds: 5,
            },
            Verdict::Unhealthy("ill".to_owned()),
            failed(FailureKind::OverBudget(Budget::Handles)),
            failed(FailureKind::TimedOut),
        ] {
            let text = serde_json::to_string(&verdict).unwrap();
            assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        }
    }

    #[test]
    fn a_denial_has_one_word_in_json_and_text() {
        for denied in [Denied::Create, Denied::Link, Denied::Open, Denied::Read]
            .into_iter()
            .chain([
                Denied::Remove,
                Denied::Rename,
                Denied::Resolve,
                Denied::Write,
            ])
        {
            let word = format!("\"{}\"", denied.word());
            assert_eq!(serde_json::to_string(&denied).unwrap(), word);
        }
    }
}
