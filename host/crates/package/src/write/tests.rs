// SPDX-License-Identifier: Apache-2.0
//! Packages are written the same way each time, and never in a way that the reader refuses.

use std::io::Cursor;

use super::*;
use crate::fixture::Signer;
use crate::fixture::contents;
use crate::fixture::file_of;
use crate::fixture::manifest_of;
use crate::fixture::package;
use crate::fixture::package_with;
use crate::fixture::ring;
use crate::keyring::Role;
use crate::signature::SignatureRule;

fn writer() -> PackageWriter<Cursor<Vec<u8>>> {
    PackageWriter::new(Cursor::new(Vec::new()))
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    for compression in Compression::ALL {
        let first = package(&contents(), &[], *compression);
        assert_eq!(package(&contents(), &[], *compression), first);
        assert_eq!(
            Compression::from_word(compression.as_str()),
            Some(*compression)
        );
    }
}

#[test]
fn adding_a_signature_gives_what_packing_with_it_gives() {
    let (first, second) = (Signer::new(), Signer::new());
    let manifest = manifest_of(&contents()).to_bytes();
    let signatures = [
        (first.id, first.sign(&manifest)),
        (second.id, second.sign(&manifest)),
    ];
    for compression in Compression::ALL {
        let attach = |package: &[u8], (key_id, signature): &(KeyId, Vec<u8>)| {
            let out = Cursor::new(Vec::new());
            with_signature(file_of(package), out, *key_id, signature)
                .unwrap()
                .into_inner()
        };
        let unsigned = package(&contents(), &[], *compression);
        let one = attach(&unsigned, &signatures[0]);
        let two = attach(&one, &signatures[1]);
        assert!(
            two == package_with(&contents(), &signatures, *compression),
            "{compression:?}"
        );
        assert!(
            attach(&two, &signatures[0]) == two,
            "attaching again changes nothing"
        );

        let opened = PackageFile::open(file_of(&two), Limits::default()).unwrap();
        let both = ring(&[(&first, Role::Vendor), (&second, Role::Reviewer)]);
        let rule = SignatureRule {
            vendor: 1,
            reviewer: 1,
        };
        let verified = opened.verify(&both, &rule).unwrap();
        assert_eq!(verified.digest(), Digest::of(&manifest));
        for content in contents() {
            assert_eq!(
                verified.read_blob(&Digest::of(&content), 1 << 20).unwrap(),
                content
            );
        }
    }
}

#[test]
fn a_malformed_signature_is_not_attached() {
    let signer = Signer::new();
    let unsigned = package(&contents(), &[], Compression::Zstd);
    let out = Cursor::new(Vec::new());
    let error = with_signature(file_of(&unsigned), out, signer.id, b"nonsense").unwrap_err();
    assert_eq!(error.code(), "signature-format");
}

#[test]
fn entries_come_in_one_order() {
    let signer = Signer::new();
    let content = b"x".as_slice();
    let digest = Digest::of(content);
    let blob = |writer: &mut PackageWriter<_>| {
        writer
            .blob(&digest, &mut Cursor::new(content), Compression::Zstd)
            .map(|_| ())
    };
    let order =
        |result: Result<(), WriteError>| assert_eq!(result.unwrap_err().code(), "pack-order");
    order(blob(&mut writer()));
    order(writer().signature(signer.id, &signer.sign(b"")));
    order(writer().finish().map(|_| ()));
    let mut started = writer();
    started.manifest(b"{}").unwrap();
    order(started.manifest(b"{}"));
    blob(&mut started).unwrap();
    order(blob(&mut started));
    order(started.signature(signer.id, &signer.sign(b"{}")));
}

#[test]
fn content_that_changes_while_it_is_packed_is_refused() {
    let mut writer = writer();
    writer.manifest(b"{}").unwrap();
    let digest = Digest::of(b"before");
    let error = writer
        .blob(&digest, &mut Cursor::new(b"after"), Compression::Zstd)
        .unwrap_err();
    assert_eq!(error.code(), "pack-content-changed");
}

#[test]
fn content_that_compresses_too_well_is_stored_so_that_the_reader_takes_it() {
    let zeros = vec![0_u8; 3 << 20];
    let digest = Digest::of(&zeros);
    let signer = Signer::new();
    let manifest = manifest_of(&[zeros.clone(), b"after".to_vec()]).to_bytes();
    for compression in [Compression::Zstd, Compression::Deflate] {
        let mut writer = writer();
        writer.manifest(&manifest).unwrap();
        writer
            .signature(signer.id, &signer.sign(&manifest))
            .unwrap();
        let mut blobs = [
            (digest, zeros.as_slice()),
            (Digest::of(b"after"), b"after".as_slice()),
        ];
        blobs.sort_unstable();
        for (digest, content) in blobs {
            let written = writer
                .blob(&digest, &mut Cursor::new(content), compression)
                .unwrap();
            assert_eq!(written.bytes, content.len() as u64);
        }
        let bytes = writer.finish().unwrap().into_inner();
        let package = PackageFile::open(file_of(&bytes), Limits::default()).unwrap();
        let package = package
            .verify(&signer.ring(), &SignatureRule::default())
            .unwrap();
        assert_eq!(package.read_blob(&digest, 4 << 20).unwrap(), zeros);
        assert_eq!(
            package.read_blob(&Digest::of(b"after"), 10).unwrap(),
            b"after"
        );
    }
}
