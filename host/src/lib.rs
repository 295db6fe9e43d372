// SPDX-License-Identifier: Apache-2.0
//! Cofferdam's host: composes the crates that know nothing of each other into the way of an update.
//!
//! Data flows one way: `vendor` turns sources into a signed package; `update` takes a package through
//! verification, staging, steps, seal and commit; `care` adopts, confirms, rolls back, recovers and
//! reports. Only `cli` turns facts into words and exit codes; only `ambient` looks at the clock and at
//! the machine's randomness. Start reading at [`update::apply`].

pub mod ambient;
pub mod care;
pub mod cli;
pub mod config_session;
pub mod engine;
pub mod failure;
pub mod package_file;
pub mod time;
pub mod update;
pub mod vendor;
pub mod watch;
