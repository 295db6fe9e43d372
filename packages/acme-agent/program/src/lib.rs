// SPDX-License-Identifier: Apache-2.0
//! The agent: it keeps records that devices post, samples probes, and answers on a port.
//!
//! It knows nothing of Cofferdam. What makes it a fair sample is what real programs do: a commented
//! configuration file that the operator edits, state in files with a schema of their own, plugins,
//! a log that is open while it runs, and a port that must answer again after an update. What differs
//! from release to release is one table, in [`release`].

mod commands;
mod config;
mod http;
mod journal;
mod probes;
mod records;
pub mod release;
mod server;

pub use commands::run;
