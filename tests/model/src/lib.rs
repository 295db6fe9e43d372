// SPDX-License-Identifier: Apache-2.0
//! The model test: random sequences of updates, crashes, roll backs, full disks and accidents on a real
//! install, against a model in memory of what that install must be.
//!
//! The model (`model`) is written from the design, in a few maps and numbers, and knows nothing of the
//! product. The driver (`driver`) runs the real binary, kills it under the tracer of the crash bench, and
//! after each action compares everything that is found with the model, invariant by invariant
//! (`invariants`). A sequence follows from its seed, so that what failed can be had again: seeds that
//! failed once are kept in [`REGRESSIONS`] and come first.
//!
//! The suite runs a few sequences; `cargo xtask soak` runs them for as long as somebody likes, with a
//! program running in the install.

mod action;
mod disk;
mod driver;
mod found;
mod invariants;
mod machine;
mod model;
mod program;
mod run;
mod survived;
mod tamper;
mod versions;

pub use run::DEFECTS;
pub use run::Defect;
pub use run::Setup;
pub use run::Violation;
pub use run::planted;
pub use run::survive;
pub use survived::Survived;

/// Sequences that failed once: a seed, and how many actions it took.
pub const REGRESSIONS: &str = include_str!("../regressions");

/// The seeds and lengths of the sequences that failed once.
///
/// # Panics
/// The file cannot be read.
pub fn regressions() -> Vec<(u64, usize)> {
    let lines = REGRESSIONS.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let mut words = line.split_ascii_whitespace();
            let mut number = || words.next().and_then(|word| word.parse().ok());
            let (Some(seed), Some(actions)) = (number(), number()) else {
                unreachable!("`{line}` is no seed and number of actions");
            };
            (seed, actions as usize)
        })
        .collect()
}
