// SPDX-License-Identifier: Apache-2.0
//! One instance of one step, from its first instruction to its verdict. Inside a runner only.
//!
//! Wasm is stopped by epoch and fuel, and no host call waits for anything but the host, so a run
//! ends soon after its time is up.

use crate::bindings::Step;
use crate::bindings::cofferdam::step::types as guest;
use crate::child::line::Line;
use crate::child::messages::Job;
use crate::child::messages::Said;
use crate::failure;
use crate::failure::Circumstances;
use crate::fs::Files;
use crate::limits::CALL_BYTES;
use crate::limits::MESSAGE_BYTES;
use crate::link;
use crate::log::Log;
use crate::log::clean;
use crate::record::StepRecord;
use crate::record::Usage;
use crate::state::State;
use crate::step::Budget;
use crate::step::Context;
use crate::step::Failure;
use crate::step::FailureKind;
use crate::step::Phase;
use crate::step::Verdict;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Instant;
use wasmtime::Store;
use wasmtime::UpdateDeadline;

/// What one run is made of.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a wasmtime::Engine,
    pub(crate) component: &'a wasmtime::component::Component,
    pub(crate) files: Files,
    pub(crate) line: Arc<Line>,
    pub(crate) job: Job,
    /// Set when the time is up, before the epoch moves.
    pub(crate) expired: Arc<AtomicBool>,
}

/// Ends the run at its next loop or call.
pub(crate) fn expire(expired: &AtomicBool, engine: &wasmtime::Engine) {
    expired.store(true, Ordering::SeqCst);
    engine.increment_epoch();
}

/// Runs a step to its verdict.
pub(crate) fn run(work: Work<'_>) -> (Verdict, StepRecord) {
    let Work {
        engine,
        component,
        files,
        line,
        job,
        expired,
    } = work;
    let limits = job.limits;
    let phase = job.context.phase;
    let state = State::new(
        files,
        Log::new(limits.log_bytes),
        line,
        limits.memory_bytes,
        job.seed,
        job.created_unix_s,
    );
    let started = Instant::now();
    let mut store = Store::new(engine, state);
    let mut began = false;
    let answer = call(&mut store, component, job, expired, &mut began);
    let fuel = limits.fuel() - store.get_fuel().unwrap_or(0).min(limits.fuel());
    let mut state = store.into_data();
    if state.files.trail.is_spent() {
        state.files.account.spent.insert(Budget::Paths);
    }
    for line in state.log.finish() {
        state.tell(&Said::Log(line));
    }
    let verdict = match answer {
        Ok(Ok(verdict)) => judge(from_guest(verdict), phase),
        Ok(Err(message)) => {
            Verdict::Failed(failure::returned(&message, &state.files.account.spent))
        }
        Err(error) => Verdict::Failed(failure::trapped(
            &error,
            &Circumstances {
                began,
                stderr_tail: &state.log.stderr_tail(),
                memory_refused: state.memory.refused,
                spent: &state.files.account.spent,
                time_limit: limits.time,
                memory_limit_bytes: limits.memory_bytes,
            },
        )),
    };
    let mut record = record(state, fuel);
    record.usage.time_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    (verdict, record)
}

fn call(
    store: &mut Store<State>,
    component: &wasmtime::component::Component,
    job: Job,
    expired: Arc<AtomicBool>,
    began: &mut bool,
) -> wasmtime::Result<Result<guest::Verdict, String>> {
    store.limiter(|state| &mut state.memory);
    store.set_fuel(job.limits.fuel())?;
    store.set_hostcall_fuel(CALL_BYTES);
    store.set_epoch_deadline(1);
    store.epoch_deadline_callback(move |_| {
        Ok(if expired.load(Ordering::SeqCst) {
            UpdateDeadline::Interrupt
        } else {
            UpdateDeadline::Continue(1)
        })
    });
    let ready = link::step(link::linked(store.engine(), component)?)?;
    let step: Step = ready.instantiate(&mut *store)?;
    *began = true;
    step.call_run(store, &to_guest(job.context))
}

fn record(state: State, fuel: u64) -> StepRecord {
    let State {
        files, log, memory, ..
    } = state;
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
        ..StepRecord::default()
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
