// SPDX-License-Identifier: Apache-2.0
//! The `.upd` package format: bytes in, proof out.

pub mod archive;
mod base64;
pub mod digest;
pub mod error;
#[cfg(test)]
mod fixture;
pub mod glob;
pub mod keyring;
pub mod limits;
pub mod manifest;
pub mod path;
pub mod signature;
pub mod source;
pub mod verify;
pub mod write;

pub use error::PackageError;
