// SPDX-License-Identifier: Apache-2.0
//! The drives of a machine: what each holds, and a log of everything that the kernel's block layer asks
//! of them, in one order.
//!
//! A drive is a file for the kernel, the only one of a FUSE file system that is mounted on a file. A loop
//! device makes a disk of it. The file is opened for direct access, so the kernel keeps none of its
//! pages: each write of the block layer is a write here, and each flush is an `fsync` here, before the
//! block layer hears that it is done. (The loop device says that it has a volatile cache and cannot force
//! a single write through it; so the block layer makes a flush of each forced write.)

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use fuser::Config;
use fuser::Errno;
use fuser::FileAttr;
use fuser::FileHandle;
use fuser::FileType;
use fuser::Filesystem;
use fuser::FopenFlags;
use fuser::INodeNo;
use fuser::LockOwner;
use fuser::OpenFlags;
use fuser::ReplyAttr;
use fuser::ReplyData;
use fuser::ReplyEmpty;
use fuser::ReplyOpen;
use fuser::ReplyWrite;
use fuser::Request;
use fuser::Session;
use fuser::WriteFlags;
use nix::sched::CloneFlags;

use super::image::Image;
use crate::sys;

/// More is not logged: a run that writes so much is no scenario.
const MOST_LOGGED_BYTES: usize = 512 << 20;

/// How long the kernel may believe what it was told about the file: nothing of it changes.
const FOR_EVER: Duration = Duration::from_hours(24);

/// One request that a drive has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    /// Which drive.
    pub(crate) drive: usize,
    /// What was asked.
    pub(crate) request: Asked,
}

/// What the block layer asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// To hold these bytes.
    Write {
        /// Where they begin.
        offset: u64,
        /// The bytes.
        bytes: Arc<[u8]>,
    },
    /// To hold zeroes, or to forget what is there.
    Clear {
        /// Where they begin.
        offset: u64,
        /// How many.
        length: u64,
    },
    /// To make everything so far durable.
    Flush,
}

/// Some drives.
#[derive(Debug, Default)]
pub(crate) struct Drives(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    images: Vec<Image>,
    log: Option<Vec<Event>>,
    logged_bytes: usize,
}

impl Drives {
    /// Has the drives hold these images. Nobody may use them meanwhile.
    pub(crate) fn load(&self, images: Vec<Image>) {
        self.locked().images = images;
    }

    /// What the drives hold now, in their caches or durably.
    pub(crate) fn images(&self) -> Vec<Image> {
        self.locked().images.clone()
    }

    /// Begins a log.
    pub(crate) fn begin_log(&self) {
        let mut state = self.locked();
        state.log = Some(Vec::new());
        state.logged_bytes = 0;
    }

    /// How many events are logged so far.
    pub(crate) fn logged(&self) -> usize {
        self.locked().log.as_ref().map_or(0, Vec::len)
    }

    /// Ends the log.
    pub(crate) fn end_log(&self) -> Vec<Event> {
        self.locked().log.take().unwrap_or_default()
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn length(&self, drive: usize) -> u64 {
        self.locked().images.get(drive).map_or(0, Image::length)
    }

    fn read(&self, drive: usize, offset: u64, length: usize) -> Option<Vec<u8>> {
        let state = self.locked();
        Some(state.images.get(drive)?.read(offset, length))
    }

    /// Does what is asked, and logs it; false when there is no more room in the log.
    fn act(&self, drive: usize, request: Asked) -> bool {
        let mut state = self.locked();
        let Some(image) = state.images.get_mut(drive) else {
            return false;
        };
        let bytes = match &request {
            Asked::Write { offset, bytes } => {
                image.write(*offset, bytes);
                bytes.len()
            }
            Asked::Clear { offset, length } => {
                image.clear(*offset, *length);
                0
            }
            Asked::Flush => 0,
        };
        if state.log.is_none() {
            return true;
        }
        state.logged_bytes += bytes;
        if state.logged_bytes > MOST_LOGGED_BYTES {
            return false;
        }
        if let Some(log) = &mut state.log {
            log.push(Event { drive, request });
        }
        true
    }
}

/// Shows a drive at an empty file that is there, until that file is unmounted.
///
/// The thread that serves has descriptors of its own: only it holds the kernel's end. When the bench is
/// killed that end goes with it, and whatever still waits for the drive gets an error, instead of
/// waiting for a thread that is gone. It holds nobody else's: a file of some disk would keep that disk
/// from being unmounted.
///
/// # Errors
/// The kernel has no FUSE, or does not let us use it.
pub(crate) fn serve(
    drives: &Arc<Drives>,
    drive: usize,
    at: &Path,
) -> io::Result<JoinHandle<io::Result<()>>> {
    let served = Served {
        drives: Arc::clone(drives),
        drive,
    };
    let at = at.to_owned();
    let (ready, is_ready) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        sys::forget_descriptors()?;
        let session = Session::new(served, at, &Config::default())?;
        // Out of the namespace with the disks: were this the last thread there when the bench is
        // killed, it would unmount them, and wait for itself to answer.
        let outside = File::open(format!("/proc/{}/ns/mnt", std::process::id()))?;
        nix::sched::unshare(CloneFlags::CLONE_FS)?;
        nix::sched::setns(outside, CloneFlags::CLONE_NEWNS)?;
        // Nobody waits any more where this fails.
        let _told = ready.send(());
        session.run()
    });
    if is_ready.recv().is_ok() {
        return Ok(serving);
    }
    match serving.join() {
        Ok(Err(error)) => Err(error),
        Ok(Ok(())) | Err(_) => Err(io::Error::other("the server of a drive has gone")),
    }
}

/// The file system of one file.
#[derive(Debug)]
struct Served {
    drives: Arc<Drives>,
    drive: usize,
}

impl Served {
    fn attributes(&self) -> FileAttr {
        let size = self.drives.length(self.drive);
        FileAttr {
            ino: INodeNo::ROOT,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: FileType::RegularFile,
            perm: 0o600,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for Served {
    fn getattr(&self, _: &Request, _: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOR_EVER, &self.attributes());
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        let direct = FopenFlags::FOPEN_DIRECT_IO | FopenFlags::FOPEN_NOFLUSH;
        reply.opened(FileHandle(0), direct);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.drives.read(self.drive, offset, size as usize) {
            Some(bytes) => reply.data(&bytes),
            None => reply.error(Errno::EIO),
        }
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        bytes: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let written = bytes.len() as u32;
        let bytes = bytes.into();
        if self.drives.act(self.drive, Asked::Write { offset, bytes }) {
            reply.written(written);
        } else {
            reply.error(Errno::EIO);
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        self.answer(Asked::Flush, reply);
    }

    fn fallocate(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        length: u64,
        mode: i32,
        reply: ReplyEmpty,
    ) {
        if mode & (libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_ZERO_RANGE) == 0 {
            // A loop device does not ask for anything else.
            reply.error(Errno::EOPNOTSUPP);
        } else {
            self.answer(Asked::Clear { offset, length }, reply);
        }
    }
}

impl Served {
    fn answer(&self, request: Asked, reply: ReplyEmpty) {
        if self.drives.act(self.drive, request) {
            reply.ok();
        } else {
            reply.error(Errno::EIO);
        }
    }
}
