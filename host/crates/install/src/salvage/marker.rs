// SPDX-License-Identifier: Apache-2.0
//! The document that takes the journal's place while a recovery from the disk moves things.
//!
//! It is written before the first move, and says all that is to be done: the moves, each with the inode that is
//! moved, and the journal at the end. No other command believes it, so nothing can come in between, and a recovery
//! that was cut off is carried on where it was.

use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Serialize;

use super::plan::Decision;
use super::plan::Move;
use crate::journal::Journal;

/// The first member of the document.
pub(crate) const FORMAT: &str = "salvage/1";

/// A recovery from the disk that is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marker {
    pub(crate) txid: String,
    pub(crate) found: String,
    /// The journal that was there, as far as it could be read: when the moves do not fit the disk any more, the
    /// decision is taken again from it.
    pub(crate) old: Option<Journal>,
    /// It is the one written ahead of a commit.
    pub(crate) is_ahead: bool,
    pub(crate) moves: Vec<Move>,
    /// The journal at the end.
    pub(crate) journal: Journal,
    pub(crate) waiting: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    cofferdam: String,
    checksum: Digest,
    salvage: Marker,
}

/// The bytes of a marker.
///
/// # Panics
/// Never: a marker has text keys only.
pub fn encode(marker: &Marker) -> Vec<u8> {
    let envelope = Envelope {
        cofferdam: FORMAT.to_owned(),
        checksum: checksum(marker),
        salvage: marker.clone(),
    };
    let mut bytes = serde_json::to_vec_pretty(&envelope)
        .expect("a marker holds only numbers, text and maps with text keys");
    bytes.push(b'\n');
    bytes
}

/// Reads a marker; none for anything but the bytes that [`encode`] writes.
pub fn decode(bytes: &[u8]) -> Option<Marker> {
    let envelope: Envelope = serde_json::from_slice(bytes).ok()?;
    let sound = envelope.cofferdam == FORMAT
        && envelope.checksum == checksum(&envelope.salvage)
        && encode(&envelope.salvage) == bytes;
    sound.then_some(envelope.salvage)
}

fn checksum(marker: &Marker) -> Digest {
    let bytes = serde_json::to_vec(marker)
        .expect("a marker holds only numbers, text and maps with text keys");
    Digest::of(&bytes)
}

impl Marker {
    /// The decision that it carries on.
    pub(crate) fn decision(self) -> Decision {
        let live = self.journal.live_generation();
        Decision {
            live: self.journal.live,
            version: live.and_then(|live| live.version.clone()),
            confirmed: self.journal.is_confirmed(),
            generations: self.journal.generations.keys().copied().collect(),
            floors: self.journal.floors.clone(),
            txid: self.txid,
            found: self.found,
            moves: self.moves,
            compared: Vec::new(),
            not_believed: std::collections::BTreeMap::new(),
            waiting: self.waiting,
            continues: true,
            journal: self.journal,
        }
    }
}
