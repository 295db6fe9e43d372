// SPDX-License-Identifier: Apache-2.0
//! What becomes of each path at an update, decided before anything is written.
//!
//! Unchanged is decided by the digest of the file that stands in the live tree, never by its size
//! and time, and never by what an inventory remembers. A path is state unless the inventory says
//! that the package put it there and an object of that type still stands.

mod questions;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Manifest;

use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::inventory::Item;
use crate::inventory::ItemKind;
use crate::inventory::Node;
use crate::name;
use crate::verify;
use crate::verify::Drift;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;
use crate::walk::Stamp;
use crate::wanted;
use crate::wanted::Wanted;

/// The decision on every path, for people to see and for [`crate::stage::Stage`] to carry out.
#[derive(Debug, Clone)]
pub struct Classified {
    /// Managed paths that are not as the live inventory says; they are replaced.
    pub drift: Vec<Drift>,
    /// State where the package wants a managed path: the stage refuses to begin while there is any.
    pub in_the_way: Vec<String>,
    /// State that gives way to the package because the operator said so.
    pub replaced: BTreeSet<String>,
    /// Managed files and symlinks of the live tree that the next one does not have.
    pub removed: Vec<String>,
    /// What to do at each managed or seed path of the next tree.
    pub(crate) actions: BTreeMap<String, Action>,
    /// Managed directories of the live tree that the next one does not want for itself.
    pub(crate) retired_directories: Vec<String>,
    /// The inventory of the live tree.
    pub(crate) old: Inventory,
}

/// What to do at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// The same file: another link to it.
    Link {
        stamp: Stamp,
        digest: Digest,
    },
    /// The same content under another mode: a copy of the live file.
    Remode {
        index: usize,
        stamp: Stamp,
        digest: Digest,
        mode: u32,
    },
    /// New content from the package.
    Write {
        index: usize,
        digest: Digest,
        bytes: u64,
        mode: u32,
    },
    /// The vendor's first version, from the package, unless something comes to stand there.
    Seed {
        index: usize,
        digest: Digest,
        bytes: u64,
        mode: u32,
    },
    /// A seed whose place is taken: what stands there is state.
    SeedStands {
        default: Option<Digest>,
    },
    /// A seed of an older generation, copied unless something comes to stand there.
    SeedOfOlder {
        stamp: Stamp,
        default: Option<Digest>,
    },
    /// A directory; `managed` when it goes with the package.
    Directory {
        mode: Option<u32>,
        managed: bool,
    },
    Symlink {
        target: String,
    },
}

/// What stands at a path of the live tree, and whose it is.
enum Standing<'a> {
    Nothing,
    Package(&'a Found),
    /// Something in the place of a managed object, of another type.
    Drifted,
    State(&'a Found),
}

/// Decides what becomes of each path when `manifest` is installed over `live`.
///
/// `old` is the inventory of the live tree, `replace` the paths (or directories above them) whose
/// state may be replaced.
///
/// # Errors
///
/// A file that cannot be read, or that changes while it is hashed.
pub fn classify(
    old: &Inventory,
    live: &LiveTree,
    manifest: &Manifest,
    roles: &[String],
    replace: &[String],
) -> Result<Classified, TreeError> {
    decide(old, live, &wanted::by_path(manifest, roles), replace)
}

pub(crate) fn decide(
    old: &Inventory,
    live: &LiveTree,
    wanted: &BTreeMap<String, Wanted>,
    replace: &[String],
) -> Result<Classified, TreeError> {
    let digests = live.digests(worth_hashing(old, live, wanted))?;
    let mut decision = Decision::new(old, live, replace);
    for (path, wanted) in wanted {
        let standing = decision.standing(path);
        if !matches!(wanted, Wanted::Directory { .. }) && decision.has_state_below(path) {
            decision.give_way(path);
        }
        let action = match wanted {
            Wanted::File {
                index,
                digest,
                bytes,
                mode,
                seed,
            } => {
                let (index, digest, bytes, mode) = (*index, *digest, *bytes, *mode);
                let write = Action::Write {
                    index,
                    digest,
                    bytes,
                    mode,
                };
                match standing {
                    Standing::Nothing | Standing::Drifted if *seed => Action::Seed {
                        index,
                        digest,
                        bytes,
                        mode,
                    },
                    Standing::Package(_) | Standing::State(_) if *seed => Action::SeedStands {
                        default: Some(digest),
                    },
                    Standing::Package(found) | Standing::State(found)
                        if digests.get(path) == Some(&digest) && found.node == FoundNode::File =>
                    {
                        let stamp = found.stamp;
                        if found.mode == mode {
                            Action::Link { stamp, digest }
                        } else {
                            Action::Remode {
                                index,
                                stamp,
                                digest,
                                mode,
                            }
                        }
                    }
                    Standing::State(_) => {
                        decision.give_way(path);
                        write
                    }
                    Standing::Nothing | Standing::Package(_) | Standing::Drifted => write,
                }
            }
            Wanted::Directory { mode } => decision.directory(path, *mode, &standing),
            Wanted::Symlink { target } => {
                if let Standing::State(found) = standing
                    && found.node != FoundNode::Symlink(target.clone())
                {
                    decision.give_way(path);
                }
                Action::Symlink {
                    target: target.clone(),
                }
            }
        };
        decision.classified.actions.insert(path.clone(), action);
    }
    Ok(decision.finish(&digests))
}

/// Decides how `older`'s program is put together with the state of the live tree.
///
/// Managed files are linked from the older generation's tree, whose content is proved against its
/// inventory here; seeds and state stay those of the live tree. The result is for a stage whose
/// `base` is the older tree.
///
/// # Errors
///
/// `digest-mismatch` for a managed file of the older tree that is not as its inventory says, and
/// what [`classify`] reports.
pub fn carry_state(
    older: &Inventory,
    older_tree: &LiveTree,
    old: &Inventory,
    live: &LiveTree,
    replace: &[String],
) -> Result<Classified, TreeError> {
    let files = |(path, item): (&String, &Item)| {
        let managed = item.kind == ItemKind::Managed;
        (managed && matches!(item.node, Node::File { .. })).then(|| path.clone())
    };
    let digests = older_tree.digests(older.entries.iter().filter_map(files).collect())?;
    let mut decision = Decision::new(old, live, replace);
    for (path, item) in older
        .entries
        .iter()
        .filter(|(_, item)| item.kind != ItemKind::State)
    {
        let standing = decision.standing(path);
        if item.node != Node::Directory && decision.has_state_below(path) {
            decision.give_way(path);
        }
        let found = older_tree.found.get(path);
        let action = match &item.node {
            Node::File { .. } if item.kind == ItemKind::Seed => match (&standing, found) {
                (Standing::Nothing | Standing::Drifted, Some(found)) => Action::SeedOfOlder {
                    stamp: found.stamp,
                    default: item.default,
                },
                _ => Action::SeedStands {
                    default: item.default,
                },
            },
            Node::File {
                digest: expected, ..
            } => {
                let stamp = match (found, digests.get(path)) {
                    (Some(found), Some(digest)) if digest == expected => found.stamp,
                    (_, digest) => {
                        return Err(TreeError::DigestMismatch {
                            path: path.clone(),
                            expected: *expected,
                            found: digest.copied().unwrap_or_else(|| Digest::of(b"")),
                        });
                    }
                };
                if let Standing::State(_) = standing {
                    decision.give_way(path);
                }
                Action::Link {
                    stamp,
                    digest: *expected,
                }
            }
            Node::Directory => decision.directory(path, Some(item.mode), &standing),
            Node::Symlink { target } => {
                if let Standing::State(found) = standing
                    && found.node != FoundNode::Symlink(target.clone())
                {
                    decision.give_way(path);
                }
                Action::Symlink {
                    target: target.clone(),
                }
            }
            Node::Fifo => continue,
        };
        decision.classified.actions.insert(path.clone(), action);
    }
    let managed = old
        .entries
        .iter()
        .filter(|(_, item)| item.kind == ItemKind::Managed);
    let live_files: Vec<String> = managed
        .filter(|(path, item)| may_be_as_recorded(item, live.found.get(*path)))
        .map(|(path, _)| path.clone())
        .collect();
    let live_digests = live.digests(live_files)?;
    Ok(decision.finish(&live_digests))
}

/// Files whose content decides something: managed ones that may still be as recorded, and any that
/// may be what the package wants.
fn worth_hashing(
    old: &Inventory,
    live: &LiveTree,
    wanted: &BTreeMap<String, Wanted>,
) -> Vec<String> {
    let decides = |(path, found): (&String, &Found)| {
        let recorded = old.entries.get(path).is_some_and(|item| {
            item.kind == ItemKind::Managed && may_be_as_recorded(item, Some(found))
        });
        let fits = matches!(
            wanted.get(path),
            Some(Wanted::File { bytes, seed: false, .. }) if *bytes == found.stamp.bytes
        );
        let file = found.node == FoundNode::File;
        (file && (recorded || fits)).then(|| path.clone())
    };
    live.found.iter().filter_map(decides).collect()
}

fn may_be_as_recorded(item: &Item, found: Option<&Found>) -> bool {
    let Node::File { bytes, .. } = item.node else {
        return false;
    };
    found.is_some_and(|found| found.node == FoundNode::File && found.stamp.bytes == bytes)
}

/// A [`Classified`] being made.
struct Decision<'a> {
    live: &'a LiveTree,
    replace: &'a [String],
    classified: Classified,
}

impl<'a> Decision<'a> {
    fn new(old: &Inventory, live: &'a LiveTree, replace: &'a [String]) -> Self {
        let classified = Classified {
            drift: Vec::new(),
            in_the_way: Vec::new(),
            replaced: BTreeSet::new(),
            removed: Vec::new(),
            actions: BTreeMap::new(),
            retired_directories: Vec::new(),
            old: old.clone(),
        };
        Self {
            live,
            replace,
            classified,
        }
    }

    fn standing(&self, path: &str) -> Standing<'a> {
        let Some(found) = self.live.found.get(path) else {
            return Standing::Nothing;
        };
        let Some(item) = self.classified.managed(path) else {
            return Standing::State(found);
        };
        if is_same_type(&item.node, &found.node) {
            Standing::Package(found)
        } else if found.node == FoundNode::Directory {
            // Somebody made a directory of it: what is below belongs to them.
            Standing::State(found)
        } else {
            Standing::Drifted
        }
    }

    /// State stands where the package wants something else.
    fn give_way(&mut self, path: &str) {
        let may_go = std::iter::once(path)
            .chain(name::ancestors(path))
            .any(|path| self.replace.iter().any(|replace| replace == path));
        if may_go {
            self.classified.replaced.insert(path.to_owned());
        } else {
            self.classified.in_the_way.push(path.to_owned());
        }
    }

    /// Whether a directory of the package at `path` holds anything that is not the package's.
    fn has_state_below(&self, path: &str) -> bool {
        let is_directory = self
            .classified
            .managed(path)
            .is_some_and(|item| item.node == Node::Directory);
        let prefix = format!("{path}/");
        is_directory
            && self
                .live
                .found
                .range(prefix.clone()..)
                .take_while(|(below, _)| below.starts_with(&prefix))
                .any(|(below, _)| self.classified.managed(below).is_none())
    }

    fn directory(&mut self, path: &str, mode: Option<u32>, standing: &Standing<'_>) -> Action {
        let managed = match standing {
            Standing::Nothing | Standing::Package(_) | Standing::Drifted => true,
            Standing::State(found) if found.node == FoundNode::Directory => mode.is_some(),
            Standing::State(_) => {
                self.give_way(path);
                true
            }
        };
        Action::Directory { mode, managed }
    }

    fn finish(mut self, digests: &BTreeMap<String, Digest>) -> Classified {
        let managed = self
            .classified
            .old
            .entries
            .iter()
            .filter(|(_, item)| item.kind == ItemKind::Managed);
        for (path, item) in managed {
            let found = self.live.found.get(path);
            if let Some(what) = verify::compare(item, found, digests.get(path)) {
                let kind = ItemKind::Managed;
                self.classified.drift.push(Drift {
                    path: path.clone(),
                    kind,
                    what,
                });
            }
            let stays = self.classified.actions.contains_key(path);
            if item.node == Node::Directory {
                if !stays {
                    self.classified.retired_directories.push(path.clone());
                }
            } else if !stays {
                self.classified.removed.push(path.clone());
            }
        }
        self.classified
    }
}

pub(crate) fn is_same_type(recorded: &Node, found: &FoundNode) -> bool {
    recorded.word() == found.word()
}
