// SPDX-License-Identifier: Apache-2.0
//! What is proven of a package, and what is not believed.

use rayon::prelude::*;

use super::*;
use crate::fixture::RawEntry;
use crate::fixture::RawZip;
use crate::fixture::Signer;
use crate::fixture::contents;
use crate::fixture::file_of;
use crate::fixture::manifest_of;
use crate::fixture::package;
use crate::fixture::ring;
use crate::keyring::Role;
use crate::write::Compression;

fn open(bytes: &[u8]) -> Result<PackageFile, PackageError> {
    PackageFile::open(file_of(bytes), Limits::default())
}

fn verify(bytes: &[u8], ring: &KeyRing) -> Result<VerifiedPackage, PackageError> {
    open(bytes)?.verify(ring, &SignatureRule::default())
}

/// Everything that a package says, or why it is refused.
fn read_all(bytes: &[u8], ring: &KeyRing) -> Result<(Vec<u8>, Vec<Vec<u8>>), PackageError> {
    let package = verify(bytes, ring)?;
    let digests = package.manifest().blobs.keys();
    let blobs = digests
        .map(|d| package.read_blob(d, 1 << 20))
        .collect::<Result<_, _>>()?;
    Ok((package.manifest_bytes().to_vec(), blobs))
}

#[test]
fn a_signed_package_gives_what_was_packed() {
    let signer = Signer::new();
    for compression in [Compression::Zstd, Compression::Deflate, Compression::Stored] {
        let bytes = package(&contents(), &[&signer], compression);
        let package = verify(&bytes, &signer.ring()).unwrap();
        assert_eq!(*package.manifest(), manifest_of(&contents()));
        assert_eq!(package.digest(), Digest::of(package.manifest_bytes()));
        assert_eq!(package.signatures()[0].role, Some(Role::Vendor));
        assert_eq!(package.signature_files()[0].0, signer.id);
        for content in contents() {
            let digest = Digest::of(&content);
            let mut out = Vec::new();
            assert_eq!(
                package.copy_blob(&digest, &mut out).unwrap(),
                content.len() as u64
            );
            assert_eq!(out, content);
            assert_eq!(package.blob_bytes(&digest), Some(content.len() as u64));
            assert!(package.compressed_bytes(&digest).is_some());
        }
    }
}

#[test]
fn many_threads_read_one_package() {
    let signer = Signer::new();
    let many: Vec<Vec<u8>> = (0..200_u32)
        .map(|n| n.to_string().repeat(500).into_bytes())
        .collect();
    let package = verify(
        &package(&many, &[&signer], Compression::Zstd),
        &signer.ring(),
    )
    .unwrap();
    many.par_iter().for_each(|content| {
        assert_eq!(
            package.read_blob(&Digest::of(content), 1 << 20).unwrap(),
            *content
        );
    });
}

#[test]
fn a_package_without_enough_signatures_is_only_examined() {
    let (vendor, stranger) = (Signer::new(), Signer::new());
    let unsigned = package(&contents(), &[], Compression::Zstd);
    let strange = package(&contents(), &[&stranger], Compression::Zstd);
    for bytes in [&unsigned, &strange] {
        let error = verify(bytes, &vendor.ring()).err().unwrap();
        assert_eq!(error.code(), "signatures-missing");
        let examined = open(bytes).unwrap().examine(&vendor.ring()).unwrap();
        assert!(examined.signatures().iter().all(|report| !report.trusted));
    }
    let no_rule = SignatureRule {
        vendor: 0,
        reviewer: 0,
    };
    assert!(
        open(&unsigned)
            .unwrap()
            .verify(&KeyRing::new(), &no_rule)
            .is_err()
    );
}

#[test]
fn a_rule_on_reviewers_holds() {
    let (vendor, reviewer) = (Signer::new(), Signer::new());
    let ring = ring(&[(&vendor, Role::Vendor), (&reviewer, Role::Reviewer)]);
    let rule = SignatureRule {
        vendor: 1,
        reviewer: 1,
    };
    let both = package(&contents(), &[&vendor, &reviewer], Compression::Stored);
    assert!(open(&both).unwrap().verify(&ring, &rule).is_ok());
    let one = package(&contents(), &[&vendor], Compression::Stored);
    assert_eq!(
        open(&one)
            .unwrap()
            .verify(&ring, &rule)
            .err()
            .unwrap()
            .code(),
        "signatures-missing"
    );
}

#[test]
fn a_bad_signature_by_a_trusted_key_refuses_even_an_examination() {
    let (vendor, other) = (Signer::new(), Signer::new());
    let manifest = manifest_of(&[]).to_bytes();
    let mut forged = RawZip::new(vec![
        RawEntry::stored("manifest.json", &manifest),
        RawEntry::stored(
            &format!("signatures/{}.minisig", vendor.id),
            &vendor.sign(b"other bytes"),
        ),
        RawEntry::stored(
            &format!("signatures/{}.minisig", other.id),
            &other.sign(&manifest),
        ),
    ]);
    forged.entries.sort_by(|a, b| a.name.cmp(&b.name));
    let forged = forged.build();
    let both = ring(&[(&vendor, Role::Vendor), (&other, Role::Vendor)]);
    assert_eq!(
        verify(&forged, &both).err().unwrap().code(),
        "signature-invalid"
    );
    assert_eq!(
        open(&forged).unwrap().examine(&both).err().unwrap().code(),
        "signature-invalid"
    );
}

#[test]
fn signatures_are_judged_before_the_manifest_and_the_manifest_before_the_blobs() {
    let signer = Signer::new();
    let archive_with = |signatures: Vec<RawEntry>| {
        let mut entries = vec![RawEntry::stored("manifest.json", b"nonsense")];
        entries.extend(signatures);
        RawZip::new(entries).build()
    };
    let unsigned = verify(&archive_with(vec![]), &signer.ring()).err().unwrap();
    assert_eq!(unsigned.code(), "signatures-missing");
    let name = format!("signatures/{}.minisig", signer.id);
    let by_signer = archive_with(vec![RawEntry::stored(&name, &signer.sign(b"nonsense"))]);
    assert_eq!(
        verify(&by_signer, &signer.ring()).err().unwrap().code(),
        "manifest-syntax"
    );
}

/// A signed archive of one file with this content, whose blob entry is built by the test.
fn with_blob(signer: &Signer, content: &[u8], entries: Vec<RawEntry>) -> Vec<u8> {
    let manifest = manifest_of(&[content.to_vec()]).to_bytes();
    let mut all = vec![
        RawEntry::stored("manifest.json", &manifest),
        RawEntry::stored(
            &format!("signatures/{}.minisig", signer.id),
            &signer.sign(&manifest),
        ),
    ];
    all.extend(entries);
    all[2..].sort_by(|a, b| a.name.cmp(&b.name));
    RawZip::new(all).build()
}

fn blob_name(content: &[u8]) -> String {
    format!("blobs/{}", Digest::of(content))
}

#[test]
fn an_archive_that_differs_from_its_manifest_is_refused() {
    let signer = Signer::new();
    let (content, name) = (b"content".as_slice(), blob_name(b"content"));
    let good = RawEntry::stored(&name, content);
    let surplus = RawEntry::stored(&blob_name(b"more"), b"more");
    for (entries, code) in [
        (vec![good.clone()], "accepted"),
        (vec![], "blob-missing"),
        (vec![good, surplus], "blob-not-in-manifest"),
        (
            vec![RawEntry::stored(&name, b"too much content")],
            "blob-size-mismatch",
        ),
    ] {
        let found = verify(&with_blob(&signer, content, entries), &signer.ring());
        assert_eq!(found.err().map_or("accepted", |error| error.code()), code);
    }
}

#[test]
fn content_that_is_not_the_blob_never_reads_as_ok() {
    let signer = Signer::new();
    let (content, name) = (b"content".as_slice(), blob_name(b"content"));
    let wrong_content = RawEntry::stored(&name, b"CONTENT");
    let wrong_checksum = RawEntry::stored(&name, content).with_both(|header| header.crc32 ^= 1);
    let not_deflate = RawEntry::compressed(&name, content, 8, b"\xff\xff\xff");
    let stream = deflate_stream_of(content);
    let hidden_behind =
        RawEntry::compressed(&name, content, 8, &[stream.as_slice(), b"hidden"].concat());
    // One stored block that says that another follows.
    let open = [[0, 7, 0, !7, 0xff].as_slice(), content].concat();
    let never_ends = RawEntry::compressed(&name, content, 8, &open);
    let not_zstd = RawEntry::compressed(&name, content, 93, b"nonsense");
    for (entry, code) in [
        (wrong_content, "blob-digest-mismatch"),
        (wrong_checksum, "zip-checksum"),
        (hidden_behind, "deflate-stream"),
        (never_ends, "deflate-stream"),
        (not_deflate, "blob-corrupt"),
        (not_zstd, "zstd-frame"),
    ] {
        let bytes = with_blob(&signer, content, vec![entry]);
        let package = verify(&bytes, &signer.ring()).unwrap();
        let error = package.read_blob(&Digest::of(content), 100).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.is_package_at_fault());
    }
}

#[test]
fn a_deflated_bomb_stops_at_the_size_that_is_signed() {
    let signer = Signer::new();
    let content = vec![b'x'; 1_000];
    // A real deflate stream of 100,000 bytes, under headers that claim 1,000.
    let stream = deflate_stream_of(&vec![b'x'; 100_000]);
    let entry = RawEntry::compressed(&blob_name(&content), &content, 8, &stream);
    let package = verify(&with_blob(&signer, &content, vec![entry]), &signer.ring()).unwrap();
    let mut out = Vec::new();
    let error = package
        .copy_blob(&Digest::of(&content), &mut out)
        .unwrap_err();
    assert_eq!(error.code(), "blob-size-mismatch");
    assert!(out.len() <= 1_000);
}

/// The data of a deflated entry, taken from an archive of the zip crate.
fn deflate_stream_of(content: &[u8]) -> Vec<u8> {
    use std::io::Read as _;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("x", options).unwrap();
    writer.write_all(content).unwrap();
    let mut archive = zip::ZipArchive::new(writer.finish().unwrap()).unwrap();
    let size = archive.by_index_raw(0).unwrap().compressed_size();
    let start = archive.by_index_raw(0).unwrap().data_start().unwrap();
    let mut stream = vec![0; size as usize];
    let mut bytes = archive.into_inner();
    bytes.set_position(start);
    bytes.read_exact(&mut stream).unwrap();
    stream
}

#[test]
fn blobs_larger_than_asked_for_are_not_read() {
    let signer = Signer::new();
    let package = verify(
        &package(&contents(), &[&signer], Compression::Zstd),
        &signer.ring(),
    )
    .unwrap();
    let digest = Digest::of(&contents()[0]);
    assert_eq!(
        package.read_blob(&digest, 10).unwrap_err().code(),
        "blob-too-large"
    );
    assert_eq!(
        package
            .read_blob(&Digest::of(b"none"), 10)
            .unwrap_err()
            .code(),
        "blob-missing"
    );
}

#[test]
fn a_writer_that_fails_is_not_the_package_s_fault() {
    let signer = Signer::new();
    let package = verify(
        &package(&contents(), &[&signer], Compression::Zstd),
        &signer.ring(),
    )
    .unwrap();
    let mut full = [0_u8; 3];
    let error = package
        .copy_blob(&Digest::of(&contents()[0]), &mut full.as_mut_slice())
        .unwrap_err();
    assert_eq!(
        (error.code(), error.is_package_at_fault()),
        ("blob-unwritable", false)
    );
}

#[test]
fn a_blob_that_was_given_up_half_way_leaves_nothing_behind_for_the_next() {
    let signer = Signer::new();
    let long: Vec<u8> = (0..300_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    let all = [long, b"short".to_vec()];
    let bytes = package(&all, &[&signer], Compression::Zstd);
    let package = verify(&bytes, &signer.ring()).unwrap();
    for content in &all {
        let mut full = [0_u8; 3];
        let given_up = package.copy_blob(&Digest::of(&all[0]), &mut full.as_mut_slice());
        assert_eq!(given_up.unwrap_err().code(), "blob-unwritable");
        let whole = package.read_blob(&Digest::of(content), 1 << 20).unwrap();
        assert_eq!(whole, *content);
    }
}

#[test]
fn every_truncation_is_refused() {
    let signer = Signer::new();
    let bytes = package(&contents(), &[&signer], Compression::Zstd);
    for end in 0..bytes.len() {
        let error = read_all(&bytes[..end], &signer.ring()).unwrap_err();
        assert!(error.is_package_at_fault(), "at {end}: {error:?}");
    }
}

#[test]
fn a_kept_manifest_is_verified_again_without_its_blobs() {
    let signer = Signer::new();
    let package = verify(
        &package(&contents(), &[&signer], Compression::Zstd),
        &signer.ring(),
    )
    .unwrap();
    let again = |bytes: &[u8], files: &[(KeyId, Vec<u8>)], rule: SignatureRule| {
        verify_manifest(bytes, files, &signer.ring(), &rule, &Limits::default())
    };
    let files = package.signature_files();
    let one = SignatureRule::default();
    let kept = again(package.manifest_bytes(), &files, one).unwrap();
    assert_eq!(
        (kept.digest(), kept.manifest()),
        (package.digest(), package.manifest())
    );
    let mut altered = package.manifest_bytes().to_vec();
    altered[10] ^= 1;
    assert_eq!(
        again(&altered, &files, one).unwrap_err().code(),
        "signature-invalid"
    );
    assert_eq!(
        again(package.manifest_bytes(), &[], one)
            .unwrap_err()
            .code(),
        "signatures-missing"
    );
    let twice = [files.clone(), files].concat();
    let two = SignatureRule {
        vendor: 2,
        reviewer: 0,
    };
    assert_eq!(
        again(package.manifest_bytes(), &twice, two)
            .unwrap_err()
            .code(),
        "signatures-missing"
    );
}
