// SPDX-License-Identifier: Apache-2.0
//! Ends a run that hangs.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::sys;
use crate::sys::Pid;

/// Kills a run that hangs.
pub(crate) struct Watchdog {
    stop: mpsc::Sender<()>,
    thread: JoinHandle<bool>,
}

impl Watchdog {
    /// Kills all of them again and again once the limit is over, until it is called off.
    pub(crate) fn start(limit: Duration, alive: Arc<Mutex<BTreeSet<Pid>>>) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let mut bitten = false;
            let mut patience = limit;
            // Again and again: something may be born while the others are killed.
            while stopped.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                bitten = true;
                patience = Duration::from_millis(10);
                for tid in &*alive.lock().unwrap_or_else(PoisonError::into_inner) {
                    let _gone = sys::kill(*tid);
                }
            }
            bitten
        });
        Self { stop, thread }
    }

    /// Calls it off; says whether it had to bite.
    pub(crate) fn stop(self) -> bool {
        let _gone = self.stop.send(());
        self.thread.join().unwrap_or(true)
    }
}
