// SPDX-License-Identifier: Apache-2.0
//! Listing directories: what is granted, what leads there, in the order of names.

use super::Files;
use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::LISTED_ENTRIES;
use crate::record::Denied;
use rustix::fs::AtFlags;
use rustix::fs::Dir;
use rustix::fs::FileType;
use rustix::io::Errno;

/// An entry of a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// The kinds that are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Directory,
    File,
    Symlink,
    /// Fifos, sockets, devices: never shown, but they count when a directory is moved.
    Other,
}

/// The rest of a listing that a step is reading.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(super) entries: std::vec::IntoIter<Entry>,
    /// How many there were at first, for which memory is held until the listing is closed.
    pub(super) held: usize,
}

impl Files {
    /// What a step sees in a directory. Names that are not UTF-8 cannot be shown to it.
    pub(super) fn list(&mut self, path: &str) -> Outcome<Listing> {
        if !self.may_see_directory(path) {
            return Err(self.denied(path, Denied::Read));
        }
        let mut entries = self.entries(path)?.0;
        entries.retain(|entry| {
            let path = below(path, &entry.name);
            match entry.kind {
                Kind::Directory => self.may_see_directory(&path),
                Kind::File | Kind::Symlink => self.may_read(&path),
                Kind::Other => false,
            }
        });
        if let Some(touched) = self.trail.look(path) {
            touched.read = true;
        }
        Ok(Listing {
            held: entries.len(),
            entries: entries.into_iter(),
        })
    }

    /// Everything in a directory, in the order of names, and whether there are names that are not UTF-8.
    pub(super) fn entries(&self, path: &str) -> Outcome<(Vec<Entry>, bool)> {
        let directory = self.root.listable(path)?;
        let mut entries = Vec::new();
        let mut unreadable = false;
        for entry in Dir::read_from(&directory)? {
            let entry = entry?;
            let Ok(name) = entry.file_name().to_str() else {
                unreadable = true;
                continue;
            };
            if name == "." || name == ".." {
                continue;
            }
            if entries.len() >= LISTED_ENTRIES {
                return Err(Refusal::System(Errno::OVERFLOW));
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let stat = rustix::fs::statat(
                        &directory,
                        entry.file_name(),
                        AtFlags::SYMLINK_NOFOLLOW,
                    )?;
                    FileType::from_raw_mode(stat.st_mode)
                }
                known => known,
            };
            let kind = match kind {
                FileType::Directory => Kind::Directory,
                FileType::RegularFile => Kind::File,
                FileType::Symlink => Kind::Symlink,
                _ => Kind::Other,
            };
            entries.push(Entry {
                name: name.to_owned(),
                kind,
            });
        }
        // File systems have orders of their own: what a step is told, and what is told of it, must not
        // depend on them.
        entries.sort();
        Ok((entries, unreadable))
    }
}

/// The path of a name in a directory.
pub(super) fn below(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}
