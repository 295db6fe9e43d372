// SPDX-License-Identifier: Apache-2.0
//! What a file was when the step looked at it last, so that the same is not asked three times in a row.
//!
//! A step lists, opens, asks for the size, and opens again to write; nothing changes in between, since
//! nobody else writes the tree that a step may write. A glance is good until the step announces its next
//! change ([`super::record::Trail::change`]), and none is kept of a tree that the step may only read,
//! where a service may write. It spares a look and no check: what is opened is still opened by the whole
//! path, following nothing, and held against what was seen.

use super::Files;
use rustix::fs::FileType;
use rustix::fs::Stat;

/// A regular file as it was seen.
#[derive(Debug)]
pub(super) struct Glance {
    path: String,
    stat: Stat,
    /// How many changes had been announced.
    changes: u64,
}

impl Files {
    /// What stands at a path, when that was seen since the last change.
    pub(super) fn glanced(&self, path: &str) -> Option<Stat> {
        let glance = self.glance.as_ref()?;
        let holds = glance.changes == self.trail.changes() && glance.path == path;
        holds.then_some(glance.stat)
    }

    /// Looks anew the next time: what was opened is not what was seen, or cannot be opened at all.
    pub(super) fn look_anew(&mut self) {
        self.glance = None;
        self.root.forget();
    }

    /// Remembers what stands at a path.
    pub(super) fn glance_at(&mut self, path: &str, stat: Stat) {
        let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if self.may_write && is_file && self.switches.paths() {
            self.glance = Some(Glance {
                path: path.to_owned(),
                stat,
                changes: self.trail.changes(),
            });
        }
    }
}
