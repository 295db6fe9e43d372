// SPDX-License-Identifier: Apache-2.0
//! The document of a recovery from the disk that is under way: as it is found, and one alone put into its
//! envelope, so that an input need not guess a checksum. Only what is spelt as we spell it is believed.

use arbitrary::Unstructured;
use cofferdam_install::journal::codec;
use cofferdam_install::marker;

use crate::check::input;
use crate::text;

/// Takes the bytes of a marker, with its envelope or without.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    if let Some(found) = marker::decode(&data) {
        assert_eq!(marker::encode(&found), data, "one marker, one spelling");
        assert!(
            codec::decode(&data).is_err(),
            "nobody takes it for a journal"
        );
    }
    if let Ok(found) = serde_json::from_slice::<marker::Marker>(&data) {
        let written = marker::encode(&found);
        assert_eq!(marker::decode(&written), Some(found));
        // A flipped bit anywhere, the checksum included, and nobody believes it.
        let mut flipped = written.clone();
        let at = data.len() % flipped.len();
        flipped[at] ^= 1 << (data.len() % 8);
        assert_eq!(marker::decode(&flipped), None, "bit of byte {at}");
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [
        include_str!("../../corpus/marker/moves.json"),
        include_str!("../../corpus/marker/nothing-to-move.json"),
    ];
    text::json(u, &seeds)
}
