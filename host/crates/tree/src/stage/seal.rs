// SPDX-License-Identifier: Apache-2.0
//! The end of a stage: everything that stands in the slot is written down, and compared with what
//! stood before.

use std::collections::BTreeMap;
use std::fmt;

use cofferdam_package::digest::Digest;
use serde::Serialize;

use crate::classify::Action;
use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::inventory::Item;
use crate::inventory::ItemKind;
use crate::inventory::Node;
use crate::name;
use crate::stage::Stage;
use crate::stage::StateWitness;
use crate::stage::directories::Access;
use crate::verify::Drift;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

/// A finished tree: written down, not yet synced.
#[derive(Debug)]
pub struct Staged {
    /// Everything in the tree.
    pub inventory: Inventory,
    /// How it differs from the live tree.
    pub changes: Changes,
    /// What the state of the live tree looked like when it was copied.
    pub witness: StateWitness,
}

/// How a finished tree differs from the one that it is made from, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Changes {
    /// Managed paths that the live inventory does not have as managed.
    pub added: Vec<ManagedChange>,
    /// Managed paths with other content, another mode or another target than in the live inventory.
    pub changed: Vec<ManagedChange>,
    /// Managed paths that are gone.
    pub removed: Vec<String>,
    /// Seeds that were installed because nothing stood in their place.
    pub seeds_installed: Vec<ManagedChange>,
    /// Standing seeds whose vendor's version changed.
    pub seeds_changed: Vec<SeedChange>,
    /// State that steps added, changed or removed.
    pub state: Vec<StateChange>,
    /// Managed paths that had drifted, and are the package's again.
    pub drift: Vec<Drift>,
    /// State that gave way because the operator said so.
    pub replaced: Vec<String>,
    /// Symlinks that lead out of the tree: what they lead to is not covered by a rollback.
    pub symlinks_out: Vec<String>,
}

/// A managed path as it is in the finished tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ManagedChange {
    /// Where.
    pub path: String,
    /// What stands there.
    #[serde(flatten)]
    pub object: Object,
}

/// What stands at a path of the finished tree. As text it differs wherever the objects do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Object {
    /// `file`, `directory` or `symlink`.
    #[serde(rename = "type")]
    pub node: &'static str,
    /// Content of a file.
    pub digest: Option<Digest>,
    /// Target of a symlink.
    pub target: Option<String>,
    /// Permission bits; zero for symlinks, where they mean nothing.
    pub mode: u32,
}

/// A seed whose vendor's version is another than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SeedChange {
    /// Where.
    pub path: String,
    /// The vendor's version now.
    pub default: Digest,
}

/// State that is not as it was copied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StateChange {
    /// Where.
    pub path: String,
    /// What happened.
    pub change: StateChangeKind,
    /// What stands there now.
    pub object: Option<Object>,
}

/// What happened to a path of state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum StateChangeKind {
    /// It was not there.
    Added,
    /// It was there, and was another object or had other content; of a directory, another mode or owner.
    Changed,
    /// It is not there any more.
    Removed,
}

impl Stage {
    /// Walks the whole tree and ends the stage.
    ///
    /// Managed content that this stage placed keeps the digest it was proved to have, unless its
    /// inode changed since or a step could have written it; everything else is hashed.
    ///
    /// # Errors
    ///
    /// `changed-while-copied` when a file shared with the live tree is no longer what was linked,
    /// and what a walk reports.
    pub fn finish(self) -> Result<Staged, TreeError> {
        let tree = LiveTree::read(&self.slot.handle()?, &self.live_patterns)?;
        if let Some(odd) = tree.odd().first() {
            return Err(odd.clone().into_error());
        }
        let mut digests = BTreeMap::new();
        let mut to_hash = Vec::new();
        for (path, found) in &tree.found {
            if found.node != FoundNode::File || self.classified.is_live(path, found) {
                continue;
            }
            let reached = self.reached.reaches(name::split(path).0);
            match self.known.get(path) {
                Some(known) if known.stamp == found.stamp && !reached => {
                    digests.insert(path.clone(), known.digest);
                }
                _ => to_hash.push(path.clone()),
            }
        }
        for (path, digest) in tree.digests(to_hash)? {
            let linked = matches!(
                self.classified.actions.get(&path),
                Some(Action::Link { .. })
            );
            let shared = tree.found.get(&path).is_some_and(|found| found.links > 1);
            if linked
                && shared
                && self
                    .known
                    .get(&path)
                    .is_some_and(|known| known.digest != digest)
            {
                return Err(TreeError::ChangedWhileCopied { path });
            }
            digests.insert(path, digest);
        }
        let mut inventory = Inventory::default();
        for (path, found) in &tree.found {
            if let Some(item) = self.item(path, found, digests.get(path)) {
                inventory.entries.insert(path.clone(), item);
            }
        }
        let changes = self.changes(&inventory, &tree);
        Ok(Staged {
            inventory,
            changes,
            witness: self.witness,
        })
    }

    /// What the inventory says of one object; nothing for live files and sockets.
    fn item(&self, path: &str, found: &Found, digest: Option<&Digest>) -> Option<Item> {
        if self.classified.is_live(path, found) {
            return None;
        }
        let (kind, default) = self.kind(path, found);
        item(found, digest, kind, default)
    }

    fn kind(&self, path: &str, found: &Found) -> (ItemKind, Option<Digest>) {
        let managed = match self.classified.actions.get(path) {
            Some(Action::Link { .. } | Action::Remode { .. } | Action::Write { .. }) => {
                found.node == FoundNode::File
            }
            Some(Action::Symlink { .. }) => matches!(found.node, FoundNode::Symlink(_)),
            Some(Action::Directory { managed, .. }) => {
                *managed && found.node == FoundNode::Directory
            }
            Some(Action::Seed { digest, .. }) => return (ItemKind::Seed, Some(*digest)),
            Some(Action::SeedStands { default } | Action::SeedOfOlder { default, .. }) => {
                return (ItemKind::Seed, *default);
            }
            None => false,
        };
        (
            if managed {
                ItemKind::Managed
            } else {
                ItemKind::State
            },
            None,
        )
    }

    fn changes(&self, new: &Inventory, tree: &LiveTree) -> Changes {
        let old = &self.classified.old;
        let mut changes = Changes {
            drift: self.classified.drift.clone(),
            replaced: self.classified.replaced.iter().cloned().collect(),
            symlinks_out: tree.symlinks_leading_out(),
            ..Changes::default()
        };
        for (path, item) in &new.entries {
            let before = old.entries.get(path);
            match item.kind {
                ItemKind::Managed => match before.filter(|item| item.kind == ItemKind::Managed) {
                    None => changes.added.push(ManagedChange::of(path, item)),
                    Some(before) if before.node != item.node || before.mode != item.mode => {
                        changes.changed.push(ManagedChange::of(path, item));
                    }
                    Some(_) => {}
                },
                ItemKind::Seed if !self.carried.contains_key(path) => {
                    changes.seeds_installed.push(ManagedChange::of(path, item));
                }
                ItemKind::Seed => {
                    let known = before.and_then(|before| before.default);
                    if let (Some(default), Some(known)) = (item.default, known)
                        && default != known
                    {
                        changes.seeds_changed.push(SeedChange {
                            path: path.clone(),
                            default,
                        });
                    }
                    changes.state.extend(self.state_change(path, item, tree));
                }
                ItemKind::State => changes.state.extend(self.state_change(path, item, tree)),
            }
        }
        for (path, item) in &old.entries {
            let gone = !new.entries.contains_key(path);
            if item.kind == ItemKind::Managed && gone {
                changes.removed.push(path.clone());
            }
        }
        let removed = self.carried.keys().filter(|path| {
            !tree.found.contains_key(*path) && self.classified.managed(path).is_none()
        });
        changes.state.extend(removed.map(|path| StateChange {
            path: path.clone(),
            change: StateChangeKind::Removed,
            object: None,
        }));
        changes
            .state
            .sort_by(|left, right| left.path.cmp(&right.path));
        changes
    }

    /// What a step did to one path of state, if anything.
    fn state_change(&self, path: &str, item: &Item, tree: &LiveTree) -> Option<StateChange> {
        let change = match self.carried.get(path) {
            // The package's own directory that outlived it because of what stands in it.
            None if item.node == Node::Directory && self.classified.managed(path).is_some() => {
                return None;
            }
            // A directory of the operator that the package only puts things into.
            None if self.classified.actions.contains_key(path) && item.node == Node::Directory => {
                return None;
            }
            None => StateChangeKind::Added,
            // What a step made anew has not what only the operator can give.
            Some(None) => {
                if item.node == Node::Directory && self.access.get(path) == Some(&Access::of(item))
                {
                    return None;
                }
                StateChangeKind::Changed
            }
            Some(Some(carried)) => {
                if tree
                    .found
                    .get(path)
                    .is_some_and(|found| found.stamp == *carried)
                {
                    return None;
                }
                StateChangeKind::Changed
            }
        };
        Some(StateChange {
            path: path.to_owned(),
            change,
            object: Some(Object::of(item)),
        })
    }
}

/// An object as an inventory describes it; nothing for what no inventory holds.
pub(crate) fn item(
    found: &Found,
    digest: Option<&Digest>,
    kind: ItemKind,
    default: Option<Digest>,
) -> Option<Item> {
    let node = match &found.node {
        FoundNode::File => Node::File {
            digest: *digest?,
            bytes: found.stamp.bytes,
        },
        FoundNode::Directory => Node::Directory,
        FoundNode::Symlink(target) => Node::Symlink {
            target: target.clone(),
        },
        FoundNode::Fifo => Node::Fifo,
        FoundNode::Socket | FoundNode::Device => return None,
    };
    // The bits of a symlink are not settable, and differ between file systems.
    let mode = if matches!(node, Node::Symlink { .. }) {
        0o777
    } else {
        found.mode
    };
    Some(Item {
        kind,
        node,
        mode,
        uid: found.uid,
        gid: found.gid,
        default,
    })
}

impl ManagedChange {
    fn of(path: &str, item: &Item) -> Self {
        Self {
            path: path.to_owned(),
            object: Object::of(item),
        }
    }
}

impl Object {
    fn of(item: &Item) -> Self {
        let (digest, target) = match &item.node {
            Node::File { digest, .. } => (Some(*digest), None),
            Node::Symlink { target } => (None, Some(target.clone())),
            Node::Directory | Node::Fifo => (None, None),
        };
        let mode = if target.is_some() { 0 } else { item.mode };
        Self {
            node: item.node.word(),
            digest,
            target,
            mode,
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o} ", self.mode)?;
        match (&self.digest, &self.target) {
            (Some(digest), _) => write!(f, "{digest}"),
            (None, Some(target)) => write!(f, "-> {target}"),
            (None, None) => f.write_str(self.node),
        }
    }
}
