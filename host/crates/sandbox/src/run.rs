// SPDX-License-Identifier: Apache-2.0
//! One run of one step: what goes in, what comes out.
//!
//! The step runs on a thread of its own with a fresh store; this side serves its requests and keeps
//! the time. Wasm is stopped by epoch and fuel, and no host call waits for anything, so a run ends
//! soon after its time is up.

use crate::access::ConfigAccess;
use crate::access::Observer;
use crate::bindings::Step;
use crate::bindings::cofferdam::step::types as guest;
use crate::engine::Component;
use crate::engine::Engine;
use crate::failure;
use crate::failure::Circumstances;
use crate::fs::Files;
use crate::grants::FileGrants;
use crate::limits::CALL_BYTES;
use crate::limits::Limits;
use crate::limits::MESSAGE_BYTES;
use crate::limits::THREAD_STACK_BYTES;
use crate::log::Log;
use crate::log::clean;
use crate::protocol;
use crate::protocol::Port;
use crate::protocol::Request;
use crate::record::StepRecord;
use crate::record::Usage;
use crate::state::State;
use crate::step::Context;
use crate::step::Failure;
use crate::step::FailureKind;
use crate::step::Phase;
use crate::step::Verdict;
use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Instant;
use wasmtime::Store;
use wasmtime::UpdateDeadline;

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
    pub fn run(&self, run: StepRun<'_>) -> StepOutcome {
        let imports = run.component.imports().to_vec();
        let (verdict, record) = match self.start(run) {
            Ok(outcome) => outcome,
            Err(message) => {
                let message = clean(&message, MESSAGE_BYTES);
                let kind = FailureKind::NotStarted;
                let failure = Failure {
                    kind,
                    message,
                    backtrace: Vec::new(),
                };
                (Verdict::Failed(failure), StepRecord::default())
            }
        };
        StepOutcome {
            verdict,
            record: StepRecord { imports, ..record },
        }
    }

    fn start(&self, run: StepRun<'_>) -> Result<(Verdict, StepRecord), String> {
        let phase = run.context.phase;
        let may_write = !matches!(phase, Phase::Check | Phase::Health);
        let tree: File = run
            .tree
            .try_clone()
            .map_err(|error| format!("cannot hold the tree: {error}"))?
            .into_std_file();
        let files = Files::new(&tree, run.files, &run.limits, may_write)
            .map_err(|error| format!("cannot open the tree safely (openat2): {error}"))?;
        let (port, desk) = protocol::line();
        let state = State::new(
            files,
            Log::new(run.limits.log_bytes),
            port,
            run.limits.memory_bytes,
            run.seed,
            run.created_unix_s,
        );
        let expired = Arc::new(AtomicBool::new(false));
        let job = Job {
            engine: self,
            component: run.component,
            context: run.context,
            limits: run.limits,
            expired: Arc::clone(&expired),
        };
        let started = Instant::now();
        thread::scope(|scope| {
            let worker = thread::Builder::new()
                .name("step".to_owned())
                .stack_size(THREAD_STACK_BYTES)
                .spawn_scoped(scope, move || job.work(state))
                .map_err(|error| format!("cannot start a thread: {error}"))?;
            desk.serve(run.config, run.observer, started + run.limits.time, || {
                expired.store(true, Ordering::SeqCst);
                self.inner.increment_epoch();
            });
            let (verdict, mut record) = match worker.join() {
                Ok(outcome) => outcome,
                // A panic on our side of the sandbox is a bug of ours, not the step's verdict.
                Err(panic) => std::panic::resume_unwind(panic),
            };
            record.usage.time_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            Ok((judge(verdict, phase), record))
        })
    }
}

/// The part of a run that the step's thread has.
struct Job<'a> {
    engine: &'a Engine,
    component: &'a Component,
    context: Context,
    limits: Limits,
    expired: Arc<AtomicBool>,
}

impl Job<'_> {
    fn work(self, state: State) -> (Verdict, StepRecord) {
        let limits = self.limits;
        let mut store = Store::new(&self.engine.inner, state);
        let answer = self.call(&mut store);
        let fuel = limits.fuel() - store.get_fuel().unwrap_or(0).min(limits.fuel());
        let mut state = store.into_data();
        for line in state.log.finish() {
            state.port.tell(Request::Log(line));
        }
        let verdict = match answer {
            Ok(Ok(verdict)) => from_guest(verdict),
            Ok(Err(message)) => {
                Verdict::Failed(failure::returned(&message, &state.files.account.spent))
            }
            Err(error) => Verdict::Failed(failure::trapped(
                &error,
                &Circumstances {
                    stderr_tail: &state.log.stderr_tail(),
                    memory_refused: state.memory.refused,
                    spent: &state.files.account.spent,
                    time_limit: limits.time,
                    memory_limit_bytes: limits.memory_bytes,
                },
            )),
        };
        (verdict, record(state, fuel))
    }

    fn call(self, store: &mut Store<State>) -> wasmtime::Result<Result<guest::Verdict, String>> {
        store.limiter(|state| &mut state.memory);
        store.set_fuel(self.limits.fuel())?;
        store.set_hostcall_fuel(CALL_BYTES);
        // The epoch belongs to the whole engine: a tick may be about another run's time.
        store.set_epoch_deadline(1);
        let expired = self.expired;
        store.epoch_deadline_callback(move |_| {
            Ok(if expired.load(Ordering::SeqCst) {
                UpdateDeadline::Interrupt
            } else {
                UpdateDeadline::Continue(1)
            })
        });
        let step: Step = self.component.ready.instantiate(&mut *store)?;
        step.call_run(store, &to_guest(self.context))
    }
}

fn record(state: State, fuel: u64) -> StepRecord {
    let State {
        files,
        log,
        memory,
        port,
        ..
    } = state;
    drop::<Port>(port);
    let account = files.account;
    let usage = Usage {
        time_ms: 0,
        fuel,
        memory_peak_bytes: memory.peak_bytes(),
        written_bytes: account.written_bytes,
        read_bytes: account.read_bytes,
        files: account.files,
        log_bytes: log.kept_bytes(),
    };
    let (entries, files_not_listed) = files.trail.into_entries();
    StepRecord {
        imports: Vec::new(),
        files: entries,
        files_not_listed,
        log_dropped_bytes: log.dropped_bytes(),
        log: log.into_lines(),
        spent: account.spent,
        usage,
    }
}

/// An answer that the phase does not have is a failure.
fn judge(verdict: Verdict, phase: Phase) -> Verdict {
    let (name, fits) = match &verdict {
        Verdict::Ok => ("ok", phase != Phase::Health),
        Verdict::Refuse(_) => ("refuse", phase != Phase::Health),
        Verdict::Defer { .. } => ("defer", phase == Phase::Check),
        Verdict::Healthy => ("healthy", phase == Phase::Health),
        Verdict::Unhealthy(_) => ("unhealthy", phase == Phase::Health),
        Verdict::Failed(_) => return verdict,
    };
    if fits {
        return verdict;
    }
    Verdict::Failed(Failure {
        kind: FailureKind::WrongVerdict,
        message: format!("answered `{name}`, which the phase `{phase}` does not have"),
        backtrace: Vec::new(),
    })
}

fn to_guest(context: Context) -> guest::Context {
    guest::Context {
        package_id: context.package_id,
        step: context.step,
        phase: match context.phase {
            Phase::Check => guest::Phase::Check,
            Phase::Prepare => guest::Phase::Prepare,
            Phase::Migrate => guest::Phase::Migrate,
            Phase::Health => guest::Phase::Health,
            Phase::Finalize => guest::Phase::Finalize,
        },
        from_version: context.from_version,
        to_version: context.to_version,
        from_data_format: context.from_data_format,
        to_data_format: context.to_data_format,
        roles: context.roles,
        service_output: context.service_output,
    }
}

fn from_guest(verdict: guest::Verdict) -> Verdict {
    match verdict {
        guest::Verdict::Ok => Verdict::Ok,
        guest::Verdict::Refuse(reason) => Verdict::Refuse(clean(&reason, MESSAGE_BYTES)),
        guest::Verdict::Defer(deferral) => Verdict::Defer {
            reason: clean(&deferral.reason, MESSAGE_BYTES),
            retry_after_seconds: deferral.retry_after_seconds,
        },
        guest::Verdict::Healthy => Verdict::Healthy,
        guest::Verdict::Unhealthy(reason) => Verdict::Unhealthy(clean(&reason, MESSAGE_BYTES)),
    }
}
