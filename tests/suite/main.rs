// SPDX-License-Identifier: Apache-2.0
//! The promises of Cofferdam, as tests: a file for each promise, driving the real binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]

mod busy;
mod crash;
mod harness;
mod health;
mod interop;
mod keys;
mod layering;
mod service;
mod steps;
mod update;
