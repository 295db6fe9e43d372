// SPDX-License-Identifier: Apache-2.0
//! What is refused before any work is done, and the facts that it is decided on.
//!
//! Absolute paths enter here only as text to compare with what the kernel reports in `/proc`.

mod mounts;
mod processes;
mod space;
mod trial;

use cap_std::fs::Dir;

pub use self::mounts::mounts_below;
pub use self::processes::Holder;
pub use self::processes::InUse;
pub use self::processes::in_use;
pub use self::space::Free;
pub use self::space::Space;
pub use self::space::free;
pub use self::trial::is_inability;
pub use self::trial::trial_exchange;
pub use self::trial::trial_link;
use crate::error::TreeError;
use crate::root;
use crate::root::Root;
use crate::walk;
use crate::walk::LiveTree;

/// Refuses a tree that holds what cannot be carried into the next one.
///
/// # Errors
///
/// The first odd object, by its own code; [`LiveTree::odd`] has them all.
pub fn refuse_odd(tree: &LiveTree) -> Result<(), TreeError> {
    match tree.odd().first() {
        None => Ok(()),
        Some(odd) => Err(odd.clone().into_error()),
    }
}

/// Refuses a directory that must not be changed or moved; `path` is what it is called in the error.
///
/// # Errors
///
/// `immutable-file`.
pub fn refuse_pinned(dir: &Dir, path: &str) -> Result<(), TreeError> {
    let stat = root::stat_of(&Root::new(dir)?, path)?;
    if walk::is_pinned(&stat) {
        let path = path.to_owned();
        return Err(TreeError::Immutable { path });
    }
    Ok(())
}

/// Refuses files whose owner and group this user could not give to their copies.
///
/// # Errors
///
/// `files-of-others` with some of them.
pub fn refuse_files_of_others(tree: &LiveTree) -> Result<(), TreeError> {
    const SHOWN: usize = 100;
    let user = rustix::process::geteuid().as_raw();
    if user == 0 {
        return Ok(());
    }
    let mut groups: Vec<u32> = rustix::process::getgroups()
        .map_err(|errno| TreeError::io("read the groups of", ".", errno))?
        .into_iter()
        .map(rustix::process::Gid::as_raw)
        .collect();
    groups.push(rustix::process::getegid().as_raw());
    let others = tree
        .found
        .iter()
        .filter(|(_, found)| found.uid != user || !groups.contains(&found.gid));
    let paths: Vec<String> = others.map(|(path, _)| path.clone()).take(SHOWN).collect();
    if paths.is_empty() {
        Ok(())
    } else {
        Err(TreeError::FilesOfOthers { paths })
    }
}
