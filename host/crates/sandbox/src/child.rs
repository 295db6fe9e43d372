// SPDX-License-Identifier: Apache-2.0
//! The processes in which a package's code is compiled and run.
//!
//! Each is this same program, started anew with [`FLAG`] and a role: a *compiler* gets a component's
//! bytes and gives code back; a *runner* gets one step, the tree's handle and verified code, and runs
//! it once. A child has an empty environment and three descriptors: the line to the host (0), and for
//! a runner the tree (1) and the code (2). It dies with its parent. `line.rs` is the line, `spawn.rs`
//! the host's end, `compiler.rs` and `runner.rs` the children.

pub(crate) mod compiler;
pub(crate) mod line;
pub(crate) mod messages;
pub(crate) mod runner;
pub(crate) mod spawn;

use std::ffi::OsString;
use std::process::ExitCode;

/// The first argument of a child. Nobody else gives it.
pub(crate) const FLAG: &str = "--cofferdam-child";

/// What a child is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Compiler,
    Runner,
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Compiler => "compiler",
            Self::Runner => "runner",
        }
    }
}

/// Turns this process into a child of the sandbox, if it was started as one; to be asked first of
/// all in `main`. `None` says that it was not.
pub fn run_if_child<I: IntoIterator<Item = OsString>>(arguments: I) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != FLAG {
        return None;
    }
    let role = arguments.next();
    let parent = arguments.next();
    if !die_with(parent.as_deref().and_then(std::ffi::OsStr::to_str)) {
        return Some(ExitCode::FAILURE);
    }
    let done = match role.as_deref().and_then(std::ffi::OsStr::to_str) {
        Some("compiler") => compiler::work(),
        Some("runner") => runner::work(),
        _ => return Some(ExitCode::FAILURE),
    };
    // An error here means that the line is gone, and with it whoever could be told.
    Some(if done.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Asks the kernel to end this process with its parent. A parent that ended before it was asked is
/// noticed by who the parent is now.
fn die_with(parent: Option<&str>) -> bool {
    let signal = rustix::process::Signal::KILL;
    if rustix::process::set_parent_process_death_signal(Some(signal)).is_err() {
        return false;
    }
    let now = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get().to_string());
    // In a pid namespace of its own the parent may be out of sight; then the line's end tells.
    now.is_none() || now.as_deref() == parent
}
