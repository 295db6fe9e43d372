// SPDX-License-Identifier: Apache-2.0
//! A disk after a power cut, built from the changes that it kept.
//!
//! Other than [`crate::replay`], which repeats what a kernel did, this applies changes whose forerunners
//! are lost. A name that is given stands, whatever stood there before; one that is taken away may be
//! gone already; a directory that gets a name loses the one that it had.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::disk::Disk;
use crate::disk::Kind;
use crate::disk::Object;
use crate::oplog::Change;
use crate::oplog::Name;

/// What a power cut left of one change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Left {
    /// Nothing.
    Nothing,
    /// Of a write its first half.
    FirstHalf,
    /// Of a write its second half, behind zeroes.
    SecondHalf,
    /// All of it.
    All,
}

/// A disk in the making.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// What it holds.
    pub(super) disk: Disk,
}

impl State {
    /// Before the first change.
    pub(super) fn new(start: Disk) -> Self {
        Self { disk: start }
    }

    /// Applies what is left of a change.
    pub(super) fn keep(&mut self, change: &Change, left: Left) {
        // An object is there without its name too: a later name may be what was kept.
        if let Change::Create { object, node, .. } = change {
            self.disk.nodes.insert(*object, node.clone());
        }
        if left == Left::Nothing {
            return;
        }
        match change {
            Change::Create {
                name: Some(name),
                object,
                ..
            }
            | Change::Link { name, object } => self.put(name, *object),
            Change::Create { name: None, .. } => {}
            Change::Unlink { name, object } => self.take(name, *object),
            Change::Rename {
                from, to, object, ..
            } => {
                self.take(from, *object);
                self.move_to(to, *object);
            }
            Change::Exchange { one, two } => {
                self.move_to(&one.0, two.1);
                self.move_to(&two.0, one.1);
            }
            Change::Write {
                object,
                offset,
                bytes,
            } => {
                let half = bytes.len() / 2;
                let (skip, bytes) = match left {
                    Left::FirstHalf => (0, &bytes[..half]),
                    Left::SecondHalf => (half, &bytes[half..]),
                    Left::All | Left::Nothing => (0, &bytes[..]),
                };
                self.write(*object, *offset as usize + skip, bytes);
            }
            Change::SetLength { object, length } => {
                if let Some(content) = self.content(*object) {
                    content.resize(*length as usize, 0);
                }
            }
            // Of an inode, or no change at all: these fit whatever was lost.
            Change::Mode { .. }
            | Change::Owner { .. }
            | Change::Attribute { .. }
            | Change::Sync { .. }
            | Change::SyncFileSystem { .. }
            | Change::SyncEverything
            | Change::Unseen { .. } => {
                let _fits_always = self.disk.apply(change);
            }
        }
    }

    fn write(&mut self, object: Object, begin: usize, bytes: &[u8]) {
        if let Some(content) = self.content(object) {
            let end = begin + bytes.len();
            if content.len() < end {
                content.resize(end, 0);
            }
            content[begin..end].copy_from_slice(bytes);
        }
    }

    fn content(&mut self, object: Object) -> Option<&mut Vec<u8>> {
        match &mut self.disk.nodes.get_mut(&object)?.kind {
            Kind::File(bytes) => Some(Arc::make_mut(bytes)),
            Kind::Directory(_) | Kind::Symlink(_) | Kind::Other => None,
        }
    }

    fn names(&mut self, directory: Object) -> Option<&mut BTreeMap<std::ffi::OsString, Object>> {
        match &mut self.disk.nodes.get_mut(&directory)?.kind {
            Kind::Directory(names) => Some(names),
            Kind::File(_) | Kind::Symlink(_) | Kind::Other => None,
        }
    }

    /// A directory has one name.
    fn move_to(&mut self, name: &Name, object: Object) {
        let is_directory = self
            .disk
            .nodes
            .get(&object)
            .is_some_and(|node| matches!(node.kind, Kind::Directory(_)));
        if is_directory {
            for node in self.disk.nodes.values_mut() {
                if let Kind::Directory(names) = &mut node.kind {
                    names.retain(|_, named| *named != object);
                }
            }
        }
        self.put(name, object);
    }

    fn put(&mut self, name: &Name, object: Object) {
        if let Some(names) = self.names(name.directory) {
            names.insert(name.name.clone(), object);
        }
    }

    fn take(&mut self, name: &Name, object: Object) {
        if let Some(names) = self.names(name.directory)
            && names.get(&name.name) == Some(&object)
        {
            names.remove(&name.name);
        }
    }
}
