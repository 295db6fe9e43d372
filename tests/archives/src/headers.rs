// SPDX-License-Identifier: Apache-2.0
//! Fields of headers: what both say and must not, and where they differ.

use crate::Lie;
use crate::names::BLOB;
use crate::raw::RawEntry;
use crate::raw::RawHeader;
use crate::raw::RawZip;

pub(crate) fn lies() -> Vec<Lie> {
    [
        flags(),
        methods(),
        fixed(),
        extra(),
        mismatches(),
        compressed_too_early(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Both headers of a blob say this.
fn both(name: &str, code: &'static str, change: fn(&mut RawHeader)) -> Lie {
    Lie::zip(name, code, move |zip| zip.entries[BLOB].both(change))
}

/// The entry of a blob says this.
fn blob(name: &str, code: &'static str, change: fn(&mut RawEntry)) -> Lie {
    Lie::zip(name, code, move |zip| change(&mut zip.entries[BLOB]))
}

fn flags() -> Vec<Lie> {
    let code = |bit: u16| match bit {
        0 | 6 | 13 => "zip-encrypted",
        3 => "zip-data-descriptor",
        _ => "zip-flags",
    };
    let mut lies: Vec<Lie> = (0..16)
        .map(|bit| {
            Lie::zip(format!("flag_{bit}"), code(bit), move |zip| {
                zip.entries[BLOB].both(|header| header.flags = 1 << bit);
            })
        })
        .collect();
    lies.push(Lie::zip(
        "a_deflated_blob_that_tells_the_effort",
        "zip-flags",
        |zip| {
            deflated(zip);
            zip.entries[BLOB].both(|header| header.flags = 0b10);
        },
    ));
    lies.push(Lie::zip(
        "sizes_in_a_data_descriptor",
        "zip-data-descriptor",
        |zip| {
            let blob = &mut zip.entries[BLOB];
            let header = blob.central.clone();
            blob.after = [
                0x0807_4b50,
                header.crc32,
                header.compressed_bytes,
                header.bytes,
            ]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
            blob.both(|header| header.flags = 1 << 3);
            blob.local.crc32 = 0;
            blob.local.compressed_bytes = 0;
            blob.local.bytes = 0;
        },
    ));
    lies.push(Lie::zip(
        "a_data_descriptor_that_nothing_announces",
        "zip-gap",
        |zip| zip.entries[BLOB].after = vec![0; 16],
    ));
    lies
}

/// Makes the blob a deflated one.
pub(crate) fn deflated(zip: &mut RawZip) {
    let entry = &zip.entries[BLOB];
    let (name, content) = (
        String::from_utf8(entry.name.clone()).unwrap(),
        entry.data.clone(),
    );
    let data = crate::blobs::deflate(&content);
    zip.entries[BLOB] = RawEntry::compressed(&name, &content, 8, &data);
}

fn methods() -> Vec<Lie> {
    let named = [
        ("shrunk", 1),
        ("reduced", 2),
        ("imploded", 6),
        ("deflate64", 9),
        ("bzip2", 12),
        ("lzma", 14),
        ("old_zstd", 20),
        ("mp3", 94),
        ("xz", 95),
        ("jpeg", 96),
        ("ppmd", 98),
        ("aes", 99),
        ("no_known_method", 65_535),
    ];
    named
        .into_iter()
        .map(|(name, method)| {
            Lie::zip(format!("compressed_as_{name}"), "zip-method", move |zip| {
                zip.entries[BLOB].both(|header| header.method = method);
            })
        })
        .collect()
}

fn fixed() -> Vec<Lie> {
    vec![
        both("needs_no_version", "zip-version", |h| h.version = 0),
        both("needs_the_version_before", "zip-version", |h| h.version = 9),
        both("needs_the_version_of_deflate", "zip-version", |h| {
            h.version = 20;
        }),
        both("needs_the_version_of_zip64", "zip-version", |h| {
            h.version = 45;
        }),
        both("needs_the_newest_version", "zip-version", |h| {
            h.version = 63;
        }),
        both("needs_a_version_that_does_not_exist", "zip-version", |h| {
            h.version = 64;
        }),
        both("needs_a_version_for_another_system", "zip-version", |h| {
            h.version = 0x030a;
        }),
        blob("made_by_nothing", "zip-made-by", |e| e.made_by = 0),
        blob("made_on_dos", "zip-made-by", |e| e.made_by = 10),
        blob("made_on_windows", "zip-made-by", |e| e.made_by = 0x0a0a),
        blob("made_on_a_mac", "zip-made-by", |e| e.made_by = 0x130a),
        blob("made_by_a_newer_version", "zip-made-by", |e| {
            e.made_by = 0x033f;
        }),
        both("without_a_time", "zip-time", |h| h.time = 0),
        both("two_seconds_later", "zip-time", |h| h.time += 1),
        both("today", "zip-time", |h| h.time = 0x5d75_a000),
        both("on_day_0_of_month_15", "zip-time", |h| h.time = 0x01e0_0000),
        both("at_25_61_62", "zip-time", |h| h.time |= 0xcfbf),
        blob("attributes_of_text", "zip-attributes", |e| {
            e.internal_attributes = 1;
        }),
        blob("attributes_unknown", "zip-attributes", |e| {
            e.internal_attributes = 1 << 15;
        }),
        blob("attributes_of_nothing", "zip-attributes", |e| {
            e.external_attributes = 0;
        }),
        blob("attributes_with_setuid", "zip-attributes", |e| {
            e.external_attributes = 0o104_755 << 16;
        }),
        blob("attributes_of_a_link", "zip-attributes", |e| {
            e.external_attributes = 0o120_777 << 16;
        }),
        blob("attributes_of_a_device", "zip-attributes", |e| {
            e.external_attributes = 0o060_644 << 16;
        }),
        blob("attributes_of_a_program", "zip-attributes", |e| {
            e.external_attributes = 0o100_755 << 16;
        }),
        blob("attributes_of_a_directory", "zip-attributes", |e| {
            e.external_attributes |= 0x10;
        }),
        blob("attributes_of_a_hidden_file", "zip-attributes", |e| {
            e.external_attributes |= 2;
        }),
        blob("a_comment_on_an_entry", "zip-entry-comment", |e| {
            e.comment = b"x".to_vec();
        }),
        blob("a_long_comment_on_an_entry", "zip-directory-size", |e| {
            e.comment = vec![b'x'; 60_000];
        }),
        blob("an_entry_on_another_disk", "zip-multi-disk", |e| e.disk = 1),
        blob("an_entry_on_no_disk", "zip-multi-disk", |e| {
            e.disk = u16::MAX;
        }),
    ]
}

fn extra() -> Vec<Lie> {
    const CODE: &str = "zip-extra-field";
    let fields: [(&str, &[u8]); 9] = [
        ("a_time_field", &[0x55, 0x54, 5, 0, 1, 0, 0, 0, 0]),
        ("an_empty_field", &[0x55, 0x54, 0, 0]),
        ("an_ntfs_field", &[0x0a, 0, 4, 0, 0, 0, 0, 0]),
        ("an_owner_field", &[0x75, 0x78, 3, 0, 1, 0, 0]),
        (
            "another_name_in_unicode",
            &[0x75, 0x70, 6, 0, 1, 0, 0, 0, 0, b'x'],
        ),
        (
            "a_comment_in_unicode",
            &[0x75, 0x63, 6, 0, 1, 0, 0, 0, 0, b'x'],
        ),
        (
            "an_encryption_field",
            &[0x01, 0x99, 7, 0, 2, 0, b'A', b'E', 3, 0, 0],
        ),
        (
            "a_zip64_field_without_need",
            &[1, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        ),
        ("a_field_that_is_cut_off", &[1, 0]),
    ];
    let mut lies: Vec<Lie> = fields
        .into_iter()
        .map(|(name, field)| {
            Lie::zip(name, CODE, move |zip| {
                zip.entries[BLOB].central.extra = field.to_vec();
            })
        })
        .collect();
    lies.push(Lie::zip("a_field_in_both_headers", CODE, |zip| {
        zip.entries[BLOB].both(|header| header.extra = vec![0x55, 0x54, 0, 0]);
    }));
    lies.push(Lie::zip(
        "a_field_only_in_the_local_header",
        "zip-gap",
        |zip| {
            zip.entries[BLOB].local.extra = vec![0x55, 0x54, 0, 0];
        },
    ));
    lies.push(Lie::zip("a_field_in_the_place_of_content", CODE, |zip| {
        let blob = &mut zip.entries[BLOB];
        blob.local.extra = vec![0x55, 0x54, 0, 0];
        let kept = blob.data.len() - 4;
        blob.data.truncate(kept);
    }));
    lies
}

fn mismatches() -> Vec<Lie> {
    const CODE: &str = "zip-local-mismatch";
    let other_name = |entry: &mut RawEntry| entry.local.name = Some(vec![b'x'; 70]);
    vec![
        blob("two_names_for_one_blob", CODE, other_name),
        blob("a_local_name_of_another_blob", CODE, |e| {
            e.local.name = Some(format!("blobs/{}", crate::digest(b"x")).into());
        }),
        blob("another_length_of_the_name", "zip-gap", |e| {
            e.local.name = Some([e.name.as_slice(), b"0"].concat());
        }),
        blob("other_flags_before_the_data", CODE, |e| e.local.flags = 1),
        blob("another_method_before_the_data", CODE, |e| {
            e.local.method = 8;
        }),
        blob("another_version_before_the_data", CODE, |e| {
            e.local.version = 20;
        }),
        blob("another_time_before_the_data", CODE, |e| e.local.time += 1),
        blob("another_checksum_before_the_data", CODE, |e| {
            e.local.crc32 ^= 1;
        }),
        blob("another_size_before_the_data", CODE, |e| e.local.bytes += 1),
        blob("another_length_before_the_data", CODE, |e| {
            e.local.compressed_bytes -= 1;
        }),
        Lie::zip("another_name_of_the_manifest", CODE, |zip| {
            zip.entries[0].local.name = Some(b"manifest.jsom".to_vec());
        }),
        Lie::zip("another_name_of_the_signature", CODE, |zip| {
            let entry = &mut zip.entries[1];
            let mut name = entry.name.clone();
            name[12] ^= 1;
            entry.local.name = Some(name);
        }),
        blob("no_local_header", "zip-local-header", |e| {
            e.local.signature = 0;
        }),
        blob(
            "a_central_header_before_the_data",
            "zip-local-header",
            |e| {
                e.local.signature = e.central.signature;
            },
        ),
        blob("no_central_header", "zip-central-header", |e| {
            e.central.signature = 0;
        }),
        blob(
            "a_local_header_in_the_directory",
            "zip-central-header",
            |e| {
                e.central.signature = e.local.signature;
            },
        ),
        both("a_stored_blob_that_claims_more", "zip-stored-size", |h| {
            h.bytes += 1;
        }),
        both("a_stored_blob_that_claims_less", "zip-stored-size", |h| {
            h.bytes -= 1;
        }),
    ]
}

fn compressed_too_early() -> Vec<Lie> {
    const CODE: &str = "zip-must-be-stored";
    let compress = |index: usize, method: u16| {
        move |zip: &mut RawZip| {
            let entry = &zip.entries[index];
            let name = String::from_utf8(entry.name.clone()).unwrap();
            let content = entry.data.clone();
            let data = match method {
                8 => crate::blobs::deflate(&content),
                _ => crate::blobs::zstd(&content),
            };
            zip.entries[index] = RawEntry::compressed(&name, &content, method, &data);
        }
    };
    vec![
        Lie::zip("a_deflated_manifest", CODE, compress(0, 8)),
        Lie::zip("a_manifest_in_zstd", CODE, compress(0, 93)),
        Lie::zip("a_deflated_signature", CODE, compress(1, 8)),
        Lie::zip("a_signature_in_zstd", CODE, compress(1, 93)),
    ]
}
