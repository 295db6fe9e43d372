// SPDX-License-Identifier: Apache-2.0
//! Random input for everything that decodes outside bytes, and for what must hold whatever a step does.
//!
//! A target is a function of bytes that must return: a panic is a finding. Two things call it, the
//! ordinary tests in `tests/corpus.rs` (on its corpus, and on inputs that are the same on every machine)
//! and libFuzzer, for as long as somebody likes (`cargo xtask fuzz TARGET`). How to add one is in
//! `CONTRIBUTING.md`.
//!
//! What a target checks is never what the product says of itself: an answer is compared with a naive
//! implementation beside it, with a second way to the same answer, or with the state of the disk.
#![allow(
    clippy::missing_panics_doc,
    reason = "a target panics when its promise is broken, and in no other case"
)]
#![allow(
    clippy::format_push_string,
    clippy::naive_bytecount,
    reason = "what a check is made of is to be plain, not fast"
)]

mod check;
mod naive;
pub mod seeds;
pub mod targets;
mod text;
mod tree;

pub use targets::TARGETS;
pub use targets::Target;
