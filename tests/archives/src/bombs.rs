// SPDX-License-Identifier: Apache-2.0
//! Little to send, much to unpack: bombs with right checksums, caps, and claims that nobody can pay.

use std::collections::BTreeMap;

use serde_json::json;

use crate::Lie;
use crate::Signers;
use crate::Sound;
use crate::blobs::MAGIC;
use crate::blobs::compressed;
use crate::blobs::deflate;
use crate::digest;
use crate::names::BLOB;
use crate::raw::RawEntry;
use crate::raw::RawZip;
use crate::sound::PROGRAM;

/// Far more than what a refusal may take.
const MUCH: usize = 256 << 20;

pub(crate) fn lies() -> Vec<Lie> {
    [unpacked(), claimed(), many()]
        .into_iter()
        .flatten()
        .collect()
}

/// A frame that unpacks to so many bytes of `x`, four bytes for each 128 KiB.
fn repeated(bytes: usize) -> Vec<u8> {
    const BLOCK: usize = 128 << 10;
    let blocks = bytes / BLOCK;
    let mut data = [MAGIC.as_slice(), &[0, 0x58]].concat();
    for number in 1..=blocks {
        let last = u32::from(number == blocks);
        data.extend(&((BLOCK as u32) << 3 | 0b10 | last).to_le_bytes()[..3]);
        data.push(b'x');
    }
    data
}

/// The first megabyte deflated ends at a byte, so that it can stand as often as one likes.
fn deflated_often(mib: usize) -> Vec<u8> {
    let mut encoder = flate2::Compress::new(flate2::Compression::best(), false);
    let mut part = Vec::with_capacity(1 << 20);
    let content = vec![b'x'; 1 << 20];
    let flush = flate2::FlushCompress::Full;
    encoder.compress_vec(&content, &mut part, flush).unwrap();
    assert_eq!(encoder.total_in(), 1 << 20);
    let mut data = part.repeat(mib);
    // An empty last block.
    data.extend([1, 0, 0, 0xff, 0xff]);
    data
}

fn unpacked() -> Vec<Lie> {
    let true_bomb = |signers: &Signers| {
        let content = vec![b'x'; 64 << 20];
        compressed(signers, &content, 93, &repeated(64 << 20)).build()
    };
    let claims = |method: u16, data: fn() -> Vec<u8>, claimed: u32| {
        move |signers: &Signers| {
            let mut zip = compressed(signers, PROGRAM, method, &data());
            let name = format!("blobs/{}", digest(PROGRAM));
            let entry = zip
                .entries
                .iter_mut()
                .find(|entry| entry.name == name.as_bytes());
            let entry = entry.unwrap();
            let data = entry.data.len() as u32;
            entry.both(|header| {
                header.bytes = claimed;
                header.compressed_bytes = data;
            });
            zip.build()
        }
    };
    let small = PROGRAM.len() as u32;
    vec![
        Lie::new("a_zstd_bomb_with_right_checksums", "zip-ratio", true_bomb),
        Lie::new(
            "a_zstd_bomb_that_claims_to_be_small",
            "zip-padded",
            claims(93, || repeated(MUCH), small),
        ),
        Lie::new(
            "a_deflate_bomb_that_claims_to_be_small",
            "zip-padded",
            claims(8, || deflated_often(256), small),
        ),
        Lie::new(
            "a_deflate_bomb_of_more_than_is_listed",
            "blob-size-mismatch",
            claims(8, || deflated_often(256), MUCH as u32),
        ),
        Lie::new(
            "a_bomb_in_a_bomb",
            "blob-size-mismatch",
            claims(8, || deflate(&repeated(MUCH)), small),
        ),
        Lie::new(
            "a_bomb_that_a_blob_claims",
            "zip-ratio",
            claims(8, || vec![3, 0], 2 << 20),
        ),
        Lie::new(
            "an_empty_entry_of_2_mib",
            "zip-ratio",
            claims(93, Vec::new, 2 << 20),
        ),
        Lie::new("a_single_segment_of_9_mib", "zstd-window", |signers| {
            let content = vec![b'x'; 9 << 20];
            let mut data = repeated(9 << 20);
            let size = (9_u32 << 20).to_le_bytes();
            // No window, but the size of the content stands for one.
            data.splice(4..6, [[0xa0].as_slice(), &size].concat());
            // Enough blocks without content to stay below the ratio.
            let first_block = 4 + 1 + 4;
            data.splice(first_block..first_block, [0, 0, 0].repeat(3_000));
            compressed(signers, &content, 93, &data).build()
        }),
    ]
}

fn claimed() -> Vec<Lie> {
    const LARGE: &str = "zip-entry-too-large";
    let both = |name: &str, index: usize, bytes: u32| {
        Lie::zip(name, LARGE, move |zip| {
            zip.entries[index].both(|header| {
                header.bytes = bytes;
                header.compressed_bytes = bytes;
            });
        })
    };
    vec![
        both("a_manifest_of_25_mib_that_is_not_there", 0, 25 << 20),
        both("a_manifest_of_4_gib_that_is_not_there", 0, u32::MAX),
        both("a_signature_of_1_mib_that_is_not_there", 1, 1 << 20),
        both("a_signature_of_4097_bytes_that_is_not_there", 1, 4_097),
        both("a_blob_of_4_gib_that_is_not_there", BLOB, u32::MAX),
        Lie::zip("a_blob_of_4_gib_compressed", LARGE, |zip| {
            zip.entries[BLOB].both(|header| {
                header.method = 8;
                header.compressed_bytes = u32::MAX;
            });
        }),
        Lie::new("a_manifest_of_25_mib", LARGE, |signers| {
            let mut sound = Sound::new();
            let mut text = sound.manifest_text().into_bytes();
            text.resize(25 << 20, b' ');
            sound.text = Some(text);
            sound.build(signers)
        }),
        Lie::new("a_signature_of_1_mib", LARGE, |signers| {
            let sound = Sound::new();
            let signature = signers.vendor.sign(&sound.manifest_bytes());
            let comment = format!("untrusted comment: {}", "x".repeat(1 << 20));
            let text = signature.replacen("untrusted comment: ", &comment, 1);
            let name = signers.vendor.entry_name();
            sound.zip_with(&[(name, text.into_bytes())]).build()
        }),
        Lie::new(
            "a_signature_with_a_trusted_comment_of_1_mib",
            LARGE,
            |signers| {
                let sound = Sound::new();
                let comment = "x".repeat(1 << 20);
                let text = signers.vendor.sign_with(&sound.manifest_bytes(), &comment);
                let name = signers.vendor.entry_name();
                sound.zip_with(&[(name, text.into_bytes())]).build()
            },
        ),
        Lie::new("64_gib_in_all", "zip-total-too-large", |signers| {
            let mut zip = Sound::new().zip(signers);
            zip.entries.truncate(BLOB);
            // As much as the ratio allows, 17 times.
            let data = vec![0; 4 << 20];
            for number in 0..17 {
                let name = format!("blobs/{number:064x}");
                let entry = RawEntry::compressed(&name, b"", 8, &data);
                zip.entries
                    .push(entry.with_both(|header| header.bytes = u32::MAX - 1));
            }
            zip.build()
        }),
    ]
}

/// The package with a manifest as large as can be, filled up by white space.
fn full(mut sound: Sound) -> Sound {
    const MOST: usize = 24 << 20;
    let mut text = sound.manifest_bytes();
    assert!(
        (MOST - MOST / 16..=MOST).contains(&text.len()),
        "{}",
        text.len()
    );
    text.resize(MOST, b' ');
    sound.text = Some(text);
    sound
}

fn many() -> Vec<Lie> {
    let signatures = |count: usize| {
        move |signers: &Signers| {
            let sound = Sound::new();
            let text = signers.vendor.sign(&sound.manifest_bytes()).into_bytes();
            let name = |number: usize| format!("signatures/{number:016X}.minisig");
            let files: Vec<_> = (0..count)
                .map(|number| (name(number), text.clone()))
                .collect();
            sound.zip_with(&files).build()
        }
    };
    vec![
        Lie::new("33_signatures", "zip-too-many-signatures", signatures(33)),
        Lie::new(
            "5000_signatures",
            "zip-too-many-signatures",
            signatures(5_000),
        ),
        Lie::new("100001_entries", "zip-too-many-entries", |signers| {
            let mut zip = Sound::new().zip(signers);
            zip.entries.truncate(BLOB);
            let entry = |number: u32| RawEntry::stored(&format!("blobs/{number:064x}"), b"");
            zip.entries.extend((0..99_999).map(entry));
            zip.zip64 = Some(crate::raw::RawZip64::default());
            zip.build()
        }),
        Lie::new(
            "99999_blobs_that_nobody_listed",
            "blob-not-in-manifest",
            |signers| {
                let mut zip = Sound::new().zip(signers);
                let own: Vec<RawEntry> = zip.entries.drain(BLOB..).collect();
                let entry = |number: u32| RawEntry::stored(&format!("blobs/{number:064x}"), b"");
                zip.entries.extend((0..99_996).map(entry));
                zip.entries.extend(own);
                zip.zip64 = Some(crate::raw::RawZip64::default());
                zip.build()
            },
        ),
        Lie::new(
            "the_largest_manifest_with_a_lie_at_its_end",
            "build-of-no-step",
            |signers| {
                let (count, part) = (78_000, "p".repeat(88));
                let entry = |number: u32| {
                    let path = format!("{part}{part}/{number:05}/f");
                    crate::sound::file(&path, PROGRAM)
                };
                let mut sound = Sound::new();
                sound.manifest["entries"] = (0..count).map(entry).collect();
                sound.manifest["config"] = json!({});
                sound.manifest["blobs"] = json!({ digest(PROGRAM): PROGRAM.len() });
                sound.manifest["builds"] = json!([{ "step": "none", "toolchain": "" }]);
                sound.contents.truncate(1);
                full(sound).build(signers)
            },
        ),
        Lie::new(
            "the_largest_package_with_a_lie_at_its_end",
            "blob-missing",
            |signers| {
                let contents: BTreeMap<String, Vec<u8>> = (0..80_000_u32)
                    .map(|number| number.to_le_bytes().to_vec())
                    .map(|content| (digest(&content), content))
                    .collect();
                let part = "p".repeat(105);
                let entry = |(number, digest): (usize, &String)| {
                    json!({ "path": format!("{part}/{number:05}"), "type": "file", "digest": digest,
                        "bytes": 4, "mode": "0644" })
                };
                let blobs = contents.keys().map(|digest| (digest.clone(), json!(4)));
                let mut sound = Sound::new();
                sound.manifest["entries"] = contents.keys().enumerate().map(entry).collect();
                sound.manifest["config"] = json!({});
                sound.manifest["blobs"] = serde_json::Value::Object(blobs.collect());
                sound.contents = contents.into_values().collect();
                sound.contents.pop();
                let mut zip = full(sound).zip(signers);
                zip.zip64 = Some(crate::raw::RawZip64::default());
                zip.build()
            },
        ),
        Lie::new("a_thousand_names_for_one_bomb", "zip-overlap", |signers| {
            // The directory names one entry again and again, each time a little later: what stands
            // between is quoted by blocks that are not compressed.
            let mut zip = Sound::new().zip(signers);
            zip.entries.truncate(BLOB);
            let bomb = deflated_often(16);
            let mut quoted = RawZip::new(Vec::new());
            quoted.entries.clone_from(&zip.entries);
            for number in 0..1_000_u32 {
                let name = format!("blobs/{number:064x}");
                let mut entry = RawEntry::compressed(&name, b"", 8, &[1, 100, 0, 155, 255]);
                let rest = bomb.len() as u32 + (1_000 - number) * 105;
                entry.both(|header| {
                    header.compressed_bytes = rest;
                    header.bytes = 16 << 20;
                });
                quoted.entries.push(entry);
            }
            quoted.before_directory = bomb;
            quoted.build()
        }),
        Lie::new("a_thousand_names_for_one_place", "zip-overlap", |signers| {
            let mut zip = Sound::new().zip(signers);
            let place = {
                let head = &zip.entries[..BLOB];
                let bytes = |entry: &RawEntry| 30 + entry.name.len() + entry.data.len();
                head.iter().map(bytes).sum::<usize>() as u32
            };
            zip.entries.truncate(BLOB);
            let bomb = deflated_often(16);
            let content = vec![b'x'; 16 << 20];
            for number in 0..1_000_u32 {
                let name = format!("blobs/{number:064x}");
                let mut entry = RawEntry::compressed(&name, &[], 8, &bomb);
                entry.both(|header| header.bytes = 16 << 20);
                entry.offset = Some(place);
                if number > 0 {
                    // Only the first is there.
                    entry.data = Vec::new();
                }
                zip.entries.push(entry);
            }
            let sum = crate::raw::crc32(&content);
            for entry in &mut zip.entries[BLOB..] {
                entry.both(|header| header.crc32 = sum);
            }
            zip.build()
        }),
    ]
}
