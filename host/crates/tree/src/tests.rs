// SPDX-License-Identifier: Apache-2.0
//! Promises about whole trees, on a real file system.

mod attributes;
mod carry;
mod changed;
mod hostile;
mod state;
mod update;
mod world;
