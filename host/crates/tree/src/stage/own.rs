// SPDX-License-Identifier: Apache-2.0
//! Own inodes for files that a step could write.
//!
//! A step confined to the next tree was seen to change the live file through a hard link. So
//! before a step with write grants starts, every linked file below the directories that its globs can
//! reach becomes a copy, whether or not a glob matches the file itself.

use std::sync::Mutex;
use std::sync::atomic::Ordering;

use cofferdam_package::glob::Glob;
use cofferdam_package::glob::GlobSet;
use rustix::fs::FileType;

use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::root;
use crate::stage::Stage;
use crate::verify;
use crate::walk::Stamp;

/// What giving files their own inodes took.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unshared {
    /// Files copied.
    pub files: u64,
    /// Their length.
    pub bytes: u64,
}

/// The directories below which write globs reach.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach(Vec<String>);

impl Reach {
    /// The directories that `write` reaches: the same that the sandbox opens for writing, and all that
    /// is below, since the kernel's own wall knows whole subtrees only.
    pub(crate) fn of(write: &GlobSet) -> Self {
        Self(write.into_iter().map(Glob::directory).collect())
    }

    /// Whether a step could write a file that lies directly in `directory`, but for its globs.
    pub(crate) fn reaches(&self, directory: &str) -> bool {
        self.0.iter().any(|top| {
            directory
                .strip_prefix(top.as_str())
                .is_some_and(|rest| top.is_empty() || rest.is_empty() || rest.starts_with('/'))
        })
    }

    fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }
}

impl Stage {
    /// Gives an inode of its own to every file that is shared with another tree and lies in a
    /// directory that `write` can reach. Live files stay shared: no step sees them.
    ///
    /// # Errors
    ///
    /// `disk-full`, or a failing call.
    pub fn unshare(&mut self, write: &GlobSet) -> Result<Unshared, TreeError> {
        let reach = Reach::of(write);
        let paths: Vec<String> = self
            .known
            .keys()
            .chain(self.kept.keys())
            .filter(|path| reach.reaches(name::split(path).0))
            .cloned()
            .collect();
        self.reached.extend(reach);
        let owned = Mutex::new(Vec::new());
        parallel::for_each(&verify::by_directory(paths, |_| 1), |(_, paths)| {
            for path in paths {
                if let Some(stamp) = self.own(path)? {
                    parallel::lock(&owned).push((path.clone(), stamp));
                }
            }
            Ok(())
        })?;
        let owned = owned
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut unshared = Unshared::default();
        for (path, stamp) in owned {
            unshared.files += 1;
            unshared.bytes += stamp.bytes;
            if let Some(known) = self.known.get_mut(&path) {
                known.stamp = stamp;
            }
            if let Some(kept) = self.kept.get_mut(&path) {
                *kept = stamp;
            }
        }
        Ok(unshared)
    }

    /// The length of the largest file in the next tree, before any step has run.
    pub fn largest_file_bytes(&self) -> u64 {
        let known = self.known.values().map(|known| known.stamp.bytes);
        let kept = self.kept.values().map(|stamp| stamp.bytes);
        known.chain(kept).max().unwrap_or(0)
    }

    /// Replaces a shared file of the slot by a copy of it; nothing when it is not shared.
    fn own(&self, path: &str) -> Result<Option<Stamp>, TreeError> {
        let Some(standing) = self.look(path)? else {
            return Ok(None);
        };
        let alone = standing.links < 2 || self.grouped.contains(&standing.stamp.identity());
        if standing.file_type != FileType::RegularFile || alone {
            return Ok(None);
        }
        let copy = format!("own-{}", self.copies.fetch_add(1, Ordering::Relaxed));
        let raw_name = root::last_name(path)?;
        let incoming = self.incoming.open_directory("")?;
        self.copy_with_attributes(
            (&standing.directory, &raw_name),
            (&incoming, copy.as_ref()),
            path,
            Some(&standing.stamp),
        )?;
        rustix::fs::renameat(&incoming, &copy, &standing.directory, &*raw_name)
            .map_err(|errno| TreeError::io("place", path, errno))?;
        Ok(self.look(path)?.map(|standing| standing.stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(patterns: &[&str]) -> Reach {
        let patterns: Vec<String> = patterns.iter().map(|text| (*text).to_owned()).collect();
        Reach::of(&GlobSet::parse(&patterns).expect("patterns"))
    }

    #[test]
    fn a_pattern_reaches_its_directory_and_all_below() {
        for pattern in ["data/schema-version", "data/**", "data/*/x"] {
            let reach = reach(&[pattern]);
            for inside in ["data", "data/records", "data/a/b"] {
                assert!(reach.reaches(inside), "{pattern}: {inside}");
            }
            for outside in ["", "bin", "database"] {
                assert!(!reach.reaches(outside), "{pattern}: {outside}");
            }
        }
    }

    #[test]
    fn a_pattern_at_the_top_reaches_everything() {
        for pattern in ["*.txt", "**", "**/x", "VERSION"] {
            assert!(reach(&[pattern]).reaches(""), "{pattern}");
            assert!(reach(&[pattern]).reaches("a/b"), "{pattern}");
        }
        assert!(!reach(&[]).reaches(""));
    }
}
