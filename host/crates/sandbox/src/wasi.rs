// SPDX-License-Identifier: Apache-2.0
//! The parts of WASI beside files: all of them answer at once, none of them knows the host.
//!
//! Nothing here can block: a step that sleeps, polls or reads its empty standard input goes on
//! without a pause, so the limits on time and fuel always reach it.

mod cli;
mod clocks;
mod io;
mod random;
mod step;

pub(crate) use io::Input;
pub(crate) use io::Output;
