// SPDX-License-Identifier: Apache-2.0
//! The promises of the sandbox, kept by running hostile and friendly guests.
//!
//! Each test says in its name what holds. After each refusal it is asserted that the tree and what
//! lies beside it are as before.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot set up fails"
)]

mod bench;
mod budgets;
mod config;
mod escape;
mod gate;
mod grants;
mod guests;
mod limits;
mod operations;
mod orphans;
mod purity;
mod races;
mod verdicts;
#[cfg(feature = "test-switches")]
mod walls;
