// SPDX-License-Identifier: Apache-2.0
//! The steps whose order is what this crate promises: a name that changes, and the disk's promise that
//! something is written down. Each is one system call, and every one is made here.
//!
//! Nothing here knows what a step is for; see [`super`].

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;

/// One step.
#[derive(Clone, Copy)]
pub(super) enum Step<'a> {
    /// The bytes and attributes of a file are written down.
    SyncFile(&'a File),
    /// The names in a directory are written down.
    SyncDirectory(&'a Dir),
    /// Everything on a file system is written down.
    SyncFileSystem(&'a OwnedFd),
    /// A name moves: over what stands there, to a free name, or in exchange for the other.
    Rename {
        from: (&'a Dir, &'a str),
        to: (&'a Dir, &'a str),
        flags: RenameFlags,
    },
    /// The name of a file goes.
    Remove { dir: &'a Dir, name: &'a str },
}

impl Step<'_> {
    /// Takes the step.
    pub(super) fn take(self) -> io::Result<()> {
        #[cfg(test)]
        super::fault::before(self.word())?;
        #[cfg(feature = "test-switches")]
        super::switches::take(self)?;
        #[cfg(not(feature = "test-switches"))]
        self.make()?;
        #[cfg(test)]
        super::fault::after(self);
        Ok(())
    }

    /// The system call.
    pub(super) fn make(self) -> io::Result<()> {
        match self {
            Self::SyncFile(file) => file.sync_all(),
            Self::SyncDirectory(dir) => {
                // Opened anew, since a handle may be a path-only one, which cannot be synced.
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
                let fd = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
                Ok(rustix::fs::fsync(fd)?)
            }
            Self::SyncFileSystem(fd) => Ok(rustix::fs::syncfs(fd)?),
            Self::Rename { from, to, flags } => Ok(rustix::fs::renameat_with(
                from.0, from.1, to.0, to.1, flags,
            )?),
            Self::Remove { dir, name } => Ok(rustix::fs::unlinkat(dir, name, AtFlags::empty())?),
        }
    }

    /// The word for it, for tests.
    #[cfg(any(test, feature = "test-switches"))]
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::SyncFile(_) => "sync-file",
            Self::SyncDirectory(_) => "sync-directory",
            Self::SyncFileSystem(_) => "sync-file-system",
            Self::Rename { .. } => "rename",
            Self::Remove { .. } => "remove",
        }
    }
}
