// SPDX-License-Identifier: Apache-2.0
//! Makes the log of operations of a run: lets every call through and looks at what it did.

use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::amount;
use crate::calls::Amount;
use crate::calls::Operation;
use crate::directors::CountedOn;
use crate::disk;
use crate::disk::Disk;
use crate::disk::Kind;
use crate::disk::Object;
use crate::disk::Objects;
use crate::journal::Stage;
use crate::oplog::Change;
use crate::oplog::Entry;
use crate::oplog::Log;
use crate::oplog::Name;
use crate::place;
use crate::place::Identity;
use crate::place::Place;
use crate::sys;
use crate::sys::Pid;
use crate::tracer;
use crate::tracer::Call;
use crate::tracer::Decision;
use crate::tracer::Director;
use crate::tracer::Ended;
use crate::tracer::Watched;

/// Runs a command and logs what it does; `install` is the install whose journal is looked at.
///
/// # Errors
/// The system refuses to trace; a call cannot be followed.
pub fn record(command: &mut Command, watched: &Watched<'_>, install: &Path) -> io::Result<Log> {
    let mut recording = Recording::begin(watched, install)?;
    recording.run(command)?;
    recording.finish()
}

/// A log in the making, of one command or of several in a row.
pub struct Recording<'a> {
    watched: &'a Watched<'a>,
    recorder: Recorder,
    start: Disk,
    calls: u64,
    ended: Ended,
}

impl<'a> Recording<'a> {
    /// Begins with the disk as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn begin(watched: &'a Watched<'a>, install: &Path) -> io::Result<Self> {
        let (start, objects) = Disk::read(watched.roots)?;
        let identities = objects
            .iter()
            .map(|(identity, object)| (*object, *identity));
        Ok(Self {
            watched,
            recorder: Recorder {
                install: install.to_owned(),
                identities: identities.collect(),
                objects,
                entries: Vec::new(),
                begun: BTreeMap::new(),
            },
            start,
            calls: 0,
            ended: Ended::Exit(0),
        })
    }

    /// Runs one command; its calls are numbered on from those before.
    ///
    /// # Errors
    /// The system refuses to trace; a call cannot be followed.
    pub fn run(&mut self, command: &mut Command) -> io::Result<Ended> {
        let mut counted = CountedOn {
            before: self.calls,
            director: &mut self.recorder,
        };
        let run = tracer::run(command, self.watched, &mut counted)?;
        self.calls += run.calls;
        self.ended = run.ended;
        Ok(run.ended)
    }

    /// The log of everything that was run.
    ///
    /// # Errors
    /// The disk cannot be read.
    pub fn finish(self) -> io::Result<Log> {
        Ok(Log {
            start: self.start,
            entries: self.recorder.entries,
            identities: self.recorder.identities,
            end: Disk::read(self.watched.roots)?.0,
            after: Stage::of(&self.recorder.install),
            ended: self.ended,
        })
    }
}

struct Recorder {
    install: PathBuf,
    objects: Objects,
    identities: BTreeMap<Object, Identity>,
    entries: Vec<Entry>,
    begun: BTreeMap<Pid, Begun>,
}

/// What is known before a call, and not any more after it.
struct Begun {
    stage: Stage,
    /// Where the bytes of a write go.
    offset: u64,
}

impl Director for Recorder {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        let begun = Begun {
            stage: Stage::of(&self.install),
            offset: if call.operation.moves_bytes() {
                offset(call)?
            } else {
                0
            },
        };
        self.begun.insert(call.tid, begun);
        Ok(Decision::Go)
    }

    fn wants_results(&self) -> bool {
        true
    }

    fn after(&mut self, call: &Call, result: i64) -> io::Result<()> {
        let Some(begun) = self.begun.remove(&call.tid) else {
            return Err(io::Error::other("a call returned that did not begin"));
        };
        let changes = if result < 0 {
            Vec::new()
        } else {
            self.changes(call, &begun, result).map_err(|error| {
                let (number, path) = (call.number, call.path().display());
                let operation = call.operation;
                io::Error::other(format!("call {number}, {operation} of `{path}`: {error}"))
            })?
        };
        let names_two = matches!(
            call.operation,
            Operation::Rename | Operation::Exchange | Operation::Link
        );
        let other = call.other.as_ref().filter(|_| names_two);
        self.entries.push(Entry {
            number: call.number,
            operation: call.operation,
            by: call.by,
            path: call.path().to_owned(),
            other: other.map(|place| place.path.clone()),
            stage: begun.stage,
            result,
            changes,
        });
        Ok(())
    }
}

impl Recorder {
    fn changes(&mut self, call: &Call, begun: &Begun, result: i64) -> io::Result<Vec<Change>> {
        if call.operation == Operation::SyncEverything {
            return Ok(vec![Change::SyncEverything]);
        }
        let place = wanted(call.file.as_ref(), "a file")?;
        Ok(match call.operation {
            Operation::Create => match place.found {
                None => vec![self.create(Some(place), &opened(call, result))?],
                Some(found) if found.is_file() && call.flags & libc::O_TRUNC != 0 => {
                    let object = self.object(place)?;
                    vec![Change::SetLength { object, length: 0 }]
                }
                Some(_) => Vec::new(),
            },
            Operation::CreateUnnamed => vec![self.create(None, &opened(call, result))?],
            Operation::Empty => {
                let object = self.object(place)?;
                vec![Change::SetLength { object, length: 0 }]
            }
            Operation::MakeDirectory | Operation::Symlink | Operation::MakeNode => {
                vec![self.create(Some(place), &place.path)?]
            }
            Operation::Write | Operation::Copy if result == 0 => Vec::new(),
            Operation::Write | Operation::Copy => vec![Change::Write {
                object: self.object(place)?,
                offset: begun.offset,
                bytes: moved(call, begun.offset, result)?,
            }],
            Operation::Clone => {
                let bytes = fs::read(descriptor(call))?;
                let (object, length) = (self.object(place)?, bytes.len() as u64);
                let offset = 0;
                vec![
                    Change::SetLength { object, length },
                    Change::Write {
                        object,
                        offset,
                        bytes,
                    },
                ]
            }
            Operation::SetLength => {
                let length = call.registers.arguments()[1];
                vec![Change::SetLength {
                    object: self.object(place)?,
                    length,
                }]
            }
            Operation::Allocate => self.allocate(call, place)?,
            Operation::Link => {
                let source = wanted(call.other.as_ref(), "a file to link")?;
                vec![Change::Link {
                    name: self.name(place)?,
                    object: self.object(source)?,
                }]
            }
            Operation::Unlink | Operation::RemoveDirectory => vec![Change::Unlink {
                name: self.name(place)?,
                object: self.object(place)?,
            }],
            Operation::Rename => {
                let to = wanted(call.other.as_ref(), "a new name")?;
                let object = self.object(place)?;
                let replaced = to.found.map(|_| self.object(to)).transpose()?;
                if replaced == Some(object) {
                    return Ok(Vec::new());
                }
                vec![Change::Rename {
                    from: self.name(place)?,
                    to: self.name(to)?,
                    object,
                    replaced,
                }]
            }
            Operation::Exchange => {
                let two = wanted(call.other.as_ref(), "a second name")?;
                vec![Change::Exchange {
                    one: (self.name(place)?, self.object(place)?),
                    two: (self.name(two)?, self.object(two)?),
                }]
            }
            Operation::Mode => vec![Change::Mode {
                object: self.object(place)?,
                mode: now(call, place)?.st_mode & 0o7777,
            }],
            Operation::Owner => {
                let (object, now) = (self.object(place)?, now(call, place)?);
                let (owner, group) = (now.st_uid, now.st_gid);
                let mode = now.st_mode & 0o7777;
                vec![
                    Change::Owner {
                        object,
                        owner,
                        group,
                    },
                    Change::Mode { object, mode },
                ]
            }
            Operation::Attribute => self.attribute(call, place)?,
            Operation::Sync => vec![Change::Sync {
                object: self.object(place)?,
                data_only: call.registers.number() == libc::SYS_fdatasync,
            }],
            Operation::SyncFileSystem => {
                let found = wanted(place.found.as_ref(), "an open file")?;
                let device = found.identity.device;
                vec![Change::SyncFileSystem { device }]
            }
            Operation::Map => vec![Change::Unseen {
                object: self.object(place)?,
            }],
            Operation::SyncEverything
            | Operation::SyncRange
            | Operation::Open
            | Operation::Times => Vec::new(),
        })
    }

    /// A new object, as it can be seen at a path now.
    fn create(&mut self, place: Option<&Place>, path: &Path) -> io::Result<Change> {
        let (stat, mut node) = if path.starts_with("/proc") {
            (rustix::fs::stat(path)?, disk::look_through(path)?)
        } else {
            (rustix::fs::lstat(path)?, disk::look(path)?)
        };
        if let Kind::File(bytes) = &mut node.kind {
            *bytes = std::sync::Arc::default();
        }
        let object = Object(self.identities.len() as u32 + 1);
        self.objects.insert(Identity::of(&stat), object);
        self.identities.insert(object, Identity::of(&stat));
        Ok(Change::Create {
            name: place.map(|place| self.name(place)).transpose()?,
            object,
            node,
        })
    }

    fn allocate(&self, call: &Call, place: &Place) -> io::Result<Vec<Change>> {
        let [_, mode, offset, length, ..] = call.registers.arguments();
        let object = self.object(place)?;
        let found = wanted(place.found.as_ref(), "an open file")?;
        let end = offset.saturating_add(length);
        Ok(match mode as i32 {
            0 if end > found.length => vec![Change::SetLength {
                object,
                length: end,
            }],
            0 | libc::FALLOC_FL_KEEP_SIZE => Vec::new(),
            _ => vec![Change::Unseen { object }],
        })
    }

    /// As it is afterwards: an access list sets mode bits too, and one that says no more than they do
    /// is not kept at all.
    fn attribute(&self, call: &Call, place: &Place) -> io::Result<Vec<Change>> {
        if call.registers.number() == libc::SYS_ioctl {
            return Ok(Vec::new());
        }
        let name = place::text(call.tid, call.registers.arguments()[1])?;
        let now = if place.name.is_some() {
            disk::look(&place.path)?
        } else {
            disk::look_through(&descriptor(call))?
        };
        let object = self.object(place)?;
        let value = now.attributes.get(&name).cloned();
        let mode = now.mode;
        Ok(vec![
            Change::Attribute {
                object,
                name,
                value,
            },
            Change::Mode { object, mode },
        ])
    }

    fn object(&self, place: &Place) -> io::Result<Object> {
        let found = wanted(place.found.as_ref(), "something that is there")?;
        self.known(found.identity, &place.path)
    }

    fn name(&self, place: &Place) -> io::Result<Name> {
        let (directory, name) = wanted(place.name.as_ref(), "a name")?;
        Ok(Name {
            directory: self.known(*directory, &place.path)?,
            name: name.clone(),
        })
    }

    fn known(&self, identity: Identity, path: &Path) -> io::Result<Object> {
        self.objects
            .get(&identity)
            .copied()
            .ok_or_else(|| io::Error::other(format!("`{}` came from outside", path.display())))
    }
}

fn wanted<T>(thing: Option<T>, what: &str) -> io::Result<T> {
    thing.ok_or_else(|| io::Error::other(format!("the call was expected to name {what}")))
}

/// The descriptor that an opening returned.
fn opened(call: &Call, result: i64) -> PathBuf {
    place::link_of(call.tid, result as i32).into()
}

/// The descriptor of the file that a call changes.
fn descriptor(call: &Call) -> PathBuf {
    let arguments = call.registers.arguments();
    let place = match call.registers.number() {
        libc::SYS_copy_file_range | libc::SYS_splice => 2,
        _ => 0,
    };
    place::link_of(call.tid, arguments[place] as i32).into()
}

fn now(call: &Call, place: &Place) -> io::Result<rustix::fs::Stat> {
    Ok(if place.name.is_some() {
        rustix::fs::lstat(&place.path)?
    } else {
        rustix::fs::stat(descriptor(call))?
    })
}

/// Where the bytes of a write or copy begin.
fn offset(call: &Call) -> io::Result<u64> {
    let arguments = call.registers.arguments();
    let pointed = |place: usize| -> io::Result<Option<u64>> {
        if arguments[place] == 0 {
            return Ok(None);
        }
        let bytes = sys::read_memory(call.tid, arguments[place], 8)?;
        Ok(bytes.first_chunk().map(|bytes| u64::from_ne_bytes(*bytes)))
    };
    let given = match call.registers.number() {
        libc::SYS_pwrite64 | libc::SYS_pwritev => Some(arguments[3]),
        libc::SYS_pwritev2 => Some(arguments[3]).filter(|offset| *offset != u64::MAX),
        libc::SYS_copy_file_range | libc::SYS_splice => pointed(3)?,
        _ => None,
    };
    let opened = descriptor(call);
    let facts_of_it = opened.to_string_lossy().replace("/fd/", "/fdinfo/");
    let text = fs::read_to_string(facts_of_it)?;
    let field = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map(str::trim).unwrap_or_default()
    };
    let flags = i32::from_str_radix(field("flags:"), 8).map_err(io::Error::other)?;
    let length = call.file.as_ref().and_then(|place| place.found);
    match (given, length) {
        (_, Some(found)) if flags & libc::O_APPEND != 0 => Ok(found.length),
        (Some(given), _) => Ok(given),
        (None, _) => field("pos:").parse().map_err(io::Error::other),
    }
}

/// The bytes that a call moved.
fn moved(call: &Call, offset: u64, result: i64) -> io::Result<Vec<u8>> {
    let arguments = call.registers.arguments();
    let moved = result as usize;
    if call.operation == Operation::Copy {
        // Read back: the file itself may be open for writing only.
        let mut bytes = vec![0; moved];
        File::open(descriptor(call))?.read_exact_at(&mut bytes, offset)?;
        return Ok(bytes);
    }
    let mut bytes = match call.amount {
        Some(Amount::Pieces(address, count)) => {
            let mut bytes = Vec::new();
            for (address, length) in amount::pieces(call.tid, arguments[address], arguments[count])?
            {
                bytes.extend(sys::read_memory(call.tid, address, length as usize)?);
            }
            bytes
        }
        Some(Amount::Bytes(_)) | None => sys::read_memory(call.tid, arguments[1], moved)?,
    };
    bytes.truncate(moved);
    if bytes.len() == moved {
        Ok(bytes)
    } else {
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    }
}
