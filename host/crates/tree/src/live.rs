// SPDX-License-Identifier: Apache-2.0
//! Live files of one tree put into another, before the two change places.
//!
//! A live file is one file for all generations. A tree that was left earlier may hold names of it
//! that were rotated away since, and lack new ones: afterwards both trees hold the same.

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::attributes::Attributes;
use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::name;
use crate::root;
use crate::root::Root;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;
use crate::walk::Stamp;

/// Makes the live files of `target` those of `source`.
///
/// `inventory` is the one of `target`: what it calls managed is not touched. Doing it twice is the
/// same as doing it once. Nothing in `source` changes but link counts.
///
/// # Errors
///
/// A failing call.
pub fn share_live_files(
    source: &Dir,
    target: &Dir,
    inventory: &Inventory,
    live: &GlobSet,
) -> Result<(), TreeError> {
    let from = LiveTree::read(source, live)?;
    let to = LiveTree::read(target, live)?;
    let is_shared = |path: &str, found: &Found| {
        found.live && found.node == FoundNode::File && !inventory.is_managed(path)
    };
    for (path, found) in to
        .found
        .iter()
        .filter(|(path, found)| is_shared(path, found))
    {
        let same = from
            .found
            .get(path)
            .is_some_and(|other| other.stamp.identity() == found.stamp.identity());
        if !same {
            let directory = to.root.open_directory(name::split(path).0)?;
            match rustix::fs::unlinkat(&directory, &*root::last_name(path)?, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(TreeError::io("remove", path, errno)),
            }
        }
    }
    for (path, found) in from
        .found
        .iter()
        .filter(|(path, found)| is_shared(path, found))
    {
        let same = to
            .found
            .get(path)
            .is_some_and(|other| other.stamp.identity() == found.stamp.identity());
        if !same {
            make_way(&from.root, &to.root, path)?;
            link(&from.root, &to.root, path, found)?;
        }
    }
    Ok(())
}

/// Makes the directories above `path` as they are in the other tree.
fn make_way(from: &Root, to: &Root, path: &str) -> Result<(), TreeError> {
    let mut missing: Vec<&str> = Vec::new();
    for directory in name::ancestors(path) {
        if to.find_directory(directory)?.is_some() {
            break;
        }
        missing.push(directory);
    }
    for directory in missing.into_iter().rev() {
        let parent = to.open_directory(name::split(directory).0)?;
        rustix::fs::mkdirat(&parent, &*root::last_name(directory)?, Mode::RWXU)
            .map_err(|errno| TreeError::io("make the directory", directory, errno))?;
        let model = from.open_directory(directory)?;
        let stat = root::stat_of(&model, directory)?;
        Attributes::read(&model, &stat, directory)?
            .give(&to.open_directory(directory)?, directory)?;
    }
    Ok(())
}

fn link(from: &Root, to: &Root, path: &str, found: &Found) -> Result<(), TreeError> {
    let (directory, raw_name) = (name::split(path).0, root::last_name(path)?);
    let target = to.open_directory(directory)?;
    let source = from.open_directory(directory)?;
    match rustix::fs::linkat(&source, &*raw_name, &target, &*raw_name, AtFlags::empty()) {
        Ok(()) => {}
        // A log was rotated away.
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => return Err(TreeError::io("link", path, errno)),
    }
    let stat = root::stat_at(&target, &raw_name, path)?;
    if stat.is_some_and(|stat| Stamp::of(&stat).identity() == found.stamp.identity()) {
        Ok(())
    } else {
        Err(TreeError::ChangedWhileCopied {
            path: path.to_owned(),
        })
    }
}
