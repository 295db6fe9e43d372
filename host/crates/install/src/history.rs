// SPDX-License-Identifier: Apache-2.0
//! The history: `history.jsonl`, one record a line, each with the hash of the line before it.
//!
//! The chain shows accidents and edits by others than root. A crash in the middle of an append
//! leaves a torn last line without its line feed: readers leave it out and say so, and the next
//! append cuts it. Any other line that is not a record of this chain is damage, and is reported
//! with its number, never skipped.
//!
//! That records are missing at the end, no chain can show: the journal knows the last one
//! ([`HistoryEnd`]), and is written after it. So a history that is longer than the journal says was cut
//! off between the two, and is believed; one that is shorter has lost records. The next append
//! then goes on from the one that the journal knows, so that the gap is there for all to see.

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::error::io_code;
use crate::layout;

/// Stops a file that is not ours from being read into memory: some hundred thousand records.
const CAP_BYTES: u64 = 1 << 30;

/// How much is read from the end at first: some dozen records of an update.
const FIRST_WINDOW_BYTES: u64 = 64 * 1024;

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

/// Where a history ends: what is to be there at the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryEnd {
    /// The number of the last record.
    pub seq: u64,
    /// The SHA-256 of its line, without its line feed: the `prev` of the next.
    pub digest: Digest,
}

/// A history whose chain holds.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// Its records, oldest first.
    pub records: Vec<Record>,
    /// The last of them.
    pub end: Option<HistoryEnd>,
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
    /// It ends before the last record that the journal knows of.
    #[error("`history.jsonl` ends with record {found}, expected {expected} or a later one")]
    Cut {
        /// The number of its last record; 0 when there is none.
        found: u64,
        /// The number of the last one that the journal knows.
        expected: u64,
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
            Self::Cut { .. } => "history-cut",
            Self::Io { source, .. } => io_code(source),
        }
    }
}

impl History {
    /// The same history, if it holds everything up to `known`.
    ///
    /// # Errors
    /// It ends before, or has another record there.
    pub fn reaching(self, known: Option<&HistoryEnd>) -> Result<Self, HistoryError> {
        let Some(known) = known else {
            return Ok(self);
        };
        let found = self.end.map_or(0, |end| end.seq);
        if found < known.seq {
            return Err(HistoryError::Cut {
                found,
                expected: known.seq,
            });
        }
        // Records are numbered without a gap: the one after `known` has its digest.
        let after = self.records.iter().find(|record| record.seq > known.seq);
        let digest = match (after, self.end) {
            (Some(after), _) if after.seq == known.seq.saturating_add(1) => Some(after.prev),
            (None, Some(end)) => Some(end.digest),
            // Only the records from a later one on were read.
            (Some(_) | None, _) => None,
        };
        match digest {
            Some(digest) if digest != known.digest => Err(HistoryError::Broken {
                line: known.seq,
                reason: format!("it is {digest}, but the journal knows {}", known.digest),
            }),
            Some(_) | None => Ok(self),
        }
    }
}

/// Reads the history and verifies its chain, from record `from` on.
pub(crate) fn read(state: &Dir, from: u64) -> Result<History, HistoryError> {
    let bytes = layout::read_file(state, layout::HISTORY, CAP_BYTES)
        .map_err(|source| HistoryError::Io {
            doing: "read",
            source,
        })?
        .unwrap_or_default();
    verify_from(&bytes, from)
}

/// Reads the end of the history, verified as by [`verify_from`]: every record from the last one that the
/// journal knows of on, and as many before it as it takes to find one that is `wanted`. What this costs
/// does not depend on what is older.
pub(crate) fn read_end(
    state: &Dir,
    known: Option<&HistoryEnd>,
    wanted: impl Fn(&Record) -> bool,
) -> Result<History, HistoryError> {
    let begin = |lines: &[u8]| {
        let (mut end, mut is_found, mut is_known) = (lines.len(), false, false);
        while end > 0 && !(is_found && is_known) {
            let start = behind_last_line_feed(&lines[..end - 1]);
            let record: Record = serde_json::from_slice(&lines[start..end]).ok()?;
            is_found |= wanted(&record);
            is_known |= known.is_none_or(|known| record.seq <= known.seq);
            end = start;
        }
        (is_found && is_known).then_some(end)
    };
    let (_, lines) = read_back(state, begin)?;
    let first = lines.split(|byte| *byte == b'\n').next();
    let from = first.and_then(seq_of).unwrap_or(1);
    verify_from(&lines, from).map_err(|error| match error {
        // Every record has its line.
        HistoryError::Broken { line, reason } => HistoryError::Broken {
            line: line.saturating_add(from).saturating_sub(1),
            reason,
        },
        other => other,
    })
}

/// Verifies a chain of records.
///
/// # Errors
/// A line that is no record, has the wrong number, or does not carry the hash of the line before
/// it.
pub fn verify(bytes: &[u8]) -> Result<History, HistoryError> {
    verify_from(bytes, 1)
}

/// Verifies a chain from the record with number `from` on: what stands before it is not looked at,
/// and not believed.
///
/// # Errors
/// As for [`verify`]; there is no such record.
pub fn verify_from(bytes: &[u8], from: u64) -> Result<History, HistoryError> {
    let whole = written_whole(bytes);
    let mut lines = bytes[..whole]
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line))
        .zip(1_u64..)
        .peekable();
    let mut prev = Some(Digest::of(b""));
    if from > 1 {
        let mut last = None;
        while let Some((line, _)) = lines.next_if(|(line, _)| seq_of(line) != Some(from)) {
            last = seq_of(line);
        }
        prev = None;
        if lines.peek().is_none() {
            return Err(HistoryError::Cut {
                found: last.unwrap_or(0),
                expected: from,
            });
        }
    }
    let mut records: Vec<Record> = Vec::new();
    let mut end = None;
    for ((line, number), expected) in lines.zip(from.max(1)..) {
        let broken = |reason: String| HistoryError::Broken {
            line: number,
            reason,
        };
        let record: Record = serde_json::from_slice(line)
            .map_err(|error| broken(format!("it is no record: {error}")))?;
        if record.seq != expected {
            return Err(broken(format!(
                "its number is {}, expected {expected}",
                record.seq
            )));
        }
        if let Some(prev) = prev
            && record.prev != prev
        {
            return Err(broken(format!(
                "it follows {}, but the line before is {prev}",
                record.prev
            )));
        }
        let digest = Digest::of(line);
        prev = Some(digest);
        end = Some(HistoryEnd {
            seq: record.seq,
            digest,
        });
        records.push(record);
    }
    Ok(History {
        records,
        end,
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

fn seq_of(line: &[u8]) -> Option<u64> {
    let record: Record = serde_json::from_slice(line).ok()?;
    Some(record.seq)
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

/// Appends records behind the last whole line, cutting a torn one; answers with the new end. `known`
/// is the last record that the journal knows of.
///
/// Each is synced before the next is written: only the last line can be torn.
pub(crate) fn append(
    state: &Dir,
    known: Option<&HistoryEnd>,
    entries: Vec<Entry>,
) -> Result<Option<HistoryEnd>, HistoryError> {
    let (mut keep_bytes, line) = last_line(state)?;
    let found = line.map(|line| (seq_of(&line), Digest::of(&line)));
    let mut end = match (found, known) {
        (Some((Some(seq), digest)), known)
            if known.is_none_or(|known| seq > known.seq || digest == known.digest) =>
        {
            Some(HistoryEnd { seq, digest })
        }
        // The last record was cut off or edited: the gap between it and the next stays to be seen.
        (_, Some(known)) => Some(*known),
        (None, None) => None,
        (Some(_), None) => {
            return Err(HistoryError::Broken {
                line: 0,
                reason: "the last line is no record".to_owned(),
            });
        }
    };
    for entry in entries {
        let record = Record {
            seq: end.map_or(1, |end| end.seq.saturating_add(1)),
            prev: end.map_or_else(|| Digest::of(b""), |end| end.digest),
            at_unix_s: entry.at_unix_s,
            txid: entry.txid,
            kind: entry.kind,
            body: entry.body,
        };
        let line = encode(&record);
        // Before: as it was. In the middle: a torn line. After: one record more.
        durable::append(state, layout::HISTORY, keep_bytes, &line).map_err(|source| {
            HistoryError::Io {
                doing: "append to",
                source,
            }
        })?;
        keep_bytes += line.len() as u64;
        end = Some(HistoryEnd {
            seq: record.seq,
            digest: Digest::of(line.strip_suffix(b"\n").unwrap_or(&line)),
        });
    }
    Ok(end)
}

/// The length of all whole lines, and the last of them.
fn last_line(state: &Dir) -> Result<(u64, Option<Vec<u8>>), HistoryError> {
    let begin = |lines: &[u8]| Some(behind_last_line_feed(&lines[..lines.len().checked_sub(1)?]));
    let (length, line) = read_back(state, begin)?;
    let line = line.strip_suffix(b"\n").map(<[u8]>::to_vec);
    Ok((length, line))
}

/// The length of all whole lines, and those from where `begin` says on, read from the end in growing
/// pieces; all of them where it never says.
fn read_back(
    state: &Dir,
    begin: impl Fn(&[u8]) -> Option<usize>,
) -> Result<(u64, Vec<u8>), HistoryError> {
    use std::os::unix::fs::FileExt as _;
    let io = |source| HistoryError::Io {
        doing: "read",
        source,
    };
    let Some(file) = layout::open_file(state, layout::HISTORY, CAP_BYTES).map_err(io)? else {
        return Ok((0, Vec::new()));
    };
    let length = file.metadata().map_err(io)?.len();
    let mut window = FIRST_WINDOW_BYTES;
    loop {
        let start = length.saturating_sub(window);
        let mut bytes = vec![0; (length - start) as usize];
        file.read_exact_at(&mut bytes, start).map_err(io)?;
        // The first line of a piece may lack its beginning.
        let first = match start {
            0 => Some(0),
            _ => bytes
                .iter()
                .position(|byte| *byte == b'\n')
                .map(|at| at + 1),
        };
        let whole = written_whole(&bytes);
        let lines = first.and_then(|first| bytes.get(first..whole).map(|lines| (first, lines)));
        let from = lines.and_then(|(first, lines)| Some(first + begin(lines)?));
        match from {
            None if start > 0 => window = window.saturating_mul(4),
            from => {
                let wanted = bytes[from.unwrap_or(0)..whole].to_vec();
                return Ok((start + whole as u64, wanted));
            }
        }
    }
}

#[cfg(test)]
mod tests;
