// SPDX-License-Identifier: Apache-2.0
//! Trials of what an update will need, in the state directory, before anything depends on it.

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

/// Exchanges two directories, made for it, between the directory above the install and the state
/// directory: the same move that a commit makes.
///
/// # Errors
///
/// `no-exchange` when the file system cannot.
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
    outcome.map_err(|errno| TreeError::NoExchange {
        source: errno.into(),
    })
}

/// Links one file of the install into the state directory, and removes that link again.
///
/// An install without a file has nothing to try; a file that vanishes meanwhile is passed over.
///
/// # Errors
///
/// `no-hard-links` when the file system cannot, as below the lower layer of an overlay.
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
                return Err(TreeError::NoHardLinks {
                    source: errno.into(),
                });
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
