// SPDX-License-Identifier: Apache-2.0
//! The only place that looks at the clock, at the machine's randomness and at what was inherited.
//!
//! Everything below the command line takes time and identifiers as arguments, so that tests can fix
//! them and a step can never learn them.

use std::io;
use std::time::SystemTime;
use std::time::UNIX_EPOCH;

/// Seconds since 1970-01-01T00:00:00Z, as the host's clock has it (0 for a clock before that).
#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place that reads the clock"
)]
pub fn now_unix_s() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// A new transaction id: sixteen hexadecimal digits from the kernel's random numbers.
///
/// # Errors
/// The kernel's error, when it has no randomness to give.
pub fn transaction_id() -> Result<String, getrandom::Error> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{:016x}", u64::from_be_bytes(bytes)))
}

/// A new secret key from the kernel's random numbers.
///
/// # Errors
/// The kernel's error, when it has no randomness to give.
pub fn secret_key() -> io::Result<[u8; 64]> {
    let mut key = [0; 64];
    getrandom::fill(&mut key).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(key)
}

/// What tells this machine from others; empty where nothing does.
pub fn machine() -> String {
    std::fs::read_to_string("/etc/machine-id").unwrap_or_default()
}

/// Marks every descriptor that this process was started with, but for the standard ones, as its own: no
/// program that it starts (a child of the sandbox, the service's commands) gets one.
pub fn keep_inherited_descriptors() {
    close_fds::CloseFdsBuilder::new()
        .threadsafe(true)
        .cloexecfrom(3);
}
