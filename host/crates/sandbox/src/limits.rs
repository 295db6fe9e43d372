// SPDX-License-Identifier: Apache-2.0
//! What one run of a step may use up, and what every run may.
//!
//! The first kind is in the package's manifest, within the ceiling of the operator's policy; the
//! second kind protects the host's own process and is the same for all.

use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

/// The budget of one run of one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Wall time from instantiation to the verdict. Stops a loop that never ends.
    pub time: Duration,
    /// Linear memory of all of the component's memories together. Stops a memory bomb.
    pub memory_bytes: u64,
    /// Bytes written to files, in total. Stops a step from filling the disk.
    pub written_bytes: u64,
    /// Files, directories and symlinks created, in total. Stops a step from using up the inodes.
    pub files: u64,
    /// Bytes of log lines, standard output and standard error that are kept. Stops a log flood.
    pub log_bytes: u64,
}

impl Default for Limits {
    /// Enough for a migration of some thousand small files; a manifest that needs more says so.
    fn default() -> Self {
        Self {
            time: Duration::from_secs(10),
            memory_bytes: 64 << 20,
            written_bytes: 16 << 20,
            files: 100,
            log_bytes: 64 << 10,
        }
    }
}

impl Limits {
    /// Fuel that goes with the time: several times what a fast machine burns in it, so that the clock
    /// decides first even where it is looked at late, and a host whose clock stands still is safe all the same.
    pub(crate) fn fuel(&self) -> u64 {
        let millis = u64::try_from(self.time.as_millis()).unwrap_or(u64::MAX);
        millis
            .saturating_mul(FUEL_PER_MILLISECOND)
            .max(FUEL_PER_MILLISECOND)
    }
}

const FUEL_PER_MILLISECOND: u64 = 50_000_000;

/// A component's largest size: compiling costs time and memory in proportion to it. Python and
/// JavaScript components, which carry their interpreter, have about 20 MB.
pub const COMPONENT_BYTES: usize = 64 << 20;

/// CPU time that compiling one component may take where nothing else is said. Python's interpreter takes
/// 10 to 15 s.
pub(crate) const COMPILE_CPU: Duration = Duration::from_mins(2);

/// Times as much wall time, on a machine with other things to do.
pub(crate) const COMPILE_PATIENCE: u32 = 3;

/// Addresses that compiling one component may use.
pub(crate) const COMPILE_ADDRESS_BYTES: u64 = 4 << 30;

/// Compiled code of one component. Python's has 35 MB.
pub(crate) const CODE_BYTES: u64 = 120 << 20;

/// Compiled components that are kept in a cache.
pub(crate) const CACHED_FILES: usize = 32;

/// Bytes of their files: room for four of the largest that there are.
pub(crate) const CACHED_BYTES: u64 = 4 * CODE_BYTES;

/// How long a runner may take until its walls stand.
pub(crate) const START_TIME: Duration = Duration::from_mins(1);

/// How long the host waits for a step past its time before it ends the runner: what the runner does at
/// the end of the time takes milliseconds, unless it hangs.
pub(crate) const GRACE_TIME: Duration = Duration::from_secs(5);

/// Memory that a runner needs beside the step's own and its code: the engine, the record, stacks.
pub(crate) const RUNNER_DATA_BYTES: u64 = 512 << 20;

/// Wasm's own stack: deep recursion traps long before the thread's stack ends.
pub(crate) const STACK_BYTES: usize = 512 << 10;

/// The stack of the thread that runs a step: wasm's share and ample room for host calls.
pub(crate) const THREAD_STACK_BYTES: usize = 8 << 20;

/// Handles that a step may hold at once (files, streams, pollables). Each file costs a descriptor of the
/// host's process, which by default has 1024.
pub(crate) const HANDLES: usize = 512;

/// Bytes that the arguments of one host call may take on the host. Stops a 100 MiB log line from
/// being copied out of the sandbox before it is judged.
pub(crate) const CALL_BYTES: usize = 8 << 20;

/// Core instances, tables and memories in one component. Real ones have below ten.
pub(crate) const INSTANCES: usize = 64;

/// Elements in all tables together.
pub(crate) const TABLE_ELEMENTS: usize = 100_000;

/// The most that one read or write of a file stream moves, and so what it makes the host allocate.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;

/// Random bytes per request.
pub(crate) const RANDOM_BYTES: u64 = 64 << 10;

/// Entries of one directory that are listed. Sorting needs all of them in memory.
pub(crate) const LISTED_ENTRIES: usize = 200_000;

/// Entries of all listings that are open at once: a few hundred bytes of memory each.
pub(crate) const HELD_ENTRIES: usize = 2 * LISTED_ENTRIES;

/// The text of a failure, refusal or deferral that is kept.
pub(crate) const MESSAGE_BYTES: usize = 16 << 10;

/// The end of standard error that is kept for the message of a panic, beside the log.
pub(crate) const STDERR_TAIL_BYTES: usize = 16 << 10;

/// Frames of a backtrace that are kept.
pub(crate) const FRAMES: usize = 32;

/// What the list of touched paths may take in memory. Looks beyond it are only counted; changes beyond
/// it are refused, so that a record never misses one.
pub(crate) const RECORDED_PATH_BYTES: usize = 32 << 20;

/// What an entry of that list costs beside its path, so that short names are not free.
pub(crate) const RECORDED_ENTRY_BYTES: usize = 64;

/// So many paths it can have at most.
pub(crate) const RECORDED_PATHS: usize = RECORDED_PATH_BYTES / RECORDED_ENTRY_BYTES + 1;

/// So many of them that were only looked at, or denied: what costs a step nothing is not to fill the host.
pub(crate) const RECORDED_LOOKS: usize = 10_000;

/// Names that are looked at before a directory is moved.
pub(crate) const MOVED_NAMES: usize = 100_000;

/// The longest path that is looked at; the system's own limit.
pub(crate) const PATH_BYTES: usize = 4096;

/// The longest target of a link that a step makes: the least that any local file system takes (xfs), so
/// that a step does the same on all of them.
pub(crate) const LINK_BYTES: usize = 1023;
