// SPDX-License-Identifier: Apache-2.0
//! Applies the changes of a log to a disk in memory.
//!
//! Strict: a change that does not fit (a name that is not there, another object than the log says) is
//! refused, since it means that the log is wrong or that changes are applied in an order that no kernel
//! would have made.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::sync::Arc;

use crate::disk::Disk;
use crate::disk::Kind;
use crate::disk::Node;
use crate::disk::Object;
use crate::oplog::Change;
use crate::oplog::Name;

/// Why a change does not fit a disk.
pub type Impossible = String;

impl Disk {
    /// Applies one change.
    ///
    /// # Errors
    /// It does not fit what is there; the disk is as it was, or half changed where two names are
    /// changed at once.
    pub fn apply(&mut self, change: &Change) -> Result<(), Impossible> {
        match change {
            Change::Create { name, object, node } => {
                if let Some(name) = name {
                    self.put(name, *object, None)?;
                }
                self.nodes.insert(*object, node.clone());
                Ok(())
            }
            Change::Link { name, object } => self.put(name, *object, None),
            Change::Unlink { name, object } => self.take(name, *object),
            Change::Rename {
                from,
                to,
                object,
                replaced,
            } => {
                self.take(from, *object)?;
                self.put(to, *object, *replaced)
            }
            Change::Exchange { one, two } => {
                self.put(&one.0, two.1, Some(one.1))?;
                self.put(&two.0, one.1, Some(two.1))
            }
            Change::Write {
                object,
                offset,
                bytes,
            } => {
                let content = self.content(*object)?;
                let begin = *offset as usize;
                let end = begin + bytes.len();
                if content.len() < end {
                    content.resize(end, 0);
                }
                content[begin..end].copy_from_slice(bytes);
                Ok(())
            }
            Change::SetLength { object, length } => {
                self.content(*object)?.resize(*length as usize, 0);
                Ok(())
            }
            Change::Mode { object, mode } => {
                self.node(*object)?.mode = *mode;
                Ok(())
            }
            Change::Owner {
                object,
                owner,
                group,
            } => {
                let node = self.node(*object)?;
                (node.owner, node.group) = (*owner, *group);
                Ok(())
            }
            Change::Attribute {
                object,
                name,
                value,
            } => {
                let attributes = &mut self.node(*object)?.attributes;
                match value {
                    Some(value) => attributes.insert(name.clone(), value.clone()),
                    None => attributes.remove(name),
                };
                Ok(())
            }
            Change::Sync { .. }
            | Change::SyncFileSystem { .. }
            | Change::SyncEverything
            | Change::Unseen { .. } => Ok(()),
        }
    }

    fn node(&mut self, object: Object) -> Result<&mut Node, Impossible> {
        self.nodes
            .get_mut(&object)
            .ok_or_else(|| format!("there is no {object:?}"))
    }

    fn names(&mut self, directory: Object) -> Result<&mut BTreeMap<OsString, Object>, Impossible> {
        match &mut self.node(directory)?.kind {
            Kind::Directory(names) => Ok(names),
            other => Err(format!("{directory:?} is {other:?}, expected a directory")),
        }
    }

    fn content(&mut self, file: Object) -> Result<&mut Vec<u8>, Impossible> {
        match &mut self.node(file)?.kind {
            Kind::File(bytes) => Ok(Arc::make_mut(bytes)),
            other => Err(format!("{file:?} is {other:?}, expected a file")),
        }
    }

    fn put(
        &mut self,
        name: &Name,
        object: Object,
        replaced: Option<Object>,
    ) -> Result<(), Impossible> {
        let names = self.names(name.directory)?;
        let found = names.insert(name.name.clone(), object);
        if found == replaced {
            return Ok(());
        }
        Err(format!(
            "{name:?} was {found:?}, expected {replaced:?}, before it became {object:?}"
        ))
    }

    fn take(&mut self, name: &Name, object: Object) -> Result<(), Impossible> {
        let found = self.names(name.directory)?.remove(&name.name);
        if found == Some(object) {
            return Ok(());
        }
        Err(format!("{name:?} was {found:?}, expected {object:?}"))
    }
}
