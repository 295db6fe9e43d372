// SPDX-License-Identifier: Apache-2.0
//! The log of operations: everything that one run did to the watched directories, in order, with
//! enough in it to build any disk that a power cut in the run could leave behind.
//!
//! A log may hold several commands, one after the other. It begins with a [`Disk`]: the watched
//! directories as they were just before the first, taken to be wholly durable. Then comes one [`Entry`] for each call of the run that changes them or makes a
//! change durable, in the order in which the calls returned, with the calls' numbers. (With file work
//! on one thread that is the order of the numbers. Two processes at work at once may differ by some
//! calls.)
//!
//! An entry says in its `changes` what the call did, in terms of objects (see [`Object`]) and never of
//! paths: a file keeps its object when a directory above it is renamed, and a name that is used again
//! is another object. `path` and `other` are for people and for telling kinds of paths apart. A call
//! that failed, or changed nothing (a file that was opened with `O_CREAT` and was there), has an entry
//! without changes. One call has more than one change where the kernel does more than one thing:
//! creating a file and emptying another, setting an owner and thereby a mode.
//!
//! What the changes mean for durability:
//!
//! - `Create`, `Link`, `Unlink`, `Rename`, `Exchange` are changes of directories. `Exchange` and
//!   `Rename` are one indivisible change of both names. They are durable after a `Sync` of the
//!   directories that they name (for two directories: after both), or a `SyncFileSystem` of their
//!   device. `Create` makes an inode too, with mode and owner, which is durable after a `Sync` of the
//!   object itself, or with its data.
//! - `Write` and `SetLength` are changes of one file's bytes; `Write` holds exactly the bytes that were
//!   moved, also where they were copied by the kernel. They are durable after a `Sync` of that object.
//! - `Mode`, `Owner`, `Attribute` are changes of one inode, durable after a `Sync` of that object
//!   that is not `data_only`.
//! - `Sync`, `SyncFileSystem`, `SyncEverything` are logged when they returned without an error: all
//!   earlier changes of that object, device or machine are durable then.
//! - `Unseen` is a change that the log cannot follow (a mapping that is written to). A log that has one
//!   says nothing about power cuts, and [`Log::is_complete`] says so.
//!
//! [`crate::replay`] applies changes to a disk. Applying all of them to `start` gives `end`, which was
//! read from the real directories after the run: [`Log::gaps`] compares the two, so that a call
//! that the tracer does not know cannot go unnoticed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::calls::Operation;
use crate::disk::Disk;
use crate::disk::Node;
use crate::disk::Object;
use crate::journal::Stage;
use crate::place::Identity;
use crate::tracer::Actor;
use crate::tracer::Ended;

/// What the runs of one or more commands did.
#[derive(Clone, Debug)]
pub struct Log {
    /// The watched directories before it.
    pub start: Disk,
    /// Its calls, in the order in which they returned.
    pub entries: Vec<Entry>,
    /// Which files on the real disk the objects were. A number that the file system used twice belongs
    /// to two objects.
    pub identities: BTreeMap<Object, Identity>,
    /// The watched directories after it.
    pub end: Disk,
    /// What the journal said after it.
    pub after: Stage,
    /// How the last command ended.
    pub ended: Ended,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the run: the one to kill at.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// Who made it.
    pub by: Actor,
    /// The path that it is about, as it was then.
    pub path: PathBuf,
    /// The second path of a rename, an exchange or a link.
    pub other: Option<PathBuf>,
    /// What the journal said when it was made.
    pub stage: Stage,
    /// What it returned; a negative number is an error.
    pub result: i64,
    /// What it did.
    pub changes: Vec<Change>,
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name {
    /// The directory.
    pub directory: Object,
    /// The name in it.
    pub name: OsString,
}

/// One change of a disk, or a promise about changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new object; a name for it, unless it was made without one. A new file or directory is empty.
    Create {
        /// Where.
        name: Option<Name>,
        /// What it is called in this log from now on.
        object: Object,
        /// What it is.
        node: Node,
    },
    /// One more name for a file.
    Link {
        /// Where.
        name: Name,
        /// The file.
        object: Object,
    },
    /// A name is gone; of a directory: an empty one.
    Unlink {
        /// Where.
        name: Name,
        /// What it named.
        object: Object,
    },
    /// A name is gone and another one is there.
    Rename {
        /// The old name.
        from: Name,
        /// The new one.
        to: Name,
        /// What is renamed.
        object: Object,
        /// What had the new name before.
        replaced: Option<Object>,
    },
    /// Two names are exchanged.
    Exchange {
        /// One name, and what it names before.
        one: (Name, Object),
        /// The other, and what it names before.
        two: (Name, Object),
    },
    /// Bytes in a file; a gap before them reads as zeroes.
    Write {
        /// The file.
        object: Object,
        /// Where they begin.
        offset: u64,
        /// The bytes.
        bytes: Vec<u8>,
    },
    /// The length of a file; what is new reads as zeroes.
    SetLength {
        /// The file.
        object: Object,
        /// In bytes.
        length: u64,
    },
    /// Mode bits.
    Mode {
        /// Of what.
        object: Object,
        /// Without the kind.
        mode: u32,
    },
    /// Owner and group.
    Owner {
        /// Of what.
        object: Object,
        /// Owner.
        owner: u32,
        /// Group.
        group: u32,
    },
    /// An extended attribute.
    Attribute {
        /// Of what.
        object: Object,
        /// Its name.
        name: OsString,
        /// Its value; none when it is gone.
        value: Option<Vec<u8>>,
    },
    /// Everything done to an object so far is durable: its bytes, and for a directory its names.
    Sync {
        /// The object.
        object: Object,
        /// Only what is needed to read the bytes again (`fdatasync`).
        data_only: bool,
    },
    /// Everything done on a file system so far is durable.
    SyncFileSystem {
        /// The file system.
        device: u64,
    },
    /// Everything done on every file system so far is durable.
    SyncEverything,
    /// A change that cannot be followed.
    Unseen {
        /// Of what.
        object: Object,
    },
}

impl Log {
    /// Whether every change could be followed.
    pub fn is_complete(&self) -> bool {
        !self
            .changes()
            .any(|change| matches!(change, Change::Unseen { .. }))
    }

    /// Every change, in order.
    pub fn changes(&self) -> impl Iterator<Item = &Change> {
        self.entries.iter().flat_map(|entry| &entry.changes)
    }

    /// Where replaying the log gives another disk than was found: nothing, if the tracer saw everything.
    pub fn gaps(&self) -> Vec<String> {
        let mut disk = self.start.clone();
        for entry in &self.entries {
            for change in &entry.changes {
                if let Err(impossible) = disk.apply(change) {
                    return vec![format!("call {}: {impossible}", entry.number)];
                }
            }
        }
        disk.differences(&self.end)
    }
}
