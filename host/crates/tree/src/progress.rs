// SPDX-License-Identifier: Apache-2.0
//! How far a long operation is, told to whoever wants to show it.

use std::sync::Mutex;

use crate::parallel;

/// How far the current operation is; totals are known from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Files done.
    pub files_done: u64,
    /// Files to do.
    pub files_total: u64,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes to do.
    pub bytes_total: u64,
}

/// What a caller passes to hear of progress. It is called from several threads, one at a time.
pub type ProgressSink<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Counts what all threads have done.
pub(crate) struct Meter<'a> {
    state: Mutex<(Progress, ProgressSink<'a>)>,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(files_total: u64, bytes_total: u64, sink: ProgressSink<'a>) -> Self {
        let progress = Progress {
            files_total,
            bytes_total,
            ..Progress::default()
        };
        Self {
            state: Mutex::new((progress, sink)),
        }
    }

    pub(crate) fn add(&self, files: u64, bytes: u64) {
        let mut state = parallel::lock(&self.state);
        state.0.files_done += files;
        state.0.bytes_done += bytes;
        let progress = state.0;
        (state.1)(progress);
    }
}
