// SPDX-License-Identifier: Apache-2.0
//! File trees of an install: walked, hashed, staged and compared by directory handles.

#[cfg(not(target_os = "linux"))]
compile_error!("trees are built with system calls of Linux");

pub mod adopt;
mod attributes;
pub mod classify;
mod content;
pub mod error;
pub mod inventory;
pub mod live;
pub mod name;
mod parallel;
pub mod preflight;
pub mod progress;
pub mod remove;
mod root;
pub mod stage;
pub mod verify;
pub mod walk;
mod wanted;

pub use crate::error::CODES;
pub use crate::error::TreeError;

#[cfg(test)]
mod tests;
