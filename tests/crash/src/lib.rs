// SPDX-License-Identifier: Apache-2.0
//! The crash bench: the proof from outside that a command of Cofferdam which is killed, or whose disk
//! fails it, leaves the old install or the new one, whole.
//!
//! The real binary runs under a tracer ([`tracer`]: seccomp and ptrace) that stops it, with all its
//! threads and children, before each call that changes a disk or makes a change durable. A scenario
//! ([`scenario`]) is laid out once, put back for every point ([`stand`]), and disturbed at one call
//! ([`point`]). Then the machine is brought to rest by `recover` and compared, whole, with the
//! states that undisturbed commands lead to ([`facts`]). Points are chosen and counted by class
//! ([`class`]), so that many of one kind do not pass for a good test.
//!
//! Below real file systems, [`block`] cuts the power between any two writes to a disk.
//!
//! The log of operations ([`oplog`], made by [`recorder`]) holds everything that a run did to the
//! disk. From it the disks are built that a power cut may leave ([`power`]).
//!
//! Nothing of the product is linked in: what is tried is what is shipped.

mod amount;
pub mod bench;
pub mod block;
pub mod calls;
pub mod class;
pub mod command;
mod directors;
pub mod disk;
pub mod facts;
pub mod fault;
mod filter;
mod guests;
pub mod journal;
mod laid;
pub mod machine;
pub mod mutants;
pub mod mutation;
pub mod oplog;
pub mod place;
pub mod plan;
pub mod point;
pub mod power;
pub mod recorder;
pub mod replay;
mod say;
pub mod scenario;
pub mod stand;
#[expect(
    unsafe_code,
    reason = "a tracer speaks to the kernel about other processes"
)]
mod sys;
#[cfg(test)]
mod tests;
pub mod tracer;
pub mod untouched;
mod watchdog;

pub use filter::Openings;
