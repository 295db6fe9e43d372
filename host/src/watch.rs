// SPDX-License-Identifier: Apache-2.0
//! How a running update tells whoever waits for it how far it has come.

/// Receives the progress of an update. Nothing here is recorded; every method may do nothing.
pub trait Watch: Send {
    /// A stage began.
    fn stage(&mut self, _name: &'static str) {}
    /// `done` of `total` of what is being worked on; `total` is 0 when nobody knows.
    fn progress(&mut self, _what: &str, _done: u64, _total: u64) {}
    /// A line of a step's log.
    fn log(&mut self, _step: &str, _level: &str, _line: &str) {}
    /// Something that the operator should know now.
    fn note(&mut self, _text: &str) {}
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unwatched;

impl Watch for Unwatched {}
