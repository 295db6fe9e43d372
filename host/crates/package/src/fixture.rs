// SPDX-License-Identifier: Apache-2.0
//! Packages for tests: sound ones from the writer, and archives built byte by byte for every lie.

use std::fs::File;
use std::io::Cursor;
use std::io::Write as _;

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

/// One entry of an archive that is built field by field.
#[derive(Clone)]
pub(crate) struct RawEntry {
    pub(crate) name: Vec<u8>,
    pub(crate) data: Vec<u8>,
    pub(crate) local: RawHeader,
    pub(crate) central: RawHeader,
    pub(crate) made_by: u16,
    pub(crate) internal_attributes: u16,
    pub(crate) external_attributes: u32,
    pub(crate) comment: Vec<u8>,
    pub(crate) disk: u16,
    /// Replaces the offset in the directory.
    pub(crate) offset: Option<u32>,
    /// Bytes written before the local header.
    pub(crate) before: Vec<u8>,
    /// Bytes written after the data, as a data descriptor would be.
    pub(crate) after: Vec<u8>,
}

/// The fields of a header.
#[derive(Clone)]
pub(crate) struct RawHeader {
    pub(crate) signature: u32,
    pub(crate) version: u16,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) time: u32,
    pub(crate) crc32: u32,
    pub(crate) compressed_bytes: u32,
    pub(crate) bytes: u32,
    pub(crate) name: Option<Vec<u8>>,
    pub(crate) extra: Vec<u8>,
}

impl RawEntry {
    /// A sound stored entry.
    pub(crate) fn stored(name: &str, data: &[u8]) -> Self {
        Self::compressed(name, data, 0, data)
    }

    /// An entry whose data is already compressed.
    pub(crate) fn compressed(name: &str, content: &[u8], method: u16, data: &[u8]) -> Self {
        let version = match method {
            0 => 10,
            8 => 20,
            _ => 45,
        };
        let header = RawHeader {
            signature: 0x0403_4b50,
            version,
            flags: 0,
            method,
            time: 0x0021_0000,
            crc32: crc32(content),
            compressed_bytes: data.len() as u32,
            bytes: content.len() as u32,
            name: None,
            extra: Vec::new(),
        };
        Self {
            name: name.as_bytes().to_vec(),
            data: data.to_vec(),
            central: RawHeader {
                signature: 0x0201_4b50,
                ..header.clone()
            },
            local: header,
            made_by: 0x0300 | version,
            internal_attributes: 0,
            external_attributes: 0o100_644 << 16,
            comment: Vec::new(),
            disk: 0,
            offset: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Changes both headers alike.
    pub(crate) fn with_both(mut self, change: impl Fn(&mut RawHeader)) -> Self {
        change(&mut self.local);
        change(&mut self.central);
        self
    }
}

impl RawHeader {
    fn shared(&self, name: &[u8], out: &mut Vec<u8>) {
        let name = self.name.as_deref().unwrap_or(name);
        for half in [self.version, self.flags, self.method] {
            out.extend(half.to_le_bytes());
        }
        for word in [self.time, self.crc32, self.compressed_bytes, self.bytes] {
            out.extend(word.to_le_bytes());
        }
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
    }
}

/// An archive that is built field by field.
#[derive(Clone)]
pub(crate) struct RawZip {
    pub(crate) entries: Vec<RawEntry>,
    pub(crate) before_directory: Vec<u8>,
    pub(crate) after_directory: Vec<u8>,
    pub(crate) zip64: Option<RawZip64>,
    pub(crate) end: RawEnd,
    pub(crate) comment: Vec<u8>,
    pub(crate) trailing: Vec<u8>,
}

/// The fields of the end record that a test may overwrite.
#[derive(Clone, Default)]
pub(crate) struct RawEnd {
    pub(crate) disk: u16,
    pub(crate) entries_here: Option<u16>,
    pub(crate) entries: Option<u16>,
    pub(crate) directory_bytes: Option<u32>,
    pub(crate) directory_offset: Option<u32>,
}

/// The fields of the zip64 records that a test may overwrite.
#[derive(Clone, Default)]
pub(crate) struct RawZip64 {
    pub(crate) entries: Option<u64>,
    pub(crate) locator_shift: u64,
    pub(crate) extension: Vec<u8>,
}

impl RawZip {
    pub(crate) fn new(entries: Vec<RawEntry>) -> Self {
        Self {
            entries,
            before_directory: Vec::new(),
            after_directory: Vec::new(),
            zip64: None,
            end: RawEnd::default(),
            comment: Vec::new(),
            trailing: Vec::new(),
        }
    }

    pub(crate) fn build(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for entry in &self.entries {
            out.extend(&entry.before);
            let offset = out.len() as u32;
            out.extend(entry.local.signature.to_le_bytes());
            entry.local.shared(&entry.name, &mut out);
            out.extend(entry.local.name.as_ref().unwrap_or(&entry.name));
            out.extend(&entry.local.extra);
            out.extend(&entry.data);
            out.extend(&entry.after);

            directory.extend(entry.central.signature.to_le_bytes());
            directory.extend(entry.made_by.to_le_bytes());
            entry.central.shared(&entry.name, &mut directory);
            directory.extend((entry.comment.len() as u16).to_le_bytes());
            directory.extend(entry.disk.to_le_bytes());
            directory.extend(entry.internal_attributes.to_le_bytes());
            directory.extend(entry.external_attributes.to_le_bytes());
            directory.extend(entry.offset.unwrap_or(offset).to_le_bytes());
            directory.extend(entry.central.name.as_ref().unwrap_or(&entry.name));
            directory.extend(&entry.central.extra);
            directory.extend(&entry.comment);
        }
        out.extend(&self.before_directory);
        let directory_offset = out.len();
        out.extend(&directory);
        out.extend(&self.after_directory);
        if let Some(zip64) = &self.zip64 {
            let at = out.len() as u64 + zip64.locator_shift;
            let entries = zip64.entries.unwrap_or(self.entries.len() as u64);
            out.extend(0x0606_4b50_u32.to_le_bytes());
            out.extend((44 + zip64.extension.len() as u64).to_le_bytes());
            out.extend([45, 0, 45, 0]);
            out.extend([0; 8]);
            for value in [
                entries,
                entries,
                directory.len() as u64,
                directory_offset as u64,
            ] {
                out.extend(value.to_le_bytes());
            }
            out.extend(&zip64.extension);
            out.extend(0x0706_4b50_u32.to_le_bytes());
            out.extend(0_u32.to_le_bytes());
            out.extend(at.to_le_bytes());
            out.extend(1_u32.to_le_bytes());
        }
        let entries = self.end.entries.unwrap_or(self.entries.len() as u16);
        let (bytes, offset) = (directory.len() as u32, directory_offset as u32);
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend(self.end.disk.to_le_bytes());
        out.extend(0_u16.to_le_bytes());
        out.extend(self.end.entries_here.unwrap_or(entries).to_le_bytes());
        out.extend(entries.to_le_bytes());
        out.extend(self.end.directory_bytes.unwrap_or(bytes).to_le_bytes());
        out.extend(self.end.directory_offset.unwrap_or(offset).to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.trailing);
        out
    }
}

/// The CRC-32 of `bytes`, one bit at a time.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = u32::MAX;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                0xEDB8_8320 ^ (crc >> 1)
            } else {
                crc >> 1
            };
        }
    }
    !crc
}
