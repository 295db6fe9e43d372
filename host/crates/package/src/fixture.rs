// SPDX-License-Identifier: Apache-2.0
//! Packages for tests: sound ones from the writer. Archives that lie are built by `tests/archives`.

use std::fs::File;
use std::io::Cursor;
use std::io::Write as _;

pub(crate) use cofferdam_archives::raw::RawEntry;
pub(crate) use cofferdam_archives::raw::RawHeader;
pub(crate) use cofferdam_archives::raw::RawZip;
pub(crate) use cofferdam_archives::raw::RawZip64;
use minisign::KeyPair;

use crate::digest::Digest;
use crate::keyring::KeyId;
use crate::keyring::KeyRing;
use crate::keyring::PublicKey;
use crate::keyring::Role;
use crate::keyring::TrustedKey;
use crate::limits::Limits;
use crate::manifest;
use crate::manifest::Manifest;
use crate::write::Compression;
use crate::write::PackageWriter;

/// Contents of the blobs of [`manifest_of`]'s default package.
pub(crate) fn contents() -> Vec<Vec<u8>> {
    vec![
        b"#!/bin/sh\necho hello\n".repeat(20),
        b"port = 8080\n".to_vec(),
        Vec::new(),
        (0..60_u32)
            .flat_map(|n| (n.wrapping_mul(2_654_435_761)).to_le_bytes())
            .collect(),
    ]
}

/// A manifest with one file per blob.
pub(crate) fn manifest_of(contents: &[Vec<u8>]) -> Manifest {
    let entries: Vec<_> = contents
        .iter()
        .enumerate()
        .map(|(index, content)| {
            serde_json::json!({
                "path": format!("files/{index:05}"), "type": "file",
                "digest": Digest::of(content), "bytes": content.len(), "mode": "0644",
            })
        })
        .collect();
    let blobs: serde_json::Map<_, _> = contents
        .iter()
        .map(|content| (Digest::of(content).to_string(), content.len().into()))
        .collect();
    let rest = serde_json::json!({
        "id": "sample", "version": "1.0.0", "data_format": 1, "created": 1_700_000_000,
        "summary": "", "requires": { "from": "*", "host": "*" }, "entries": entries,
        "config": {}, "steps": [], "blobs": blobs, "builds": [],
    })
    .to_string();
    let text = rest.replacen('{', "{\"cofferdam\":\"package/1\",", 1);
    manifest::parse(text.as_bytes(), &Limits::default()).unwrap()
}

/// A key pair with its id.
pub(crate) struct Signer {
    pair: KeyPair,
    pub(crate) id: KeyId,
}

impl Signer {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let id = KeyId::from_bytes(pair.pk.keynum().try_into().unwrap());
        Self { pair, id }
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        let comment = Some("made for a test");
        let signed = minisign::sign(None, &self.pair.sk, Cursor::new(bytes), comment, None);
        signed.unwrap().to_string().into_bytes()
    }

    pub(crate) fn ring(&self) -> KeyRing {
        ring(&[(self, Role::Vendor)])
    }
}

/// A ring that trusts these signers.
pub(crate) fn ring(signers: &[(&Signer, Role)]) -> KeyRing {
    let mut ring = KeyRing::new();
    for (signer, role) in signers {
        let key = PublicKey::parse(&signer.pair.pk.to_base64()).unwrap();
        ring.add(TrustedKey {
            key,
            role: *role,
            name: format!("key {}", signer.id),
        })
        .unwrap();
    }
    ring
}

/// A package as `pack` and `sign` would write it.
pub(crate) fn package(
    contents: &[Vec<u8>],
    signers: &[&Signer],
    compression: Compression,
) -> Vec<u8> {
    let manifest = manifest_of(contents).to_bytes();
    let signatures: Vec<_> = signers
        .iter()
        .map(|signer| (signer.id, signer.sign(&manifest)))
        .collect();
    package_with(contents, &signatures, compression)
}

/// As [`package`], with signatures that were made before.
pub(crate) fn package_with(
    contents: &[Vec<u8>],
    signatures: &[(KeyId, Vec<u8>)],
    compression: Compression,
) -> Vec<u8> {
    let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
    writer.manifest(&manifest_of(contents).to_bytes()).unwrap();
    let mut signatures = signatures.to_vec();
    signatures.sort();
    for (key_id, signature) in signatures {
        writer.signature(key_id, &signature).unwrap();
    }
    let mut blobs: Vec<_> = contents
        .iter()
        .map(|content| (Digest::of(content), content))
        .collect();
    blobs.sort();
    blobs.dedup();
    for (digest, content) in blobs {
        writer
            .blob(&digest, &mut Cursor::new(content), compression)
            .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// An open file with these bytes.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}
