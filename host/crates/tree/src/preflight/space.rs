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
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

/// File systems give out space in blocks of at least this size.
const BLOCK_BYTES: u64 = 4096;
/// What an inventory takes for each path, and then some.
const RECORD_BYTES: u64 = 512;
/// Journal, history, manifest and other small files beside the tree.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;
const RESERVE_INODES: u64 = 64;

/// What a stage takes at worst: nothing can be cloned, and every step uses its whole budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Space {
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
    /// Inodes; the largest number where the file system makes them as needed.
    pub inodes: u64,
}

impl Space {
    /// Computes what building the tree that `classified` describes takes on the file system of
    /// `live`, with steps that may write `write` and have `step_bytes` and `step_files` together.
    pub fn of(
        live: &LiveTree,
        classified: &Classified,
        write: &GlobSet,
        step_bytes: u64,
        step_files: u64,
    ) -> Self {
        let mut space = Self {
            bytes: RESERVE_BYTES,
            inodes: RESERVE_INODES,
        };
        let reach = Reach::of(write);
        for (path, action) in &classified.actions {
            space.add(0, RECORD_BYTES);
            match action {
                Action::Write { bytes, .. } | Action::Seed { bytes, .. } => {
                    space.add(1, in_blocks(*bytes));
                }
                Action::Remode { stamp, .. } | Action::SeedOfOlder { stamp, .. } => {
                    space.add(1, in_blocks(stamp.bytes));
                }
                Action::Link { stamp, .. } if reach.reaches(name::split(path).0) => {
                    space.add(1, in_blocks(stamp.bytes));
                }
                Action::Directory { .. } | Action::Symlink { .. } => space.add(1, BLOCK_BYTES),
                Action::Link { .. } | Action::SeedStands { .. } => {}
            }
        }
        for (path, found) in &live.found {
            let is_linked = matches!(classified.actions.get(path), Some(Action::Link { .. }));
            let is_old = !is_linked && classified.managed(path).is_some();
            if is_old && found.node == FoundNode::File {
                // It stands for `prepare`, and has its own inode where a step could write.
                if reach.reaches(name::split(path).0) {
                    space.add(1, in_blocks(found.stamp.bytes));
                }
            } else if !classified.is_live(path, found) && classified.is_state(path, found) {
                space.add(1, RECORD_BYTES.saturating_add(copy_bytes(found)));
            }
        }
        space.add(
            step_files,
            step_bytes.saturating_add(step_files.saturating_mul(BLOCK_BYTES)),
        );
        space
    }

    fn add(&mut self, inodes: u64, bytes: u64) {
        self.inodes = self.inodes.saturating_add(inodes);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Refuses what does not fit.
    ///
    /// # Errors
    ///
    /// `not-enough-space` or `not-enough-inodes`.
    pub fn refuse_unless_within(&self, free: &Free) -> Result<(), TreeError> {
        if free.bytes < self.bytes {
            Err(TreeError::NotEnoughSpace {
                needed: self.bytes,
                free: free.bytes,
            })
        } else if free.inodes < self.inodes {
            Err(TreeError::NotEnoughInodes {
                needed: self.inodes,
                free: free.inodes,
            })
        } else {
            Ok(())
        }
    }
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
    let inodes = if facts.f_files == 0 {
        u64::MAX
    } else {
        facts.f_favail
    };
    Ok(Free {
        bytes: facts.f_bavail.saturating_mul(facts.f_frsize),
        inodes,
    })
}

/// A copy takes the blocks of the file, because its holes stay holes.
fn copy_bytes(found: &Found) -> u64 {
    if found.node == FoundNode::File && found.allocated_bytes > 0 {
        found.allocated_bytes.max(BLOCK_BYTES)
    } else {
        BLOCK_BYTES
    }
}

fn in_blocks(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES).saturating_mul(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_bytes_and_too_few_inodes_are_told_apart() {
        let space = Space {
            bytes: 10,
            inodes: 10,
        };
        let code = |bytes, inodes| {
            space
                .refuse_unless_within(&Free { bytes, inodes })
                .map_err(|error| error.code())
        };
        assert_eq!(code(9, u64::MAX), Err("not-enough-space"));
        assert_eq!(code(10, 9), Err("not-enough-inodes"));
        assert_eq!(code(10, 10), Ok(()));
    }
}
