// SPDX-License-Identifier: Apache-2.0
//! Steps that a test may leave out, or take after the next one: to show that the crash bench notices.
//!
//! This exists only where the feature `test-switches` is on, which no shipped binary has. Steps are
//! numbered in the order in which the process takes them; file work must be on one thread.
//!
//! | variable | what it does |
//! |---|---|
//! | `COFFERDAM_DROP_STEP=N` | step `N`, if it is a sync, is not taken, and says that it was |
//! | `COFFERDAM_SWAP_STEP=N` | step `N` says that it was taken, and is taken after step `N` + 1 |
//! | `COFFERDAM_LIST_STEPS=FILE` | a word for each step is added to this file |

use std::fs::File;
use std::io;
use std::io::Write as _;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

use cap_std::fs::Dir;
use rustix::fs::RenameFlags;

use super::step::Step;

static SWITCHES: LazyLock<Mutex<Switches>> = LazyLock::new(|| Mutex::new(Switches::read()));

struct Switches {
    drop: Option<u64>,
    swap: Option<u64>,
    list: Option<PathBuf>,
    taken: u64,
    late: Option<Late>,
}

impl Switches {
    /// From the environment: a test has no other way to reach into a command that it runs as a whole.
    fn read() -> Self {
        let number = |name: &str| std::env::var(name).ok()?.parse().ok();
        Self {
            drop: number("COFFERDAM_DROP_STEP"),
            swap: number("COFFERDAM_SWAP_STEP"),
            list: std::env::var_os("COFFERDAM_LIST_STEPS").map(PathBuf::from),
            taken: 0,
            late: None,
        }
    }
}

/// A step that waits for the next one.
enum Late {
    SyncFile(File),
    SyncDirectory(Dir),
    SyncFileSystem(OwnedFd),
    Rename {
        from: (Dir, String),
        to: (Dir, String),
        flags: RenameFlags,
    },
    Remove {
        dir: Dir,
        name: String,
    },
}

/// Takes a step as the switches say.
pub(super) fn take(step: Step<'_>) -> io::Result<()> {
    let mut switches = SWITCHES.lock().unwrap_or_else(PoisonError::into_inner);
    switches.taken += 1;
    let number = Some(switches.taken);
    if let Some(list) = &switches.list {
        let mut list = File::options().create(true).append(true).open(list)?;
        writeln!(list, "{}", step.word())?;
    }
    if switches.drop == number && is_sync(step) {
        return Ok(());
    }
    if switches.swap == number {
        switches.late = Some(Late::of(step)?);
        return Ok(());
    }
    step.make()?;
    match switches.late.take() {
        Some(late) => late.as_step().make(),
        None => Ok(()),
    }
}

fn is_sync(step: Step<'_>) -> bool {
    match step {
        Step::SyncFile(_) | Step::SyncDirectory(_) | Step::SyncFileSystem(_) => true,
        Step::Rename { .. } | Step::Remove { .. } => false,
    }
}

impl Late {
    fn of(step: Step<'_>) -> io::Result<Self> {
        let owned = |(dir, name): (&Dir, &str)| Ok::<_, io::Error>((dir.try_clone()?, name.into()));
        Ok(match step {
            Step::SyncFile(file) => Self::SyncFile(file.try_clone()?),
            Step::SyncDirectory(dir) => Self::SyncDirectory(dir.try_clone()?),
            Step::SyncFileSystem(fd) => Self::SyncFileSystem(fd.try_clone()?),
            Step::Rename { from, to, flags } => Self::Rename {
                from: owned(from)?,
                to: owned(to)?,
                flags,
            },
            Step::Remove { dir, name } => {
                let (dir, name) = owned((dir, name))?;
                Self::Remove { dir, name }
            }
        })
    }

    fn as_step(&self) -> Step<'_> {
        match self {
            Self::SyncFile(file) => Step::SyncFile(file),
            Self::SyncDirectory(dir) => Step::SyncDirectory(dir),
            Self::SyncFileSystem(fd) => Step::SyncFileSystem(fd),
            Self::Rename { from, to, flags } => Step::Rename {
                from: (&from.0, &from.1),
                to: (&to.0, &to.1),
                flags: *flags,
            },
            Self::Remove { dir, name } => Step::Remove { dir, name },
        }
    }
}
