// SPDX-License-Identifier: Apache-2.0
//! Every structural lie, built by a named function and refused by its own code.

mod entries;
mod zstd;

use std::io;

use super::*;
use crate::fixture::RawEntry;
use crate::fixture::RawZip;
use crate::fixture::RawZip64;
use crate::fixture::Signer;
use crate::fixture::contents;
use crate::fixture::file_of;
use crate::fixture::manifest_of;
use crate::fixture::package;
use crate::keyring::KeyRing;
use crate::write::Compression;
use crate::write::PackageWriter;

const CONTENT: &[u8] = b"some content";

fn blob_name() -> String {
    format!("blobs/{}", Digest::of(CONTENT))
}

/// A sound archive: manifest, one blob.
fn sound() -> RawZip {
    let manifest = manifest_of(&[CONTENT.to_vec()]).to_bytes();
    RawZip::new(vec![
        RawEntry::stored("manifest.json", &manifest),
        RawEntry::stored(&blob_name(), CONTENT),
    ])
}

/// The sound archive with one change.
fn sound_but(change: impl FnOnce(&mut RawZip)) -> RawZip {
    let mut zip = sound();
    change(&mut zip);
    zip
}

fn examine(bytes: &[u8], limits: Limits) -> Result<(), PackageError> {
    let package = PackageFile::open(file_of(bytes), limits)?.examine(&KeyRing::new())?;
    for digest in package.manifest().blobs.keys() {
        package.copy_blob(digest, &mut io::sink())?;
    }
    Ok(())
}

fn code_of(bytes: &[u8]) -> &'static str {
    examine(bytes, Limits::default()).map_or_else(|error| error.code(), |()| "accepted")
}

fn assert_refused(zip: &RawZip, code: &str) {
    assert_eq!(code_of(&zip.build()), code);
}

#[test]
fn the_sound_archive_is_accepted() {
    assert_refused(&sound(), "accepted");
}

#[test]
fn files_that_are_no_archive_are_refused() {
    for bytes in [
        b"".as_slice(),
        b"PK",
        b"nonsense that is longer than an end record",
        vec![0; 100_000].as_slice(),
    ] {
        assert_eq!(code_of(bytes), "zip-end-missing");
    }
    assert_refused(&RawZip::new(vec![]), "zip-manifest-not-first");
}

#[test]
fn what_is_no_regular_file_is_no_package() {
    let folder = tempfile::tempdir().unwrap();
    let error = PackageFile::open(File::open(folder.path()).unwrap(), Limits::default());
    let error = error.err().unwrap();
    assert_eq!(
        (error.code(), error.is_package_at_fault()),
        ("package-io", false)
    );
}

#[test]
fn an_archive_comment_is_refused() {
    assert_refused(
        &sound_but(|zip| zip.comment = b"hello".to_vec()),
        "zip-comment",
    );
}

#[test]
fn bytes_after_the_end_are_refused() {
    assert_refused(
        &sound_but(|zip| zip.trailing = vec![0; 100]),
        "zip-trailing-bytes",
    );
}

#[test]
fn an_archive_behind_an_archive_is_refused() {
    let twice = [sound().build(), sound().build()].concat();
    assert_eq!(code_of(&twice), "zip-directory-misplaced");
}

#[test]
fn a_prefix_is_refused_with_honest_and_with_shifted_offsets() {
    let honest = sound_but(|zip| zip.entries[0].before = b"#!/bin/sh\n".to_vec());
    assert_refused(&honest, "zip-prefix");
    let shifted = [b"#!/bin/sh\n".to_vec(), sound().build()].concat();
    assert_eq!(code_of(&shifted), "zip-directory-misplaced");
}

#[test]
fn bytes_between_entries_are_refused() {
    assert_refused(&sound_but(|zip| zip.entries[1].before = vec![0]), "zip-gap");
    assert_refused(&sound_but(|zip| zip.before_directory = vec![0]), "zip-gap");
}

#[test]
fn an_entry_that_only_a_streaming_reader_would_see_is_refused() {
    let hidden = RawZip::new(vec![RawEntry::stored("manifest.json", b"{}")]).build();
    let local = hidden[..30 + 13 + 2].to_vec();
    assert_refused(&sound_but(|zip| zip.entries[1].before = local), "zip-gap");
}

#[test]
fn overlapping_entries_are_refused() {
    let same_place = sound_but(|zip| {
        let blob = zip.entries[1].clone();
        zip.entries[1].data.clear();
        zip.entries[1].offset = Some(0);
        zip.entries[1].central = blob.central;
    });
    assert_refused(&same_place, "zip-overlap");
    let into_directory = sound_but(|zip| {
        zip.entries[1] = zip.entries[1].clone().with_both(|header| {
            header.compressed_bytes += 5;
            header.bytes += 5;
        });
    });
    assert_refused(&into_directory, "zip-overlap");
}

#[test]
fn bytes_within_or_after_the_directory_are_refused() {
    assert_refused(
        &sound_but(|zip| zip.after_directory = vec![0; 7]),
        "zip-directory-misplaced",
    );
    let counted = sound_but(|zip| {
        zip.end.directory_bytes = Some(7 + 46 * 2 + 13 + 70);
        zip.after_directory = vec![0; 7];
    });
    assert_refused(&counted, "zip-directory-size");
}

#[test]
fn a_wrong_number_of_entries_is_refused() {
    assert_refused(
        &sound_but(|zip| zip.end.entries = Some(3)),
        "zip-central-header",
    );
    assert_refused(
        &sound_but(|zip| zip.end.entries = Some(1)),
        "zip-directory-size",
    );
}

#[test]
fn a_directory_larger_than_its_entries_can_be_is_refused_unread() {
    let offset = sound_but(|zip| {
        zip.before_directory = vec![0; 10_000];
        zip.end.directory_offset = Some(0);
        zip.end.directory_bytes = Some(0);
    });
    assert_refused(&offset, "zip-directory-misplaced");
    let mut bytes = sound().build();
    let end = bytes.len() - 22;
    bytes[end + 12..end + 16].copy_from_slice(&(end as u32).to_le_bytes());
    bytes[end + 16..end + 20].copy_from_slice(&0_u32.to_le_bytes());
    assert_eq!(code_of(&bytes), "zip-directory-size");
}

#[test]
fn several_disks_are_refused() {
    assert_refused(&sound_but(|zip| zip.end.disk = 1), "zip-multi-disk");
    assert_refused(
        &sound_but(|zip| zip.end.entries_here = Some(1)),
        "zip-multi-disk",
    );
    assert_refused(&sound_but(|zip| zip.entries[1].disk = 1), "zip-multi-disk");
}

#[test]
fn needless_or_odd_zip64_records_are_refused() {
    let needless = |zip64| sound_but(|zip| zip.zip64 = Some(zip64));
    assert_refused(&needless(RawZip64::default()), "zip-zip64");
    assert_refused(
        &needless(RawZip64 {
            locator_shift: 8,
            ..RawZip64::default()
        }),
        "zip-zip64",
    );
    assert_refused(
        &needless(RawZip64 {
            extension: vec![0; 8],
            ..RawZip64::default()
        }),
        "zip-zip64",
    );
    assert_refused(
        &needless(RawZip64 {
            entries: Some(70_000),
            ..RawZip64::default()
        }),
        "zip-zip64",
    );
    let offset = sound_but(|zip| {
        zip.entries[1].offset = Some(u32::MAX);
        zip.entries[1].central.extra =
            [[1, 0, 8, 0].as_slice(), &[9, 0, 0, 0, 0, 0, 0, 0]].concat();
    });
    assert_refused(&offset, "zip-zip64");
    assert_refused(
        &sound_but(|zip| zip.entries[1].offset = Some(u32::MAX)),
        "zip-zip64",
    );
}

#[test]
fn an_archive_that_needs_zip64_may_have_it() {
    let mut digests: Vec<Digest> = (0..66_000_u32)
        .map(|n| Digest::of(&n.to_le_bytes()))
        .collect();
    let last = digests[65_999];
    let content: std::collections::HashMap<Digest, u32> =
        digests.iter().copied().zip(0..).collect();
    digests.sort_unstable();
    let mut writer = PackageWriter::new(tempfile::tempfile().unwrap());
    writer.manifest(b"{}").unwrap();
    for digest in &digests {
        let mut bytes = io::Cursor::new(content[digest].to_le_bytes());
        writer
            .blob(digest, &mut bytes, Compression::Stored)
            .unwrap();
    }
    let package = PackageFile::open(writer.finish().unwrap(), Limits::default()).unwrap();
    let mut out = Vec::new();
    package
        .into_unlisted_blobs()
        .unwrap()
        .copy(last, &mut out)
        .unwrap();
    assert_eq!(out, 65_999_u32.to_le_bytes());
}

#[test]
fn each_lie_in_a_header_has_its_own_code() {
    let blob = |change: fn(&mut RawEntry)| sound_but(|zip| change(&mut zip.entries[1]));
    let both = |change: fn(&mut crate::fixture::RawHeader)| {
        sound_but(|zip| zip.entries[1] = zip.entries[1].clone().with_both(change))
    };
    for (zip, code) in [
        (both(|header| header.flags = 1), "zip-encrypted"),
        (both(|header| header.flags = 1 << 6 | 1), "zip-encrypted"),
        (both(|header| header.flags = 1 << 3), "zip-data-descriptor"),
        (both(|header| header.flags = 1 << 11), "zip-flags"),
        (both(|header| header.flags = 2), "zip-flags"),
        (both(|header| header.method = 12), "zip-method"),
        (both(|header| header.method = 99), "zip-method"),
        (both(|header| header.version = 9), "zip-version"),
        (both(|header| header.version = 20), "zip-version"),
        (both(|header| header.version = 64), "zip-version"),
        (both(|header| header.time += 1), "zip-time"),
        (both(|header| header.time = 0), "zip-time"),
        (blob(|entry| entry.made_by = 0x0314), "zip-made-by"),
        (blob(|entry| entry.made_by = 10), "zip-made-by"),
        (
            blob(|entry| entry.internal_attributes = 1),
            "zip-attributes",
        ),
        (
            blob(|entry| entry.external_attributes = 0o104_755 << 16),
            "zip-attributes",
        ),
        (
            blob(|entry| entry.external_attributes |= 1),
            "zip-attributes",
        ),
        (both(|header| header.bytes += 1), "zip-stored-size"),
        (
            blob(|entry| entry.central.extra = vec![0x55, 0x54, 0, 0]),
            "zip-extra-field",
        ),
        (
            blob(|entry| entry.local.extra = vec![0x55, 0x54, 0, 0]),
            "zip-gap",
        ),
        (
            blob(|entry| entry.comment = b"x".to_vec()),
            "zip-entry-comment",
        ),
        (blob(|entry| entry.local.signature = 0), "zip-local-header"),
        (
            blob(|entry| entry.central.signature = 0),
            "zip-central-header",
        ),
        (blob(|entry| entry.local.crc32 ^= 1), "zip-local-mismatch"),
        (blob(|entry| entry.local.method = 8), "zip-local-mismatch"),
        (blob(|entry| entry.local.flags = 1), "zip-local-mismatch"),
        (blob(|entry| entry.local.bytes += 1), "zip-local-mismatch"),
        (
            blob(|entry| entry.local.compressed_bytes -= 1),
            "zip-local-mismatch",
        ),
        (blob(|entry| entry.local.time += 1), "zip-local-mismatch"),
        (blob(|entry| entry.local.version = 20), "zip-local-mismatch"),
        (
            blob(|entry| entry.local.name = Some(vec![b'x'; 70])),
            "zip-local-mismatch",
        ),
        (blob(|entry| entry.after = vec![0; 16]), "zip-gap"),
    ] {
        assert_refused(&zip, code);
    }
    let mut extra_behind_the_name = sound();
    extra_behind_the_name.entries[1].local.extra = vec![0x55, 0x54, 0, 0];
    extra_behind_the_name.entries[1]
        .data
        .truncate(CONTENT.len() - 4);
    assert_refused(&extra_behind_the_name, "zip-extra-field");
}

#[test]
fn what_is_read_before_it_is_trusted_is_stored() {
    let manifest = sound_but(|zip| {
        zip.entries[0] = zip.entries[0].clone().with_both(|header| header.method = 8);
    });
    assert_refused(&manifest, "zip-must-be-stored");
    let signature = sound_but(|zip| {
        let name = "signatures/E7620F1842B4E81F.minisig";
        let entry = RawEntry::stored(name, b"x").with_both(|header| header.method = 93);
        zip.entries.insert(1, entry);
    });
    assert_refused(&signature, "zip-must-be-stored");
}

#[test]
fn a_manifest_with_another_checksum_is_refused() {
    let zip = sound_but(|zip| {
        zip.entries[0] = zip.entries[0].clone().with_both(|header| header.crc32 ^= 1);
    });
    assert_refused(&zip, "zip-checksum");
}

#[test]
fn a_malformed_signature_refuses_the_package() {
    let zip = sound_but(|zip| {
        let name = "signatures/E7620F1842B4E81F.minisig";
        zip.entries.insert(1, RawEntry::stored(name, b"nonsense"));
    });
    assert_refused(&zip, "signature-format");
}

#[test]
fn caps_hold_before_anything_is_read() {
    let signer = Signer::new();
    let bytes = package(&contents(), &[&signer], Compression::Stored);
    let code = |limits: Limits| examine(&bytes, limits).unwrap_err().code();
    let base = Limits::default;
    assert_eq!(
        code(Limits {
            archive_entries: 5,
            ..base()
        }),
        "zip-too-many-entries"
    );
    assert_eq!(
        code(Limits {
            manifest_bytes: 100,
            ..base()
        }),
        "zip-entry-too-large"
    );
    assert_eq!(
        code(Limits {
            signature_bytes: 100,
            ..base()
        }),
        "zip-entry-too-large"
    );
    assert_eq!(
        code(Limits {
            blob_bytes: 100,
            ..base()
        }),
        "zip-entry-too-large"
    );
    assert_eq!(
        code(Limits {
            total_bytes: 500,
            ..base()
        }),
        "zip-total-too-large"
    );
    assert_eq!(
        code(Limits {
            signatures: 0,
            ..base()
        }),
        "zip-too-many-signatures"
    );
    let largest = sound_but(|zip| {
        zip.entries[1] = zip.entries[1].clone().with_both(|header| {
            header.method = 8;
            header.bytes = u32::MAX;
        });
    });
    assert_refused(&largest, "zip-entry-too-large");
}

#[test]
fn a_claimed_bomb_is_refused_by_its_ratio() {
    let zip = sound_but(|zip| {
        zip.entries[1] = zip.entries[1].clone().with_both(|header| {
            header.method = 93;
            header.bytes = 2 << 20;
        });
    });
    assert_refused(&zip, "zip-ratio");
}
