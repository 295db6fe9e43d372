// SPDX-License-Identifier: Apache-2.0
//! What a manifest wants to stand in the tree of a machine with certain roles.
//!
//! Directories above an entry are wanted too, though no entry may list them: they take the mode of
//! the directory that stands there already.

use std::collections::BTreeMap;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Manifest;

use crate::name;

/// The mode of a directory that no entry lists and that does not stand yet.
pub(crate) const NEW_DIRECTORY_MODE: u32 = 0o755;

/// What is wanted at one path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wanted {
    File {
        /// The position of the entry in the manifest, which names the file in `incoming`.
        index: usize,
        digest: Digest,
        bytes: u64,
        mode: u32,
        seed: bool,
    },
    /// Without a mode: only because something below it is wanted.
    Directory {
        mode: Option<u32>,
    },
    Symlink {
        target: String,
    },
}

/// What is wanted at each path, for a machine with `roles`.
pub(crate) fn by_path(manifest: &Manifest, roles: &[String]) -> BTreeMap<String, Wanted> {
    let mut wanted = BTreeMap::new();
    for (index, entry) in manifest.entries.iter().enumerate() {
        let for_us = entry.roles.is_empty() || entry.roles.iter().any(|role| roles.contains(role));
        if !for_us {
            continue;
        }
        let node = match &entry.kind {
            EntryKind::File {
                digest,
                bytes,
                mode,
                keep,
            } => Wanted::File {
                index,
                digest: *digest,
                bytes: *bytes,
                mode: mode.bits(),
                seed: *keep,
            },
            EntryKind::Directory { mode } => Wanted::Directory {
                mode: Some(mode.bits()),
            },
            EntryKind::Symlink { target } => Wanted::Symlink {
                target: name::escape(target.as_ref()),
            },
        };
        wanted.insert(entry.path.as_str().to_owned(), node);
    }
    with_parents(wanted)
}

/// Adds the directories above each path.
pub(crate) fn with_parents(mut wanted: BTreeMap<String, Wanted>) -> BTreeMap<String, Wanted> {
    let paths: Vec<String> = wanted.keys().cloned().collect();
    for path in &paths {
        for directory in name::ancestors(path) {
            if wanted.contains_key(directory) {
                break;
            }
            wanted.insert(directory.to_owned(), Wanted::Directory { mode: None });
        }
    }
    wanted
}
