// SPDX-License-Identifier: Apache-2.0
//! What nobody names any more: unfinished trees, folders of generations that never were or are no
//! more, blobs on their way, torn temporary files. Removed by recovery, never a tree that the
//! journal names.
//!
//! Called only where nothing is under way, or where what is under way is being thrown away. What
//! cannot be removed is reported and left for the next time.

use std::io;

use cap_std::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;

use crate::durable;
use crate::journal::Journal;
use crate::layout;
use crate::open::Install;

/// Removes every leftover of the state directory; answers with their names.
pub(crate) fn collect(install: &Install, warnings: &mut Vec<String>) -> Vec<String> {
    let mut collection = Collection {
        collected: Vec::new(),
        warnings,
    };
    let state = install.place.state();
    collection.generations(install);
    collection.everything_below(state, layout::INCOMING);
    let temporaries = [layout::JOURNAL, layout::REFUSED]
        .map(layout::temporary_of)
        .into_iter()
        .chain([layout::JOURNAL_AHEAD.to_owned()]);
    for name in temporaries {
        collection.file(state, &name);
    }
    collection.collected
}

/// Whether the folder of this generation is a leftover.
fn is_leftover(journal: &Journal, folder: &str) -> bool {
    // A name that is no number, or not spelt as we spell it, is nothing of ours: not named, so a
    // leftover too.
    layout::generation_number(folder)
        .is_none_or(|number| !journal.generations.contains_key(&number))
}

/// Opens directory `name` in `parent`, unless something is mounted there: that is not ours to collect.
fn open_without_mounts(parent: &Dir, name: &str) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let fd = rustix::fs::openat2(parent, name, flags, Mode::empty(), resolve)?;
    Ok(Dir::from_std_file(fd.into()))
}

struct Collection<'a> {
    collected: Vec<String>,
    warnings: &'a mut Vec<String>,
}

impl Collection<'_> {
    fn generations(&mut self, install: &Install) {
        let Some(folder) = self.open(install.place.state(), layout::GENERATIONS) else {
            return;
        };
        for name in self.names(&folder, layout::GENERATIONS) {
            if is_leftover(&install.journal, &name) {
                self.tree(&folder, layout::GENERATIONS, &name);
            }
        }
        // The live generation's slot is empty unless a transaction builds in it.
        let live = install.journal.live.to_string();
        if let Ok(slot) = open_without_mounts(&folder, &live)
            && rustix::fs::statat(&slot, layout::TREE, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                .is_ok()
        {
            self.tree(
                &slot,
                &format!("{}/{live}", layout::GENERATIONS),
                layout::TREE,
            );
        }
    }

    fn everything_below(&mut self, state: &Dir, folder_name: &str) {
        let Some(folder) = self.open(state, folder_name) else {
            return;
        };
        for name in self.names(&folder, folder_name) {
            self.tree(&folder, folder_name, &name);
        }
    }

    fn file(&mut self, state: &Dir, name: &str) {
        if rustix::fs::statat(state, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).is_ok() {
            let removed = durable::remove_file(state, name);
            self.note(name.to_owned(), removed.map_err(|error| error.to_string()));
        }
    }

    fn tree(&mut self, folder: &Dir, shown: &str, name: &str) {
        let removed = durable::remove_tree(folder, name);
        self.note(
            format!("{shown}/{name}"),
            removed.map_err(|error| error.to_string()),
        );
    }

    fn note(&mut self, shown: String, removed: Result<(), String>) {
        match removed {
            Ok(()) => self.collected.push(shown),
            Err(error) => self
                .warnings
                .push(format!("cannot remove `{shown}`: {error}")),
        }
    }

    fn open(&mut self, parent: &Dir, name: &str) -> Option<Dir> {
        match open_without_mounts(parent, name) {
            Ok(folder) => Some(folder),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                self.warnings.push(format!("cannot open `{name}`: {error}"));
                None
            }
        }
    }

    /// Sorted, so that what is done first is the same each time.
    fn names(&mut self, folder: &Dir, shown: &str) -> Vec<String> {
        let listed = folder.entries().and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name()))
                .collect::<io::Result<Vec<_>>>()
        });
        match listed {
            Ok(names) => {
                let mut names: Vec<String> = names
                    .iter()
                    .filter_map(|name| name.to_str().map(str::to_owned))
                    .collect();
                names.sort();
                names
            }
            Err(error) => {
                self.warnings
                    .push(format!("cannot list `{shown}`: {error}"));
                Vec::new()
            }
        }
    }
}
