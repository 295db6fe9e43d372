// SPDX-License-Identifier: Apache-2.0
//! Content: what a blob holds, against its header, its name and the manifest; and compressed data
//! that says more or less than its content.

use std::io::Write as _;

use crate::Lie;
use crate::Signers;
use crate::Sound;
use crate::digest;
use crate::names::BLOB;
use crate::raw::RawEntry;
use crate::raw::RawZip;
use crate::raw::crc32;
use crate::sound::PROGRAM;

/// One deflate stream.
pub(crate) fn deflate(content: &[u8]) -> Vec<u8> {
    let mut encoder =
        flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// One zstd frame.
pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    zstd::encode_all(content, 3).unwrap()
}

/// The sound package with the program's blob compressed as these bytes.
pub(crate) fn compressed(signers: &Signers, content: &[u8], method: u16, data: &[u8]) -> RawZip {
    let mut sound = Sound::new();
    if content != PROGRAM {
        sound = sound.with_file("bin/more", content);
    }
    let mut zip = sound.zip(signers);
    let name = format!("blobs/{}", digest(content));
    let found = zip
        .entries
        .iter_mut()
        .find(|entry| entry.name == name.as_bytes());
    *found.unwrap() = RawEntry::compressed(&name, content, method, data);
    zip
}

pub(crate) fn lies() -> Vec<Lie> {
    [content(), listed(), deflated(), zstd_frames()]
        .into_iter()
        .flatten()
        .collect()
}

fn content() -> Vec<Lie> {
    const DIGEST: &str = "blob-digest-mismatch";
    let exchanged = |zip: &mut RawZip| {
        let contents = [BLOB, BLOB + 1].map(|index| zip.entries[index].data.clone());
        for (index, content) in [BLOB, BLOB + 1].into_iter().zip(contents.iter().rev()) {
            let name = String::from_utf8(zip.entries[index].name.clone()).unwrap();
            zip.entries[index] = RawEntry::stored(&name, content);
        }
    };
    vec![
        Lie::zip("other_content_with_its_own_checksum", DIGEST, |zip| {
            let entry = &mut zip.entries[BLOB];
            entry.data[0] ^= 1;
            let sum = crc32(&entry.data);
            entry.both(|header| header.crc32 = sum);
        }),
        Lie::zip("other_content_with_the_old_checksum", DIGEST, |zip| {
            zip.entries[BLOB].data[0] ^= 1;
        }),
        Lie::zip("a_blob_with_another_checksum", "zip-checksum", |zip| {
            zip.entries[BLOB].both(|header| header.crc32 ^= 1);
        }),
        Lie::zip("a_blob_without_a_checksum", "zip-checksum", |zip| {
            zip.entries[BLOB].both(|header| header.crc32 = 0);
        }),
        Lie::zip("a_manifest_with_another_checksum", "zip-checksum", |zip| {
            zip.entries[0].both(|header| header.crc32 ^= 1);
        }),
        Lie::zip("a_signature_with_another_checksum", "zip-checksum", |zip| {
            zip.entries[1].both(|header| header.crc32 ^= 1);
        }),
        Lie::zip(
            "blobs_whose_contents_are_exchanged",
            "blob-size-mismatch",
            exchanged,
        ),
        Lie::new(
            "blobs_of_one_size_whose_contents_are_exchanged",
            DIGEST,
            |signers| {
                let sound = Sound::new().with_file("x", b"one").with_file("y", b"two");
                let mut zip = sound.zip(signers);
                for entry in &mut zip.entries {
                    let content: &[u8] = match entry.data.as_slice() {
                        b"one" => b"two",
                        b"two" => b"one",
                        _ => continue,
                    };
                    let name = String::from_utf8(entry.name.clone()).unwrap();
                    *entry = RawEntry::stored(&name, content);
                }
                zip.build()
            },
        ),
        Lie::zip(
            "an_empty_blob_in_the_place_of_another",
            "blob-size-mismatch",
            |zip| {
                let name = String::from_utf8(zip.entries[BLOB].name.clone()).unwrap();
                zip.entries[BLOB] = RawEntry::stored(&name, b"");
            },
        ),
        Lie::zip(
            "another_manifest_under_the_old_signature",
            "signature-invalid",
            |zip| {
                let mut manifest = zip.entries[0].data.clone();
                let at = manifest
                    .windows(6)
                    .position(|text| text == b"\"1.1.0")
                    .unwrap();
                manifest[at + 1] = b'9';
                zip.entries[0] = RawEntry::stored("manifest.json", &manifest);
            },
        ),
    ]
}

fn listed() -> Vec<Lie> {
    vec![
        Lie::zip("a_blob_that_is_missing", "blob-missing", |zip| {
            zip.entries.remove(BLOB);
        }),
        Lie::zip("no_blobs_at_all", "blob-missing", |zip| {
            zip.entries.truncate(BLOB);
        }),
        Lie::zip("a_blob_that_nobody_listed", "blob-not-in-manifest", |zip| {
            let name = format!("blobs/{}", digest(b"more"));
            zip.entries.push(RawEntry::stored(&name, b"more"));
            zip.entries[BLOB..].sort_by(|a, b| a.name.cmp(&b.name));
        }),
        Lie::zip(
            "an_empty_blob_that_nobody_listed",
            "blob-not-in-manifest",
            |zip| {
                let name = format!("blobs/{}", digest(b""));
                zip.entries.push(RawEntry::stored(&name, b""));
                zip.entries[BLOB..].sort_by(|a, b| a.name.cmp(&b.name));
            },
        ),
        Lie::zip(
            "a_blob_that_is_longer_than_listed",
            "blob-size-mismatch",
            |zip| {
                let entry = &zip.entries[BLOB];
                let name = String::from_utf8(entry.name.clone()).unwrap();
                let content = [entry.data.as_slice(), b"!"].concat();
                zip.entries[BLOB] = RawEntry::stored(&name, &content);
            },
        ),
    ]
}

/// A lie in the deflate data of the program's blob.
fn deflate_lie(
    name: &str,
    code: &'static str,
    data: impl Fn(Vec<u8>) -> Vec<u8> + Send + Sync + 'static,
) -> Lie {
    Lie::new(name, code, move |signers| {
        compressed(signers, PROGRAM, 8, &data(deflate(PROGRAM))).build()
    })
}

fn deflated() -> Vec<Lie> {
    const STREAM: &str = "deflate-stream";
    const CORRUPT: &str = "blob-corrupt";
    let stored_block = |head: u8, content: &[u8]| {
        let length = content.len() as u16;
        let head = [
            [head].as_slice(),
            &length.to_le_bytes(),
            &(!length).to_le_bytes(),
        ]
        .concat();
        [head.as_slice(), content].concat()
    };
    vec![
        deflate_lie("bytes_behind_a_deflate_stream", STREAM, |data| {
            [data.as_slice(), b"hidden"].concat()
        }),
        deflate_lie("a_byte_behind_a_deflate_stream", STREAM, |data| {
            [data.as_slice(), &[0]].concat()
        }),
        deflate_lie("a_second_deflate_stream", STREAM, |data| data.repeat(2)),
        deflate_lie(
            "a_deflate_stream_without_its_last_byte",
            STREAM,
            |mut data| {
                data.pop();
                data
            },
        ),
        deflate_lie("half_a_deflate_stream", STREAM, |mut data| {
            data.truncate(data.len() / 2);
            data
        }),
        deflate_lie("no_deflate_stream", STREAM, |_| Vec::new()),
        deflate_lie("a_deflate_stream_that_never_ends", STREAM, move |_| {
            stored_block(0, PROGRAM)
        }),
        deflate_lie(
            "a_deflate_stream_with_an_empty_block_behind",
            STREAM,
            move |_| [stored_block(1, PROGRAM), stored_block(1, b"")].concat(),
        ),
        deflate_lie(
            "a_deflate_stream_of_empty_blocks",
            "zip-padded",
            move |_| [stored_block(0, b"").repeat(4_000), stored_block(1, PROGRAM)].concat(),
        ),
        deflate_lie("a_deflate_block_of_no_type", CORRUPT, |_| vec![0b111]),
        deflate_lie("a_deflate_block_whose_length_lies", CORRUPT, |_| {
            vec![1, 9, 0, 9, 0, 1, 2, 3]
        }),
        deflate_lie(
            "a_deflate_block_that_reaches_before_the_start",
            CORRUPT,
            |_| {
                // A fixed block that begins with a match.
                vec![0x03, 0xff, 0xff, 0xff]
            },
        ),
        deflate_lie("deflate_data_in_a_zlib_stream", CORRUPT, |data| {
            [[0x78, 0x9c].as_slice(), &data].concat()
        }),
        deflate_lie("deflate_data_in_a_gzip_file", CORRUPT, |data| {
            [[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].as_slice(), &data].concat()
        }),
        deflate_lie("zstd_data_that_claims_to_be_deflate", CORRUPT, |_| {
            zstd(PROGRAM)
        }),
        deflate_lie(
            "a_deflate_stream_of_more_than_claimed",
            "blob-size-mismatch",
            |_| deflate(&PROGRAM.repeat(2)),
        ),
        deflate_lie(
            "a_deflate_stream_of_less_than_claimed",
            "blob-size-mismatch",
            |_| deflate(&PROGRAM[1..]),
        ),
        deflate_lie(
            "a_deflate_stream_of_other_content",
            "blob-digest-mismatch",
            |_| deflate(&PROGRAM.to_ascii_uppercase()),
        ),
        Lie::new(
            "a_deflated_blob_with_another_checksum",
            "zip-checksum",
            |signers| {
                let mut zip = compressed(signers, PROGRAM, 8, &deflate(PROGRAM));
                let name = format!("blobs/{}", digest(PROGRAM));
                for entry in &mut zip.entries {
                    if entry.name == name.as_bytes() {
                        entry.both(|header| header.crc32 ^= 1);
                    }
                }
                zip.build()
            },
        ),
    ]
}

/// A lie in the zstd data of the program's blob.
fn zstd_lie(
    name: &str,
    code: &'static str,
    data: impl Fn() -> Vec<u8> + Send + Sync + 'static,
) -> Lie {
    Lie::new(name, code, move |signers| {
        compressed(signers, PROGRAM, 93, &data()).build()
    })
}

/// The first four bytes of every frame.
pub(crate) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// A frame of one raw block behind this descriptor.
fn frame(head: &[u8], content: &[u8]) -> Vec<u8> {
    let block = (content.len() as u32) << 3 | 1;
    [MAGIC.as_slice(), head, &block.to_le_bytes()[..3], content].concat()
}

fn zstd_frames() -> Vec<Lie> {
    const FRAME: &str = "zstd-frame";
    const WINDOW: &str = "zstd-window";
    let skippable = [0x50, 0x2a, 0x4d, 0x18, 1, 0, 0, 0, 9];
    let sound = || frame(&[0x00, 0x58], PROGRAM);
    vec![
        zstd_lie("two_frames", FRAME, move || sound().repeat(2)),
        zstd_lie("a_skippable_frame_behind", FRAME, move || {
            [sound().as_slice(), &skippable].concat()
        }),
        zstd_lie("a_skippable_frame_before", FRAME, move || {
            [skippable.as_slice(), &sound()].concat()
        }),
        zstd_lie("an_empty_frame_behind", FRAME, move || {
            [sound(), frame(&[0, 0x58], b"")].concat()
        }),
        zstd_lie("a_byte_behind_a_frame", FRAME, move || {
            [sound().as_slice(), &[0]].concat()
        }),
        zstd_lie("a_frame_without_its_last_byte", FRAME, move || {
            let mut data = sound();
            data.pop();
            data
        }),
        zstd_lie("a_frame_of_empty_blocks", "zip-padded", move || {
            let sound = sound();
            let (head, content) = sound.split_at(6);
            [head, &[0; 3].repeat(4_000), content].concat()
        }),
        zstd_lie("no_frame", FRAME, Vec::new),
        zstd_lie("a_frame_of_an_old_version", FRAME, || {
            [&[0x27, 0xb5, 0x2f, 0xfd], &sound_tail()[..]].concat()
        }),
        zstd_lie("a_frame_without_a_mark", FRAME, sound_tail),
        zstd_lie("a_frame_with_a_reserved_bit", FRAME, || {
            frame(&[0x08, 0x58], PROGRAM)
        }),
        zstd_lie("a_frame_with_an_unused_bit", FRAME, || {
            frame(&[0x10, 0x58], PROGRAM)
        }),
        zstd_lie("a_frame_that_needs_a_dictionary", FRAME, || {
            frame(&[0x01, 0x58, 7], PROGRAM)
        }),
        zstd_lie("a_frame_of_another_size", FRAME, || {
            frame(&[0x20, PROGRAM.len() as u8 + 1], PROGRAM)
        }),
        zstd_lie("a_frame_that_says_4_gib", FRAME, || {
            frame(&[0xc0, 0x58, 0, 0, 0, 0, 1, 0, 0, 0], PROGRAM)
        }),
        zstd_lie("a_block_of_a_reserved_type", FRAME, || {
            [MAGIC.as_slice(), &[0, 0x58, 7, 0, 0]].concat()
        }),
        zstd_lie("a_block_that_is_too_large", FRAME, || {
            [MAGIC.as_slice(), &[0, 0x58, 0xf9, 0xff, 0xff]].concat()
        }),
        zstd_lie("a_frame_without_a_last_block", FRAME, || {
            let mut data = frame(&[0, 0x58], PROGRAM);
            data[6] &= !1;
            data
        }),
        zstd_lie("a_window_of_9_mib", WINDOW, || frame(&[0, 0x69], PROGRAM)),
        zstd_lie("a_window_of_128_mib", WINDOW, || frame(&[0, 0x88], PROGRAM)),
        zstd_lie("the_largest_window", WINDOW, || frame(&[0, 0xff], PROGRAM)),
        zstd_lie("a_frame_of_more_than_claimed", "blob-size-mismatch", || {
            frame(&[0, 0x58], &PROGRAM.repeat(2))
        }),
        zstd_lie("a_frame_of_less_than_claimed", "blob-size-mismatch", || {
            frame(&[0, 0x58], &PROGRAM[1..])
        }),
        zstd_lie("a_frame_of_other_content", "blob-digest-mismatch", || {
            frame(&[0, 0x58], &PROGRAM.to_ascii_uppercase())
        }),
        zstd_lie("a_frame_with_a_wrong_checksum", "blob-corrupt", || {
            [frame(&[0x04, 0x58], PROGRAM), vec![1, 2, 3, 4]].concat()
        }),
        zstd_lie("a_compressed_block_of_nonsense", "blob-corrupt", || {
            let mut data = frame(&[0, 0x58], PROGRAM);
            data[6] |= 0b100;
            data
        }),
        zstd_lie("deflate_data_that_claims_to_be_zstd", FRAME, || {
            deflate(PROGRAM)
        }),
    ]
}

/// What stands behind the mark of a sound frame.
fn sound_tail() -> Vec<u8> {
    frame(&[0, 0x58], PROGRAM)[4..].to_vec()
}
