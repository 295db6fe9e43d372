// SPDX-License-Identifier: Apache-2.0
//! Where things are: before, between and after entries, in the directory, and in the end record.

use crate::Lie;
use crate::Sound;
use crate::names::BLOB;
use crate::raw::RawEntry;
use crate::raw::RawZip;

pub(crate) fn lies() -> Vec<Lie> {
    [around(), between(), overlaps(), directory(), end()]
        .into_iter()
        .flatten()
        .collect()
}

/// Bytes of the end record.
const END: usize = 22;

fn around() -> Vec<Lie> {
    vec![
        Lie::zip("a_script_before_the_archive", "zip-prefix", |zip| {
            zip.entries[0].before = b"#!/bin/sh\nexit 0\n".to_vec();
        }),
        Lie::bytes(
            "a_script_that_moves_the_archive",
            "zip-directory-misplaced",
            |bytes| {
                bytes.splice(..0, *b"#!/bin/sh\nexit 0\n");
            },
        ),
        Lie::bytes(
            "another_archive_before",
            "zip-directory-misplaced",
            |bytes| {
                bytes.splice(
                    ..0,
                    RawZip::new(vec![RawEntry::stored("manifest.json", b"{}")]).build(),
                );
            },
        ),
        Lie::bytes(
            "the_same_archive_twice",
            "zip-directory-misplaced",
            |bytes| {
                bytes.extend(bytes.clone());
            },
        ),
        Lie::bytes("one_byte_after_the_end", "zip-trailing-bytes", |bytes| {
            bytes.push(0);
        }),
        Lie::bytes("a_line_feed_after_the_end", "zip-trailing-bytes", |bytes| {
            bytes.push(b'\n');
        }),
        Lie::bytes("64_kib_after_the_end", "zip-trailing-bytes", |bytes| {
            bytes.resize(bytes.len() + 65_535, 0);
        }),
        Lie::bytes("a_mib_after_the_end", "zip-end-missing", |bytes| {
            bytes.resize(bytes.len() + (1 << 20), 0);
        }),
        Lie::bytes("a_second_end_record", "zip-directory-misplaced", |bytes| {
            let end = bytes[bytes.len() - END..].to_vec();
            bytes.extend(end);
        }),
        Lie::zip("a_comment", "zip-comment", |zip| {
            zip.comment = b"hello".to_vec();
        }),
        Lie::zip("the_longest_comment", "zip-comment", |zip| {
            zip.comment = vec![b' '; 65_535];
        }),
        Lie::zip(
            "an_archive_in_the_comment",
            "zip-directory-misplaced",
            |zip| {
                zip.comment = RawZip::new(vec![RawEntry::stored("manifest.json", b"{}")]).build();
            },
        ),
        Lie::zip(
            "an_end_record_in_the_comment",
            "zip-directory-misplaced",
            |zip| {
                let bytes = zip.build();
                zip.comment = bytes[bytes.len() - END..].to_vec();
            },
        ),
        Lie::bytes(
            "a_comment_that_is_longer_than_the_file",
            "zip-end-missing",
            |bytes| {
                let at = bytes.len() - 2;
                bytes[at..].copy_from_slice(&9_u16.to_le_bytes());
            },
        ),
        Lie::bytes(
            "a_comment_that_is_shorter_than_it_says",
            "zip-end-missing",
            |bytes| {
                let at = bytes.len() - 2;
                bytes[at..].copy_from_slice(&9_u16.to_le_bytes());
                bytes.extend(b"hello");
            },
        ),
        Lie::bytes("an_empty_file", "zip-end-missing", Vec::clear),
        Lie::bytes("a_file_of_zeros", "zip-end-missing", |bytes| bytes.fill(0)),
        Lie::bytes("a_file_of_local_headers", "zip-end-missing", |bytes| {
            *bytes = b"PK\x03\x04".repeat(1_000);
        }),
        Lie::bytes(
            "a_file_of_end_records",
            "zip-directory-misplaced",
            |bytes| {
                let end = bytes[bytes.len() - END..].to_vec();
                *bytes = end.repeat(1_000);
            },
        ),
        Lie::bytes("a_text", "zip-end-missing", |bytes| {
            *bytes = b"this is no archive, but long enough to be one".to_vec();
        }),
        Lie::bytes("a_gzip_file", "zip-end-missing", |bytes| {
            bytes[..4].copy_from_slice(b"\x1f\x8b\x08\0");
            bytes.truncate(bytes.len() - END);
        }),
        Lie::bytes("only_an_end_record", "zip-directory-misplaced", |bytes| {
            bytes.drain(..bytes.len() - END);
        }),
        Lie::bytes(
            "a_marker_of_split_archives_in_front",
            "zip-directory-misplaced",
            |bytes| {
                bytes.splice(..0, *b"PK\x07\x08");
            },
        ),
    ]
}

fn between() -> Vec<Lie> {
    let hidden = || {
        let zip = RawZip::new(vec![RawEntry::stored("manifest.json", b"{}")]).build();
        zip[..30 + 13 + 2].to_vec()
    };
    vec![
        Lie::zip("a_byte_between_entries", "zip-gap", |zip| {
            zip.entries[BLOB].before = vec![0];
        }),
        Lie::zip("a_byte_before_the_signature", "zip-gap", |zip| {
            zip.entries[1].before = vec![0];
        }),
        Lie::zip("a_byte_before_the_directory", "zip-gap", |zip| {
            zip.before_directory = vec![0];
        }),
        Lie::zip("a_mib_before_the_directory", "zip-gap", |zip| {
            zip.before_directory = vec![0; 1 << 20];
        }),
        Lie::zip(
            "an_entry_that_only_a_stream_reader_sees",
            "zip-gap",
            move |zip| {
                zip.entries[BLOB].before = hidden();
            },
        ),
        Lie::zip(
            "a_manifest_that_only_a_stream_reader_sees",
            "zip-prefix",
            move |zip| {
                zip.entries[0].before = hidden();
            },
        ),
        Lie::zip("a_blob_that_the_directory_leaves_out", "zip-gap", |zip| {
            let blob = zip.entries.remove(BLOB);
            let alone = RawZip::new(vec![blob]).build();
            let local = 30 + 70 + 19;
            zip.entries[BLOB].before = alone[..local].to_vec();
        }),
        Lie::zip("a_signing_block_before_the_directory", "zip-gap", |zip| {
            zip.before_directory = [&[0; 24], b"APK Sig Block 42".as_slice()].concat();
        }),
    ]
}

fn overlaps() -> Vec<Lie> {
    const CODE: &str = "zip-overlap";
    vec![
        Lie::zip("two_blobs_in_one_place", CODE, |zip| {
            let offset = offset_of(zip, BLOB);
            zip.entries[BLOB + 1].offset = Some(offset);
        }),
        Lie::zip("a_blob_in_the_place_of_the_manifest", CODE, |zip| {
            zip.entries[BLOB].offset = Some(0);
        }),
        Lie::zip("a_blob_inside_the_manifest", CODE, |zip| {
            zip.entries[BLOB].offset = Some(50);
        }),
        Lie::zip("a_blob_that_reaches_into_the_next", CODE, |zip| {
            zip.entries[BLOB].both(|header| {
                header.compressed_bytes += 5;
                header.bytes += 5;
            });
        }),
        Lie::zip("a_blob_that_reaches_into_the_directory", CODE, |zip| {
            let last = zip.entries.len() - 1;
            zip.entries[last].both(|header| {
                header.compressed_bytes += 5;
                header.bytes += 5;
            });
        }),
        Lie::zip("a_blob_that_reaches_beyond_the_file", CODE, |zip| {
            let last = zip.entries.len() - 1;
            zip.entries[last].both(|header| {
                header.compressed_bytes = 1 << 30;
                header.bytes = 1 << 30;
            });
        }),
        Lie::zip("a_signature_that_quotes_a_blob", CODE, |zip| {
            zip.entries[1].both(|header| {
                header.compressed_bytes += 100;
                header.bytes += 100;
            });
        }),
        Lie::zip("a_blob_that_is_shorter_than_its_place", "zip-gap", |zip| {
            zip.entries[BLOB].both(|header| {
                header.compressed_bytes -= 5;
                header.bytes -= 5;
            });
        }),
        Lie::zip("blobs_whose_places_are_exchanged", "zip-gap", |zip| {
            let places = [BLOB, BLOB + 1].map(|index| offset_of(zip, index));
            zip.entries[BLOB].offset = Some(places[1]);
            zip.entries[BLOB + 1].offset = Some(places[0]);
        }),
        Lie::zip("a_blob_beyond_the_file", "zip-gap", |zip| {
            zip.entries[BLOB].offset = Some(1 << 30);
        }),
        Lie::zip("a_blob_in_the_directory", "zip-gap", |zip| {
            let directory = RawZip::new(zip.entries[..].to_vec()).build().len() as u32 - 300;
            zip.entries[BLOB].offset = Some(directory);
        }),
        Lie::zip("a_manifest_at_byte_1", "zip-prefix", |zip| {
            zip.entries[0].offset = Some(1);
        }),
    ]
}

/// Where the local header of an entry of a sound archive is.
fn offset_of(zip: &RawZip, index: usize) -> u32 {
    let bytes = |entry: &RawEntry| 30 + entry.name.len() + entry.data.len();
    zip.entries[..index].iter().map(bytes).sum::<usize>() as u32
}

fn directory() -> Vec<Lie> {
    const MISPLACED: &str = "zip-directory-misplaced";
    let change = |name: &'static str, code, change: fn(&mut i64, &mut i64, &mut i64)| {
        Lie::new(name, code, move |signers| {
            let mut bytes = Sound::new().build(signers);
            let end = bytes.len() - END;
            let number = |at: usize| {
                i64::from(u32::from_le_bytes(
                    bytes[end + at..end + at + 4].try_into().unwrap(),
                ))
            };
            let (mut size, mut offset) = (number(12), number(16));
            let mut entries = i64::from(bytes[end + 10]);
            change(&mut entries, &mut size, &mut offset);
            for at in [8, 10] {
                bytes[end + at..end + at + 2].copy_from_slice(&(entries as u16).to_le_bytes());
            }
            bytes[end + 12..end + 16].copy_from_slice(&(size as u32).to_le_bytes());
            bytes[end + 16..end + 20].copy_from_slice(&(offset as u32).to_le_bytes());
            bytes
        })
    };
    vec![
        change("a_directory_one_byte_longer", MISPLACED, |_, size, _| {
            *size += 1;
        }),
        change("a_directory_one_byte_shorter", MISPLACED, |_, size, _| {
            *size -= 1;
        }),
        change("a_directory_one_byte_later", MISPLACED, |_, _, offset| {
            *offset += 1;
        }),
        change("a_directory_one_byte_earlier", MISPLACED, |_, _, offset| {
            *offset -= 1;
        }),
        change("a_directory_of_4_gib", MISPLACED, |_, size, _| *size = -1),
        change("a_directory_at_4_gib", MISPLACED, |_, _, offset| {
            *offset = -1;
        }),
        change(
            "a_directory_whose_end_is_right_in_32_bits",
            MISPLACED,
            |_, size, offset| {
                *size += 1 << 31;
                *offset += 1 << 31;
            },
        ),
        change(
            "a_directory_at_the_start",
            "zip-directory-size",
            |_, size, offset| {
                *size += *offset;
                *offset = 0;
            },
        ),
        change(
            "a_directory_that_begins_in_a_blob",
            "zip-central-header",
            |_, size, offset| {
                *size += 10;
                *offset -= 10;
            },
        ),
        change(
            "a_directory_that_begins_in_a_header",
            "zip-central-header",
            |_, size, offset| {
                *size -= 10;
                *offset += 10;
            },
        ),
        change(
            "a_directory_without_its_first_entry",
            "zip-prefix",
            |entries, size, offset| {
                *entries -= 1;
                *size -= 46 + 13;
                *offset += 46 + 13;
            },
        ),
        change("an_empty_directory", "zip-gap", |entries, size, offset| {
            *entries = 0;
            *offset += *size;
            *size = 0;
        }),
        change(
            "one_entry_more_than_there_is",
            "zip-central-header",
            |entries, _, _| *entries += 1,
        ),
        change(
            "one_entry_less_than_there_is",
            "zip-directory-size",
            |entries, _, _| *entries -= 1,
        ),
        change(
            "no_entry_where_there_are_four",
            "zip-directory-size",
            |entries, _, _| *entries = 0,
        ),
        change("65535_entries", "zip-central-header", |entries, _, _| {
            *entries = 65_535;
        }),
        Lie::zip("bytes_after_the_directory", MISPLACED, |zip| {
            zip.after_directory = vec![0; 7];
        }),
        Lie::zip(
            "bytes_at_the_end_of_the_directory",
            "zip-directory-size",
            |zip| {
                zip.after_directory = vec![0; 7];
                let directory: usize = zip.entries.iter().map(|entry| 46 + entry.name.len()).sum();
                zip.end.directory_bytes = Some(directory as u32 + 7);
            },
        ),
        Lie::zip(
            "a_digital_signature_after_the_directory",
            "zip-directory-size",
            |zip| {
                zip.after_directory = [0x0505_4b50_u32.to_le_bytes().as_slice(), &[0, 0]].concat();
                let directory: usize = zip.entries.iter().map(|entry| 46 + entry.name.len()).sum();
                zip.end.directory_bytes = Some(directory as u32 + 6);
            },
        ),
    ]
}

fn end() -> Vec<Lie> {
    const CODE: &str = "zip-multi-disk";
    vec![
        Lie::zip("the_end_on_another_disk", CODE, |zip| zip.end.disk = 1),
        Lie::zip("the_end_on_disk_65535", CODE, |zip| zip.end.disk = u16::MAX),
        Lie::zip("the_directory_on_another_disk", CODE, |zip| {
            zip.end.directory_disk = 1;
        }),
        Lie::zip("fewer_entries_on_this_disk", CODE, |zip| {
            zip.end.entries_here = Some(1);
        }),
        Lie::zip("more_entries_on_this_disk", CODE, |zip| {
            zip.end.entries_here = Some(9);
        }),
        Lie::bytes(
            "an_end_record_with_a_damaged_mark",
            "zip-end-missing",
            |bytes| {
                let at = bytes.len() - END;
                bytes[at] ^= 1;
            },
        ),
    ]
}
