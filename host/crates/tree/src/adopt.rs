// SPDX-License-Identifier: Apache-2.0
//! The first inventory of a directory that comes under care as it stands.

use std::collections::BTreeMap;

use cofferdam_package::manifest::Manifest;

use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::inventory::Item;
use crate::inventory::ItemKind;
use crate::inventory::Node;
use crate::name;
use crate::stage;
use crate::verify;
use crate::verify::Drift;
use crate::verify::Scope;
use crate::walk::FoundNode;
use crate::walk::LiveTree;
use crate::wanted;
use crate::wanted::Wanted;

/// Writes down `tree` as it is adopted.
///
/// What `manifest` lists for `roles` becomes managed, recorded as the package has it, so that
/// every difference on disk is drift, which is returned. All else is state; without a manifest,
/// everything is.
///
/// # Errors
///
/// A file that cannot be read, or that changes while it is hashed.
pub fn adopt(
    tree: &LiveTree,
    manifest: Option<&Manifest>,
    roles: &[String],
) -> Result<(Inventory, Vec<Drift>), TreeError> {
    let wanted = manifest.map_or_else(BTreeMap::new, |manifest| wanted::by_path(manifest, roles));
    adopt_wanted(tree, &wanted)
}

pub(crate) fn adopt_wanted(
    tree: &LiveTree,
    wanted: &BTreeMap<String, Wanted>,
) -> Result<(Inventory, Vec<Drift>), TreeError> {
    let is_file = |path: &&String| {
        tree.found.get(*path).is_some_and(|found| {
            found.node == FoundNode::File && (!found.live || wanted.contains_key(*path))
        })
    };
    let digests = tree.digests(tree.found.keys().filter(is_file).cloned().collect())?;
    let mut inventory = Inventory::default();
    for (path, found) in &tree.found {
        let (kind, default) = match wanted.get(path) {
            Some(Wanted::File {
                digest, seed: true, ..
            }) => (ItemKind::Seed, Some(*digest)),
            Some(_) => continue,
            None if found.live => continue,
            None => (ItemKind::State, None),
        };
        let item = stage::item(found, digests.get(path), kind, default);
        inventory
            .entries
            .extend(item.map(|item| (path.clone(), item)));
    }
    for (path, wanted) in wanted {
        if let Some(item) = managed(tree, path, wanted) {
            inventory.entries.insert(path.clone(), item);
        }
    }
    let drift = verify::drift_of(tree, &inventory, Scope::Managed)?;
    Ok((inventory, drift))
}

/// A managed object as the package has it, with the owner that it has or would get.
fn managed(tree: &LiveTree, path: &str, wanted: &Wanted) -> Option<Item> {
    let found = tree.found.get(path);
    let (node, mode) = match wanted {
        Wanted::File { seed: true, .. } => return None,
        Wanted::File {
            digest,
            bytes,
            mode,
            ..
        } => (
            Node::File {
                digest: *digest,
                bytes: *bytes,
            },
            *mode,
        ),
        // A directory that no entry lists is as it stands.
        Wanted::Directory { mode: None } => (Node::Directory, found?.mode),
        Wanted::Directory { mode: Some(mode) } => (Node::Directory, *mode),
        Wanted::Symlink { target } => (
            Node::Symlink {
                target: target.clone(),
            },
            0o777,
        ),
    };
    let model = std::iter::once(path)
        .chain(name::ancestors(path))
        .find_map(|path| tree.found.get(path));
    let (uid, gid) = model.map_or((tree.owner.0, tree.owner.1), |found| (found.uid, found.gid));
    Some(Item {
        kind: ItemKind::Managed,
        node,
        mode,
        uid,
        gid,
        default: None,
    })
}
