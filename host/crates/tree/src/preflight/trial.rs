// SPDX-License-Identifier: Apache-2.0
//! Trials of what an update will need, in the state directory, before anything depends on it.

use std::io;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::RenameFlags;
use rustix::io::Errno;

use crate::error::TreeError;
use crate::name;
use crate::remove;
use crate::root;
use crate::root::Root;
use crate::walk::FoundNode;
use crate::walk::LiveTree;

const FIRST: &str = ".cofferdam-trial-1";
const SECOND: &str = ".cofferdam-trial-2";

/// Whether the failure of a trial says what the file system can do; anything else (an error of the disk, no space)
/// says how the machine fares today.
pub fn is_inability(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::INVAL
                | Errno::NOSYS
                | Errno::OPNOTSUPP
                | Errno::XDEV
                | Errno::PERM
                | Errno::ACCESS
                | Errno::BUSY
        )
    )
}

/// Exchanges two directories, made for it, between the directory above the install and the state
/// directory: the same move that a commit makes.
///
/// # Errors
///
/// `no-exchange` when the file system cannot; `io`, `disk-full`.
pub fn trial_exchange(parent: &Dir, state: &Dir) -> Result<(), TreeError> {
    let (parent_root, state_root) = (Root::new(parent)?, Root::new(state)?);
    let ends = [(parent, &parent_root, FIRST), (state, &state_root, SECOND)];
    for (dir, root, trial) in ends {
        remove::remove(dir, trial)?;
        rustix::fs::mkdirat(root, trial, Mode::RWXU)
            .map_err(|errno| TreeError::io("make the directory", trial, errno))?;
    }
    let flags = RenameFlags::EXCHANGE;
    let outcome = rustix::fs::renameat_with(&parent_root, FIRST, &state_root, SECOND, flags);
    for (dir, _, trial) in ends {
        remove::remove(dir, trial)?;
    }
    outcome.map_err(|errno| {
        let source = io::Error::from(errno);
        if is_inability(&source) {
            return TreeError::NoExchange { source };
        }
        TreeError::io(
            "exchange a directory beside the install with",
            SECOND,
            source,
        )
    })
}

/// Links one file of the install into the state directory, and removes that link again.
///
/// An install without a file has nothing to try; a file that vanishes meanwhile is passed over.
///
/// # Errors
///
/// `no-hard-links` when the file system cannot, as below the lower layer of an overlay; `io`, `disk-full`.
pub fn trial_link(live: &LiveTree, state: &Dir) -> Result<(), TreeError> {
    let state = Root::new(state)?;
    let files = live
        .found
        .iter()
        .filter(|(_, found)| found.node == FoundNode::File);
    for (path, _) in files {
        let Some(directory) = live.root.find_directory(name::split(path).0)? else {
            continue;
        };
        let raw_name = root::last_name(path)?;
        match rustix::fs::unlinkat(&state, FIRST, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(TreeError::io("remove", FIRST, errno)),
        }
        match rustix::fs::linkat(&directory, &*raw_name, &state, FIRST, AtFlags::empty()) {
            Ok(()) => {}
            Err(Errno::NOENT | Errno::MLINK) => continue,
            Err(errno) => {
                let source = io::Error::from(errno);
                if is_inability(&source) {
                    return Err(TreeError::NoHardLinks { source });
                }
                return Err(TreeError::io("link", path, source));
            }
        }
        // An overlay copies a lower file up when it is linked, and then it is another file.
        let original = root::stat_at(&directory, &raw_name, path)?;
        let linked = root::stat_at(&state, FIRST.as_ref(), FIRST)?;
        rustix::fs::unlinkat(&state, FIRST, AtFlags::empty())
            .map_err(|errno| TreeError::io("remove", FIRST, errno))?;
        let inode = |stat: Option<rustix::fs::Statx>| stat.map(|stat| stat.stx_ino);
        if inode(original) != inode(linked) {
            return Err(TreeError::NoHardLinks {
                source: Errno::XDEV.into(),
            });
        }
        return Ok(());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_today_is_not_a_file_system_that_cannot() {
        for machine in [
            Errno::IO,
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::ROFS,
            Errno::MFILE,
        ] {
            assert!(!is_inability(&machine.into()), "{machine}");
        }
        for able in [Errno::INVAL, Errno::XDEV, Errno::PERM] {
            assert!(is_inability(&able.into()), "{able}");
        }
    }
}
