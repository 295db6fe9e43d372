// SPDX-License-Identifier: Apache-2.0
//! Landlock: which files and which network a child's process can reach at all.
//!
//! Best effort over the versions of the interface: a kernel that knows less gets as much as it
//! knows. A wall counts as standing from the version on that also covers truncation (3), since a file
//! that can be emptied is not protected.

use super::Wall;
use super::WallKind;
use landlock::ABI;
use landlock::Access;
use landlock::AccessFs;
use landlock::AccessNet;
use landlock::BitFlags;
use landlock::CompatLevel;
use landlock::Compatible;
use landlock::LandlockStatus;
use landlock::PathBeneath;
use landlock::RestrictionStatus;
use landlock::Ruleset;
use landlock::RulesetAttr;
use landlock::RulesetCreatedAttr;
use landlock::RulesetError;
use landlock::Scope;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;

/// The newest version whose rules are asked for.
const NEWEST: ABI = ABI::V6;

/// The oldest version whose wall counts as whole.
const OLDEST: i32 = 3;

/// What a child needs of the file system.
#[derive(Debug)]
pub(crate) enum Reach<'a> {
    /// No file at all.
    Nothing,
    /// One tree.
    Tree {
        /// Its root: everything below can be read.
        root: BorrowedFd<'a>,
        /// The directories below which files can be changed.
        writable: Vec<OwnedFd>,
    },
}

/// Restricts this process and all that it starts.
pub(super) fn raise(reach: &Reach<'_>) -> Wall {
    const KIND: WallKind = WallKind::Landlock;
    let status = match restrict(reach) {
        Ok(status) => status.landlock,
        Err(error) => return Wall::down(KIND, error),
    };
    match status {
        LandlockStatus::NotEnabled => Wall::down(
            KIND,
            "not enabled in this kernel (boot with `lsm=...,landlock`)",
        ),
        LandlockStatus::NotImplemented => {
            Wall::down(KIND, "this kernel has none (Linux 5.13 brought it)")
        }
        LandlockStatus::Available {
            effective_abi,
            kernel_abi,
        } => {
            let version = kernel_abi.unwrap_or(effective_abi as i32);
            if version >= OLDEST {
                Wall::up(KIND, format!("version {version}"))
            } else {
                Wall::down(
                    KIND,
                    format!(
                        "version {version} cannot prevent truncation ({OLDEST} can: Linux 6.2)"
                    ),
                )
            }
        }
    }
}

fn restrict(reach: &Reach<'_>) -> Result<RestrictionStatus, RulesetError> {
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(NEWEST))?
        .handle_access(AccessNet::from_all(NEWEST))?
        .scope(Scope::from_all(NEWEST))?
        .create()?;
    if let Reach::Tree { root, writable } = reach {
        ruleset = ruleset.add_rule(PathBeneath::new(root, readable()))?;
        for directory in writable {
            ruleset = ruleset.add_rule(PathBeneath::new(directory, changeable()))?;
        }
    }
    ruleset.restrict_self()
}

fn readable() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

/// Devices, fifos and sockets are not among what can be made, and nothing can be executed.
fn changeable() -> BitFlags<AccessFs> {
    readable()
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::MakeSym
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::Refer
}
