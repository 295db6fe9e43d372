// SPDX-License-Identifier: Apache-2.0
//! The promises of Cofferdam, as tests: a file for each promise, driving the real binary.

mod harness;
mod update;
