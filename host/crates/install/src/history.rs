// SPDX-License-Identifier: Apache-2.0
//! The history: `history.jsonl`, one record a line, each with the hash of the line before it.
//!
//! The chain shows accidents and edits by others than root. A crash in the middle of an append
//! leaves a torn last line without its line feed: readers leave it out and say so, and the next
//! append cuts it. Any other line that is not a record of this chain is damage, and is reported
//! with its number, never skipped.

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::error::io_code;
use crate::layout;

/// Stops a file that is not ours from being read into memory: some hundred thousand records.
const CAP_BYTES: u64 = 1 << 30;

/// One line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Counted from 1.
    pub seq: u64,
    /// The SHA-256 of the line before, without its line feed; of nothing for the first.
    pub prev: Digest,
    /// When, in seconds since 1970.
    pub at_unix_s: u64,
    /// The transaction that it belongs to.
    pub txid: Option<String>,
    /// What the record is about.
    pub kind: RecordKind,
    /// What happened: facts for people and scripts, never a secret.
    pub body: serde_json::Value,
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecordKind {
    /// The directory was put under care.
    Adopt,
    /// A transaction ended, with or without a commit.
    Transaction,
    /// A step ran.
    Step,
    /// A generation proved healthy.
    Confirm,
    /// A package was condemned.
    Condemn,
    /// A condemnation was lifted.
    Allow,
    /// Recovery did something.
    Recover,
    /// Old generations went.
    Prune,
    /// The service was stopped, started, or did not start.
    Service,
}

/// A record before it has its place in the chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When, in seconds since 1970.
    pub at_unix_s: u64,
    /// The transaction that it belongs to.
    pub txid: Option<String>,
    /// What it is about.
    pub kind: RecordKind,
    /// What happened.
    pub body: serde_json::Value,
}

/// The whole history.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Every record, oldest first.
    pub records: Vec<Record>,
    /// Bytes of a torn last line, left by a crash.
    pub torn_bytes: u64,
}

/// Why the history cannot be read, or not be added to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A line is not what the chain says.
    #[error("line {line} of `history.jsonl` cannot be believed: {reason}")]
    Broken {
        /// Counted from 1.
        line: u64,
        /// What is wrong with it.
        reason: String,
    },
    /// The system refused.
    #[error("cannot {doing} `history.jsonl`")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
}

impl HistoryError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Broken { .. } => "history-unreadable",
            Self::Io { source, .. } => io_code(source),
        }
    }
}

/// Reads the history and verifies its chain.
pub(crate) fn read(state: &Dir) -> Result<History, HistoryError> {
    let bytes = layout::read_file(state, layout::HISTORY, CAP_BYTES)
        .map_err(|source| HistoryError::Io {
            doing: "read",
            source,
        })?
        .unwrap_or_default();
    verify(&bytes)
}

/// Verifies a chain of records.
///
/// # Errors
/// A line that is no record, has the wrong number, or does not carry the hash of the line before
/// it.
pub fn verify(bytes: &[u8]) -> Result<History, HistoryError> {
    let whole = written_whole(bytes);
    let mut records = Vec::new();
    let mut prev = Digest::of(b"");
    for (line, number) in bytes[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .zip(1_u64..)
    {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let broken = |reason: String| HistoryError::Broken {
            line: number,
            reason,
        };
        let record: Record = serde_json::from_slice(line)
            .map_err(|error| broken(format!("it is no record: {error}")))?;
        if record.seq != number {
            return Err(broken(format!(
                "its number is {}, expected {number}",
                record.seq
            )));
        }
        if record.prev != prev {
            return Err(broken(format!(
                "it follows {}, but the line before is {prev}",
                record.prev
            )));
        }
        prev = Digest::of(line);
        records.push(record);
    }
    Ok(History {
        records,
        torn_bytes: (bytes.len() - whole) as u64,
    })
}

/// How many bytes were written whole: all up to the last line feed, but for a last line that holds a
/// zero byte. A record has none; it is what a power cut leaves of the parts of a write that did not
/// reach the disk, also when those behind them did.
fn written_whole(bytes: &[u8]) -> usize {
    let lines = behind_last_line_feed(bytes);
    let begin = behind_last_line_feed(&bytes[..lines.saturating_sub(1)]);
    if bytes[begin..lines].contains(&0) {
        begin
    } else {
        lines
    }
}

fn behind_last_line_feed(bytes: &[u8]) -> usize {
    let found = bytes.iter().rposition(|byte| *byte == b'\n');
    found.map_or(0, |at| at + 1)
}

/// The line of a record, with its line feed.
///
/// # Panics
/// Never: a record has text keys only.
pub fn encode(record: &Record) -> Vec<u8> {
    let mut line = serde_json::to_vec(record).expect("a JSON value can be written");
    line.push(b'\n');
    line
}

/// Appends one record behind the last whole line, cutting a torn one.
pub(crate) fn append(state: &Dir, entry: Entry) -> Result<Record, HistoryError> {
    let (keep_bytes, last) = last_line(state)?;
    let (seq, prev) = match &last {
        Some(line) => {
            let record: Record =
                serde_json::from_slice(line).map_err(|error| HistoryError::Broken {
                    line: 0,
                    reason: format!("the last line is no record: {error}"),
                })?;
            (record.seq.saturating_add(1), Digest::of(line))
        }
        None => (1, Digest::of(b"")),
    };
    let record = Record {
        seq,
        prev,
        at_unix_s: entry.at_unix_s,
        txid: entry.txid,
        kind: entry.kind,
        body: entry.body,
    };
    let line = encode(&record);
    durable::append(state, layout::HISTORY, keep_bytes, &line).map_err(|source| {
        HistoryError::Io {
            doing: "append to",
            source,
        }
    })?;
    Ok(record)
}

/// The length of all whole lines, and the last of them, read from the end in growing pieces.
fn last_line(state: &Dir) -> Result<(u64, Option<Vec<u8>>), HistoryError> {
    use std::os::unix::fs::FileExt as _;
    let io = |source| HistoryError::Io {
        doing: "read",
        source,
    };
    let Some(file) = layout::open_file(state, layout::HISTORY, CAP_BYTES).map_err(io)? else {
        return Ok((0, None));
    };
    let length = file.metadata().map_err(io)?.len();
    let mut window = 64 * 1024_u64;
    loop {
        let start = length.saturating_sub(window);
        let mut bytes = vec![0; (length - start) as usize];
        file.read_exact_at(&mut bytes, start).map_err(io)?;
        let whole = written_whole(&bytes);
        let Some(end) = whole.checked_sub(1) else {
            if start == 0 {
                return Ok((0, None));
            }
            window = window.saturating_mul(4);
            continue;
        };
        let begin = behind_last_line_feed(&bytes[..end]);
        if begin > 0 || start == 0 {
            return Ok((start + whole as u64, Some(bytes[begin..end].to_vec())));
        }
        window = window.saturating_mul(4);
    }
}

#[cfg(test)]
mod tests;
