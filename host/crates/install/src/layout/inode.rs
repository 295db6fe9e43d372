// SPDX-License-Identifier: Apache-2.0
//! By what a directory is known again: its inode, and when it was made.

use std::fmt;
use std::io;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::StatxFlags;
use serde::Deserialize;
use serde::Serialize;

/// Which file system object a name stood for.
///
/// While a transaction is under way, another inode is a contradiction. At rest it is only a reason to look at the
/// files: an idle install may be moved or copied with its state directory, and then every inode differs. The device
/// is left out, since its number may change over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InodeId(pub u64);

impl fmt::Display for InodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inode {}", self.0)
    }
}

/// The inode of directory `name` in `parent`; `None` when nothing is there.
///
/// # Errors
/// The system refused, or something else than a directory is there.
pub(crate) fn directory_inode(parent: &Dir, name: &str) -> io::Result<Option<InodeId>> {
    match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => {
            Ok(Some(InodeId(stat.st_ino)))
        }
        Ok(_) => Err(io::Error::from(io::ErrorKind::NotADirectory)),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// When what stands at a name was made, in nanoseconds since 1970; none where the file system does not tell.
pub(crate) fn born_ns(parent: &Dir, name: &str) -> Option<u64> {
    let wanted = StatxFlags::BTIME;
    let stat = rustix::fs::statx(parent, name, AtFlags::SYMLINK_NOFOLLOW, wanted).ok()?;
    let told = StatxFlags::from_bits_retain(stat.stx_mask).contains(wanted);
    let seconds = u64::try_from(stat.stx_btime.tv_sec).ok().filter(|_| told)?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(stat.stx_btime.tv_nsec.into())
}
