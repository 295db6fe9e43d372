// SPDX-License-Identifier: Apache-2.0
//! A whole package. What is accepted must be the same to two naive readers, one that walks the file from
//! its start and one that believes the directory at its end; and written again it is accepted and equal.

use std::collections::BTreeMap;
use std::io::Cursor;

use cofferdam_package::CODES;
use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::error::PackageError;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::verify::ExaminedPackage;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;

use crate::check::file_of;
use crate::check::input;
use crate::check::known;

mod lies;
mod readers;

/// Takes the bytes of a `.upd` file.
pub fn target(data: &[u8]) {
    let data = input(data, lies::draw);
    let refused =
        open(&data).and_then(|package| package.verify(&KeyRing::new(), &SignatureRule::default()));
    known(
        refused.err().expect("nobody trusted signed it").code(),
        CODES,
    );
    let package = match open(&data).and_then(|package| package.examine(&KeyRing::new())) {
        Ok(package) => package,
        Err(error) => return known(error.code(), CODES),
    };
    let from_start = readers::from_start(&data).expect("it can be read from its start");
    let from_end = readers::from_end(&data).expect("it can be read from its end");
    assert_eq!(from_start, from_end, "two readers see two archives");
    let (first, manifest) = from_start.first().expect("there is a manifest");
    assert_eq!(
        (first.as_slice(), &data[manifest.clone()]),
        (&b"manifest.json"[..], package.manifest_bytes())
    );
    let names = package.manifest().blobs.len() + package.signature_files().len() + 1;
    assert_eq!(from_start.len(), names);
    let Some(blobs) = contents(&package) else {
        return;
    };
    for compression in Compression::ALL {
        let written = written(&package, &blobs, *compression);
        let again = open(&written).and_then(|package| package.examine(&KeyRing::new()));
        let again = again.expect("what was accepted is accepted");
        assert_eq!(again.manifest_bytes(), package.manifest_bytes());
        assert_eq!(again.digest(), package.digest());
        assert_eq!(again.signature_files(), package.signature_files());
        assert_eq!(contents(&again).as_ref(), Some(&blobs));
    }
}

fn open(bytes: &[u8]) -> Result<PackageFile, PackageError> {
    // Small, so that what an input may cost is small; the rules are the same.
    let limits = Limits {
        archive_entries: 1_000,
        manifest_bytes: 1 << 20,
        blob_bytes: 4 << 20,
        total_bytes: 16 << 20,
        ..Limits::default()
    };
    PackageFile::open(file_of(bytes), limits)
}

/// Every blob, unless one of them is damaged.
fn contents(package: &ExaminedPackage) -> Option<BTreeMap<Digest, Vec<u8>>> {
    let mut contents = BTreeMap::new();
    for (digest, bytes) in &package.manifest().blobs {
        let mut content = Vec::new();
        match package.copy_blob(digest, &mut content) {
            Ok(copied) => {
                assert_eq!((copied, content.len() as u64), (*bytes, *bytes));
                assert_eq!(
                    Digest::of(&content),
                    *digest,
                    "only the right content is content"
                );
                contents.insert(*digest, content);
            }
            Err(error) => {
                known(error.code(), CODES);
                assert!(
                    content.len() as u64 <= *bytes,
                    "more than the manifest says"
                );
                return None;
            }
        }
    }
    Some(contents)
}

fn written(
    package: &ExaminedPackage,
    blobs: &BTreeMap<Digest, Vec<u8>>,
    compression: Compression,
) -> Vec<u8> {
    let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
    writer
        .manifest(package.manifest_bytes())
        .expect("a manifest is written");
    for (id, signature) in package.signature_files() {
        writer
            .signature(id, &signature)
            .expect("a signature is written");
    }
    for (digest, content) in blobs {
        let written = writer.blob(digest, &mut Cursor::new(content), compression);
        written.expect("a blob is written");
    }
    writer.finish().expect("a package is written").into_inner()
}
