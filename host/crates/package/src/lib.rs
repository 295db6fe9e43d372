// SPDX-License-Identifier: Apache-2.0
//! The `.upd` package format: bytes in, proof out.

pub mod digest;
pub mod glob;
pub mod limits;
pub mod manifest;
pub mod path;
