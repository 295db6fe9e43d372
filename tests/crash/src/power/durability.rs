// SPDX-License-Identifier: Apache-2.0
//! When each change of a log became durable: by which call, if by any.

use std::collections::BTreeMap;

use crate::disk::Object;
use crate::oplog::Change;
use crate::oplog::Log;
use crate::tracer::Actor;

/// One change of a log, and when a power cut could not take it back any more.
#[derive(Clone, Copy, Debug)]
pub(super) struct Made<'a> {
    /// What was done.
    pub(super) change: &'a Change,
    /// The place of its entry in the log.
    pub(super) entry: usize,
    /// The file system that it was done to.
    pub(super) device: u64,
    /// The place of the entry that made it durable, by what POSIX promises; none while nothing did.
    pub(super) durable: Option<usize>,
    /// The same, where a sync of one file makes durable all that was done to names and inodes before
    /// that file's last change.
    pub(super) durable_in_order: Option<usize>,
}

impl Made<'_> {
    /// Whether it changes bytes of a file, and nothing that a file system keeps in order.
    pub(super) fn is_bytes(&self) -> bool {
        matches!(self.change, Change::Write { .. })
    }
}

/// Every change of a log that a power cut may take back, in order.
pub(super) fn made(log: &Log) -> Vec<Made<'_>> {
    let mut devices: BTreeMap<Object, u64> = log
        .start
        .nodes
        .iter()
        .map(|(object, node)| (*object, node.device))
        .collect();
    let mut all: Vec<Made<'_>> = Vec::new();
    let mut missing: Vec<Vec<Object>> = Vec::new();
    for (entry, logged) in log.entries.iter().enumerate() {
        for change in &logged.changes {
            if let Change::Create { object, node, .. } = change {
                devices.insert(*object, node.device);
            }
            if let Some(sync) = Sync::of(change) {
                sync.reach(entry, &devices, &mut all, &mut missing);
                continue;
            }
            let Some(device) = about(change).and_then(|object| devices.get(&object)) else {
                continue;
            };
            // The operator's commands stand for a service, and their files for processes that a machine
            // starts again: they are not what is tried.
            let durable = (logged.by == Actor::Other).then_some(entry);
            missing.push(directories(change));
            all.push(Made {
                change,
                entry,
                device: *device,
                durable,
                durable_in_order: durable,
            });
        }
    }
    all
}

enum Sync {
    Object { object: Object, data_only: bool },
    Device(u64),
    Everything,
}

impl Sync {
    fn of(change: &Change) -> Option<Self> {
        match change {
            Change::Sync { object, data_only } => Some(Self::Object {
                object: *object,
                data_only: *data_only,
            }),
            Change::SyncFileSystem { device } => Some(Self::Device(*device)),
            Change::SyncEverything => Some(Self::Everything),
            Change::Create { .. }
            | Change::Link { .. }
            | Change::Unlink { .. }
            | Change::Rename { .. }
            | Change::Exchange { .. }
            | Change::Write { .. }
            | Change::SetLength { .. }
            | Change::Mode { .. }
            | Change::Owner { .. }
            | Change::Attribute { .. }
            | Change::Unseen { .. } => None,
        }
    }

    /// Marks what is durable from entry `at` on.
    fn reach(
        &self,
        at: usize,
        devices: &BTreeMap<Object, u64>,
        all: &mut [Made<'_>],
        missing: &mut [Vec<Object>],
    ) {
        let mut last_of_it = None;
        for (place, (made, missing)) in all.iter_mut().zip(missing).enumerate() {
            let is_reached = match self {
                Self::Everything => true,
                Self::Device(device) => made.device == *device,
                Self::Object { object, data_only } => {
                    if !made.is_bytes() && touches(made.change, *object) {
                        last_of_it = Some(place);
                    }
                    is_made_durable(made.change, *object, *data_only, missing)
                }
            };
            if is_reached {
                made.durable.get_or_insert(at);
                if made.is_bytes() || !matches!(self, Self::Object { .. }) {
                    made.durable_in_order.get_or_insert(at);
                }
            }
        }
        let (Self::Object { object, .. }, Some(last)) = (self, last_of_it) else {
            return;
        };
        let device = devices.get(object);
        let earlier = all.iter_mut().take(last + 1);
        for made in earlier.filter(|made| Some(&made.device) == device && !made.is_bytes()) {
            made.durable_in_order.get_or_insert(at);
        }
    }
}

/// Whether a sync of one object makes a change durable; `missing` are the directories that must still
/// be synced for it.
fn is_made_durable(
    change: &Change,
    synced: Object,
    data_only: bool,
    missing: &mut Vec<Object>,
) -> bool {
    match change {
        Change::Write { object, .. } | Change::SetLength { object, .. } => *object == synced,
        Change::Mode { object, .. }
        | Change::Owner { object, .. }
        | Change::Attribute { object, .. } => *object == synced && !data_only,
        Change::Create { .. }
        | Change::Link { .. }
        | Change::Unlink { .. }
        | Change::Rename { .. }
        | Change::Exchange { .. } => {
            missing.retain(|directory| *directory != synced);
            missing.is_empty()
        }
        Change::Sync { .. }
        | Change::SyncFileSystem { .. }
        | Change::SyncEverything
        | Change::Unseen { .. } => false,
    }
}

/// The directories whose names a change changes.
fn directories(change: &Change) -> Vec<Object> {
    match change {
        Change::Create { name, .. } => name.iter().map(|name| name.directory).collect(),
        Change::Link { name, .. } | Change::Unlink { name, .. } => vec![name.directory],
        Change::Rename { from, to, .. } => vec![from.directory, to.directory],
        Change::Exchange { one, two } => vec![one.0.directory, two.0.directory],
        Change::Write { .. }
        | Change::SetLength { .. }
        | Change::Mode { .. }
        | Change::Owner { .. }
        | Change::Attribute { .. }
        | Change::Sync { .. }
        | Change::SyncFileSystem { .. }
        | Change::SyncEverything
        | Change::Unseen { .. } => Vec::new(),
    }
}

/// The object that a change is about.
fn about(change: &Change) -> Option<Object> {
    match change {
        Change::Create { object, .. }
        | Change::Link { object, .. }
        | Change::Unlink { object, .. }
        | Change::Rename { object, .. }
        | Change::Write { object, .. }
        | Change::SetLength { object, .. }
        | Change::Mode { object, .. }
        | Change::Owner { object, .. }
        | Change::Attribute { object, .. }
        | Change::Unseen { object } => Some(*object),
        Change::Exchange { one, .. } => Some(one.1),
        Change::Sync { .. } | Change::SyncFileSystem { .. } | Change::SyncEverything => None,
    }
}

/// Whether a change is about an object, or about names in it.
fn touches(change: &Change, object: Object) -> bool {
    let exchanged = match change {
        Change::Exchange { two, .. } => two.1 == object,
        _ => false,
    };
    exchanged || about(change) == Some(object) || directories(change).contains(&object)
}
