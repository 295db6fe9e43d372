// SPDX-License-Identifier: Apache-2.0
//! The runner child: one step, run once.
//!
//! The order is the point: the tree is opened, the walls go up, and only then is the code brought to
//! life. The step has a thread of its own; the first thread keeps the time, and ends the step by the
//! engine's epoch when it is up. What does not end even so, the host ends from outside.

use super::line::Line;
use super::line::LineError;
use super::messages::Job;
use super::messages::Said;
use crate::code::Handed;
use crate::confine;
use crate::confine::Calls;
use crate::confine::Ceilings;
use crate::confine::MemoryCeiling;
use crate::confine::Reach;
use crate::confine::Wall;
use crate::engine;
use crate::fs::Files;
use crate::grants::FileGrants;
use crate::instance;
use crate::instance::Work;
use crate::limits::HANDLES;
use crate::limits::RUNNER_DATA_BYTES;
use crate::limits::THREAD_STACK_BYTES;
use crate::record::StepRecord;
use crate::step::Failure;
use crate::step::FailureKind;
use crate::step::Phase;
use crate::step::Verdict;
use cofferdam_package::glob::Glob;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// CPU time beyond the step's own: starting, and reviving the code.
const OVERHEAD_CPU: Duration = Duration::from_secs(5);

/// Descriptors beyond the step's handles.
const OVERHEAD_DESCRIPTORS: u64 = 64;

/// Takes the job, puts up the walls, runs the step, and says how it ended.
pub(super) fn work() -> Result<(), LineError> {
    let line = Arc::new(line()?);
    let job: Job = line.receive(None)?;
    let (verdict, record) = match prepare(job) {
        Ok(ready) => run(ready, &line)?,
        Err(message) => (not_started(message), StepRecord::default()),
    };
    line.send(&Said::Done(Box::new((verdict, record))), None)
}

/// The line to the host, which every child has as its descriptor 0.
pub(super) fn line() -> Result<Line, LineError> {
    let stream = io::stdin().as_fd().try_clone_to_owned();
    Ok(Line::new(UnixStream::from(stream.map_err(LineError::Io)?)))
}

/// A job whose handles are open.
struct Ready {
    job: Job,
    tree: File,
    code: File,
    grants: FileGrants,
    writable: Vec<OwnedFd>,
}

fn prepare(mut job: Job) -> Result<Ready, String> {
    let told = |what: &str, error: io::Error| format!("{what}: {error}");
    let tree = io::stdout().as_fd().try_clone_to_owned();
    let tree = tree.map_err(|error| told("cannot hold the tree", error))?;
    let code = io::stderr().as_fd().try_clone_to_owned();
    let code = code.map_err(|error| told("cannot hold the code", error))?;
    let files = std::mem::take(&mut job.files);
    let grants = FileGrants::try_from(files).map_err(|error| error.to_string())?;
    let writable = if may_write(job.context.phase) {
        reached(&tree, &grants).map_err(|error| told("cannot open a granted directory", error))?
    } else {
        Vec::new()
    };
    Ok(Ready {
        job,
        tree: tree.into(),
        code: code.into(),
        grants,
        writable,
    })
}

/// Whether steps of a phase can change anything at all.
pub(crate) fn may_write(phase: Phase) -> bool {
    !matches!(phase, Phase::Check | Phase::Health)
}

/// The directories that the write globs reach: of each pattern the part before its first wildcard, or
/// the directory nearest above that is there.
fn reached(tree: &OwnedFd, grants: &FileGrants) -> io::Result<Vec<OwnedFd>> {
    let mut prefixes: Vec<String> = grants.write.iter().map(Glob::directory).collect();
    prefixes.sort();
    prefixes.dedup();
    let mut opened = Vec::new();
    for prefix in prefixes {
        let mut directory = prefix.as_str();
        loop {
            match open_directory(tree, directory) {
                Ok(handle) => {
                    opened.push(handle);
                    break;
                }
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) if !directory.is_empty() => {
                    directory = directory.rsplit_once('/').map_or("", |(above, _)| above);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(opened)
}

fn open_directory(tree: &OwnedFd, path: &str) -> Result<OwnedFd, Errno> {
    let path = if path.is_empty() { "." } else { path };
    rustix::fs::openat2(
        tree,
        path,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
}

fn run(ready: Ready, line: &Arc<Line>) -> Result<(Verdict, StepRecord), LineError> {
    let Ready {
        job,
        tree,
        code,
        grants,
        writable,
    } = ready;
    let limits = job.limits;
    let ceilings = Ceilings {
        cpu: limits.time + OVERHEAD_CPU,
        memory: MemoryCeiling::Data(limits.memory_bytes + job.code_bytes + RUNNER_DATA_BYTES),
        file_bytes: job.file_bytes,
        descriptors: HANDLES as u64 + OVERHEAD_DESCRIPTORS,
    };
    let reach = Reach::Tree {
        root: tree.as_fd(),
        writable,
    };
    let mut walls = confine::before_threads(&ceilings, &reach, job.switches);
    drop(reach);
    let (start, started) = mpsc::channel::<()>();
    let (done, finished) = mpsc::channel();
    let engine = match wasmtime::Engine::new(engine::config().enable_compiler(false)) {
        Ok(engine) => engine,
        Err(error) => return Ok((not_started(format!("{error:#}")), StepRecord::default())),
    };
    let clock = engine.clone();
    let switches = job.switches;
    let require_walls = job.require_walls;
    let expired = Arc::default();
    let stop = Arc::clone(&expired);
    let steps_line = Arc::clone(line);
    let worker = thread::Builder::new()
        .stack_size(THREAD_STACK_BYTES)
        .spawn(move || {
            if started.recv().is_err() {
                return;
            }
            #[cfg(feature = "test-switches")]
            if let Some(deed) = switches.rogue {
                let outcome = crate::rogue::commit(deed, tree.as_fd(), &steps_line);
                let _ = done.send(Err(format!("{deed:?}: {outcome:?}")));
                return;
            }
            let outcome = revive(&engine, &code).and_then(|component| {
                let files = Files::new(
                    &tree,
                    &grants,
                    &limits,
                    may_write(job.context.phase),
                    switches,
                )
                .map_err(|error| format!("cannot open the tree safely (openat2): {error}"))?;
                Ok(instance::run(Work {
                    engine: &engine,
                    component: &component,
                    files,
                    line: steps_line,
                    job,
                    expired: stop,
                }))
            });
            // Nobody waits any more only when the first thread has ended, and the process with it.
            let _ = done.send(outcome);
        });
    if let Err(error) = worker {
        return Ok((
            not_started(format!("cannot start a thread: {error}")),
            StepRecord::default(),
        ));
    }
    walls.extend(confine::for_all_threads(Calls::Runner, switches));
    if require_walls && let Some(missing) = missing(&walls) {
        return Ok((missing, StepRecord::default()));
    }
    line.send(&Said::Started(walls), None)?;
    let deadline = Instant::now() + limits.time;
    let _ = start.send(());
    let left = deadline.saturating_duration_since(Instant::now());
    let outcome = match finished.recv_timeout(left) {
        Err(mpsc::RecvTimeoutError::Timeout) => {
            instance::expire(&expired, &clock);
            finished.recv()
        }
        Err(mpsc::RecvTimeoutError::Disconnected) => Err(mpsc::RecvError),
        Ok(outcome) => Ok(outcome),
    };
    Ok(match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(message)) => (not_started(message), StepRecord::default()),
        Err(mpsc::RecvError) => (
            not_started("the step's thread ended without a word".to_owned()),
            StepRecord::default(),
        ),
    })
}

fn revive(
    engine: &wasmtime::Engine,
    code: &File,
) -> Result<wasmtime::component::Component, String> {
    let code = Handed::take(code).map_err(|error| format!("cannot read the code: {error}"))?;
    code.revive(engine)
        .map_err(|error| format!("the compiled code cannot be used: {error:#}"))
}

fn missing(walls: &[Wall]) -> Option<Verdict> {
    let wall = walls
        .iter()
        .find(|wall| wall.can_be_required() && !wall.up)?;
    Some(Verdict::Failed(Failure {
        kind: FailureKind::Unconfined,
        message: format!(
            "the wall `{}` does not stand ({}), and the policy requires it",
            wall.wall, wall.detail
        ),
        backtrace: Vec::new(),
    }))
}

fn not_started(message: String) -> Verdict {
    Verdict::Failed(Failure {
        kind: FailureKind::NotStarted,
        message,
        backtrace: Vec::new(),
    })
}
