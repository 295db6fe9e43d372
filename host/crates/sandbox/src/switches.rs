// SPDX-License-Identifier: Apache-2.0
//! Walls that a test may pull down, one by one, to show that the others hold alone.
//!
//! The switches exist only where the feature `test-switches` is on; without it this is an empty type
//! whose every answer is "the wall stands", and no message from outside can say otherwise.

use crate::grants::FileGrants;
#[cfg(feature = "test-switches")]
use cofferdam_package::glob::GlobSet;
use serde::Deserialize;
use serde::Serialize;

/// Which walls stand.
#[cfg(not(feature = "test-switches"))]
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Switches {}

#[cfg(not(feature = "test-switches"))]
#[expect(
    clippy::unused_self,
    reason = "the switchable form asks its own fields"
)]
impl Switches {
    pub(crate) fn landlock(self) -> bool {
        true
    }

    pub(crate) fn seccomp(self) -> bool {
        true
    }

    pub(crate) fn paths(self) -> bool {
        true
    }

    pub(crate) fn widened(self, grants: &FileGrants) -> FileGrants {
        grants.clone()
    }
}

/// Which walls a test has pulled down.
#[cfg(feature = "test-switches")]
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Switches {
    /// No landlock.
    pub no_landlock: bool,
    /// No seccomp.
    pub no_seccomp: bool,
    /// Paths are neither resolved safely nor judged.
    pub no_path_checks: bool,
    /// The runner itself, not the step, tries this before it runs the step.
    pub rogue: Option<Deed>,
}

/// What a broken sandbox might do. Each is tried by the runner's own code, past the path layer.
#[cfg(feature = "test-switches")]
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Deed {
    /// Reads a file of the machine by its absolute path.
    ReadPasswords,
    /// Makes a file beside the tree.
    WriteBeside,
    /// Empties the file `secret/key` of the tree, which no glob reaches.
    TruncateUngranted,
    /// Writes through the name `data/linked`.
    WriteLinked,
    /// Opens a connection.
    Connect,
    /// Starts a program.
    Execute,
    /// Signals its parent.
    SignalParent,
    /// Takes memory until there is none.
    TakeMemory,
    /// Never ends, inside the host's own code.
    Hang,
    /// Says again and again that the step's time begins.
    StartOver,
}

#[cfg(feature = "test-switches")]
impl Switches {
    pub(crate) fn landlock(self) -> bool {
        !self.no_landlock
    }

    pub(crate) fn seccomp(self) -> bool {
        !self.no_seccomp
    }

    pub(crate) fn paths(self) -> bool {
        !self.no_path_checks
    }

    /// Without path checks everything is granted, so that nothing but the kernel refuses.
    pub(crate) fn widened(self, grants: &FileGrants) -> FileGrants {
        if self.paths() {
            return grants.clone();
        }
        let everything = GlobSet::parse(&["**".to_owned()]).unwrap_or_default();
        FileGrants {
            read: everything.clone(),
            write: everything,
            executables: true,
            ..FileGrants::none()
        }
    }
}
