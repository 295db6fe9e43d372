// SPDX-License-Identifier: Apache-2.0
//! The tree as a step sees it: `wasi:filesystem`, policed on the host's side.
//!
//! Every path goes the same way: *resolve* it below the root to a path without links (`resolve.rs`, `walk.rs`),
//! *judge* that path by the grants (`judge.rs`), *account* for what will be written or made
//! (`account.rs`), *record* it (`record.rs`), and only then act, relative to the held handle of the
//! parent directory, on the last name, following nothing (`open.rs`, `change.rs`, `rename.rs`).
//!
//! | trick | defence |
//! |---|---|
//! | `..`, absolute paths, links out of the tree | resolved on the host; a way out is refused, not clamped |
//! | a link swapped between look and use | all lookups are `openat2` beneath the root without links; the last name is opened with `O_NOFOLLOW` |
//! | a link into what is not granted | the resolved path is judged, not the one that was asked for |
//! | writing the live tree through a hard link | files with more than one link are never written; steps cannot make hard links |
//! | a fifo that hangs the host, devices, sockets | the kind is looked at before and after opening, and opening never waits |
//! | moving a directory to rename what is in it | every name in the subtree is judged at both ends |
//! | moving what a pattern begins at, which landlock forbids and a kernel without it does not | judged by the patterns alone: only names below that directory change |
//! | moving a protected file by its parent | directories above protected paths are not moved or removed |
//! | learning from a directory that cannot be moved or removed that something hidden is in it | neither are those that a hidden pattern begins in or below, with or without |
//! | a sparse file, by its size or by a write far behind its end | growth counts as bytes written |
//! | handles kept over a rename | paths of open handles are rewritten; each use is resolved and judged again |
//! | learning what is there from errors, also by `private/..` or a link | outside of the grants all answers are the same; each directory on the way is judged before it is looked at |
//! | the same where a pattern like `**/*.txt` leads | a file or link that is not granted is answered as if nothing were there; only a directory cannot be made in its place |
//! | time stamps, inode numbers, order of listings | blank, hashed from the path, sorted |

mod account;
mod change;
mod descriptor;
mod glance;
mod judge;
mod listing;
mod open;
mod record;
mod refusal;
mod rename;
mod resolve;
mod shown;
mod streams;
mod walk;

use crate::grants::FileGrants;
use crate::limits::Limits;
use crate::switches::Switches;
use account::Account;
use glance::Glance;
use record::Trail;
use resolve::Root;
use std::fs::File;
use std::sync::Arc;

pub(crate) use streams::FileInput;
pub(crate) use streams::FileOutput;

/// The files of one run.
#[derive(Debug)]
pub(crate) struct Files {
    root: Root,
    grants: FileGrants,
    may_write: bool,
    switches: Switches,
    pub(crate) account: Account,
    pub(crate) trail: Trail,
    /// How often the step has cut a file, any of them.
    cuts: u64,
    glance: Option<Glance>,
}

/// What a handle of the step stands for.
#[derive(Debug)]
pub(crate) enum Node {
    /// A directory: a name for a path, which each use resolves and judges again.
    Directory { path: Arc<str> },
    /// An open file.
    File(OpenFile),
}

/// An open file of the step.
#[derive(Debug, Clone)]
pub(crate) struct OpenFile {
    file: Arc<File>,
    /// Its device and inode: the path may be another file's by now.
    identity: (u64, u64),
    path: Arc<str>,
    may_read: bool,
    may_write: bool,
}

impl Files {
    /// The tree below `root`; `may_write` is the phase's word, the grants have theirs besides.
    pub(crate) fn new(
        root: &File,
        grants: &FileGrants,
        limits: &Limits,
        may_write: bool,
        switches: Switches,
    ) -> std::io::Result<Self> {
        Ok(Self {
            root: Root::open(root)?,
            grants: switches.widened(grants),
            switches,
            may_write: may_write && grants.can_write(),
            account: Account::new(limits),
            trail: Trail::default(),
            cuts: 0,
            glance: None,
        })
    }
}
