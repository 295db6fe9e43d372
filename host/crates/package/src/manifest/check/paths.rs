// SPDX-License-Identifier: Apache-2.0
//! The paths of a manifest against each other.

use std::collections::HashMap;

use super::Entry;
use super::EntryKind;
use super::Manifest;
use super::ManifestError;
use crate::digest::Digest;
use crate::limits::Limits;
use crate::path;

/// No path twice, also not under folding; nothing below what is no directory; no link that leads out.
pub(super) fn check_paths(manifest: &Manifest, limits: &Limits) -> Result<(), ManifestError> {
    for (previous, entry) in manifest.entries.iter().zip(manifest.entries.iter().skip(1)) {
        if previous.path == entry.path {
            return Err(ManifestError::DuplicatePath {
                path: entry.path.to_string(),
            });
        }
        if previous.path > entry.path {
            return Err(ManifestError::Unsorted {
                path: entry.path.to_string(),
                previous: previous.path.to_string(),
            });
        }
    }
    let mut names = NameTable::new(&manifest.entries, limits.manifest_entries);
    let mut previous = "";
    for (index, entry) in manifest.entries.iter().enumerate() {
        let path = entry.path.as_str();
        // Sorted paths keep what shares a directory together: above the one before, all is known.
        let is_known = |above: &&str| {
            previous
                .strip_prefix(above)
                .is_some_and(|rest| rest.starts_with('/'))
        };
        for directory in entry.path.ancestors().skip_while(is_known) {
            names.add(index, directory, true)?;
        }
        match &entry.kind {
            EntryKind::Directory { .. } => names.add(index, path, true)?,
            EntryKind::File { .. } => names.add(index, path, false)?,
            EntryKind::Symlink { target } => {
                path::check_symlink_target(&entry.path, target).map_err(|error| {
                    let link = entry.path.to_string();
                    ManifestError::Target { link, error }
                })?;
                names.add(index, path, false)?;
            }
        }
        previous = path;
    }
    Ok(())
}

/// Every name in the tree. Names may be a thousand bytes long, and there may be 200,000: so a name is
/// kept as a piece of an entry's path, under a piece of a digest of its folded form. Names that fold
/// alike always meet; that others do is no more likely than that the disk errs.
struct NameTable<'a> {
    entries: &'a [Entry],
    names: HashMap<u64, Name>,
    directories: usize,
    limit: usize,
}

/// The first bytes of the path of an entry.
#[derive(Clone, Copy)]
struct Name {
    entry: u32,
    bytes: u16,
    is_directory: bool,
}

impl<'a> NameTable<'a> {
    fn new(entries: &'a [Entry], limit: usize) -> Self {
        Self {
            entries,
            names: HashMap::new(),
            directories: 0,
            limit,
        }
    }

    fn text(&self, name: Name) -> &'a str {
        usize::try_from(name.entry)
            .ok()
            .and_then(|index| self.entries.get(index))
            .and_then(|entry| entry.path.as_str().get(..usize::from(name.bytes)))
            .unwrap_or_default()
    }

    fn add(&mut self, index: usize, text: &str, is_directory: bool) -> Result<(), ManifestError> {
        let key = Digest::of(path::fold_key(text).as_bytes()).quarter();
        let Some(&known) = self.names.get(&key) else {
            let name = Name {
                entry: u32::try_from(index).unwrap_or(u32::MAX),
                bytes: u16::try_from(text.len()).unwrap_or(u16::MAX),
                is_directory,
            };
            self.names.insert(key, name);
            return self.count(is_directory);
        };
        let first = self.text(known);
        if first != text {
            return Err(ManifestError::FoldedPath {
                first: first.to_owned(),
                second: text.to_owned(),
            });
        }
        if known.is_directory != is_directory {
            return Err(ManifestError::FileAndDirectory {
                path: text.to_owned(),
            });
        }
        Ok(())
    }

    fn count(&mut self, is_directory: bool) -> Result<(), ManifestError> {
        self.directories = self.directories.saturating_add(usize::from(is_directory));
        if self.directories > self.limit {
            return Err(ManifestError::TooMany {
                what: "directories",
                limit: self.limit,
            });
        }
        Ok(())
    }
}
