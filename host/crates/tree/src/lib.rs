// SPDX-License-Identifier: Apache-2.0
//! File trees of an install: walked, hashed, staged and compared by directory handles.
//!
//! Root works here on trees that a service account may own, so nothing is done by absolute path:
//! everything is opened beneath a held handle, follows no symlink and crosses no mount
//! (`root.rs` says how). Nothing here knows of journals, generations or steps, and nothing syncs:
//! the caller flushes the file system once. Where to read next: [`classify`] decides what becomes
//! of each path, [`stage`] builds the next tree, [`inventory`] is what is written down about it,
//! [`verify`] compares a tree with that, and [`preflight`] refuses what could not work.
//!
//! ```
//! use cap_std::ambient_authority;
//! use cap_std::fs::Dir;
//! use cofferdam_package::glob::GlobSet;
//! use cofferdam_tree::adopt::adopt;
//! use cofferdam_tree::verify::Scope;
//! use cofferdam_tree::verify::drift;
//! use cofferdam_tree::walk::LiveTree;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let folder = tempfile::tempdir()?;
//! let dir = Dir::open_ambient_dir(folder.path(), ambient_authority())?;
//! dir.write("records", "one")?;
//!
//! let no_live_files = GlobSet::default();
//! let (inventory, _) = adopt(&LiveTree::read(&dir, &no_live_files)?, None, &[])?;
//! assert_eq!(drift(&dir, &inventory, Scope::All, &no_live_files)?, []);
//!
//! dir.write("records", "two")?;
//! assert_eq!(drift(&dir, &inventory, Scope::All, &no_live_files)?[0].path, "records");
//! # Ok(())
//! # }
//! ```

#[cfg(not(target_os = "linux"))]
compile_error!("trees are built with system calls of Linux");

pub mod adopt;
mod attributes;
pub mod classify;
mod content;
pub mod contents;
pub mod error;
mod inode_flags;
pub mod inventory;
pub mod live;
pub mod name;
mod parallel;
pub mod preflight;
pub mod progress;
pub mod remove;
mod root;
pub mod single;
pub mod stage;
pub mod verify;
pub mod walk;
mod wanted;

pub use crate::error::CODES;
pub use crate::error::TreeError;

#[cfg(test)]
mod tests;
