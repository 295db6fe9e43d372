// SPDX-License-Identifier: Apache-2.0
//! Trees deleted by handles: no symlink is followed, no mount is entered.
//!
//! A tree that a hostile account nested very deep is flattened while it is deleted, so that it
//! takes neither descriptors nor stack.

use std::ffi::OsStr;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::attributes;
use crate::error::TreeError;
use crate::name;
use crate::root;

/// Directories held open on the way down.
const HELD: usize = 32;

/// Deletes `name` in `dir` with everything below it. Nothing there is fine.
///
/// What is deleted is gone at once, and durable when the file system is next synced; a crash in
/// between leaves a part, for the next call to delete.
///
/// # Errors
///
/// `mount-below` when something is mounted below `name`, `immutable-file`, or a failing call.
pub fn remove(dir: &Dir, name: &str) -> Result<(), TreeError> {
    let raw_name =
        name::unescape(name).ok_or_else(|| TreeError::io("remove", name, Errno::INVAL))?;
    below(dir, &raw_name, name)
}

/// Deletes `raw_name` in `parent`; `path` is its name for errors.
pub(crate) fn below(parent: impl AsFd, raw_name: &OsStr, path: &str) -> Result<(), TreeError> {
    match unlink(&parent, raw_name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR) => {}
        Err(errno) => return Err(remove_error(path, errno)),
    }
    let top = open(&parent, raw_name, path)?;
    let mut removal = Removal {
        top: &top,
        path,
        flattened: 0,
    };
    loop {
        let before = removal.flattened;
        removal.empty(&top, 0)?;
        if removal.flattened == before {
            break;
        }
    }
    unlink(&parent, raw_name, AtFlags::REMOVEDIR).map_err(|errno| remove_error(path, errno))
}

struct Removal<'a> {
    top: &'a OwnedFd,
    path: &'a str,
    /// Deep directories moved to the top so far.
    flattened: u64,
}

impl Removal<'_> {
    fn empty(&mut self, directory: &OwnedFd, depth: usize) -> Result<(), TreeError> {
        // Names first: what a listing yields while its directory shrinks is not defined.
        let mut names: Vec<OsString> = Vec::new();
        root::list(directory, self.path, |raw_name| {
            names.push(raw_name.to_owned());
            Ok(())
        })?;
        for raw_name in &names {
            match unlink(directory, raw_name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => continue,
                Err(Errno::ISDIR) => {}
                Err(errno) => return Err(remove_error(self.path, errno)),
            }
            if depth >= HELD {
                self.flatten(directory, raw_name)?;
                continue;
            }
            let child = open(directory, raw_name, self.path)?;
            self.empty(&child, depth + 1)?;
            unlink(directory, raw_name, AtFlags::REMOVEDIR)
                .map_err(|errno| remove_error(self.path, errno))?;
        }
        Ok(())
    }

    fn flatten(&mut self, directory: &OwnedFd, raw_name: &OsStr) -> Result<(), TreeError> {
        loop {
            self.flattened += 1;
            let to = format!(".cofferdam-removed-{}", self.flattened);
            let flags = rustix::fs::RenameFlags::NOREPLACE;
            match rustix::fs::renameat_with(directory, raw_name, self.top, to, flags) {
                Ok(()) => return Ok(()),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(remove_error(self.path, errno)),
            }
        }
    }
}

fn open(parent: impl AsFd, raw_name: &OsStr, path: &str) -> Result<OwnedFd, TreeError> {
    let directory = root::open_directory_in(parent, raw_name, path)?;
    let stat = root::stat_of(&directory, path)?;
    let mode = attributes::permissions(&stat);
    if mode & 0o700 != 0o700 {
        // Its owner may have taken the right to change it away; root does not need it.
        match rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode | 0o700)) {
            Ok(()) | Err(Errno::PERM) => {}
            Err(errno) => return Err(TreeError::io("set the mode of", path, errno)),
        }
    }
    Ok(directory)
}

fn unlink(directory: impl AsFd, raw_name: &OsStr, flags: AtFlags) -> Result<(), Errno> {
    rustix::fs::unlinkat(directory, raw_name, flags)
}

fn remove_error(path: &str, errno: Errno) -> TreeError {
    let path = path.to_owned();
    match errno {
        Errno::BUSY => TreeError::MountBelow { path },
        Errno::PERM => TreeError::Immutable { path },
        errno => TreeError::io("remove", &path, errno),
    }
}
