// SPDX-License-Identifier: Apache-2.0
//! The `.upd` package format: bytes in, proof out.

pub mod digest;
pub mod limits;
pub mod path;
