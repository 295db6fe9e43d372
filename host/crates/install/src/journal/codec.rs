// SPDX-License-Identifier: Apache-2.0
//! The journal's bytes on disk: strict JSON with a checksum, so that a damaged document is never
//! taken for a state.
//!
//! | found | answer |
//! |---|---|
//! | missing, empty, cut short, a bit flipped, edited | `journal-unreadable`: a person decides |
//! | written by a newer host | `journal-unreadable`, with the format found and expected |
//! | readable, but saying what cannot be (live generation unknown) | `journal-unreadable` |
//!
//! A document is accepted only when writing it again gives the same bytes: this covers duplicate
//! and unknown members, odd spellings of numbers and trailing bytes at one stroke.

use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Serialize;

use super::document::Journal;
use super::document::TreeSource;
use super::document::TxState;

/// The first member of the document.
pub const FORMAT: &str = "journal/1";

/// Stops a file that is not ours from being read into memory; a real journal has a few kilobytes.
pub const JOURNAL_CAP_BYTES: u64 = 16 * 1024 * 1024;

/// Why a journal cannot be believed.
#[derive(Debug, thiserror::Error)]
#[error("`transaction.json` cannot be believed: {reason}")]
pub struct UnreadableJournal {
    /// What is wrong with it.
    pub reason: String,
}

impl UnreadableJournal {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "journal-unreadable"
    }

    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    cofferdam: String,
    checksum: Digest,
    journal: Journal,
}

#[derive(Deserialize)]
struct Tag {
    cofferdam: String,
}

/// Writes a journal.
///
/// # Panics
/// When a config file's path is not UTF-8, which is refused before it gets into a journal.
pub fn encode(journal: &Journal) -> Vec<u8> {
    let envelope = Envelope {
        cofferdam: FORMAT.to_owned(),
        checksum: checksum(journal),
        journal: journal.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&envelope)
        .expect("a journal holds only numbers, text and maps with text keys");
    bytes.push(b'\n');
    bytes
}

/// Reads a journal.
///
/// # Errors
/// Anything but the bytes that [`encode`] writes for a journal that makes sense.
pub fn decode(bytes: &[u8]) -> Result<Journal, UnreadableJournal> {
    if bytes.is_empty() {
        return Err(UnreadableJournal::new("it is empty"));
    }
    let tag: Tag = serde_json::from_slice(bytes)
        .map_err(|error| UnreadableJournal::new(format!("it is not whole: {error}")))?;
    if tag.cofferdam == crate::salvage::marker::FORMAT {
        return Err(UnreadableJournal::new(
            "a recovery from the disk was cut off; it is to be carried on",
        ));
    }
    if tag.cofferdam != FORMAT {
        return Err(UnreadableJournal::new(format!(
            "its format is `{}`, expected `{FORMAT}`",
            tag.cofferdam
        )));
    }
    let envelope: Envelope = serde_json::from_slice(bytes)
        .map_err(|error| UnreadableJournal::new(format!("it does not fit its format: {error}")))?;
    let expected = checksum(&envelope.journal);
    if envelope.checksum != expected {
        return Err(UnreadableJournal::new(format!(
            "its checksum is {}, expected {expected}",
            envelope.checksum
        )));
    }
    if encode(&envelope.journal) != bytes {
        return Err(UnreadableJournal::new(
            "it was not written by this program in this form",
        ));
    }
    make_sense(&envelope.journal)?;
    Ok(envelope.journal)
}

fn checksum(journal: &Journal) -> Digest {
    let bytes = serde_json::to_vec(journal)
        .expect("a journal holds only numbers, text and maps with text keys");
    Digest::of(&bytes)
}

/// What the types cannot say.
fn make_sense(journal: &Journal) -> Result<(), UnreadableJournal> {
    let live = journal.live;
    if !journal.generations.contains_key(&live) {
        return Err(UnreadableJournal::new(format!(
            "live generation {live} is not among its generations"
        )));
    }
    let next = journal.next_generation;
    if let Some((last, _)) = journal.generations.last_key_value()
        && *last >= next
    {
        return Err(UnreadableJournal::new(format!(
            "generation {last} exists, but the next one would be {next}"
        )));
    }
    let Some(transaction) = &journal.transaction else {
        return Ok(());
    };
    if transaction.from != live {
        return Err(UnreadableJournal::new(format!(
            "its transaction leaves generation {}, but {live} is live",
            transaction.from
        )));
    }
    let known = journal.generations.contains_key(&transaction.to);
    let fits = match transaction.tree {
        TreeSource::Built => transaction.to == next,
        TreeSource::Kept => known && transaction.to != live,
    };
    if !fits {
        return Err(UnreadableJournal::new(format!(
            "its transaction cannot lead to generation {}",
            transaction.to
        )));
    }
    match (&transaction.state, transaction.tree) {
        (TxState::Moving { .. }, TreeSource::Built) => Err(UnreadableJournal::new(
            "it moves a tree that is built in place",
        )),
        (TxState::Committing { old, new, .. }, TreeSource::Built | TreeSource::Kept)
            if old == new =>
        {
            Err(UnreadableJournal::new("it exchanges a tree with itself"))
        }
        (TxState::Moving { .. }, TreeSource::Kept)
        | (
            TxState::Building {} | TxState::Stopped {} | TxState::Committing { .. },
            TreeSource::Built | TreeSource::Kept,
        ) => Ok(()),
    }
}
