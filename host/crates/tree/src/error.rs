// SPDX-License-Identifier: Apache-2.0
//! What can go wrong with a tree, each with a stable code.
//!
//! Errors name paths relative to the tree's root in escaped form (see [`crate::name`]); absolute
//! paths never appear here, because this crate does not know them.

use std::io;

use cofferdam_package::digest::Digest;
use cofferdam_package::error::PackageError;
use rustix::io::Errno;

/// Every code of this crate with one line on what to do next.
pub const CODES: &[(&str, &str)] = &[
    (
        "io",
        "look at the cause; when the machine is healthy again, run the command again",
    ),
    (
        "disk-full",
        "free space or inodes (or raise the quota) on the file system of the install, then run it again",
    ),
    (
        "not-enough-space",
        "free the missing bytes on the file system of the install, or keep fewer generations (install.toml)",
    ),
    (
        "not-enough-inodes",
        "free inodes on the file system of the install, or keep fewer generations (install.toml)",
    ),
    (
        "state-in-the-way",
        "move your file away, or let the package replace it with `--replace PATH`",
    ),
    (
        "device-node",
        "move the device node out of the install: it cannot be carried into the next generation",
    ),
    (
        "immutable-file",
        "remove the immutable or append-only attribute with `chattr -i -a`, then run it again",
    ),
    (
        "case-folding",
        "move the install to a directory that tells upper and lower case apart",
    ),
    (
        "mount-below",
        "unmount what is mounted at or below the install: it would travel with the old tree",
    ),
    (
        "subvolume-below",
        "keep subvolumes outside of the install, or make the install a plain directory",
    ),
    (
        "too-deep",
        "shorten the path: the install may be nested 128 directories and 4000 bytes deep",
    ),
    (
        "symlink-swapped",
        "find out who replaces directories of the install by symlinks while it is updated",
    ),
    (
        "changed-while-copied",
        "stop whatever writes to the install, then run it again",
    ),
    (
        "digest-mismatch",
        "the bytes are not what was signed or recorded; check the package and the disk",
    ),
    (
        "owner-not-kept",
        "run as root, or as the owner of every file of the install",
    ),
    (
        "attribute-not-kept",
        "run with the rights to set that attribute, or remove it from the file",
    ),
    (
        "files-of-others",
        "run as root: this user cannot keep the owner of these files",
    ),
    (
        "no-hard-links",
        "move the install to a file system with hard links, not below an overlay's lower layer",
    ),
    (
        "no-exchange",
        "move the install to a file system that can exchange two directories",
    ),
    (
        "inventory-damaged",
        "restore the inventory from a backup, or roll back to another generation",
    ),
    (
        "inventory-unknown-format",
        "use the version of cofferdam that wrote this inventory, or a later one",
    ),
];

/// Why a tree could not be walked, staged, compared or removed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// A system call failed in a way that has no code of its own.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was being done, as a verb.
        action: &'static str,
        /// The path below the tree's root.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// The file system or a quota ran out while writing.
    #[error("no space left while trying to {action} `{path}`")]
    DiskFull {
        /// What was being done, as a verb.
        action: &'static str,
        /// The path below the tree's root.
        path: String,
        /// The cause: out of space or over quota.
        source: io::Error,
    },
    /// Computed ahead: the file system has too few free bytes.
    #[error("the update needs {needed} bytes, the file system has {free} free")]
    NotEnoughSpace {
        /// Worst case.
        needed: u64,
        /// Free to this user.
        free: u64,
    },
    /// Computed ahead: the file system has too few free inodes.
    #[error("the update needs {needed} inodes, the file system has {free} free")]
    NotEnoughInodes {
        /// Worst case.
        needed: u64,
        /// Free to this user.
        free: u64,
    },
    /// State stands where the package wants a managed path.
    #[error("state stands where the package puts its own: {}", quoted(.paths))]
    StateInTheWay {
        /// Every such path.
        paths: Vec<String>,
    },
    /// A block or character device below the root.
    #[error("`{path}` is a device node")]
    DeviceNode {
        /// Where.
        path: String,
    },
    /// A file or directory that is immutable or append-only.
    #[error("`{path}` is immutable or append-only")]
    Immutable {
        /// Where.
        path: String,
    },
    /// A directory that folds case.
    #[error("the directory `{path}` folds case")]
    CaseFolding {
        /// Where.
        path: String,
    },
    /// A mount at or below the root.
    #[error("something is mounted at `{path}`")]
    MountBelow {
        /// Where.
        path: String,
    },
    /// A subvolume, or another device without a mount, below the root.
    #[error("`{path}` is a subvolume of its own")]
    SubvolumeBelow {
        /// Where.
        path: String,
    },
    /// A path that is nested too deep or too long to be walked with bounded means.
    #[error("`{path}` is nested too deep")]
    TooDeep {
        /// Where (shortened).
        path: String,
    },
    /// A directory on the way turned out to be a symlink.
    #[error("`{path}` leads through a symlink that was not there before")]
    SymlinkSwapped {
        /// Where.
        path: String,
    },
    /// A file was replaced or written while it was read.
    #[error("`{path}` changed while it was copied or compared")]
    ChangedWhileCopied {
        /// Where.
        path: String,
    },
    /// Content differs from what was signed or recorded.
    #[error("`{path}` has digest {found}, expected {expected}")]
    DigestMismatch {
        /// Where.
        path: String,
        /// As signed or recorded.
        expected: Digest,
        /// As found.
        found: Digest,
    },
    /// This user may not give the file its owner and group.
    #[error("cannot give `{path}` to user {uid} and group {gid}")]
    OwnerNotKept {
        /// Where.
        path: String,
        /// The user wanted.
        uid: u32,
        /// The group wanted.
        gid: u32,
        /// The cause.
        source: io::Error,
    },
    /// An extended attribute could not be carried over.
    #[error("cannot keep the attribute `{name}` of `{path}`")]
    AttributeNotKept {
        /// Where.
        path: String,
        /// The attribute's name.
        name: String,
        /// The cause.
        source: io::Error,
    },
    /// Files whose owner this user cannot keep.
    #[error("files of other users, whose owner cannot be kept: {}", quoted(.paths))]
    FilesOfOthers {
        /// Some of them.
        paths: Vec<String>,
    },
    /// The trial hard link failed.
    #[error("the file system refuses a hard link from the install into its state directory")]
    NoHardLinks {
        /// The cause.
        source: io::Error,
    },
    /// The trial exchange failed.
    #[error("the file system refuses to exchange two directories")]
    NoExchange {
        /// The cause.
        source: io::Error,
    },
    /// An inventory that cannot be read.
    #[error("the inventory cannot be read: {reason}")]
    InventoryDamaged {
        /// What is wrong with it.
        reason: String,
    },
    /// An inventory of a format that this version does not know.
    #[error("the inventory has format `{found}`, expected `{expected}`")]
    InventoryFormat {
        /// As found.
        found: String,
        /// The only one this version reads.
        expected: &'static str,
    },
    /// The package could not deliver a blob.
    #[error("cannot extract `{path}` from the package")]
    Package {
        /// The managed path.
        path: String,
        /// The cause.
        source: PackageError,
    },
}

impl TreeError {
    /// The stable code; a package's error keeps its own.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "io",
            Self::DiskFull { .. } => "disk-full",
            Self::NotEnoughSpace { .. } => "not-enough-space",
            Self::NotEnoughInodes { .. } => "not-enough-inodes",
            Self::StateInTheWay { .. } => "state-in-the-way",
            Self::DeviceNode { .. } => "device-node",
            Self::Immutable { .. } => "immutable-file",
            Self::CaseFolding { .. } => "case-folding",
            Self::MountBelow { .. } => "mount-below",
            Self::SubvolumeBelow { .. } => "subvolume-below",
            Self::TooDeep { .. } => "too-deep",
            Self::SymlinkSwapped { .. } => "symlink-swapped",
            Self::ChangedWhileCopied { .. } => "changed-while-copied",
            Self::DigestMismatch { .. } => "digest-mismatch",
            Self::OwnerNotKept { .. } => "owner-not-kept",
            Self::AttributeNotKept { .. } => "attribute-not-kept",
            Self::FilesOfOthers { .. } => "files-of-others",
            Self::NoHardLinks { .. } => "no-hard-links",
            Self::NoExchange { .. } => "no-exchange",
            Self::InventoryDamaged { .. } => "inventory-damaged",
            Self::InventoryFormat { .. } => "inventory-unknown-format",
            Self::Package { source, .. } => source.code(),
        }
    }

    /// The paths that the error is about, for structured output.
    pub fn paths(&self) -> Vec<&str> {
        match self {
            Self::StateInTheWay { paths } | Self::FilesOfOthers { paths } => {
                paths.iter().map(String::as_str).collect()
            }
            Self::Io { path, .. }
            | Self::DiskFull { path, .. }
            | Self::DeviceNode { path }
            | Self::Immutable { path }
            | Self::CaseFolding { path }
            | Self::MountBelow { path }
            | Self::SubvolumeBelow { path }
            | Self::TooDeep { path }
            | Self::SymlinkSwapped { path }
            | Self::ChangedWhileCopied { path }
            | Self::DigestMismatch { path, .. }
            | Self::OwnerNotKept { path, .. }
            | Self::AttributeNotKept { path, .. }
            | Self::Package { path, .. } => vec![path],
            Self::NotEnoughSpace { .. }
            | Self::NotEnoughInodes { .. }
            | Self::NoHardLinks { .. }
            | Self::NoExchange { .. }
            | Self::InventoryDamaged { .. }
            | Self::InventoryFormat { .. } => Vec::new(),
        }
    }

    /// Turns the failure of `action` on `path` into the error with the most fitting code.
    pub(crate) fn io(action: &'static str, path: &str, source: impl Into<io::Error>) -> Self {
        let source = source.into();
        let path = path.to_owned();
        match Errno::from_io_error(&source) {
            Some(Errno::NOSPC | Errno::DQUOT) => Self::DiskFull {
                action,
                path,
                source,
            },
            Some(Errno::LOOP) => Self::SymlinkSwapped { path },
            Some(Errno::NAMETOOLONG) => Self::TooDeep { path },
            _ => Self::Io {
                action,
                path,
                source,
            },
        }
    }
}

/// At most eight paths in backticks, then how many more there are.
fn quoted(paths: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown: Vec<String> = paths
        .iter()
        .take(SHOWN)
        .map(|path| format!("`{path}`"))
        .collect();
    let shown = shown.join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_variant_has_its_code_in_the_table() {
        let path = || "a".to_owned();
        let cause = || io::Error::other("cause");
        let errors = [
            TreeError::Io {
                action: "open",
                path: path(),
                source: cause(),
            },
            TreeError::DiskFull {
                action: "write",
                path: path(),
                source: cause(),
            },
            TreeError::NotEnoughSpace { needed: 2, free: 1 },
            TreeError::NotEnoughInodes { needed: 2, free: 1 },
            TreeError::StateInTheWay {
                paths: vec![path()],
            },
            TreeError::DeviceNode { path: path() },
            TreeError::Immutable { path: path() },
            TreeError::CaseFolding { path: path() },
            TreeError::MountBelow { path: path() },
            TreeError::SubvolumeBelow { path: path() },
            TreeError::TooDeep { path: path() },
            TreeError::SymlinkSwapped { path: path() },
            TreeError::ChangedWhileCopied { path: path() },
            TreeError::DigestMismatch {
                path: path(),
                expected: Digest::of(b"a"),
                found: Digest::of(b"b"),
            },
            TreeError::OwnerNotKept {
                path: path(),
                uid: 1,
                gid: 1,
                source: cause(),
            },
            TreeError::AttributeNotKept {
                path: path(),
                name: path(),
                source: cause(),
            },
            TreeError::FilesOfOthers {
                paths: vec![path()],
            },
            TreeError::NoHardLinks { source: cause() },
            TreeError::NoExchange { source: cause() },
            TreeError::InventoryDamaged { reason: path() },
            TreeError::InventoryFormat {
                found: path(),
                expected: "inventory/1",
            },
        ];
        assert_eq!(errors.len(), CODES.len());
        for error in &errors {
            assert!(
                CODES.iter().any(|(code, _)| *code == error.code()),
                "{}",
                error.code()
            );
        }
    }

    #[test]
    fn a_full_disk_and_a_full_quota_have_the_same_code() {
        for errno in [Errno::NOSPC, Errno::DQUOT] {
            assert_eq!(TreeError::io("write", "a", errno).code(), "disk-full");
        }
        assert_eq!(TreeError::io("open", "a", Errno::ACCESS).code(), "io");
    }
}
