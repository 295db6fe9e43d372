// SPDX-License-Identifier: Apache-2.0
//! The root of a tree as a held handle, and the only ways down from it.
//!
//! Root walks a tree that a service account may own. What that account could try → what stops it:
//! a directory swapped for a symlink → every directory is opened in one `openat2` from the held
//! root, beneath it, with no symlink in the path; a bind mount put in the way → the same call
//! refuses to cross mounts; a file swapped for a fifo or a device, so that opening it hangs or acts
//! → opened without following and without blocking, and only a regular file is used; a file swapped
//! between look and use → callers compare the identity of the opened object with what they looked
//! at; very deep nesting, to exhaust descriptors → no descriptor is held for a parent, and depth
//! and length are bounded.

use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::SeekFrom;
use rustix::fs::Statx;
use rustix::fs::StatxFlags;
use rustix::io::Errno;

use crate::error::TreeError;
use crate::name;

/// Deeper trees are refused: no program needs them, and each level costs memory.
pub(crate) const DEEPEST: usize = 128;
/// Longer paths cannot be opened in one call.
pub(crate) const LONGEST_BYTES: usize = 4000;

/// A directory that everything else is opened relative to.
pub(crate) struct Root {
    directory: OwnedFd,
}

impl Root {
    /// Holds `dir` open for listing and changing.
    pub(crate) fn new(dir: &Dir) -> Result<Self, TreeError> {
        // The handles of cap-std may be search-only (`O_PATH`), which cannot be listed.
        let directory = rustix::fs::openat(dir, ".", directory_flags(), Mode::empty())
            .map_err(|errno| TreeError::io("open the directory", ".", errno))?;
        Ok(Self { directory })
    }

    /// A second handle on the same directory.
    pub(crate) fn handle(&self) -> Result<Dir, TreeError> {
        let duplicate = self
            .directory
            .try_clone()
            .map_err(|error| TreeError::io("open the directory", ".", error))?;
        Ok(Dir::from_std_file(File::from(duplicate)))
    }

    /// Opens the directory at `path` (empty: the root itself).
    pub(crate) fn open_directory(&self, path: &str) -> Result<OwnedFd, TreeError> {
        self.try_open_directory(path)
            .map_err(|errno| open_error(path, errno))
    }

    /// Like [`Self::open_directory`], but answers nothing where no directory stands.
    pub(crate) fn find_directory(&self, path: &str) -> Result<Option<OwnedFd>, TreeError> {
        match self.try_open_directory(path) {
            Ok(directory) => Ok(Some(directory)),
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
            Err(errno) => Err(open_error(path, errno)),
        }
    }

    pub(crate) fn try_open_directory(&self, path: &str) -> Result<OwnedFd, Errno> {
        let os_path = if path.is_empty() {
            Some(".".as_ref())
        } else {
            None
        };
        let path = match os_path {
            Some(root) => std::borrow::Cow::Borrowed(root),
            None => name::unescape(path).ok_or(Errno::INVAL)?,
        };
        if path.len() > LONGEST_BYTES {
            return Err(Errno::NAMETOOLONG);
        }
        open_beneath(&self.directory, &path, directory_flags())
    }
}

impl AsFd for Root {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.directory.as_fd()
    }
}

fn directory_flags() -> OFlags {
    OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC
}

/// The one place that opens something below a handle: beneath it, no symlink, no other mount.
///
/// The kernel answers `EAGAIN` when a rename elsewhere raced with the walk: it is asked again.
fn open_beneath(
    directory: impl AsFd,
    path: &std::ffi::OsStr,
    flags: OFlags,
) -> Result<OwnedFd, Errno> {
    const ATTEMPTS: usize = 64;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    let mut last = Errno::AGAIN;
    for _ in 0..ATTEMPTS {
        match rustix::fs::openat2(directory.as_fd(), path, flags, Mode::empty(), resolve) {
            Err(errno @ (Errno::AGAIN | Errno::INTR)) => last = errno,
            other => return other,
        }
    }
    Err(last)
}

pub(crate) fn open_error(path: &str, errno: Errno) -> TreeError {
    match errno {
        Errno::XDEV => TreeError::MountBelow {
            path: path.to_owned(),
        },
        // A directory was there when it was listed: something else stands there now.
        Errno::NOTDIR => TreeError::SymlinkSwapped {
            path: path.to_owned(),
        },
        errno => TreeError::io("open", path, errno),
    }
}

/// Opens the directory `name` in `directory`; `path` names it in errors.
pub(crate) fn open_directory_in(
    directory: impl AsFd,
    name: &std::ffi::OsStr,
    path: &str,
) -> Result<OwnedFd, TreeError> {
    open_beneath(directory, name, directory_flags()).map_err(|errno| open_error(path, errno))
}

/// Opens `name` in `directory` for reading and makes sure that it is a regular file.
///
/// `path` is its path below the root, for errors.
pub(crate) fn open_file(
    directory: impl AsFd,
    name: &std::ffi::OsStr,
    path: &str,
) -> Result<(File, Statx), TreeError> {
    let flags =
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = match open_beneath(directory, name, flags) {
        Ok(file) => File::from(file),
        // A symlink, a socket or nothing stands where a regular file was seen.
        Err(Errno::LOOP | Errno::NXIO | Errno::NOENT) => {
            return Err(TreeError::ChangedWhileCopied {
                path: path.to_owned(),
            });
        }
        Err(errno) => return Err(open_error(path, errno)),
    };
    let stat = stat_of(&file, path)?;
    if rustix::fs::FileType::from_raw_mode(u32::from(stat.stx_mode))
        != rustix::fs::FileType::RegularFile
    {
        return Err(TreeError::ChangedWhileCopied {
            path: path.to_owned(),
        });
    }
    Ok((file, stat))
}

/// The facts about an opened object.
pub(crate) fn stat_of(file: impl AsFd, path: &str) -> Result<Statx, TreeError> {
    rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        .map_err(|errno| TreeError::io("look at", path, errno))
}

/// The facts about `name` in `directory` itself, never about what it points to.
pub(crate) fn stat_at(
    directory: impl AsFd,
    name: &std::ffi::OsStr,
    path: &str,
) -> Result<Option<Statx>, TreeError> {
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
    match rustix::fs::statx(directory, name, flags, StatxFlags::BASIC_STATS) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(TreeError::io("look at", path, errno)),
    }
}

/// The name of `path` within its directory, as the system wants it.
pub(crate) fn last_name(path: &str) -> Result<std::borrow::Cow<'_, std::ffi::OsStr>, TreeError> {
    name::unescape(name::split(path).1).ok_or_else(|| TreeError::io("name", path, Errno::INVAL))
}

/// Calls `each` with the raw name of everything in `directory`.
pub(crate) fn list(
    directory: impl AsFd,
    path: &str,
    mut each: impl FnMut(&std::ffi::OsStr) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    use std::os::unix::ffi::OsStrExt as _;
    // A handle that was listed before stands at its end.
    rustix::fs::seek(&directory, SeekFrom::Start(0))
        .map_err(|errno| TreeError::io("list", path, errno))?;
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = rustix::fs::RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|errno| TreeError::io("list", path, errno))?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            each(std::ffi::OsStr::from_bytes(name))?;
        }
    }
    Ok(())
}
