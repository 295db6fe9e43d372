// SPDX-License-Identifier: Apache-2.0
//! `logs/agent.log`: opened once, appended to while the agent runs.

use std::fs::File;
use std::fs::OpenOptions;
use std::io;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;
use std::time::SystemTime;

/// The open log.
pub(crate) struct Journal(Mutex<File>);

impl Journal {
    /// Opens the log of the install at `root`.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        let path = root.join("logs/agent.log");
        Ok(Self(Mutex::new(
            OpenOptions::new().create(true).append(true).open(path)?,
        )))
    }

    /// Appends one line; a log that cannot be written stops nothing.
    pub(crate) fn say(&self, line: &str) {
        if let Ok(mut file) = self.0.lock() {
            let _ = writeln!(file, "{} {line}", unix_seconds());
        }
    }
}

/// Seconds since 1970.
pub(crate) fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
