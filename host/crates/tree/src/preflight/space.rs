// SPDX-License-Identifier: Apache-2.0
//! Bytes and inodes: what a stage needs at worst, and what the file system has.

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use rustix::fs::StatVfsMountFlags;
use serde::Serialize;

use crate::classify::Action;
use crate::classify::Classified;
use crate::content;
use crate::error::TreeError;
use crate::name;
use crate::root::Root;
use crate::stage::Reach;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

/// File systems give out space in blocks of at least this size.
const BLOCK_BYTES: u64 = 4096;
/// What an inode takes of the same space, where the file system has no table of them (xfs, btrfs).
const INODE_BYTES: u64 = 1024;
/// What an inventory and the directory take for each path, beside the path itself.
const RECORD_BYTES: u64 = 512;
/// How often a path is written: in its directory, which may be half full, and in the inventory, escaped.
const PATH_TIMES: u64 = 4;
/// Journal, history, manifest and other small files beside the tree.
const RESERVE_BYTES: u64 = 4 * 1024 * 1024;
const RESERVE_INODES: u64 = 64;
/// The same where no tree is built and nothing is fetched: each of them is written anew a few times.
const RETURN_BYTES: u64 = 256 * 1024;
const RETURN_INODES: u64 = 16;

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
    /// Nothing can be written there, however much is free.
    pub is_read_only: bool,
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
            space.add_name(path);
            match action {
                Action::Write { bytes, .. } | Action::Seed { bytes, .. } => space.add_file(*bytes),
                Action::Remode { stamp, .. } | Action::SeedOfOlder { stamp, .. } => {
                    space.add_file(stamp.bytes);
                }
                Action::Link { stamp, .. } if reach.reaches(name::split(path).0) => {
                    space.add_file(stamp.bytes);
                }
                Action::Directory { .. } | Action::Symlink { .. } => space.add_file(BLOCK_BYTES),
                Action::Link { .. } | Action::SeedStands { .. } => {}
            }
        }
        for (path, found) in &live.found {
            let action = classified.actions.get(path);
            let is_linked = matches!(action, Some(Action::Link { .. }));
            let is_old = !is_linked && classified.managed(path).is_some();
            match found.node {
                // It stands for `prepare`, and has its own inode where a step could write.
                FoundNode::File if is_old && reach.reaches(name::split(path).0) => {
                    space.add_file(found.stamp.bytes);
                }
                FoundNode::Directory | FoundNode::Symlink(_) if is_old && action.is_none() => {
                    space.add_name(path);
                    space.add_file(BLOCK_BYTES);
                }
                _ if !classified.is_live(path, found) && classified.is_state(path, found) => {
                    space.add_name(path);
                    space.add_file(copy_bytes(found));
                }
                _ => {}
            }
        }
        space.add(
            step_files,
            step_bytes.saturating_add(step_files.saturating_mul(BLOCK_BYTES)),
        );
        space
    }

    /// What going back to a kept tree takes: no file of it is copied.
    pub fn to_go_back() -> Self {
        Self {
            bytes: RETURN_BYTES,
            inodes: RETURN_INODES,
        }
    }

    /// Counts a file of this length: one that is written beside the tree, too.
    pub fn add_file(&mut self, bytes: u64) {
        self.add(1, in_blocks(bytes));
    }

    fn add_name(&mut self, path: &str) {
        let path_bytes = PATH_TIMES.saturating_mul(path.len() as u64);
        self.add(0, RECORD_BYTES.saturating_add(path_bytes));
    }

    fn add(&mut self, inodes: u64, bytes: u64) {
        self.inodes = self.inodes.saturating_add(inodes);
        let inode_bytes = inodes.saturating_mul(INODE_BYTES);
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(inode_bytes);
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
        is_read_only: facts.f_flag.contains(StatVfsMountFlags::RDONLY),
    })
}

/// A copy takes the blocks of the original, because holes stay holes; but for those of small files.
fn copy_bytes(found: &Found) -> u64 {
    match found.node {
        FoundNode::File => {
            let whole = found.stamp.bytes.min(content::SMALL_BYTES);
            found.allocated_bytes.max(whole)
        }
        FoundNode::Directory => found.allocated_bytes.max(BLOCK_BYTES),
        FoundNode::Symlink(_) | FoundNode::Fifo | FoundNode::Socket | FoundNode::Device => {
            BLOCK_BYTES
        }
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
                .refuse_unless_within(&Free {
                    bytes,
                    inodes,
                    is_read_only: false,
                })
                .map_err(|error| error.code())
        };
        assert_eq!(code(9, u64::MAX), Err("not-enough-space"));
        assert_eq!(code(10, 9), Err("not-enough-inodes"));
        assert_eq!(code(10, 10), Ok(()));
    }
}
