// SPDX-License-Identifier: Apache-2.0
//! The vendor's side: from sources and keys to a signed package, and the tools to develop steps.
//!
//! Nothing here runs on a machine that is being updated. What is written is read back through the same
//! strict reader that hosts use, so a vendor is refused what every host would refuse. Start reading at
//! [`pack`]; keys and signatures are in [`signing`], the vendor's own runs of a step in [`rehearsal`].

mod codes;
mod component;
mod diff;
pub mod extract;
pub mod facts;
mod gate;
pub mod output;
pub mod pack;
mod payload;
pub mod rehearsal;
pub mod scaffold;
pub mod signing;
pub mod time;
mod warnings;

pub use codes::Code;
pub(crate) use codes::not_written;
pub(crate) use codes::refused;
