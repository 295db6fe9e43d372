// SPDX-License-Identifier: Apache-2.0
//! Bytes and inodes: what a stage needs at worst, and what the file system has.

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use serde::Serialize;

use crate::classify::Action;
use crate::classify::Classified;
use crate::error::TreeError;
use crate::name;
use crate::root::Root;
use crate::stage::Reach;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

/// File systems give out space in blocks of at least this size.
const BLOCK_BYTES: u64 = 4096;
/// What an inventory takes for each path, and then some.
const RECORD_BYTES: u64 = 512;
/// Journal, history, manifest and other small files beside the tree.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;
const RESERVE_INODES: u64 = 64;

/// What one step may use at most.
#[derive(Debug, Clone, Copy)]
pub struct StepBudget<'a> {
    /// Bytes it may write.
    pub written_bytes: u64,
    /// Files it may create.
    pub files: u64,
    /// The globs that it may write.
    pub write: &'a GlobSet,
}

/// What a stage takes at worst: nothing can be cloned, and every step uses its whole budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Needed {
    /// Bytes.
    pub bytes: u64,
    /// Inodes.
    pub inodes: u64,
}

/// What a file system has for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Free {
    /// Bytes.
    pub bytes: u64,
    /// Inodes; nothing where the file system makes them as needed.
    pub inodes: Option<u64>,
}

impl Free {
    /// Refuses what does not fit.
    ///
    /// # Errors
    ///
    /// `not-enough-space` or `not-enough-inodes`.
    pub fn refuse_less_than(&self, needed: Needed) -> Result<(), TreeError> {
        if self.bytes < needed.bytes {
            return Err(TreeError::NotEnoughSpace {
                needed: needed.bytes,
                free: self.bytes,
            });
        }
        match self.inodes {
            Some(free) if free < needed.inodes => Err(TreeError::NotEnoughInodes {
                needed: needed.inodes,
                free,
            }),
            _ => Ok(()),
        }
    }
}

/// Computes what building the tree that `classified` describes takes on the file system of `live`.
pub fn needed(live: &LiveTree, classified: &Classified, steps: &[StepBudget<'_>]) -> Needed {
    let mut needed = Needed {
        bytes: RESERVE_BYTES,
        inodes: RESERVE_INODES,
    };
    let mut add = |inodes: u64, bytes: u64| {
        needed.inodes = needed.inodes.saturating_add(inodes);
        needed.bytes = needed.bytes.saturating_add(bytes);
    };
    let reaches: Vec<Reach> = steps.iter().map(|step| Reach::of(step.write)).collect();
    for (path, action) in &classified.actions {
        add(0, RECORD_BYTES);
        match action {
            Action::Write { bytes, .. } | Action::Seed { bytes, .. } => add(1, in_blocks(*bytes)),
            Action::Remode { stamp, .. } | Action::SeedOfOlder { stamp, .. } => {
                add(1, in_blocks(stamp.bytes));
            }
            Action::Link { stamp, .. } => {
                let directory = name::split(path).0;
                if reaches.iter().any(|reach| reach.reaches(directory)) {
                    add(1, in_blocks(stamp.bytes));
                }
            }
            Action::Directory { .. } | Action::Symlink { .. } => add(1, BLOCK_BYTES),
            Action::SeedStands { .. } => {}
        }
    }
    for (path, found) in &live.found {
        if classified.is_live(path, found) || !classified.is_state(path, found) {
            continue;
        }
        add(0, RECORD_BYTES);
        match found.node {
            // A copy has no more blocks than the file, and no fewer than its data needs.
            FoundNode::File => add(1, found.allocated_bytes.max(BLOCK_BYTES)),
            FoundNode::Directory | FoundNode::Symlink(_) | FoundNode::Fifo => {
                add(1, found.allocated_bytes.max(BLOCK_BYTES));
            }
            FoundNode::Socket | FoundNode::Device => {}
        }
    }
    for step in steps {
        let blocks = step.files.saturating_mul(BLOCK_BYTES);
        add(step.files, step.written_bytes.saturating_add(blocks));
    }
    needed
}

/// What the file system of `dir` has free for this user.
///
/// # Errors
///
/// When the file system does not say.
pub fn free(dir: &Dir) -> Result<Free, TreeError> {
    let root = Root::new(dir)?;
    let facts = rustix::fs::fstatvfs(&root)
        .map_err(|errno| TreeError::io("ask for free space of", ".", errno))?;
    // A file system without a table of inodes, such as btrfs, says that it has none.
    let inodes = (facts.f_files > 0).then_some(facts.f_favail);
    Ok(Free {
        bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
        inodes,
    })
}

fn in_blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_bytes_and_too_few_inodes_are_told_apart() {
        let needed = Needed {
            bytes: 10,
            inodes: 10,
        };
        let code = |bytes, inodes| {
            Free { bytes, inodes }
                .refuse_less_than(needed)
                .map_err(|error| error.code())
        };
        assert_eq!(code(9, None), Err("not-enough-space"));
        assert_eq!(code(10, Some(9)), Err("not-enough-inodes"));
        assert_eq!(code(10, Some(10)), Ok(()));
        assert_eq!(code(10, None), Ok(()));
    }
}
