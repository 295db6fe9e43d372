// SPDX-License-Identifier: Apache-2.0
//! Power cuts: the disks that may be found after one, built from the log of operations of a run.
//!
//! What was synced is there (`durability`). Of what was not, anything may be there or not, as far as
//! one of two models allows ([`cuts`]):
//!
//! - *minimal*: what POSIX promises and no more. Every pending change of a name, of an inode or of
//!   bytes is there or lost by itself, and a pending write may be there in part: names without bytes,
//!   bytes without the last name, a later change without an earlier one.
//! - *ordered*: a file system with a journal. Changes of names and inodes of one file system become
//!   durable in the order in which they were made; the bytes of a file are there, lost or torn.
//!
//! Two file systems are cut independently: one may have kept everything that is pending while the
//! other has lost it all.
//!
//! Two things no model undoes in part, since no file system does: a rename or an exchange is there or
//! not, in both directories alike, and counts as durable when both were synced; and a directory has
//! one name.
//!
//! A state is a disk in memory (`state`). It is laid down at the place of the machine that the run
//! was made on (`crate::laid`), recovered by the real product, and judged like any other crash.

pub mod cuts;
mod durability;
mod state;
#[cfg(test)]
mod tests;
