// SPDX-License-Identifier: Apache-2.0
//! Keys and signatures on the vendor's and the reviewer's side, in minisign's own formats.
//!
//! A signature goes into a package by writing the package anew beside itself and renaming: a crash
//! leaves the package as it was, or signed. What is signed is always the exact manifest, never the
//! archive. Verification by the host is elsewhere, in `cofferdam-package`, and shares no code with
//! this module: what we write is read back through it before it gets its name.

mod base64;
mod keys;
mod package;
pub mod password;

pub use keys::NewKey;
pub use keys::SigningKey;
pub use keys::generate;
pub use package::Attached;
pub use package::attach;
pub use package::sign;

#[cfg(test)]
mod tests;
