// SPDX-License-Identifier: Apache-2.0
//! The promises of Cofferdam, as tests: a file for each promise, driving the real binary.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that cannot go on has failed"
)]
#![expect(
    clippy::unused_self,
    reason = "what is on a machine is asked of the machine"
)]

mod adopt_at_once;
mod bad_input;
mod busy;
mod cache;
mod cli;
mod confinement;
mod crash;
mod file_systems;
mod from_disk;
mod from_disk_service;
mod full_disk;
mod guests;
mod harness;
mod health;
mod hostile_owner;
mod in_use;
mod interop;
mod keys;
mod layering;
mod lies;
mod looking;
mod model;
mod names;
mod never_starts;
mod odd_files;
mod places;
mod pure;
mod record;
mod service;
mod steps;
mod told;
mod trial;
mod unconfirmed;
mod update;
