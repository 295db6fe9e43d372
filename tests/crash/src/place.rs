// SPDX-License-Identifier: Apache-2.0
//! Which file a stopped thread is about to change: descriptors and paths of another process, resolved
//! to identities and to paths for people.
//!
//! Everything goes through `/proc/<thread>`: the kernel resolves a relative path below the other
//! process's directory or descriptor exactly as it will in a moment, since that thread stands still.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fd::AsFd;
use rustix::fd::OwnedFd;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;

use crate::calls::Follow;
use crate::calls::Spot;
use crate::sys;
use crate::sys::Pid;

/// The longest path that the kernel takes.
const PATH_BYTES: usize = 4096;

/// A file as the kernel knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// The file system.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

impl Identity {
    /// From what the kernel answers about a file.
    pub fn of(stat: &Stat) -> Self {
        Self {
            device: stat.st_dev,
            inode: stat.st_ino,
        }
    }
}

/// A file that a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Where it is, for people and for telling kinds of paths apart.
    pub path: PathBuf,
    /// What stands there now.
    pub found: Option<Found>,
    /// The directory and the name by which the call reaches it; none for a descriptor.
    pub name: Option<(Identity, OsString)>,
}

/// What stands at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which file.
    pub identity: Identity,
    /// Kind and mode bits.
    pub mode: u32,
    /// Its length in bytes.
    pub length: u64,
}

impl Found {
    fn of(stat: &Stat) -> Self {
        Self {
            identity: Identity::of(stat),
            mode: stat.st_mode,
            length: stat.st_size.cast_unsigned(),
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFDIR
    }

    /// Whether it is a regular file.
    pub fn is_file(&self) -> bool {
        self.mode & libc::S_IFMT == libc::S_IFREG
    }
}

/// Resolves where a call points; none when it points to nothing that could be found.
pub(crate) fn resolve(tid: Pid, spot: Spot, arguments: &[u64; 6]) -> io::Result<Option<Place>> {
    match spot {
        Spot::Descriptor(place) => descriptor(tid, arguments[place] as i32),
        Spot::Path(place, follow) => path(
            tid,
            libc::AT_FDCWD,
            arguments[place],
            follows(follow, arguments),
        ),
        Spot::At(place, follow) => path(
            tid,
            arguments[place] as i32,
            arguments[place + 1],
            follows(follow, arguments),
        ),
    }
}

fn follows(follow: Follow, arguments: &[u64; 6]) -> bool {
    let has = |place: usize, flag: i32| arguments[place] as i32 & flag != 0;
    match follow {
        Follow::No => false,
        Follow::Yes => true,
        Follow::Unless(place, flag) => !has(place, flag),
        Follow::If(place, flag) => has(place, flag),
    }
}

/// The link in `/proc` that leads to another process's descriptor.
pub(crate) fn link_of(tid: Pid, descriptor: i32) -> String {
    if descriptor == libc::AT_FDCWD {
        format!("/proc/{tid}/cwd")
    } else {
        format!("/proc/{tid}/fd/{descriptor}")
    }
}

/// What an open descriptor of another process leads to.
pub(crate) fn descriptor(tid: Pid, descriptor: i32) -> io::Result<Option<Place>> {
    let link = link_of(tid, descriptor);
    let path = match rustix::fs::readlink(&link, Vec::new()) {
        Ok(path) => path.into_bytes(),
        Err(Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let path = path.strip_suffix(b" (deleted)").unwrap_or(&path);
    let stat = rustix::fs::stat(&link)?;
    Ok(Some(Place {
        path: PathBuf::from(OsStr::from_bytes(path)),
        found: Some(Found::of(&stat)),
        name: None,
    }))
}

fn path(tid: Pid, directory: i32, address: u64, follow: bool) -> io::Result<Option<Place>> {
    if address == 0 {
        // `utimensat` without a path means the descriptor.
        return descriptor(tid, directory);
    }
    let given = text(tid, address)?;
    if given.is_empty() {
        // With `AT_EMPTY_PATH`; without it the call fails.
        return descriptor(tid, directory);
    }
    let given = Path::new(&given);
    // An absolute path replaces what it is joined to.
    let whole = Path::new(&link_of(tid, directory)).join(given);
    let Some(name) = given.file_name() else {
        return at_rest(&whole);
    };
    if follow {
        let is_link = rustix::fs::lstat(&whole)
            .is_ok_and(|stat| stat.st_mode & libc::S_IFMT == libc::S_IFLNK);
        // A link that leads nowhere is opened as a name. One below `/proc` may lead nowhere a moment later:
        // the product looks at every process, and those come and go.
        if is_link && let Ok(real) = std::fs::canonicalize(&whole) {
            return match real.file_name() {
                Some(name) => named(real.parent().unwrap_or(&real), name),
                None => at_rest(&real),
            };
        }
    }
    named(whole.parent().unwrap_or(&whole), name)
}

/// A name in a directory.
fn named(directory: &Path, name: &OsStr) -> io::Result<Option<Place>> {
    let Some(directory) = open(directory)? else {
        return Ok(None);
    };
    let (path, identity) = (real_path(&directory)?, rustix::fs::fstat(&directory)?);
    let found = match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Some(Found::of(&stat)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::SRCH) => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Some(Place {
        path: path.join(name),
        found,
        name: Some((Identity::of(&identity), name.to_owned())),
    }))
}

/// A path without a last name: `.`, `..` or the root.
fn at_rest(path: &Path) -> io::Result<Option<Place>> {
    let Some(directory) = open(path)? else {
        return Ok(None);
    };
    Ok(Some(Place {
        path: real_path(&directory)?,
        found: Some(Found::of(&rustix::fs::fstat(&directory)?)),
        name: None,
    }))
}

fn open(path: &Path) -> io::Result<Option<OwnedFd>> {
    match rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()) {
        Ok(opened) => Ok(Some(opened)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::SRCH | Errno::LOOP | Errno::NAMETOOLONG) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn real_path(descriptor: impl AsFd) -> io::Result<PathBuf> {
    use rustix::fd::AsRawFd as _;
    let link = format!("/proc/thread-self/fd/{}", descriptor.as_fd().as_raw_fd());
    let path = rustix::fs::readlink(link, Vec::new())?;
    Ok(PathBuf::from(OsString::from_vec(path.into_bytes())))
}

/// A text that ends with a zero byte, in another process's memory.
pub(crate) fn text(tid: Pid, address: u64) -> io::Result<OsString> {
    let mut bytes = Vec::new();
    while bytes.len() < PATH_BYTES {
        let from = address + bytes.len() as u64;
        // To the end of the page: the next one may not be there.
        let to_page_end = PATH_BYTES - (from as usize) % PATH_BYTES;
        let piece = sys::read_memory(tid, from, to_page_end)?;
        if let Some(end) = piece.iter().position(|byte| *byte == 0) {
            bytes.extend_from_slice(&piece[..end]);
            return Ok(OsString::from_vec(bytes));
        }
        if piece.is_empty() {
            break;
        }
        bytes.extend_from_slice(&piece);
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}
