// SPDX-License-Identifier: Apache-2.0
//! The flags that `chattr` sets, which say how a file system keeps a file and not what is in it.
//!
//! On btrfs they must go along for more than order's sake: a file that is not copied on write can be
//! cloned only into another one like it.

use std::os::fd::AsFd;

use rustix::fs::IFlags;

/// Those that anybody may set who may write the file, wherever the file system knows them.
const CARRIED: IFlags = IFlags::COMPRESSED
    .union(IFlags::DIRSYNC)
    .union(IFlags::NOATIME)
    .union(IFlags::NOCOW)
    .union(IFlags::NODUMP)
    .union(IFlags::SYNC);

/// Gives `to`, which is new and empty, the flags of `from`. A file system that does not take them keeps
/// the file in its own way, with the same content: that is no reason to refuse an update.
pub(crate) fn carry(from: impl AsFd, to: impl AsFd) {
    let Ok(flags) = rustix::fs::ioctl_getflags(from) else {
        return;
    };
    let wanted = flags.intersection(CARRIED);
    if !wanted.is_empty()
        && let Ok(has) = rustix::fs::ioctl_getflags(&to)
    {
        let _ = rustix::fs::ioctl_setflags(&to, has.union(wanted));
    }
}
