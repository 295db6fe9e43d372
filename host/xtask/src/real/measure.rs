// SPDX-License-Identifier: Apache-2.0
//! Runs a program and takes its time and its peak memory.
//!
//! The kernel keeps the peak itself (`VmHWM`), so it is enough to read it often: only what a process
//! adds in its last instants would be missed.

use crate::failure::Outcome;
use crate::tool::Tool;
use std::fs;
use std::io::Read as _;
use std::process::Stdio;
use std::sync::mpsc;
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::Duration;
use std::time::Instant;

/// After this long a program is taken to hang, and is ended.
const PATIENCE: Duration = Duration::from_mins(10);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

/// A program that has run.
pub(super) struct Measured {
    /// Its exit code, if it had one.
    pub(super) code: Option<i32>,
    /// What it printed.
    pub(super) printed: String,
    /// How long it ran.
    pub(super) elapsed: Duration,
    /// The most memory it had at once.
    pub(super) peak_bytes: u64,
}

/// Runs a program to its end; its standard error is ours.
pub(super) fn run(tool: Tool) -> Outcome<Measured> {
    let mut command = tool.into_command();
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let begun = Instant::now();
    let mut child = command.spawn().map_err(|error| error.to_string())?;
    let status = format!("/proc/{}/status", child.id());
    let stdout = child.stdout.take();
    let (said, ended) = mpsc::channel();
    let reader = thread::spawn(move || {
        let mut printed = String::new();
        let read = stdout.map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut printed));
        // The receiver is gone only when nobody wants to know any more.
        let _ = said.send(());
        read.map(|_| printed)
    });
    let mut peak_bytes = 0;
    while ended.recv_timeout(BETWEEN_LOOKS) == Err(RecvTimeoutError::Timeout) {
        peak_bytes = peak_bytes.max(peak_of(&status));
        if begun.elapsed() > PATIENCE {
            child.kill().map_err(|error| error.to_string())?;
        }
    }
    // The pipe is closed at the very end, and the process may still be there for a moment.
    peak_bytes = peak_bytes.max(peak_of(&status));
    let code = child.wait().map_err(|error| error.to_string())?.code();
    let elapsed = begun.elapsed();
    let printed = reader.join().map_err(|_| "the reading thread panicked")?;
    let printed = printed.map_err(|error| error.to_string())?;
    Ok(Measured {
        code,
        printed,
        elapsed,
        peak_bytes,
    })
}

fn peak_of(status: &str) -> u64 {
    let text = fs::read_to_string(status).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kibibytes = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
