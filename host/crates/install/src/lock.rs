// SPDX-License-Identifier: Apache-2.0
//! One writer at a time, and who it is.
//!
//! The lock is the operating system's, on the file `lock`: it goes with the process that holds it,
//! however that ends, so a file left by a crash holds nothing. It is a lock on an inode, so another
//! name for the same install (a symlink, a bind mount) meets the same lock. What is written inside
//! only says who, for messages: nothing depends on it.
//!
//! Readers never take the lock, not even for an instant, since that would make a writer fail.
//! Whether a holder lives is read from `/proc` instead: same process id and same start time.
//!
//! A second lock, on the install directory itself, is for those who put a state directory beside it
//! or take one away: `adopt` and `release`.

use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;
use std::time::Instant;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use serde::Deserialize;
use serde::Serialize;

use crate::error::Doing as _;
use crate::error::InstallError;
use crate::layout;
use crate::layout::LOCK;
use crate::layout::Site;

/// A lock file holds one line.
const CAP_BYTES: u64 = 64 * 1024;

/// Who holds, or held, the lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// When that process started, in the kernel's clock ticks since boot: tells it from a later one
    /// with its id.
    pub process_started_ticks: u64,
    /// What it runs.
    pub command: String,
    /// Since when it holds the lock, in seconds since 1970.
    pub since_unix_s: u64,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.is_named() {
            return f.write_str("a process that did not say who it is");
        }
        write!(
            f,
            "`{}`, process {}, since second {} of 1970",
            self.command, self.pid, self.since_unix_s
        )
    }
}

impl Holder {
    /// Somebody who has the lock, but has not written who it is.
    fn unknown() -> Self {
        Self {
            pid: 0,
            process_started_ticks: 0,
            command: String::new(),
            since_unix_s: 0,
        }
    }

    /// Whether it said who it is.
    pub fn is_named(&self) -> bool {
        self.pid != 0
    }

    /// Whether that very process still runs.
    pub fn is_alive(&self) -> bool {
        self.is_named() && process_started_ticks(self.pid) == Some(self.process_started_ticks)
    }
}

/// The longest that the lock may outlive its holder: a child that was about to run the `stop` command
/// when the holder was killed has a copy of it until it does.
const OUTLIVES: Duration = Duration::from_secs(2);
/// How often a lock whose holder is dead is tried again.
const ASKED_EVERY: Duration = Duration::from_millis(5);

/// The lock, held until this is dropped or the process ends.
#[derive(Debug)]
pub(crate) struct Lock {
    file: File,
}

impl Drop for Lock {
    /// Takes the name out, for readers; the lock itself goes with the file, and with the process.
    fn drop(&mut self) {
        let _named_still = write(&mut self.file, NOBODY);
    }
}

/// Why the lock was not taken.
#[derive(Debug)]
pub(crate) enum LockError {
    Held(Holder),
    Io(io::Error),
}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Takes the lock at once, or says who has it.
pub(crate) fn take(state: &Dir, command: &str, now_unix_s: u64) -> Result<Lock, LockError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(state, LOCK, flags, Mode::from_raw_mode(0o600))
        .map_err(io::Error::from)?;
    let mut file = File::from(fd);
    lock_unless_held(&file, state)?;
    // A `release` may have taken the whole state directory away between the opening and the
    // locking.
    let named =
        rustix::fs::statat(state, LOCK, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from)?;
    if named.st_ino != file.metadata()?.ino() {
        return Err(LockError::Held(Holder::unknown()));
    }
    let pid = std::process::id();
    let holder = Holder {
        pid,
        process_started_ticks: process_started_ticks(pid).unwrap_or(0),
        command: command
            .chars()
            .filter(|c| !c.is_control())
            .take(200)
            .collect(),
        since_unix_s: now_unix_s,
    };
    let mut line = serde_json::to_vec(&holder).map_err(io::Error::from)?;
    line.push(b'\n');
    // Not synced, and not a durable operation: it says who runs now, and nobody runs after a power
    // cut. A full disk must not keep anybody from recovering, so a name that cannot be written is
    // left out.
    let _unnamed = write(&mut file, &line);
    Ok(Lock { file })
}

/// What a lock file holds while nobody holds it.
const NOBODY: &[u8] = b"\n";

/// Writes the first line of a lock file: over what stands there, so that the room for it is never
/// given back, and a full disk does not make a holder nameless.
fn write(file: &mut File, line: &[u8]) -> io::Result<()> {
    file.rewind()?;
    file.write_all(line)?;
    file.set_len(line.len() as u64)
}

/// Takes the lock on an install directory, which is there before and after any state directory.
///
/// # Errors
/// `busy`: an `adopt` or a `release` works on it.
pub(crate) fn take_directory(site: &Site) -> Result<File, InstallError> {
    let doing = || format!("lock `{}`", site.path.display());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let fd = rustix::fs::openat(&site.parent, &site.name, flags, Mode::empty())
        .map_err(io::Error::from)
        .doing(doing)?;
    let directory = File::from(fd);
    match directory.try_lock() {
        Ok(()) => Ok(directory),
        Err(std::fs::TryLockError::WouldBlock) => Err(InstallError::Busy {
            holder: who_moves(site).unwrap_or_else(Holder::unknown),
        }),
        Err(std::fs::TryLockError::Error(error)) => Err(error).doing(doing),
    }
}

/// Who puts a state directory in place, or takes it away: both hold its lock, and one of its names.
pub(crate) fn who_moves(site: &Site) -> Option<Holder> {
    [layout::scratch_of(&site.name), site.state_name()]
        .iter()
        .filter_map(|name| layout::open_directory(&site.parent, name.as_ref()).ok())
        .filter_map(|state| read(&state))
        .find(Holder::is_alive)
}

/// Takes the lock at once when nobody who lives has it.
fn lock_unless_held(file: &File, state: &Dir) -> Result<(), LockError> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => {
                let holder = read(state).unwrap_or_else(Holder::unknown);
                if holder.is_alive() || started.elapsed() >= OUTLIVES {
                    return Err(LockError::Held(holder));
                }
                std::thread::park_timeout(ASKED_EVERY);
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
    }
}

/// Who the lock file names, alive or not.
pub(crate) fn read(state: &Dir) -> Option<Holder> {
    let bytes = layout::read_file(state, LOCK, CAP_BYTES).ok()??;
    let line = bytes.split(|byte| *byte == b'\n').next()?;
    serde_json::from_slice(line).ok()
}

/// Field 22 of `/proc/PID/stat`, counted behind the command name, which may itself hold blanks and
/// brackets.
fn process_started_ticks(pid: u32) -> Option<u64> {
    let mut text = String::new();
    File::open(format!("/proc/{pid}/stat"))
        .ok()?
        .take(CAP_BYTES)
        .read_to_string(&mut text)
        .ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    fields.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> (tempfile::TempDir, Dir) {
        let temporary = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
        (temporary, dir)
    }

    #[test]
    fn the_second_taker_is_told_who_and_since_when() {
        let (_temporary, dir) = directory();
        let held = take(&dir, "apply", 77).unwrap();
        let Err(LockError::Held(holder)) = take(&dir, "rollback", 99) else {
            panic!("taken twice")
        };
        assert_eq!(
            (holder.command.as_str(), holder.since_unix_s),
            ("apply", 77)
        );
        assert_eq!(holder.pid, std::process::id());
        assert!(holder.is_alive());
        drop(held);
        take(&dir, "rollback", 99).unwrap();
    }

    #[test]
    fn a_lock_file_left_by_a_dead_process_holds_nothing() {
        let (_temporary, dir) = directory();
        let dead = Holder {
            pid: 1,
            process_started_ticks: u64::MAX,
            command: "apply".into(),
            since_unix_s: 1,
        };
        dir.write(LOCK, serde_json::to_vec(&dead).unwrap()).unwrap();
        assert!(!read(&dir).unwrap().is_alive());
        take(&dir, "recover", 2).unwrap();
    }

    #[test]
    fn a_lock_that_outlives_its_dead_holder_is_waited_for() {
        let (_folder, state) = directory();
        let mut dead = std::process::Command::new("true").spawn().unwrap();
        let pid = dead.id();
        dead.wait().unwrap();
        let holder = Holder {
            pid,
            process_started_ticks: 1,
            command: "apply".to_owned(),
            since_unix_s: 7,
        };
        state
            .write(LOCK, serde_json::to_vec(&holder).unwrap())
            .unwrap();
        let copy = state.open(LOCK).unwrap().into_std();
        copy.lock().unwrap();
        let runs_its_program = std::thread::spawn(move || {
            std::thread::park_timeout(Duration::from_millis(100));
            drop(copy);
        });
        assert!(take(&state, "recover", 8).is_ok());
        runs_its_program.join().unwrap();
    }

    #[test]
    fn the_name_of_a_holder_needs_no_room_that_the_last_one_had() {
        let (temporary, dir) = directory();
        let length = || temporary.path().join(LOCK).metadata().unwrap().len();
        drop(take(&dir, "apply", 1).unwrap());
        assert!(length() > 0 && read(&dir).is_none());
        let _held = take(&dir, "apply", 1).unwrap();
        let path = temporary.path().join(LOCK);
        let mut behind = File::options().append(true).open(path).unwrap();
        behind.write_all(b"the rest of a longer line").unwrap();
        assert_eq!(read(&dir).unwrap().command, "apply");
    }

    #[test]
    fn a_lock_file_with_rubbish_inside_is_still_a_lock() {
        let (_temporary, dir) = directory();
        dir.write(LOCK, b"\xff{").unwrap();
        let _held = take(&dir, "apply", 1).unwrap();
        assert!(matches!(take(&dir, "apply", 1), Err(LockError::Held(_))));
    }
}
