// SPDX-License-Identifier: Apache-2.0
//! What a step may do with files: patterns, and the paths that no pattern opens.

use cofferdam_package::glob::GlobSet;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeSet;

/// The file grants of one step: what its manifest asks for within what the policy allows.
///
/// All paths are relative to the tree, `/`-separated, with no link left in them. The rules, in the
/// order in which they are asked:
///
/// 1. `hidden` wins over everything: such a path does not exist for the step.
/// 2. A path is readable when `read` or `write` matches it: who may write may read. A file or link that
///    is not readable is, for the step, not there.
/// 3. A path is writable when `write` matches it and it is not `protected`; and a directory that has
///    a protected path below it, or that a `hidden` pattern begins in or below, can be neither moved nor
///    removed nor replaced.
/// 4. A name is made, moved, replaced or removed only below the directory that a `write` pattern begins
///    with: `data/**` opens what is in `data`, and not the name `data`. Only a directory on the way, or
///    that directory itself, can be made where it is missing.
/// 5. No file is created in, or moved into, a directory in `no_new_in`.
/// 6. Files with an execute bit are not written, moved or removed, unless `executables` says so.
/// 7. Files with more than one link are never written: a link may lead into the live tree.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct FileGrants {
    /// Paths that may be read.
    pub read: GlobSet,
    /// Paths that may be written, and read.
    pub write: GlobSet,
    /// Paths that are not there for a step: configuration files (reachable by keys only) and the
    /// operator's live files.
    pub hidden: GlobSet,
    /// Paths that the package owns, of all kinds.
    pub protected: BTreeSet<String>,
    /// Directories that the payload fills with executables; `""` is the root of the tree.
    pub no_new_in: BTreeSet<String>,
    /// Whether files with an execute bit may be written, moved and removed, within `write`. Steps can
    /// never set such a bit.
    pub executables: bool,
}

impl FileGrants {
    /// Grants that open nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// Whether anything at all may be written.
    pub fn can_write(&self) -> bool {
        !self.write.is_empty()
    }
}
