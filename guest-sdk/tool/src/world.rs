// SPDX-License-Identifier: Apache-2.0
//! The contract that every step is made for: `wit/step.wit`, as text in this program.

use anyhow::Result;
use wit_parser::Resolve;
use wit_parser::WorldId;

/// The contract's text.
const TEXT: &str = include_str!("../../../wit/step.wit");

/// The contract, read.
pub(crate) fn step() -> Result<(Resolve, WorldId)> {
    let mut resolve = Resolve::default();
    let package = resolve.push_str("step.wit", TEXT)?;
    let world = resolve.select_world(&[package], Some("step"))?;
    Ok((resolve, world))
}
