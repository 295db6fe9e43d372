// SPDX-License-Identifier: Apache-2.0
//! Runs one step of an update, with what it was granted and nothing else.
//!
//! [`Engine::compile`] lets a component in when it imports only what is on offer ([`imports`]);
//! [`Engine::run`] gives it a tree, a configuration and limits for the length of one call, and says
//! how it ended ([`StepOutcome`]) and what it did ([`StepRecord`]). Both happen in child processes that
//! the kernel confines; a program that uses this crate asks [`run_if_child`] first of all.
//!
//! What this crate must never do: commit anything, choose what is granted, open a path that it was
//! not given a handle for, or let a step see the host's time, randomness or environment. It is the
//! only user of wasmtime. Where to read next: `imports.rs` (the gate), `fs/` (every rule about
//! files), `child.rs` and `confine.rs` (the processes and what holds them), `run.rs` (how a run ends).

mod access;
mod bindings;
mod cache;
mod child;
mod code;
mod confine;
#[doc(hidden)]
pub mod driven;
mod engine;
mod failure;
mod features;
mod fs;
mod grants;
mod imports;
mod instance;
mod limits;
mod link;
mod log;
mod record;
#[cfg(feature = "test-switches")]
mod rogue;
mod run;
mod state;
mod step;
mod switches;
mod table;
mod wasi;

pub use access::ConfigAccess;
pub use access::ConfigRefusal;
pub use access::Level;
pub use access::NoConfig;
pub use access::Observer;
pub use access::Unobserved;
pub use cache::Cache;
pub use child::run_if_child;
pub use child::spawn::Program;
pub use confine::Cgroups;
pub use confine::Wall;
pub use confine::WallKind;
pub use engine::Component;
pub use engine::Engine;
pub use engine::SandboxError;
pub use grants::FileGrants;
pub use imports::CompileError;
pub use imports::Import;
pub use imports::Imports;
pub use imports::imports;
pub use imports::offered;
pub use limits::COMPONENT_BYTES;
pub use limits::Limits;
pub use record::Content;
pub use record::Denied;
pub use record::LogLine;
pub use record::StepRecord;
pub use record::Totals;
pub use record::Touched;
pub use record::Usage;
pub use run::StepOutcome;
pub use run::StepRun;
pub use step::Budget;
pub use step::Context;
pub use step::Failure;
pub use step::FailureKind;
pub use step::Phase;
pub use step::Verdict;
#[cfg(feature = "test-switches")]
pub use switches::Deed;
pub use switches::Switches;

/// Every code that this crate's errors and failures have, and what to do about it.
pub const CODES: &[(&str, &str)] = &[
    (
        "sandbox-engine",
        "no child process could be started for the sandbox; the message says what is missing",
    ),
    (
        "sandbox-unconfined",
        "use a kernel that has the wall, or take `require-confinement` out of the policy",
    ),
    (
        "component-too-large",
        "make the component smaller: strip it, or build with `opt-level = \"s\"`",
    ),
    (
        "component-invalid",
        "build the step again with `--target wasm32-wasip2 --release`",
    ),
    (
        "component-features",
        "build for `wasm32-wasip2` as it is, without `-C target-feature` or `-m` options that add to it",
    ),
    (
        "component-core-module",
        "build with `--target wasm32-wasip2` and `crate-type = [\"cdylib\"]`",
    ),
    (
        "component-imports",
        "remove what needs these interfaces: a step has files, keys, log and progress. Sockets that a \
         language's runtime brings along: `cofferdam-guest deny-network`",
    ),
    (
        "component-too-costly",
        "make the component smaller or simpler, or let steps share one; the operator may raise `compile` under [policy.limits]",
    ),
    (
        "component-exports",
        "export the step with `step!(function)` or `export!(Type)` of cofferdam-sdk",
    ),
    (
        "step-error",
        "the step reported this error; nothing was changed",
    ),
    (
        "step-panicked",
        "a bug in the step; send the message and backtrace to the vendor",
    ),
    (
        "step-trapped",
        "a bug in the step; send the message and backtrace to the vendor",
    ),
    (
        "step-timed-out",
        "the step needs a higher `limits.time`, or does not end",
    ),
    (
        "step-out-of-memory",
        "the step needs a higher `limits.memory`, or smaller tables",
    ),
    (
        "step-out-of-fuel",
        "the step needs a higher `limits.time`, or does not end",
    ),
    (
        "step-over-budget",
        "the step needs a higher limit for the budget that the message names",
    ),
    (
        "step-wrong-verdict",
        "a bug in the step: its answer does not belong to its phase",
    ),
    (
        "step-not-started",
        "the component could not be instantiated; the message says why",
    ),
    (
        "step-killed",
        "look at what killed the process: memory of the machine, or an operator; then try again",
    ),
    (
        "disk-full",
        "free space or inodes (or raise the quota) on the file system of the install, then run it again",
    ),
    (
        "io",
        "look at the cause; when the machine is healthy again, run the command again",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_help() {
        let failures = [
            FailureKind::Error,
            FailureKind::Panicked,
            FailureKind::Trapped,
            FailureKind::TimedOut,
            FailureKind::OutOfMemory,
            FailureKind::OutOfFuel,
            FailureKind::OverBudget(Budget::Files),
            FailureKind::WrongVerdict,
            FailureKind::NotStarted,
            FailureKind::Killed,
            FailureKind::Unconfined,
            FailureKind::DiskFull,
            FailureKind::MachineFailed,
        ];
        let refusals = [
            CompileError::TooLarge {
                found: 2,
                allowed: 1,
            },
            CompileError::Invalid(String::new()),
            CompileError::Features(Vec::new()),
            CompileError::CoreModule,
            CompileError::Imports(Vec::new()),
            CompileError::TooCostly(String::new()),
            CompileError::Exports(String::new()),
        ];
        let mut codes: Vec<&str> = failures.iter().map(FailureKind::code).collect();
        codes.extend(refusals.iter().map(CompileError::code));
        codes.push("sandbox-engine");
        assert_eq!(codes.len(), CODES.len());
        for code in codes {
            assert!(
                CODES
                    .iter()
                    .any(|(known, help)| *known == code && !help.is_empty()),
                "{code}"
            );
        }
    }
}
