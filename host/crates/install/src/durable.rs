// SPDX-License-Identifier: Apache-2.0
//! The only file of this crate that writes, renames, syncs or removes.
//!
//! Every function says what a crash just before and just after its lines leaves behind. Files are
//! written under handles and single names, never under paths, and no name is followed when it is a
//! symlink. Nothing here decides anything: what to write when is the business of the callers, and
//! what a half-done sequence means is the business of [`crate::journal::recovery`].
//!
//! A sync that failed is final. The kernel reports a lost write once and then forgets it, so a
//! second call that succeeds proves nothing; [`SyncFs`] therefore remembers the failure, and what
//! was built is thrown away.

use std::fs::File;
use std::io;
use std::io::Seek as _;
use std::io::SeekFrom;
use std::io::Write as _;
use std::os::fd::OwnedFd;

use cap_std::fs::Dir;
use cofferdam_tree::TreeError;
use cofferdam_tree::name;
use rustix::fs::AtFlags;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::RenameFlags;
use rustix::fs::Uid;
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::layout::temporary_of;

#[cfg(test)]
pub(crate) mod fault;
mod step;
#[cfg(feature = "test-switches")]
mod switches;

use step::Step;

/// Files of the state directory are ours alone.
const PRIVATE_FILE: Mode = Mode::from_raw_mode(0o600);
/// So are its directories.
const PRIVATE_DIRECTORY: Mode = Mode::from_raw_mode(0o700);

/// Creates directory `name`, mode 0700, whatever the umask.
///
/// Crash before: nothing. After: an empty directory that no document names, collected by the next
/// recovery.
pub(crate) fn create_directory(dir: &Dir, name: &str) -> io::Result<Dir> {
    #[cfg(test)]
    fault::before("create-directory")?;
    rustix::fs::mkdirat(dir, name, PRIVATE_DIRECTORY)?;
    let created = crate::layout::open_directory(dir, name.as_ref())?;
    rustix::fs::fchmod(&created, PRIVATE_DIRECTORY)?;
    Ok(created)
}

/// Opens directory `name`, creating it when it is missing.
pub(crate) fn ensure_directory(dir: &Dir, name: &str) -> io::Result<Dir> {
    match crate::layout::open_directory(dir, name.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_directory(dir, name),
        opened => opened,
    }
}

/// Writes file `name`, replacing whatever an interrupted attempt left there, without syncing it.
///
/// For files that no document names yet: a `syncfs` or [`sync_file`] comes before the document that
/// does. Crash before, in the middle, after: a leftover, or an unsynced file, in a folder that
/// recovery collects.
pub(crate) fn write_unsynced(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<File> {
    #[cfg(test)]
    fault::before("create-file")?;
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, name, flags, PRIVATE_FILE)?);
    #[cfg(test)]
    fault::before_write(&mut file, bytes)?;
    file.write_all(bytes)?;
    Ok(file)
}

/// Writes file `name` and syncs it, but not its directory.
pub(crate) fn write_synced(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let file = write_unsynced(dir, name, bytes)?;
    sync_file(&file)
}

/// Syncs one file.
pub(crate) fn sync_file(file: &File) -> io::Result<()> {
    Step::SyncFile(file).take()
}

/// Replaces document `name` whole: a reader, and a crash at any instant, see the old bytes or the
/// new ones.
pub(crate) fn replace_file(dir: &Dir, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_of(name);
    // Before and in the middle: the old document, and perhaps a torn temporary file that the next
    // write truncates.
    write_synced(dir, &temporary, bytes)?;
    // After: the old document, and the new one complete under its temporary name.
    rename_over(dir, &temporary, name)?;
    // After the rename: the new document for every reader; the old or the new one after a power
    // cut.
    sync_directory(dir)
    // After the sync: the new document, whatever happens.
}

/// Renames `from` over `to` in one directory.
///
/// Crash before: `to` is the old file. After: `to` is the new one; after a power cut either, until
/// the directory is synced.
pub(crate) fn rename_over(dir: &Dir, from: &str, to: &str) -> io::Result<()> {
    rename((dir, from), (dir, to), RenameFlags::empty())
}

/// Moves `from` to a name that must be free.
///
/// Crash before: at the old name. After: at the new one; after a power cut at either, until both
/// directories are synced, the new one first (with the old one first, a power cut in between could
/// leave it at neither name).
pub(crate) fn move_to_free_name(
    from_dir: &Dir,
    from: &str,
    to_dir: &Dir,
    to: &str,
) -> io::Result<()> {
    rename((from_dir, from), (to_dir, to), RenameFlags::NOREPLACE)
}

/// Exchanges two names in one indivisible operation: the commit.
///
/// Crash before: the old tree is live. After: the new tree is live, and the old one stands in its
/// slot; after a power cut either of the two, until both directories are synced, and never a
/// mixture.
pub(crate) fn exchange(a_dir: &Dir, a: &str, b_dir: &Dir, b: &str) -> io::Result<()> {
    rename((a_dir, a), (b_dir, b), RenameFlags::EXCHANGE)
}

fn rename(from: (&Dir, &str), to: (&Dir, &str), flags: RenameFlags) -> io::Result<()> {
    Step::Rename { from, to, flags }.take()
}

/// Syncs the names in a directory.
pub(crate) fn sync_directory(dir: &Dir) -> io::Result<()> {
    Step::SyncDirectory(dir).take()
}

/// Appends `bytes` to file `name` after its first `keep_bytes`, cutting whatever follows them, and
/// syncs it.
///
/// Crash before: as it was. In the middle: a torn last line, which the reader ignores and the next
/// append cuts. After: the line is there.
pub(crate) fn append(dir: &Dir, name: &str, keep_bytes: u64, bytes: &[u8]) -> io::Result<()> {
    #[cfg(test)]
    fault::before("append")?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::openat(dir, name, flags, PRIVATE_FILE)?);
    if file.metadata()?.len() > keep_bytes {
        file.set_len(keep_bytes)?;
    }
    file.seek(SeekFrom::Start(keep_bytes))?;
    #[cfg(test)]
    fault::before_write(&mut file, bytes)?;
    file.write_all(bytes)?;
    sync_file(&file)
}

/// Removes file `name`; that it is not there is as good.
pub(crate) fn remove_file(dir: &Dir, name: &str) -> io::Result<()> {
    match (Step::Remove { dir, name }).take() {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Removes whatever stands at `name`, a tree included, by handles; that it is not there is as good.
///
/// Crash before, in the middle, after: a leftover, whole or in part, that no document names.
pub(crate) fn remove_tree(dir: &Dir, name: &str) -> Result<(), TreeError> {
    #[cfg(test)]
    fault::before("remove-tree").map_err(fault::as_tree_error)?;
    match rustix::fs::statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => Ok(()),
        Ok(_) | Err(_) => cofferdam_tree::remove::remove(dir, &name::escape(name.as_ref())),
    }
}

/// Tries to rename `from` over `to`, which must be a directory with something in it: this never
/// succeeds, and the answer tells whether `from` can be renamed at all.
pub(crate) fn rename_in_vain(from_dir: &Dir, from: &str, to_dir: &Dir, to: &str) -> io::Result<()> {
    match rustix::fs::renameat(from_dir, from, to_dir, to) {
        Err(Errno::NOTEMPTY | Errno::EXIST) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Err(io::Error::other(
            "a directory was renamed over one that is not empty",
        )),
    }
}

/// Writes a file that will take the place of `like`: with its mode, owner and attributes, synced,
/// not yet its directory.
///
/// Crash before, in the middle, after: a temporary file that the journal already names, removed by
/// recovery.
pub(crate) fn write_in_the_likeness(
    dir: &Dir,
    temporary: &str,
    bytes: &[u8],
    like: Option<&File>,
) -> io::Result<()> {
    let file = write_unsynced(dir, temporary, bytes)?;
    if let Some(like) = like {
        copy_attributes(like, &file)?;
    }
    sync_file(&file)
}

/// A signature over an inode, which no other inode can have.
const INODE_BOUND: &[u8] = b"security.evm";

/// Owner and group first, since changing them clears special bits; the mode last.
///
/// An attribute that must not be set is no failure where the new file has it already: that is how
/// the labels of a security module come to new files.
fn copy_attributes(from: &File, to: &File) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = from.metadata()?;
    let current = to.metadata()?;
    if (metadata.uid(), metadata.gid()) != (current.uid(), current.gid()) {
        rustix::fs::fchown(
            to,
            Some(Uid::from_raw(metadata.uid())),
            Some(Gid::from_raw(metadata.gid())),
        )?;
    }
    for name in extended_attributes(from)? {
        let Some(wanted) = attribute(from, &name)? else {
            continue;
        };
        if let Err(error) = rustix::fs::fsetxattr(to, name.as_slice(), &wanted, XattrFlags::empty())
            && attribute(to, &name)?.as_ref() != Some(&wanted)
        {
            return Err(error.into());
        }
    }
    rustix::fs::fchmod(to, Mode::from_raw_mode(metadata.mode() & 0o7777))?;
    Ok(())
}

/// The value of an attribute; none where it is gone, or where the file system has no such thing.
fn attribute(file: &File, name: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut value = Vec::with_capacity(64 * 1024);
    match rustix::fs::fgetxattr(file, name, rustix::buffer::spare_capacity(&mut value)) {
        Ok(_) => Ok(Some(value)),
        Err(Errno::NODATA | Errno::OPNOTSUPP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The names of a file's extended attributes that another file can have, ACLs included; none where
/// the file system has no such thing.
fn extended_attributes(file: &File) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::with_capacity(64 * 1024);
    match rustix::fs::flistxattr(file, rustix::buffer::spare_capacity(&mut names)) {
        Ok(_) => Ok(names
            .split(|byte| *byte == 0)
            .filter(|name| !name.is_empty() && *name != INODE_BOUND)
            .map(<[u8]>::to_vec)
            .collect()),
        Err(Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(error) => Err(error.into()),
    }
}

/// One file system, to be synced whole; opened before the first write, since it reports only errors
/// from then on.
#[derive(Debug)]
pub struct SyncFs {
    fd: OwnedFd,
    failed: bool,
}

impl SyncFs {
    /// Opens the file system that holds `dir`.
    ///
    /// # Errors
    /// The system refused.
    pub fn open(dir: &Dir) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(dir, ".", flags, Mode::empty())?;
        Ok(Self { fd, failed: false })
    }

    /// Writes everything down. Fails for ever once it has failed.
    ///
    /// # Errors
    /// Something written since this was opened is lost.
    pub fn sync(&mut self) -> io::Result<()> {
        if self.failed {
            return Err(io::Error::other(
                "an earlier sync of this file system failed",
            ));
        }
        // Before: everything built may be lost in a power cut; the journal does not count on it.
        // After: it is all on the disk, and the journal may name it.
        let result = Step::SyncFileSystem(&self.fd).take();
        self.failed = result.is_err();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(file: &File, name: &str, value: &[u8]) -> rustix::io::Result<()> {
        rustix::fs::fsetxattr(file, name, value, XattrFlags::empty())
    }

    #[test]
    fn a_tree_is_removed_by_its_very_name() {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
        for name in ["plain", "a\\b", "a\\\\b", "\\x41"] {
            dir.create_dir_all(format!("{name}/below")).unwrap();
        }
        for name in ["a\\\\b", "\\x41", "a\\b", "plain"] {
            remove_tree(&dir, name).unwrap();
            assert!(!dir.exists(name), "{name}");
        }
    }

    /// Each where the system running the test lets it be set at all.
    #[test]
    fn attributes_go_along_but_for_a_signature_over_the_old_inode() {
        let (old, new) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
        let user = set(&old, "user.note", b"kept").is_ok();
        let label = set(&old, "security.cofferdam-test", b"kept").is_ok();
        let _unsupported = set(&old, "security.evm", b"\x03of the old inode");
        copy_attributes(&old, &new).unwrap();
        let kept = |name: &str| attribute(&new, name.as_bytes()).unwrap();
        assert_eq!(kept("user.note"), user.then(|| b"kept".to_vec()));
        assert_eq!(
            kept("security.cofferdam-test"),
            label.then(|| b"kept".to_vec())
        );
        assert_eq!(kept("security.evm"), None);
    }
}
