// SPDX-License-Identifier: Apache-2.0
//! A tree against its inventory: what drifted since it was sealed.
//!
//! Content is always hashed. Live files and sockets are in no inventory and are not looked at.

use std::collections::BTreeMap;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::glob::GlobSet;
use serde::Serialize;

use crate::content;
use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::inventory::Item;
use crate::inventory::ItemKind;
use crate::inventory::Node;
use crate::name;
use crate::parallel;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

/// Which part of a tree is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// What the package owns.
    Managed,
    /// What the operator and the program own, seeds and objects unknown to the inventory included.
    State,
    /// Everything.
    All,
}

/// One path that is not as the inventory says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// Where.
    pub path: String,
    /// Whose the path is; what the inventory does not know is state.
    pub kind: ItemKind,
    /// In what way it differs.
    pub what: DriftKind,
}

/// In what way a path differs; the first that applies is reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
pub enum DriftKind {
    /// In the inventory, not in the tree.
    Missing,
    /// In the tree, not in the inventory.
    Unexpected,
    /// An object of another type.
    Type {
        /// As recorded.
        expected: &'static str,
        /// As found.
        found: &'static str,
    },
    /// A file with other bytes.
    Content,
    /// A symlink that leads elsewhere.
    Target,
    /// Other permission bits.
    Mode {
        /// As recorded.
        expected: u32,
        /// As found.
        found: u32,
    },
    /// Another owner or group.
    Owner,
}

/// Compares the tree at `dir` with `inventory`.
///
/// `live` are the operator's patterns of live files. The result is sorted by path.
///
/// # Errors
///
/// A tree that cannot be walked or read, or a file that changes while it is hashed.
pub fn drift(
    dir: &Dir,
    inventory: &Inventory,
    scope: Scope,
    live: &GlobSet,
) -> Result<Vec<Drift>, TreeError> {
    drift_of(&LiveTree::read(dir, live)?, inventory, scope)
}

/// Compares a tree that has been walked already with `inventory`.
///
/// # Errors
///
/// A file that cannot be read, or that changes while it is hashed.
pub fn drift_of(
    tree: &LiveTree,
    inventory: &Inventory,
    scope: Scope,
) -> Result<Vec<Drift>, TreeError> {
    let in_scope = |kind| match scope {
        Scope::Managed => kind == ItemKind::Managed,
        Scope::State => kind != ItemKind::Managed,
        Scope::All => true,
    };
    let expected = || {
        inventory
            .entries
            .iter()
            .filter(|(_, item)| in_scope(item.kind))
    };
    let same_length = |(path, item): (&String, &Item)| {
        let found = tree
            .found
            .get(path)
            .filter(|found| !hidden(item.kind, found))?;
        let Node::File { bytes, .. } = &item.node else {
            return None;
        };
        let hash = found.node == FoundNode::File && found.stamp.bytes == *bytes;
        hash.then(|| path.clone())
    };
    let digests = tree.digests(expected().filter_map(same_length).collect())?;
    let mut drifts = Vec::new();
    for (path, item) in expected() {
        let found = tree.found.get(path);
        if found.is_some_and(|found| hidden(item.kind, found)) {
            continue;
        }
        if let Some(what) = compare(item, found, digests.get(path)) {
            drifts.push(Drift {
                path: path.clone(),
                kind: item.kind,
                what,
            });
        }
    }
    if in_scope(ItemKind::State) {
        let unknown = tree.found.iter().filter(|(path, found)| {
            !found.live && found.node != FoundNode::Socket && !inventory.entries.contains_key(*path)
        });
        for (path, _) in unknown {
            let what = DriftKind::Unexpected;
            drifts.push(Drift {
                path: path.clone(),
                kind: ItemKind::State,
                what,
            });
        }
        drifts.sort_by(|left, right| left.path.cmp(&right.path));
    }
    Ok(drifts)
}

/// Whether no comparison sees `found`: a live file that the package does not own.
fn hidden(kind: ItemKind, found: &Found) -> bool {
    found.live && kind != ItemKind::Managed
}

/// How `found` differs from `item`. A file without a digest has another length.
pub(crate) fn compare(
    item: &Item,
    found: Option<&Found>,
    digest: Option<&Digest>,
) -> Option<DriftKind> {
    let Some(found) = found else {
        return Some(DriftKind::Missing);
    };
    let differs = match (&item.node, &found.node) {
        (
            Node::File {
                digest: expected, ..
            },
            FoundNode::File,
        ) => (digest != Some(expected)).then_some(DriftKind::Content),
        (Node::Symlink { target }, FoundNode::Symlink(found)) => {
            (target != found).then_some(DriftKind::Target)
        }
        (Node::Directory, FoundNode::Directory) | (Node::Fifo, FoundNode::Fifo) => None,
        (expected, node) => Some(DriftKind::Type {
            expected: expected.word(),
            found: node.word(),
        }),
    };
    let is_symlink = matches!(found.node, FoundNode::Symlink(_));
    differs.or_else(|| {
        if !is_symlink && item.mode != found.mode {
            Some(DriftKind::Mode {
                expected: item.mode,
                found: found.mode,
            })
        } else if (item.uid, item.gid) != (found.uid, found.gid) {
            Some(DriftKind::Owner)
        } else {
            None
        }
    })
}

impl FoundNode {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Directory => "directory",
            Self::Symlink(_) => "symlink",
            Self::Fifo => "fifo",
            Self::Socket => "socket",
            Self::Device => "device",
        }
    }
}

impl LiveTree {
    /// Hashes the files at `paths`, which the walk has found, over the cores.
    pub(crate) fn digests(
        &self,
        paths: Vec<String>,
    ) -> Result<BTreeMap<String, Digest>, TreeError> {
        let groups = by_directory(paths, |path| {
            self.found.get(path).map_or(0, |found| found.stamp.bytes)
        });
        let digests = std::sync::Mutex::new(Vec::new());
        parallel::for_each(&groups, |(directory, paths)| {
            let directory = self.root.open_directory(directory)?;
            let mut hashed = Vec::with_capacity(paths.len());
            for path in paths {
                if let Some(found) = self.found.get(path) {
                    let digest = content::digest_in(&directory, path, &found.stamp)?;
                    hashed.push((path.clone(), digest));
                }
            }
            parallel::lock(&digests).append(&mut hashed);
            Ok(())
        })?;
        let digests = digests
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(digests.into_iter().collect())
    }
}

/// Splits paths into groups of at most 64 that share a directory, the heaviest group first, so
/// that each directory is opened rarely and no core is left with the biggest file at the end.
pub(crate) fn by_directory(
    paths: Vec<String>,
    weight: impl Fn(&str) -> u64,
) -> Vec<(String, Vec<String>)> {
    const LARGEST_GROUP: usize = 64;
    let mut directories: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in paths {
        directories
            .entry(name::split(&path).0.to_owned())
            .or_default()
            .push(path);
    }
    let mut groups = Vec::new();
    for (directory, paths) in directories {
        for chunk in paths.chunks(LARGEST_GROUP) {
            let bytes: u64 = chunk.iter().map(|path| weight(path)).sum();
            groups.push((bytes, directory.clone(), chunk.to_vec()));
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.0));
    groups
        .into_iter()
        .map(|(_, directory, paths)| (directory, paths))
        .collect()
}
