// SPDX-License-Identifier: Apache-2.0
//! The `.upd` package format: bytes in, proof out.
//!
//! A package is opened, which judges its structure and believes nothing; then it is verified, which
//! checks signatures, manifest and archive in this order; only what [`verify`] returns gives access to
//! manifest and blobs, and every blob is hashed while it is read. This crate reads the file that it is
//! handed, by position, and does nothing else: it writes no file that it was not given, looks at no
//! clock, starts nothing and prints nothing.
//!
//! Start with [`archive`] for the tricks that are defended against, [`manifest`] for the document,
//! [`path`] and [`glob`] for its words, [`write`](mod@write) and [`source`] for the vendor's side.
//!
//! ```
//! use std::io::Write as _;
//!
//! use cofferdam_package::archive::PackageFile;
//! use cofferdam_package::keyring::KeyRing;
//! use cofferdam_package::limits::Limits;
//! use cofferdam_package::signature::SignatureRule;
//! use cofferdam_package::write::PackageWriter;
//!
//! let mut file = tempfile::tempfile()?;
//! let mut package = PackageWriter::new(&mut file);
//! package.manifest(
//!     br#"{"cofferdam":"package/1","id":"sample","version":"1.0.0","data_format":0,
//!     "created":0,"summary":"","requires":{"from":"*","host":"*"},"entries":[],
//!     "config":{},"steps":[],"blobs":{},"builds":[]}"#,
//! )?;
//! package.finish()?.flush()?;
//!
//! // Anyone may look at it, but nobody signed it.
//! let opened = PackageFile::open(file.try_clone()?, Limits::default())?;
//! let examined = opened.examine(&KeyRing::new())?;
//! assert_eq!(examined.manifest().id.as_str(), "sample");
//!
//! let opened = PackageFile::open(file, Limits::default())?;
//! let refused = opened.verify(&KeyRing::new(), &SignatureRule::default());
//! assert_eq!(refused.err().map(|error| error.code()), Some("signatures-missing"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![cfg_attr(
    not(test),
    warn(clippy::arithmetic_side_effects, clippy::indexing_slicing)
)]

pub mod archive;
mod base64;
mod codes;
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

pub use codes::CODES;
pub use error::PackageError;
