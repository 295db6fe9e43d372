// SPDX-License-Identifier: Apache-2.0
//! The host's end: starts a child, holds it, and ends it.

use super::FLAG;
use super::Role;
use super::line::Line;
use crate::confine::Wall;
use crate::confine::WallKind;
use crate::confine::cgroup::Cgroup;
use crate::confine::cgroup::Cgroups;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

/// How long an ending child is waited for before it is killed: it has nothing left to do.
const LEAVE: Duration = Duration::from_secs(2);

/// The program that is started as a child: one that asks [`crate::run_if_child`] first.
#[derive(Debug, Clone)]
pub struct Program(OsString);

impl Default for Program {
    /// This program itself: the very file that is being executed, also when another stands at its path
    /// by now.
    fn default() -> Self {
        Self("/proc/self/exe".into())
    }
}

impl Program {
    /// Another program, for tests of this crate.
    pub fn at(path: impl Into<OsString>) -> Self {
        Self(path.into())
    }
}

/// A running child; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Held {
    child: Child,
    /// The line to it.
    pub(crate) line: Line,
    cgroup: Option<Cgroup>,
}

/// What a runner is handed beside its line.
#[derive(Debug)]
pub(crate) struct Handles {
    pub(crate) tree: File,
    pub(crate) code: File,
}

/// How a child ended that was not asked to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With an exit code.
    Exit(i32),
    /// By a signal.
    Signal(i32),
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exit(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Starts a child with an empty environment and nothing open but its line and these handles.
pub(crate) fn start(
    program: &Program,
    role: Role,
    handles: Option<Handles>,
    memory_bytes: u64,
    cgroups: &Cgroups,
) -> io::Result<Held> {
    let (ours, theirs) = UnixStream::pair()?;
    let (tree, code) = match handles {
        Some(handles) => (handles.tree.into(), handles.code.into()),
        None => (Stdio::null(), Stdio::null()),
    };
    let mut command = Command::new(&program.0);
    command
        .arg0(format!("cofferdam-{}", role.name()))
        .args([FLAG, role.name(), &std::process::id().to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(OwnedFd::from(theirs))
        .stdout(tree)
        .stderr(code);
    let child = command.spawn()?;
    // Until its first message the child does nothing, so it is in its cgroup before it works.
    let cgroup = cgroups.hold(child.id(), memory_bytes);
    Ok(Held {
        child,
        line: Line::new(ours),
        cgroup,
    })
}

impl Held {
    /// The wall that only the host can put up.
    pub(crate) fn wall(&self) -> Wall {
        const KIND: WallKind = WallKind::Cgroup;
        match &self.cgroup {
            Some(group) => Wall::up(KIND, group.version),
            None => Wall::down(KIND, "no hierarchy in which one can be made"),
        }
    }

    /// Waits for a child that has nothing more to say.
    pub(crate) fn end(mut self) -> io::Result<End> {
        let deadline = Instant::now() + LEAVE;
        let pid = rustix::process::Pid::from_child(&self.child);
        let handle = rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty())?;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(match (status.code(), status.signal()) {
                    (Some(code), _) => End::Exit(code),
                    (None, signal) => End::Signal(signal.unwrap_or_default()),
                });
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.child.kill()?;
            }
            let left = rustix::event::Timespec::try_from(left.max(Duration::from_millis(1)))
                .unwrap_or_default();
            let mut waited = [rustix::event::PollFd::new(
                &handle,
                rustix::event::PollFlags::IN,
            )];
            rustix::io::retry_on_intr(|| rustix::event::poll(&mut waited, Some(&left)))?;
        }
    }
}

impl Drop for Held {
    /// Ends the child, whatever it does. It holds no lock and nothing that must be finished: all that a
    /// runner wrote lies in a tree that is thrown away unless the step's verdict is good.
    fn drop(&mut self) {
        // Both fail only for a child that has been waited for already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
