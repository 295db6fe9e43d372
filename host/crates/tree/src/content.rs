// SPDX-License-Identifier: Apache-2.0
//! The bytes of files: hashed, or copied with as little work as the file system allows.

use std::cell::RefCell;
use std::fs::File;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write as _;
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use cofferdam_package::digest::Digest;
use cofferdam_package::digest::DigestHasher;
use rustix::fs::SeekFrom;
use rustix::io::Errno;

use crate::error::TreeError;
use crate::root;
use crate::walk::Stamp;

const BUFFER_BYTES: usize = 128 * 1024;
/// Below this a plain read and write is quicker than looking for holes.
pub(crate) const SMALL_BYTES: u64 = 64 * 1024;

/// Hashes the regular file at `path`, in its open directory, refusing one that changes meanwhile.
///
/// `seen` is what the walk found there: another inode is refused.
pub(crate) fn digest_in(
    directory: impl AsFd,
    path: &str,
    seen: &Stamp,
) -> Result<Digest, TreeError> {
    Ok(digest_passing(directory, path, seen, |_| ())?.0)
}

/// The same, shows each piece to `pass`, and says which state of the file it was.
pub(crate) fn digest_passing(
    directory: impl AsFd,
    path: &str,
    seen: &Stamp,
    mut pass: impl FnMut(&[u8]),
) -> Result<(Digest, Stamp), TreeError> {
    let (mut file, before) = root::open_file(directory, &root::last_name(path)?, path)?;
    let changed = || TreeError::ChangedWhileCopied {
        path: path.to_owned(),
    };
    let stamp = Stamp::of(&before);
    if stamp.identity() != seen.identity() {
        return Err(changed());
    }
    let mut hasher = DigestHasher::new();
    read_all(&mut file, before.stx_size, path, |bytes| {
        hasher.update(bytes);
        pass(bytes);
        Ok(())
    })?;
    if !Stamp::of(&root::stat_of(&file, path)?).same_content(&stamp) {
        return Err(changed());
    }
    Ok((hasher.finish(), stamp))
}

/// Copies while hashing; for content that must be proved as it is written.
pub(crate) fn copy_hashed(
    source: &mut File,
    target: &mut File,
    bytes: u64,
    path: &str,
) -> Result<Digest, TreeError> {
    let mut hasher = DigestHasher::new();
    read_all(source, bytes, path, |bytes| {
        hasher.update(bytes);
        target
            .write_all(bytes)
            .map_err(|error| TreeError::io("write", path, error))
    })?;
    Ok(hasher.finish())
}

/// Reads `bytes` bytes, or to the end of a file that became shorter.
///
/// Whether the file became longer is not asked here: callers compare its length afterwards.
fn read_all(
    file: &mut File,
    bytes: u64,
    path: &str,
    mut each: impl FnMut(&[u8]) -> Result<(), TreeError>,
) -> Result<(), TreeError> {
    thread_local! {
        static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER_BYTES]);
    }
    BUFFER.with_borrow_mut(|buffer| {
        let mut left = bytes;
        while left > 0 {
            let wanted = usize::try_from(left)
                .unwrap_or(BUFFER_BYTES)
                .min(BUFFER_BYTES);
            match file.read(&mut buffer[..wanted]) {
                Ok(0) => break,
                Ok(read) => {
                    each(&buffer[..read])?;
                    left -= read as u64;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(TreeError::io("read", path, error)),
            }
        }
        Ok(())
    })
}

/// Copies content without hashing: a clone, else the kernel's copy of each extent, else bytes.
#[derive(Default)]
pub(crate) struct Copier {
    /// The file system has said that it cannot clone: it is not asked for every file.
    no_clone: AtomicBool,
}

impl Copier {
    /// Makes `target`, which is empty, hold what `source` holds; holes stay holes.
    pub(crate) fn copy(
        &self,
        source: &mut File,
        target: &mut File,
        bytes: u64,
        path: &str,
    ) -> Result<(), TreeError> {
        if bytes == 0 {
            return Ok(());
        }
        if !self.no_clone.load(Ordering::Relaxed) {
            match rustix::fs::ioctl_ficlone(&*target, &*source) {
                Ok(()) => return Ok(()),
                Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::IO)) => {
                    return Err(TreeError::io("copy", path, errno));
                }
                Err(_) => self.no_clone.store(true, Ordering::Relaxed),
            }
        }
        if bytes > SMALL_BYTES && copy_extents(source, target, bytes, path)? {
            return Ok(());
        }
        read_all(source, bytes, path, |chunk| {
            target
                .write_all(chunk)
                .map_err(|error| TreeError::io("write", path, error))
        })
    }
}

/// Copies each extent in the kernel. Answers false when the file system cannot, with nothing copied.
fn copy_extents(source: &File, target: &File, bytes: u64, path: &str) -> Result<bool, TreeError> {
    let copy_error = |errno| TreeError::io("copy", path, errno);
    let mut position = 0;
    let mut copied = false;
    while position < bytes {
        let start = match rustix::fs::seek(source, SeekFrom::Data(position)) {
            Ok(start) => start,
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => position,
            Err(errno) => return Err(copy_error(errno)),
        };
        let end = match rustix::fs::seek(source, SeekFrom::Hole(start)) {
            Ok(end) => end.min(bytes),
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL | Errno::OPNOTSUPP) => bytes,
            Err(errno) => return Err(copy_error(errno)),
        };
        let (mut from, mut to) = (start, start);
        while from < end {
            let wanted = usize::try_from(end - from)
                .unwrap_or(usize::MAX)
                .min(1 << 30);
            match rustix::fs::copy_file_range(
                source,
                Some(&mut from),
                target,
                Some(&mut to),
                wanted,
            ) {
                // The file became shorter: the caller sees that it changed.
                Ok(0) => return Ok(true),
                Ok(_) => copied = true,
                Err(Errno::INTR) => {}
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) if !copied => {
                    rustix::fs::seek(source, SeekFrom::Start(0)).map_err(copy_error)?;
                    rustix::fs::seek(target, SeekFrom::Start(0)).map_err(copy_error)?;
                    return Ok(false);
                }
                Err(errno) => return Err(copy_error(errno)),
            }
        }
        position = end;
    }
    rustix::fs::ftruncate(target, bytes).map_err(copy_error)?;
    Ok(true)
}
