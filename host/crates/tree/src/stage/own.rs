// SPDX-License-Identifier: Apache-2.0
//! Own inodes for files that a step could write.
//!
//! A step confined to the next tree was seen to change the live file through a hard link. So
//! before a step with write grants starts, every linked file in a directory that its globs can
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

/// The directories in which something may match a write glob.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reach {
    root: bool,
    directories: Vec<Glob>,
}

impl Reach {
    /// The directories that `write` reaches.
    pub(crate) fn of(write: &GlobSet) -> Self {
        let mut reach = Self::default();
        for glob in write {
            let text = glob.as_str();
            let (parent, last) = name::split(text);
            // `a/**` matches at every depth below `a`; `a/b` only in `a`.
            let directory = if last == "**" { text } else { parent };
            reach.root |= directory
                .split('/')
                .all(|part| part.is_empty() || part == "**");
            if last == "**" {
                reach.root |= parent.is_empty();
            }
            // Cut from a valid pattern at a separator: always a pattern, unless it is empty.
            reach.directories.extend(Glob::parse(directory).ok());
        }
        reach
    }

    /// Whether a match may lie directly in `directory`.
    pub(crate) fn reaches(&self, directory: &str) -> bool {
        if directory.is_empty() {
            self.root
        } else {
            self.directories.iter().any(|glob| glob.matches(directory))
        }
    }

    fn extend(&mut self, other: Self) {
        self.root |= other.root;
        self.directories.extend(other.directories);
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
    fn a_file_reaches_its_whole_directory_and_nothing_below() {
        let reach = reach(&["data/schema-version"]);
        assert!(reach.reaches("data"));
        for other in ["", "data/records", "bin"] {
            assert!(!reach.reaches(other), "{other}");
        }
    }

    #[test]
    fn a_double_star_reaches_every_depth() {
        let reach = reach(&["data/**"]);
        assert!(reach.reaches("data") && reach.reaches("data/a/b"));
        assert!(!reach.reaches("") && !reach.reaches("database"));
    }

    #[test]
    fn patterns_at_the_top_reach_the_root() {
        assert!(reach(&["*.txt"]).reaches(""));
        assert!(!reach(&["*.txt"]).reaches("data"));
        assert!(reach(&["**"]).reaches("") && reach(&["**"]).reaches("a/b"));
        assert!(reach(&["**/x"]).reaches("") && reach(&["**/x"]).reaches("a/b"));
    }
}
