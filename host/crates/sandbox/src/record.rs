// SPDX-License-Identifier: Apache-2.0
//! What a step did, for the history: facts only, bounded in size, without the host's paths.
//!
//! Two things are not in here, because whoever runs steps knows them and the sandbox does not. Keys
//! of the configuration: the implementation of [`crate::ConfigAccess`] knows which of them are
//! secret, and records them. Content before and after: a runner that was taken over could claim
//! any, so [`Touched::before`] and [`Touched::after`] leave the sandbox empty, and are filled in from
//! the trees.

use crate::access::Level;
use crate::imports::Import;
use crate::limits::RECORDED_PATHS;
use crate::step::Budget;
use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::Error as _;
use serde::de::SeqAccess;
use serde::de::Visitor;
use std::collections::BTreeSet;
use std::fmt;

/// What one run of a step did and used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// What the component imports, as far as it uses it.
    pub imports: Vec<Import>,
    /// The paths that were touched or denied, sorted.
    #[serde(deserialize_with = "no_more_than_recorded")]
    pub files: Vec<Touched>,
    /// How many more paths there were than `files` lists: looked at, when there was no more room.
    pub files_not_listed: u64,
    /// What `files` comes to.
    pub totals: Totals,
    /// The log, standard output and standard error, in order.
    pub log: Vec<LogLine>,
    /// Bytes of log beyond the budget, which were dropped.
    pub log_dropped_bytes: u64,
    /// Budgets that were spent.
    pub spent: BTreeSet<Budget>,
    /// What was used.
    pub usage: Usage,
    /// The process that kept this record was gone before it could tell: what the step did is not known.
    pub lost: bool,
}

impl StepRecord {
    /// Brings [`Self::totals`] up to date with [`Self::files`].
    pub fn sum_up(&mut self) {
        self.totals = Totals::of(&self.files);
    }

    /// Without what a runner cannot know, as it came from one: what files hold, and that the record
    /// itself is lost.
    pub(crate) fn without_claims(mut self) -> Self {
        for touched in &mut self.files {
            touched.before = None;
            touched.after = None;
        }
        self.lost = false;
        self
    }
}

/// What the paths of a record come to: how many there were, and of how many each is true.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Paths.
    pub paths: u64,
    /// Those that were read.
    pub read: u64,
    /// Those whose content or times changed.
    pub written: u64,
    /// Those where something was made.
    pub created: u64,
    /// Those where something was removed.
    pub removed: u64,
    /// Those that were moved away.
    pub renamed: u64,
    /// Those where something was refused.
    pub denied: u64,
    /// Bytes of the files that stood at changed paths before.
    pub bytes_before: u64,
    /// Bytes of the files that stand there after.
    pub bytes_after: u64,
}

impl Totals {
    fn of(files: &[Touched]) -> Self {
        let count =
            |is: fn(&Touched) -> bool| files.iter().filter(|touched| is(touched)).count() as u64;
        let bytes = |content: fn(&Touched) -> &Option<Content>| {
            let bytes = files
                .iter()
                .filter_map(|touched| content(touched).as_ref()?.bytes());
            bytes.fold(0, u64::saturating_add)
        };
        Self {
            paths: files.len() as u64,
            read: count(|touched| touched.read || touched.read_bytes > 0),
            written: count(|touched| touched.written),
            created: count(|touched| touched.created),
            removed: count(|touched| touched.removed),
            renamed: count(|touched| touched.renamed_to.is_some()),
            denied: count(|touched| !touched.denied.is_empty()),
            bytes_before: bytes(|touched| &touched.before),
            bytes_after: bytes(|touched| &touched.after),
        }
    }
}

/// What stood at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Content {
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// The SHA-256 of its content.
        digest: Digest,
    },
    /// A directory.
    Directory,
    /// A symlink.
    Symlink {
        /// Where it leads, as it is written.
        target: String,
    },
    /// Something that no step can open.
    Other,
    /// A file that holds a secret: neither its digest nor its length is told.
    Withheld,
    /// Not known: the service wrote there while a plan was made.
    Unknown,
}

impl Content {
    fn bytes(&self) -> Option<u64> {
        match self {
            Self::File { bytes, .. } => Some(*bytes),
            Self::Directory
            | Self::Symlink { .. }
            | Self::Other
            | Self::Withheld
            | Self::Unknown => None,
        }
    }
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
    /// Opened for reading, listed, or asked where it leads.
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
    /// What stood here before the step, where it changed something; none where nothing did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Content>,
    /// What stands here after it; none where nothing does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Content>,
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

/// A message has room for far more short entries than a sound runner ever sends, and each takes many
/// times more memory here: one that was taken over could fill the host's.
fn no_more_than_recorded<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<Touched>, D::Error> {
    struct Bounded;

    impl<'de> Visitor<'de> for Bounded {
        type Value = Vec<Touched>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {RECORDED_PATHS} paths")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
            let mut files = Vec::new();
            while let Some(touched) = entries.next_element()? {
                if files.len() >= RECORDED_PATHS {
                    return Err(A::Error::invalid_length(files.len() + 1, &self));
                }
                files.push(touched);
            }
            Ok(files)
        }
    }

    source.deserialize_seq(Bounded)
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
mod tests;
