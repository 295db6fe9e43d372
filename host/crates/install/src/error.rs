// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with an install as a whole, and the table of every code of this crate.
//!
//! Each document has its own error beside its own code; [`InstallError`] is what the operations on
//! an install answer with, and passes the code of the inner one on. Texts for people are composed
//! at the command line, from the code.

use std::io;
use std::path::PathBuf;

use semver::Version;

use crate::history::HistoryError;
use crate::journal::codec::UnreadableJournal;
use crate::journal::recovery::Contradiction;
use crate::layout::PlaceError;
use crate::lock::Holder;
use crate::lock::LockError;
use crate::salvage::Undecided;
use crate::settings::SettingsError;

/// Every code that this crate's errors carry, and what to do next.
pub const CODES: &[(&str, &str)] = &[
    (
        "already-adopted",
        "the directory is under care already: see `status`",
    ),
    ("bad-txid", "this is a defect of the program: report it"),
    (
        "busy",
        "another command holds the install: wait for it, or look at the process named",
    ),
    (
        "config-changed",
        "somebody changed the config file meanwhile: look at it, then run the command again",
    ),
    ("config-inside", "name the file relative to the install"),
    (
        "config-twice",
        "declare each file under one name in `install.toml`",
    ),
    (
        "config-unreadable",
        "check the file named under `[config]`: it must be a regular file that can be read",
    ),
    (
        "different-file-system",
        "the install and the directory beside it must be on one file system",
    ),
    (
        "disk-full",
        "free space or inodes, then run the command again",
    ),
    (
        "from-disk-not-needed",
        "run `cofferdam recover DIR` without --from-disk",
    ),
    (
        "from-disk-undecided",
        "put a whole tree in place, or name one that agrees best with --generation N; nothing was changed",
    ),
    (
        "generation-damaged",
        "the kept tree is not what was sealed: choose another generation, or apply it again",
    ),
    (
        "generation-unreadable",
        "a file in the generation's folder is missing or damaged: choose another generation",
    ),
    (
        "history-cut",
        "put the whole file back where there is a copy; updates go on, and the gap stays to be seen",
    ),
    (
        "history-unreadable",
        "see the records from a sound one on with `history --from N`; updates go on, and the damage stays to be seen",
    ),
    (
        "holds-install",
        "name a directory that holds no install, or `release` that one first",
    ),
    (
        "inside-install",
        "name the install that it is a part of, or a directory outside",
    ),
    (
        "interrupted",
        "run `recover`: the install is the old one or the new one, whole",
    ),
    ("io", "see the cause"),
    (
        "is-state-directory",
        "name the install directory, not the one that ends in `.cofferdam`",
    ),
    (
        "journal-unreadable",
        "see what is there, and decide, with `cofferdam recover DIR --from-disk`",
    ),
    (
        "move-unsupported",
        "the directory cannot be renamed: is it a mount point, or below one layer of an overlay?",
    ),
    (
        "needs-person",
        "nothing was touched: see what is there, and decide, with `cofferdam recover DIR --from-disk`",
    ),
    (
        "no-generation",
        "see `status` for the generations that are kept",
    ),
    (
        "no-parent-directory",
        "the root directory cannot be put under care",
    ),
    ("not-a-directory", "name the install directory"),
    (
        "not-adopted",
        "put the directory under care first, with `adopt`",
    ),
    ("not-condemned", "see `status` for what is condemned here"),
    ("path-not-utf8", "rename the directory"),
    ("read-only", "the file system is mounted read-only"),
    (
        "refused-unreadable",
        "restore `refused.json` in the state directory",
    ),
    (
        "registry-unreadable",
        "remove the damaged entry, or restore it",
    ),
    (
        "settings-invalid",
        "correct the line named in `install.toml`",
    ),
    (
        "state-changed",
        "look at what changed; then `--discard-changes`, or `--keep-state`",
    ),
    (
        "state-exposed",
        "make the state directory yours and mode 0700",
    ),
    (
        "state-format-lower",
        "today's data cannot be read by the older program: roll back with the state of that time",
    ),
    (
        "sync-failed",
        "the disk did not take what was written: see the system log before trying again",
    ),
    (
        "writable-by-others",
        "take write access from group and others, or move the install",
    ),
];

/// The code of an error of the system.
pub(crate) fn io_code(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "disk-full",
        io::ErrorKind::ReadOnlyFilesystem => "read-only",
        _ => "io",
    }
}

fn for_example(paths: &[String]) -> String {
    let first = paths.first();
    first.map_or(String::new(), |path| format!(" (`{path}` for one)"))
}

/// How many state files differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct StateChanges {
    /// Files that were not there when the generation was sealed.
    pub added: usize,
    /// Files with other content, mode or owner.
    pub changed: usize,
    /// Files that are gone.
    pub removed: usize,
}

/// Why an operation on an install did not happen.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InstallError {
    /// The directories themselves.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// `install.toml`.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// `transaction.json`.
    #[error(transparent)]
    Journal(#[from] UnreadableJournal),
    /// `history.jsonl`.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Somebody else works on the install.
    #[error("the install is busy: {holder}")]
    Busy {
        /// Who.
        holder: Holder,
    },
    /// Recovery found what it cannot explain.
    #[error("the install needs a person: {found}")]
    NeedsPerson {
        /// What was found.
        found: Contradiction,
    },
    /// The journal and the disk can be brought to rest without a decision.
    #[error("the ordinary recovery is possible: nothing is to be decided from the disk")]
    FromDiskNotNeeded,
    /// The trees and manifests do not say what is live.
    #[error("what is live cannot be decided from the disk: {undecided}")]
    FromDiskUndecided {
        /// Why, with how far each tree agrees with each generation.
        undecided: Undecided,
    },
    /// The commit could not be finished, or not be undone: recovery will.
    #[error("the transaction is interrupted: {doing}")]
    Interrupted {
        /// What was being done.
        doing: &'static str,
        /// Why it did not work.
        source: Box<InstallError>,
    },
    /// Recovery acts, and the disk stays as it is.
    #[error("the install does not come to rest: what recovery does has no effect on the disk")]
    NotAtRest,
    /// `refused.json`.
    #[error("`refused.json` cannot be believed: {reason}")]
    RefusedUnreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// A file in a generation's folder.
    #[error("generation {generation}: `{file}` cannot be believed: {reason}")]
    GenerationUnreadable {
        /// Whose folder.
        generation: u64,
        /// Which file.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// No such generation, or it has no tree to go back to.
    #[error("there is no generation {wanted} to roll back to: kept are {kept}")]
    NoGeneration {
        /// The number asked for, or "older".
        wanted: String,
        /// The numbers that could be asked for.
        kept: String,
    },
    /// The kept tree's managed files are not what was sealed.
    #[error(
        "generation {generation} is damaged: {count} managed files differ, the first is `{first}`"
    )]
    GenerationDamaged {
        /// The generation.
        generation: u64,
        /// How many files differ.
        count: usize,
        /// One of them.
        first: String,
    },
    /// A rollback would throw state away.
    #[error(
        "state changed since generation {generation} was made: {} added, {} changed, {} removed{}",
        .changes.added, .changes.changed, .changes.removed, for_example(.paths)
    )]
    StateChanged {
        /// The live generation.
        generation: u64,
        /// How much.
        changes: StateChanges,
        /// Which files.
        paths: Vec<String>,
    },
    /// Today's state would be given to a program that cannot read it.
    #[error("the state has data format {live}, but generation {generation} reads {target}")]
    StateFormatLower {
        /// The generation asked for.
        generation: u64,
        /// Its data format.
        target: u64,
        /// The live one.
        live: u64,
    },
    /// A config file outside the install is not what it was.
    #[error("config file `{name}` at `{path}` was changed by somebody else since it was read")]
    ConfigChanged {
        /// What the operator calls it.
        name: String,
        /// Where it is.
        path: PathBuf,
    },
    /// A config file that was said to be outside is inside.
    #[error(
        "config file `{name}` is `{found}`, expected a path outside the install `{install}` and its state directory"
    )]
    ConfigInside {
        /// What the operator calls it.
        name: String,
        /// Its real path.
        found: PathBuf,
        /// The install's real path.
        install: PathBuf,
    },
    /// Two config files that change are one.
    #[error(
        "config files `{first}` and `{second}` are both `{path}`, expected a file of its own for each name"
    )]
    ConfigTwice {
        /// What the operator calls it.
        first: String,
        /// What the operator calls it too.
        second: String,
        /// Its real path.
        path: PathBuf,
    },
    /// A config file outside the install cannot be used.
    #[error("config file `{name}` at `{path}` cannot be used: {reason}")]
    ConfigUnreadable {
        /// What the operator calls it.
        name: String,
        /// Where it is.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was written may not be on the disk.
    #[error("the file system could not write everything down")]
    SyncFailed {
        /// What the system said.
        source: io::Error,
    },
    /// The package.
    #[error(transparent)]
    Package(#[from] cofferdam_package::error::PackageError),
    /// The tree.
    #[error(transparent)]
    Tree(#[from] cofferdam_tree::TreeError),
    /// A condemned package or version that is not there to be lifted.
    #[error("version {version} is not condemned here")]
    NotCondemned {
        /// The version asked for.
        version: Version,
    },
    /// A name that must not stand in file names.
    #[error("`{txid}` cannot name a transaction, expected 1 to 64 letters, digits and `-`")]
    BadTxid {
        /// The name.
        txid: String,
    },
    /// A registry entry.
    #[error("registry entry `{entry}` cannot be believed: {reason}")]
    RegistryUnreadable {
        /// The file.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("cannot {doing}")]
    Io {
        /// What was being done.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl InstallError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Place(error) => error.code(),
            Self::Settings(error) => error.code(),
            Self::Journal(error) => error.code(),
            Self::History(error) => error.code(),
            Self::Busy { .. } => "busy",
            Self::NeedsPerson { .. } => "needs-person",
            Self::FromDiskNotNeeded => "from-disk-not-needed",
            Self::FromDiskUndecided { .. } => "from-disk-undecided",
            Self::Interrupted { .. } | Self::NotAtRest => "interrupted",
            Self::RefusedUnreadable { .. } => "refused-unreadable",
            Self::GenerationUnreadable { .. } => "generation-unreadable",
            Self::NoGeneration { .. } => "no-generation",
            Self::GenerationDamaged { .. } => "generation-damaged",
            Self::StateChanged { .. } => "state-changed",
            Self::StateFormatLower { .. } => "state-format-lower",
            Self::ConfigChanged { .. } => "config-changed",
            Self::ConfigInside { .. } => "config-inside",
            Self::ConfigTwice { .. } => "config-twice",
            Self::ConfigUnreadable { .. } => "config-unreadable",
            Self::SyncFailed { .. } => "sync-failed",
            Self::Package(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::NotCondemned { .. } => "not-condemned",
            Self::BadTxid { .. } => "bad-txid",
            Self::RegistryUnreadable { .. } => "registry-unreadable",
            Self::Io { source, .. } => io_code(source),
        }
    }
}

impl From<LockError> for InstallError {
    fn from(error: LockError) -> Self {
        match error {
            LockError::Held(holder) => Self::Busy { holder },
            LockError::Io(source) => Self::Io {
                doing: "take the lock".to_owned(),
                source,
            },
        }
    }
}

/// Says what was being done when the system refused.
pub(crate) trait Doing<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, InstallError>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: impl FnOnce() -> String) -> Result<T, InstallError> {
        self.map_err(|source| InstallError::Io {
            doing: doing(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::CODES;

    /// Every literal that a `code` function of this crate answers with, from the sources
    /// themselves.
    fn answered() -> Vec<String> {
        let sources = [
            include_str!("adopt.rs"),
            include_str!("error.rs"),
            include_str!("history.rs"),
            include_str!("journal/codec.rs"),
            include_str!("layout.rs"),
            include_str!("settings/mod.rs"),
        ];
        let mut answered = Vec::new();
        for source in sources {
            let code = source.split("#[cfg(test)]").next().unwrap_or(source);
            for line in code.lines() {
                let arm = line
                    .split_once("=> \"")
                    .or_else(|| line.trim().split_once("code: \""));
                if let Some((_, rest)) = arm {
                    answered.extend(rest.split('"').next().map(str::to_owned));
                }
            }
        }
        answered.push("journal-unreadable".to_owned());
        answered
    }

    #[test]
    fn every_code_is_in_the_table_and_the_table_has_no_other() {
        let mut answered = answered();
        answered.sort();
        answered.dedup();
        let table: Vec<&str> = CODES.iter().map(|(code, _)| *code).collect();
        assert!(table.is_sorted(), "{table:?}");
        assert_eq!(answered, table);
    }
}
