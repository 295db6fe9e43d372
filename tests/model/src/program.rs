// SPDX-License-Identifier: Apache-2.0
//! A program that runs in the install, as a service manager would run it: it is started from there when the
//! service is told to start, and killed when it is told to stop, whoever is killed beside it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use crate::machine::Machine;

/// How often it is looked whether the service is wanted.
const LOOKED_EVERY: Duration = Duration::from_millis(2);

/// The program, and who looks after it.
#[derive(Debug)]
pub(crate) struct Program {
    over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
    wrote: PathBuf,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Ran {
    /// How often it was started.
    pub(crate) starts: u64,
    /// How many lines it wrote.
    pub(crate) lines: usize,
}

impl Program {
    /// Looks after the program of this machine's install.
    pub(crate) fn start(machine: &Machine) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (install, up) = (machine.install(), machine.path("up"));
        let wrote = install.join("logs/ran");
        let until = Arc::clone(&over);
        let thread = std::thread::spawn(move || look_after(&install, &up, &until));
        Self {
            over,
            thread,
            wrote,
        }
    }

    /// Ends it.
    pub(crate) fn stop(self) -> Ran {
        self.over.store(true, Ordering::Relaxed);
        let starts = self.thread.join().unwrap_or_default();
        let wrote = fs::read_to_string(&self.wrote).unwrap_or_default();
        Ran {
            starts,
            lines: wrote.lines().count(),
        }
    }
}

fn look_after(install: &Path, up: &Path, over: &AtomicBool) -> u64 {
    let mut running: Option<Child> = None;
    let mut starts = 0;
    loop {
        let is_over = over.load(Ordering::Relaxed);
        let is_wanted = up.exists() && !is_over;
        if let Some(mut child) = running.take() {
            let has_ended = matches!(child.try_wait(), Ok(Some(_)) | Err(_));
            if is_wanted && !has_ended {
                running = Some(child);
            } else {
                let _ended_already = child.kill();
                let _status = child.wait();
            }
        } else if is_wanted {
            running = Command::new("sh")
                .arg("bin/run")
                .current_dir(install)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .ok();
            starts += u64::from(running.is_some());
        }
        if is_over {
            return starts;
        }
        std::thread::park_timeout(LOOKED_EVERY);
    }
}
