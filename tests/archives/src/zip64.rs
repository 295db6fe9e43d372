// SPDX-License-Identifier: Apache-2.0
//! The second set of numbers that large archives have: where nothing needs it, and where it lies.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::Value;
use serde_json::json;

use crate::Lie;
use crate::Signers;
use crate::Sound;
use crate::digest;
use crate::names::BLOB;
use crate::raw::RawZip;
use crate::raw::RawZip64;

const CODE: &str = "zip-zip64";

pub(crate) fn lies() -> Vec<Lie> {
    [needless(), offsets(), needed()]
        .into_iter()
        .flatten()
        .collect()
}

fn with(name: &str, code: &'static str, change: fn(&mut RawZip64, &mut RawZip)) -> Lie {
    Lie::zip(name, code, move |zip| {
        let mut zip64 = RawZip64::default();
        change(&mut zip64, zip);
        zip.zip64 = Some(zip64);
    })
}

fn needless() -> Vec<Lie> {
    const DISKS: &str = "zip-multi-disk";
    vec![
        with("zip64_records_without_need", CODE, |_, _| {}),
        with(
            "zip64_records_that_the_end_asks_for_without_need",
            CODE,
            |_, zip| {
                zip.end.entries = Some(u16::MAX);
                zip.end.directory_bytes = Some(u32::MAX);
                zip.end.directory_offset = Some(u32::MAX);
            },
        ),
        with("a_zip64_locator_alone", CODE, |zip64, _| {
            zip64.is_only_locator = true;
        }),
        with(
            "a_zip64_locator_that_points_past_the_record",
            CODE,
            |zip64, _| {
                zip64.locator_shift = 8;
            },
        ),
        with(
            "a_zip64_locator_that_points_before_the_record",
            CODE,
            |zip64, _| {
                zip64.locator_shift = 0_u64.wrapping_sub(8);
            },
        ),
        with(
            "a_zip64_locator_that_points_to_the_start",
            CODE,
            |zip64, zip| {
                let before: usize = zip
                    .entries
                    .iter()
                    .map(|entry| 76 + 2 * entry.name.len() + entry.data.len())
                    .sum();
                zip64.locator_shift = 0_u64.wrapping_sub(before as u64);
            },
        ),
        with(
            "a_zip64_locator_that_points_to_the_end_of_time",
            CODE,
            |zip64, _| {
                zip64.locator_shift = u64::MAX - 10_000;
            },
        ),
        with("a_zip64_locator_on_another_disk", DISKS, |zip64, _| {
            zip64.locator_disk = 1;
        }),
        with("a_zip64_locator_of_no_disks", DISKS, |zip64, _| {
            zip64.disks = Some(0);
        }),
        with("a_zip64_locator_of_two_disks", DISKS, |zip64, _| {
            zip64.disks = Some(2);
        }),
        with("a_zip64_record_with_a_damaged_mark", CODE, |zip64, _| {
            zip64.signature = Some(0x0606_4b51);
        }),
        with("a_zip64_record_with_an_extension", CODE, |zip64, _| {
            zip64.extension = vec![0; 8];
        }),
        with(
            "a_zip64_record_that_claims_an_extension",
            CODE,
            |zip64, _| {
                zip64.record_bytes = Some(52);
            },
        ),
        with("a_zip64_record_that_claims_all_memory", CODE, |zip64, _| {
            zip64.record_bytes = Some(u64::MAX);
        }),
        with("a_zip64_record_on_another_disk", DISKS, |zip64, _| {
            zip64.disk = 1;
        }),
        with("a_zip64_directory_on_another_disk", DISKS, |zip64, _| {
            zip64.directory_disk = 1;
        }),
        with("fewer_zip64_entries_on_this_disk", DISKS, |zip64, _| {
            zip64.entries_here = Some(1);
        }),
        with("more_entries_in_zip64_than_in_the_end", CODE, |zip64, _| {
            zip64.entries = Some(70_000);
        }),
        with(
            "more_entries_in_zip64_than_anyone_has",
            "zip-too-many-entries",
            |zip64, zip| {
                zip.end.entries = Some(u16::MAX);
                zip.end.directory_bytes = Some(u32::MAX);
                zip64.entries = Some(u64::MAX);
            },
        ),
        with(
            "another_place_in_zip64_than_in_the_end",
            CODE,
            |zip64, _| {
                zip64.directory_offset = Some(1 << 33);
            },
        ),
        with(
            "a_place_in_zip64_that_overflows",
            "zip-directory-misplaced",
            |zip64, zip| {
                zip.end.directory_bytes = Some(u32::MAX);
                zip.end.directory_offset = Some(u32::MAX);
                zip64.directory_offset = Some(u64::MAX - 3);
            },
        ),
        with(
            "a_size_in_zip64_that_fills_the_memory",
            "zip-directory-misplaced",
            |zip64, zip| {
                zip.end.directory_bytes = Some(u32::MAX);
                zip64.directory_bytes = Some(1 << 40);
            },
        ),
    ]
}

fn offsets() -> Vec<Lie> {
    let field = |values: &[u64]| {
        let mut field = vec![1, 0, 8 * values.len() as u8, 0];
        field.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        field
    };
    vec![
        Lie::zip("a_zip64_offset_without_need", CODE, move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            zip.entries[BLOB].central.extra = field(&[9]);
        }),
        Lie::zip("a_zip64_offset_that_is_missing", CODE, |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
        }),
        Lie::zip("a_zip64_offset_that_is_cut_off", CODE, move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            zip.entries[BLOB].central.extra = field(&[1 << 32])[..8].to_vec();
        }),
        Lie::zip("a_zip64_offset_and_more", "zip-zip64", move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            zip.entries[BLOB].central.extra = field(&[1 << 32, 0])[..12].to_vec();
        }),
        Lie::zip("a_zip64_offset_behind_another_field", CODE, move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            let other = [0x55, 0x54, 0, 0].as_slice();
            zip.entries[BLOB].central.extra = [other, &field(&[1 << 32])[..8]].concat();
        }),
        Lie::zip("a_zip64_offset_beyond_the_file", "zip-gap", move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            zip.entries[BLOB].central.extra = field(&[1 << 40]);
        }),
        Lie::zip("a_zip64_offset_that_overflows", "zip-gap", move |zip| {
            zip.entries[BLOB].offset = Some(u32::MAX);
            zip.entries[BLOB].central.extra = field(&[u64::MAX]);
        }),
        Lie::zip(
            "sizes_that_stand_in_a_zip64_field",
            "zip-entry-too-large",
            move |zip| {
                let blob = &mut zip.entries[BLOB];
                let bytes = blob.data.len() as u64;
                blob.both(|header| {
                    header.bytes = u32::MAX;
                    header.compressed_bytes = u32::MAX;
                });
                blob.central.extra = field(&[bytes]);
            },
        ),
        Lie::zip(
            "local_sizes_that_stand_in_a_zip64_field",
            "zip-gap",
            move |zip| {
                let blob = &mut zip.entries[BLOB];
                blob.local.bytes = u32::MAX;
                blob.local.compressed_bytes = u32::MAX;
                blob.local.extra = field(&[blob.data.len() as u64; 2]);
            },
        ),
    ]
}

/// An archive of 65,536 blobs, which needs zip64, sound in itself.
#[must_use]
pub fn large(signers: &Signers) -> Vec<u8> {
    /// The archive of the signer who asked last: seven lies start from it.
    static BUILT: Mutex<Option<(String, Vec<u8>)>> = Mutex::new(None);
    let mut built = BUILT.lock().unwrap();
    match &*built {
        Some((id, bytes)) if *id == signers.vendor.id => bytes.clone(),
        _ => {
            let bytes = build_large(signers);
            *built = Some((signers.vendor.id.clone(), bytes.clone()));
            bytes
        }
    }
}

fn build_large(signers: &Signers) -> Vec<u8> {
    let contents: BTreeMap<String, Vec<u8>> = (0..65_536_u32)
        .map(|number| number.to_le_bytes().to_vec())
        .map(|content| (digest(&content), content))
        .collect();
    let mut sound = Sound::new();
    let entry = |(number, digest): (usize, &String)| {
        json!({ "path": format!("f/{number:05}"), "type": "file", "digest": digest, "bytes": 4,
                "mode": "0644" })
    };
    let blobs = contents.keys().map(|digest| (digest.clone(), json!(4)));
    sound.manifest["entries"] = contents.keys().enumerate().map(entry).collect();
    sound.manifest["config"] = json!({});
    sound.manifest["blobs"] = Value::Object(blobs.collect());
    sound.contents = contents.into_values().collect();
    let mut zip = sound.zip(signers);
    zip.zip64 = Some(RawZip64::default());
    zip.build()
}

/// Changes of an archive that needs zip64, in its end records.
fn needed() -> Vec<Lie> {
    const RECORD: usize = 56 + 20 + 22;
    const END: usize = 22;
    let change = |name: &str, code: &'static str, at: usize, bytes: &'static [u8]| {
        Lie::new(name, code, move |signers| {
            let mut archive = large(signers);
            let at = archive.len() - at;
            archive[at..at + bytes.len()].copy_from_slice(bytes);
            archive
        })
    };
    vec![
        change(
            "a_needed_zip64_record_made_by_a_newer_version",
            CODE,
            RECORD - 12,
            &[45, 0],
        ),
        change(
            "a_needed_zip64_record_made_on_unix",
            CODE,
            RECORD - 13,
            &[3],
        ),
        change(
            "a_needed_zip64_record_that_needs_a_newer_version",
            CODE,
            RECORD - 14,
            &[45, 0],
        ),
        change(
            "fewer_entries_in_the_end_than_in_zip64",
            CODE,
            END - 8,
            &[1, 0, 1, 0],
        ),
        change(
            "a_size_in_the_end_that_zip64_has_too",
            CODE,
            END - 12,
            &[0, 0, 0, 1],
        ),
        change(
            "a_place_in_the_end_that_zip64_has_not",
            CODE,
            END - 16,
            &[0xff; 4],
        ),
        change(
            "a_needed_zip64_record_whose_locator_is_damaged",
            "zip-directory-misplaced",
            END + 20,
            &[0],
        ),
    ]
}
