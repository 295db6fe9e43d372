// SPDX-License-Identifier: Apache-2.0
//! The second wall: what the kernel holds a child process to, whatever its code does.
//!
//! The first wall is the sandbox itself: wasm has no instruction that leaves it, and the path layer
//! judges every file operation. This one stands behind it, for the day on which one of those has a
//! bug. A child puts it up itself, before it has read a byte of what the package brought, and no
//! part of it can be taken down again.
//!
//! | wall | compiler | runner |
//! |---|---|---|
//! | `no-new-privs` | yes | yes |
//! | `limits` | address space, CPU, no files, no core | data, CPU, file size, open files, no core |
//! | `capabilities` | none | those that reading and replacing other owners' files takes |
//! | `landlock` | no file at all | nothing outside the tree; inside it read-only but for the directories that the write globs reach; no TCP; no signals and no abstract sockets outside |
//! | `seccomp` | memory and threads | memory, and files relative to a handle |
//! | `cgroup` | memory and number of processes, where a cgroup can be made | the same |
//!
//! A wall that the kernel lacks is told ([`Wall::up`]), and policy may demand all of them but the
//! cgroup, which needs a hierarchy that somebody delegated.

pub(crate) mod cgroup;
mod landlock;
mod limits;
mod seccomp;

pub use cgroup::Cgroups;
pub(crate) use landlock::Reach;
pub(crate) use limits::Ceilings;
pub(crate) use limits::MemoryCeiling;
pub(crate) use seccomp::Calls;

use crate::switches::Switches;
use serde::Deserialize;
use serde::Serialize;
use std::fmt;

/// One part of what the kernel holds a step's process to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WallKind {
    /// No program that it might start has more rights than it.
    NoNewPrivs,
    /// Memory, CPU time, file sizes and open files are bounded.
    Limits,
    /// The rights of root that a step does not need are gone.
    Capabilities,
    /// Files outside of the tree, and the network, cannot be reached.
    Landlock,
    /// Only the system calls that steps need are there.
    Seccomp,
    /// Memory and processes are counted together, children included.
    Cgroup,
}

/// Whether a wall stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wall {
    /// Which one.
    pub wall: WallKind,
    /// Whether it stands, whole.
    pub up: bool,
    /// How far it reaches, or why it does not stand.
    pub detail: String,
}

impl Wall {
    pub(crate) fn up(wall: WallKind, detail: impl Into<String>) -> Self {
        Self {
            wall,
            up: true,
            detail: detail.into(),
        }
    }

    pub(crate) fn down(wall: WallKind, detail: impl fmt::Display) -> Self {
        Self {
            wall,
            up: false,
            detail: detail.to_string(),
        }
    }

    /// Whether policy can demand it: all but the cgroup, which needs a hierarchy that somebody
    /// delegated.
    pub fn can_be_required(&self) -> bool {
        self.wall != WallKind::Cgroup
    }
}

impl fmt::Display for WallKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoNewPrivs => "no-new-privs",
            Self::Limits => "limits",
            Self::Capabilities => "capabilities",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
            Self::Cgroup => "cgroup",
        })
    }
}

/// Puts up what must stand before the child starts a thread: limits, capabilities and landlock.
pub(crate) fn before_threads(
    ceilings: &Ceilings,
    reach: &Reach<'_>,
    switches: Switches,
) -> Vec<Wall> {
    let mut walls = vec![limits::lower(ceilings), limits::drop_capabilities(reach)];
    if switches.landlock() {
        walls.push(landlock::raise(reach));
    } else {
        walls.push(Wall::down(WallKind::Landlock, "switched off by a test"));
    }
    walls
}

/// Puts up what covers all threads at once, after the last one that the child needs was started.
pub(crate) fn for_all_threads(calls: Calls, switches: Switches) -> Vec<Wall> {
    let seccomp = if switches.seccomp() {
        seccomp::raise(calls)
    } else {
        Wall::down(WallKind::Seccomp, "switched off by a test")
    };
    // The filter cannot be installed without it, so that one answers for both.
    let no_new_privs = Wall {
        wall: WallKind::NoNewPrivs,
        detail: if seccomp.up {
            "set"
        } else {
            "seccomp would have set it"
        }
        .to_owned(),
        up: seccomp.up,
    };
    vec![no_new_privs, seccomp]
}
