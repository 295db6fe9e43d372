// SPDX-License-Identifier: Apache-2.0
//! What zstd data may look like from outside.

use super::*;

/// A zstd frame with this descriptor and these bytes behind it, as the blob.
fn zstd_blob(data: &[u8]) -> RawZip {
    sound_but(|zip| zip.entries[1] = RawEntry::compressed(&blob_name(), CONTENT, 93, data))
}

#[test]
fn zstd_data_is_one_plain_frame_that_we_can_afford() {
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
    // One raw block of the twelve bytes, marked as the last.
    let block = [[12 << 3 | 1, 0, 0].as_slice(), CONTENT].concat();
    let frame = |head: &[u8]| [MAGIC.as_slice(), head, &block].concat();
    let sound = frame(&[0x00, 0x58]);
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9];
    for (data, code) in [
        (sound.clone(), "accepted"),
        (frame(&[0x20, 12]), "accepted"),
        (frame(&[0x00, 0xff]), "zstd-window"),
        (frame(&[0x00, 0x69]), "zstd-window"),
        (frame(&[0x20, 13]), "zstd-frame"),
        (frame(&[0x01, 0x58, 7]), "zstd-frame"),
        (frame(&[0x08, 0x58]), "zstd-frame"),
        ([sound.clone(), sound.clone()].concat(), "zstd-frame"),
        ([sound.as_slice(), &skippable].concat(), "zstd-frame"),
        ([skippable.as_slice(), &sound].concat(), "zstd-frame"),
        ([sound.as_slice(), &[0]].concat(), "zstd-frame"),
        (sound[..sound.len() - 1].to_vec(), "zstd-frame"),
        (
            [MAGIC.as_slice(), &[0, 0x58, 7, 0, 0]].concat(),
            "zstd-frame",
        ),
        (
            [MAGIC.as_slice(), &[0, 0x58, 0xf9, 0xff, 0xff]].concat(),
            "zstd-frame",
        ),
    ] {
        assert_refused(&zstd_blob(&data), code);
    }
}
