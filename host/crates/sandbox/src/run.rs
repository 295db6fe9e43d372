// SPDX-License-Identifier: Apache-2.0
//! One run of one step, from the host's side: what goes in, what comes out.
//!
//! A runner child does the work. This side answers its requests for keys, takes its log, and keeps an
//! outer clock: a runner that is past its time, hangs, breaks down or is killed ends the step with a
//! verdict like any other. Nothing that it says is trusted further than it must be: the log is bounded
//! and cleaned here again, and a message that makes no sense ends the run.

use crate::access::ConfigAccess;
use crate::access::Observer;
use crate::child::Role;
use crate::child::line::LineError;
use crate::child::messages::Job;
use crate::child::messages::Reply;
use crate::child::messages::Request;
use crate::child::messages::Said;
use crate::child::spawn;
use crate::child::spawn::End;
use crate::child::spawn::Handles;
use crate::child::spawn::Held;
use crate::confine::Wall;
use crate::engine::Component;
use crate::engine::Engine;
use crate::grants::FileGrants;
use crate::limits::GRACE_TIME;
use crate::limits::Limits;
use crate::limits::MESSAGE_BYTES;
use crate::limits::RUNNER_DATA_BYTES;
use crate::limits::START_TIME;
use crate::log::Log;
use crate::log::clean;
use crate::record::StepRecord;
use crate::record::Usage;
use crate::step::Context;
use crate::step::Failure;
use crate::step::FailureKind;
use crate::step::Verdict;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use std::fs::File;
use std::time::Duration;
use std::time::Instant;

/// Everything that one run of a step needs, and all that it gets.
pub struct StepRun<'a> {
    /// The step.
    pub component: &'a Component,
    /// What it is told. In `check` and `health`, nothing can be written whatever the grants say.
    pub context: Context,
    /// The tree that it sees as `/`.
    pub tree: &'a cap_std::fs::Dir,
    /// What it may do there.
    pub files: &'a FileGrants,
    /// What it may use up.
    pub limits: Limits,
    /// The largest file that is there already, in bytes: no file grows beyond that and the budget.
    pub largest_file_bytes: u64,
    /// The keys.
    pub config: &'a mut dyn ConfigAccess,
    /// Who watches.
    pub observer: &'a mut dyn Observer,
    /// Where its clocks stand.
    pub created_unix_s: u64,
    /// What its randomness is made from; the same seed gives the same numbers.
    pub seed: [u8; 32],
}

/// How a run ended, and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutcome {
    /// The answer.
    pub verdict: Verdict,
    /// The facts.
    pub record: StepRecord,
    /// What stood around the process that ran it; empty when none got that far.
    pub walls: Vec<Wall>,
}

impl std::fmt::Debug for StepRun<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StepRun")
            .field("context", &self.context)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// Runs a step to its verdict. Whatever goes wrong is a [`Verdict::Failed`]: nothing that a step
    /// does is an error of this function.
    pub fn run(&self, mut run: StepRun<'_>) -> StepOutcome {
        let imports = run.component.imports().to_vec();
        let mut walls = Vec::new();
        let mut log = Log::new(run.limits.log_bytes);
        let begun = Instant::now();
        let (verdict, record) = match self.carry_out(&mut run, &mut walls, &mut log) {
            Ok((verdict, record)) => (cleaned(verdict), record.without_claims()),
            Err(failure) => (Verdict::Failed(failure), lost(begun.elapsed(), &walls)),
        };
        let mut record = StepRecord {
            imports,
            log: log.into_lines(),
            ..record
        };
        record.sum_up();
        StepOutcome {
            verdict,
            record,
            walls,
        }
    }

    fn carry_out(
        &self,
        run: &mut StepRun<'_>,
        walls: &mut Vec<Wall>,
        log: &mut Log,
    ) -> Result<(Verdict, StepRecord), Failure> {
        let limits = run.limits;
        let child = self.runner(run)?;
        let mut deadline = Instant::now() + START_TIME;
        let mut desk = Desk {
            config: &mut *run.config,
            observer: &mut *run.observer,
            log,
        };
        loop {
            let step = child.line.receive(Some(deadline)).and_then(|said| {
                let reply = match said {
                    // Each beginning gives the step its time: there is one.
                    Said::Started(_) if !walls.is_empty() => {
                        return Err(LineError::Bad("it began twice".to_owned()));
                    }
                    Said::Started(stand) => {
                        *walls = stand;
                        walls.push(child.wall());
                        deadline = Instant::now() + limits.time + GRACE_TIME;
                        None
                    }
                    Said::Done(end) => return Ok(Some(*end)),
                    other => desk.serve(other),
                };
                if let Some(reply) = reply {
                    child.line.send(&reply, Some(deadline))?;
                }
                Ok(None)
            });
            match step {
                Ok(Some(end)) => return Ok(end),
                Ok(None) => {}
                Err(error) => return Err(broken(child, &error, !walls.is_empty(), &limits)),
            }
        }
    }

    fn runner(&self, run: &StepRun<'_>) -> Result<Held, Failure> {
        let told = |what: &str, error: std::io::Error| not_started(&format!("{what}: {error}"));
        let handles = Handles {
            tree: held(run.tree).map_err(|error| told("cannot hold the tree", error))?,
            code: run
                .component
                .code
                .handle()
                .map_err(|error| told("cannot hold the code", error))?,
        };
        let code_bytes = run.component.code.bytes();
        let mut memory_bytes = run.limits.memory_bytes + code_bytes + RUNNER_DATA_BYTES;
        if is_in_memory(run.tree) {
            // A cgroup counts what is written there as memory of whoever wrote it.
            memory_bytes = memory_bytes.saturating_add(run.limits.written_bytes);
        }
        let child = spawn::start(
            &self.program,
            Role::Runner,
            Some(handles),
            memory_bytes,
            &self.cgroups,
        )
        .map_err(|error| told("cannot start a child process", error))?;
        let job = Job {
            context: run.context.clone(),
            files: run.files.into(),
            limits: run.limits,
            created_unix_s: run.created_unix_s,
            seed: run.seed,
            code_bytes,
            file_bytes: run
                .largest_file_bytes
                .saturating_add(run.limits.written_bytes),
            require_walls: self.require_confinement,
            switches: self.switches,
        };
        let deadline = Some(Instant::now() + START_TIME);
        child.line.send(&job, deadline).map_err(|error| {
            not_started(&format!("a child process did not take its job: {error}"))
        })?;
        Ok(child)
    }
}

/// The tree as a descriptor of its own; one that only names the directory would not look open to a
/// program that starts with it.
fn held(tree: &cap_std::fs::Dir) -> std::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(tree, ".", flags, Mode::empty())?.into())
}

/// Whether a tree lies on a file system that has no disk.
fn is_in_memory(tree: &cap_std::fs::Dir) -> bool {
    rustix::fs::fstatfs(tree).is_ok_and(|facts| facts.f_type == libc::TMPFS_MAGIC)
}

/// Serves what a runner asks for.
pub(crate) struct Desk<'a> {
    pub(crate) config: &'a mut dyn ConfigAccess,
    pub(crate) observer: &'a mut dyn Observer,
    pub(crate) log: &'a mut Log,
}

impl Desk<'_> {
    pub(crate) fn serve(&mut self, said: Said) -> Option<Reply> {
        match said {
            Said::Asked(request) => return Some(self.answer(request)),
            Said::Log(line) => {
                for line in self.log.message(line.level, &line.line) {
                    self.observer.log(line.level, &line.line);
                }
            }
            Said::Progress(done, total, message) => {
                self.observer
                    .progress(done, total, &clean(&message, MESSAGE_BYTES));
            }
            Said::Started(_) | Said::Done(_) => {}
        }
        None
    }

    fn answer(&mut self, request: Request) -> Reply {
        match request {
            Request::Get(key) => Reply::Value(self.config.get(&key)),
            Request::Set(key, value) => Reply::Done(self.config.set(&key, &value)),
            Request::Remove(key) => Reply::Removed(self.config.remove(&key)),
            Request::Rename(key, new_key) => Reply::Done(self.config.rename(&key, &new_key)),
            Request::List(prefix) => Reply::Keys(self.config.list(prefix.as_deref())),
        }
    }
}

/// What it means that a runner ended, or went on, without a verdict.
fn broken(child: Held, error: &LineError, started: bool, limits: &Limits) -> Failure {
    if !started {
        let end = match error {
            LineError::Closed => child
                .end()
                .map_or_else(|e| e.to_string(), |end| end.to_string()),
            other => other.to_string(),
        };
        return not_started(&format!("the runner did not get as far as the step: {end}"));
    }
    let (kind, message) = match error {
        LineError::TimedOut => (
            FailureKind::TimedOut,
            format!(
                "hung past its limit of {:?}; its process was killed",
                limits.time
            ),
        ),
        LineError::Closed => match child.end() {
            Ok(End::Signal(libc::SIGXCPU)) => (
                FailureKind::TimedOut,
                "its process was killed at the limit of CPU time".to_owned(),
            ),
            Ok(End::Signal(libc::SIGSYS)) => (
                FailureKind::Killed,
                "its process was killed for a system call that no step needs".to_owned(),
            ),
            Ok(End::Signal(libc::SIGKILL)) => (
                FailureKind::Killed,
                "its process was killed: by the kernel, out of memory, or by somebody".to_owned(),
            ),
            Ok(end) => (
                FailureKind::Killed,
                format!("its process broke down ({end})"),
            ),
            Err(error) => (FailureKind::Killed, format!("its process is gone: {error}")),
        },
        LineError::Bad(_) | LineError::Io(_) => (
            FailureKind::Killed,
            format!("its process sent {error}, and was killed"),
        ),
    };
    Failure {
        kind,
        message,
        backtrace: Vec::new(),
    }
}

/// What is known of a step whose process went without a word: how long it took, if it ran at all.
fn lost(time: Duration, walls: &[Wall]) -> StepRecord {
    StepRecord {
        lost: !walls.is_empty(),
        usage: Usage {
            time_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            ..Usage::default()
        },
        ..StepRecord::default()
    }
}

fn not_started(message: &str) -> Failure {
    Failure {
        kind: FailureKind::NotStarted,
        message: clean(message, MESSAGE_BYTES),
        backtrace: Vec::new(),
    }
}

/// The words of a verdict, made harmless here too.
pub(crate) fn cleaned(verdict: Verdict) -> Verdict {
    let clean = |text: String| clean(&text, MESSAGE_BYTES);
    match verdict {
        Verdict::Ok | Verdict::Healthy => verdict,
        Verdict::Refuse(reason) => Verdict::Refuse(clean(reason)),
        Verdict::Unhealthy(reason) => Verdict::Unhealthy(clean(reason)),
        Verdict::Defer {
            reason,
            retry_after_seconds,
        } => Verdict::Defer {
            reason: clean(reason),
            retry_after_seconds,
        },
        Verdict::Failed(failure) => Verdict::Failed(Failure {
            message: clean(failure.message),
            backtrace: failure.backtrace.into_iter().map(clean).collect(),
            kind: failure.kind,
        }),
    }
}
