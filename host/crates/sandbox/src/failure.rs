// SPDX-License-Identifier: Apache-2.0
//! From the way a run ended to a failure that a person can read.
//!
//! The engine knows only traps; what the step itself wrote to standard error says why it hit one.

use crate::limits::FRAMES;
use crate::limits::MESSAGE_BYTES;
use crate::limits::TABLE_ELEMENTS;
use crate::log::clean;
use crate::state::Refused;
use crate::step::Budget;
use crate::step::Failure;
use crate::step::FailureKind;
use rustix::io::Errno;
use std::collections::BTreeSet;
use wasmtime::Trap;
use wasmtime::WasmBacktrace;
use wasmtime_wasi::I32Exit;

/// The lines of standard error that are told with an abort.
const LAST_LINES: usize = 12;

/// The part of a function's name that is kept.
const NAME_BYTES: usize = 500;

/// The machine could not do what a step asked for: nothing that the step may build on.
#[derive(Debug, thiserror::Error)]
#[error("the machine could not do what the step asked for: {0}")]
pub(crate) struct MachineFailed(pub(crate) Errno);

impl MachineFailed {
    fn kind(&self) -> FailureKind {
        match self.0 {
            Errno::NOSPC | Errno::DQUOT => FailureKind::DiskFull,
            _ => FailureKind::MachineFailed,
        }
    }
}

/// What is known beside the error itself.
#[derive(Debug)]
pub(crate) struct Circumstances<'a> {
    /// Whether there was an instance to call; its start functions run before.
    pub(crate) began: bool,
    pub(crate) stderr_tail: &'a str,
    pub(crate) memory_refused: Option<Refused>,
    pub(crate) spent: &'a BTreeSet<Budget>,
    pub(crate) time_limit: std::time::Duration,
    pub(crate) memory_limit_bytes: u64,
}

/// The failure of a run that did not return.
pub(crate) fn trapped(error: &wasmtime::Error, seen: &Circumstances<'_>) -> Failure {
    let trap = error.downcast_ref::<Trap>().copied();
    let panic = panic_message(seen.stderr_tail);
    let (kind, message) = if let Some(failed) = error.downcast_ref::<MachineFailed>() {
        (failed.kind(), failed.to_string())
    } else if let Some(exit) = error.downcast_ref::<I32Exit>() {
        let status = exit.0;
        let what =
            format!("the step ended itself (exit status {status}) instead of giving a verdict");
        (
            FailureKind::Trapped,
            with_last_words(what, seen.stderr_tail),
        )
    } else if trap == Some(Trap::Interrupt) {
        (
            FailureKind::TimedOut,
            format!("not done after its limit of {:?}", seen.time_limit),
        )
    } else if trap == Some(Trap::OutOfFuel) {
        (
            FailureKind::OutOfFuel,
            format!("more work than its limit of {:?} allows", seen.time_limit),
        )
    } else if let Some(refused) = seen.memory_refused
        && (!seen.began || is_out_of_memory(trap, seen.stderr_tail))
    {
        let message = match refused {
            Refused::Memory => {
                let limit = seen.memory_limit_bytes >> 20;
                format!("needs more memory than its limit of {limit} MiB")
            }
            Refused::Elements => {
                format!("needs tables of more than {TABLE_ELEMENTS} elements")
            }
        };
        (FailureKind::OutOfMemory, message)
    } else if let Some(budget) = seen.spent.first() {
        let words = panic.unwrap_or_else(|| told(error));
        (
            FailureKind::OverBudget(*budget),
            format!("the budget of {budget} is spent; {words}"),
        )
    } else if let Some(panic) = panic {
        (FailureKind::Panicked, panic)
    } else if !seen.began && trap.is_none() {
        (FailureKind::NotStarted, told(error))
    } else {
        (
            FailureKind::Trapped,
            with_last_words(told(error), seen.stderr_tail),
        )
    };
    let backtrace = error
        .downcast_ref::<WasmBacktrace>()
        .map(frames)
        .unwrap_or_default();
    Failure {
        kind,
        message: clean(&message, MESSAGE_BYTES),
        backtrace,
    }
}

/// The failure of a run that returned an error.
pub(crate) fn returned(message: &str, spent: &BTreeSet<Budget>) -> Failure {
    let (kind, message) = match spent.first() {
        Some(budget) => (
            FailureKind::OverBudget(*budget),
            format!("the budget of {budget} is spent; the step says: {message}"),
        ),
        None if message.trim().is_empty() => (
            FailureKind::Error,
            "the step failed without saying why".to_owned(),
        ),
        None => (FailureKind::Error, message.to_owned()),
    };
    Failure {
        kind,
        message: clean(&message, MESSAGE_BYTES),
        backtrace: Vec::new(),
    }
}

/// Whether a refused request is why the step gave up.
fn is_out_of_memory(trap: Option<Trap>, stderr: &str) -> bool {
    stderr.contains("memory allocation of") || trap.is_some()
}

/// What the engine says, in words for people.
fn told(error: &wasmtime::Error) -> String {
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "call stack exhausted (recursion without end?)".to_owned(),
        Some(Trap::MemoryOutOfBounds) => {
            "memory access out of bounds (often recursion without end, which leaves the stack)"
                .to_owned()
        }
        Some(Trap::UnreachableCodeReached) => "the step aborted".to_owned(),
        Some(trap) => trap.to_string(),
        None => format!("{:#}", error.root_cause()),
    }
}

/// The message of a Rust panic, as it is on standard error.
fn panic_message(stderr: &str) -> Option<String> {
    let start = stderr.rfind("panicked at ")?;
    let text = &stderr[start..];
    let end = text
        .find("\nnote: run with `RUST_BACKTRACE")
        .unwrap_or(text.len());
    Some(text[..end].trim_end().to_owned())
}

/// Adds the last that the step wrote to standard error: where a runtime aborts, only that says why, such
/// as the traceback of an exception that nobody caught.
fn with_last_words(what: String, stderr: &str) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES)..];
    if last.is_empty() {
        return what;
    }
    format!("{what}; its last words:\n{}", last.join("\n"))
}

/// The step's own functions: innermost first, without the machinery of panicking above them and the
/// glue of the export below.
fn frames(backtrace: &WasmBacktrace) -> Vec<String> {
    let names: Vec<String> = backtrace
        .frames()
        .iter()
        .map(|frame| {
            format!(
                "{:#}",
                rustc_demangle::demangle(frame.func_name().unwrap_or("?"))
            )
        })
        .collect();
    let start = names
        .iter()
        .rposition(|name| name.contains("rust_begin_unwind"))
        .map_or(0, |at| at + 1);
    names[start..]
        .iter()
        .skip_while(|name| name.starts_with("core::panicking::"))
        .take_while(|name| !name.starts_with("cofferdam_sdk::export::run"))
        .take(FRAMES)
        // A name is whatever the component says it is: it must not look like two lines.
        .map(|name| clean(name, NAME_BYTES).replace('\n', " "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_without_the_hint_that_does_not_apply() {
        let stderr = "hello\n\nthread '<unnamed>' (1) panicked at src/lib.rs:36:11:\n\
                      index out of bounds\nnote: run with `RUST_BACKTRACE=1` environment variable\n";
        assert_eq!(
            panic_message(stderr).as_deref(),
            Some("panicked at src/lib.rs:36:11:\nindex out of bounds")
        );
        assert_eq!(panic_message("all is well"), None);
    }

    #[test]
    fn an_abort_is_told_with_what_the_step_wrote_last() {
        let many = (0..20)
            .map(|number| format!("line {number}\n\n"))
            .collect::<Vec<_>>()
            .concat();
        let told = with_last_words("the step aborted".to_owned(), &many);
        assert!(
            told.starts_with("the step aborted; its last words:\nline 8\nline 9\n"),
            "{told}"
        );
        assert!(told.ends_with("\nline 19"), "{told}");
        assert_eq!(with_last_words("ended".to_owned(), " \n"), "ended");
    }

    #[test]
    fn an_error_after_a_spent_budget_names_the_budget() {
        let spent = [Budget::Files].into();
        let failure = returned("Quota exceeded (os error 19)", &spent);
        assert_eq!(failure.code(), "step-over-budget");
        assert_eq!(
            failure.message,
            "the budget of files created is spent; the step says: Quota exceeded (os error 19)"
        );
        assert_eq!(returned(" ", &BTreeSet::new()).code(), "step-error");
    }
}
