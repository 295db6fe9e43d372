// SPDX-License-Identifier: Apache-2.0
//! What the lies start from is what `pack` and `sign` write, and it is accepted.

use std::io::Cursor;

use cofferdam_archives::Signers;
use cofferdam_archives::Sound;
use cofferdam_archives::digest;
use cofferdam_archives::large;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;

use crate::alone;
use crate::file_of;
use crate::ring;
use crate::verify;

/// A package as the writer writes it.
pub(crate) fn written(sound: &Sound, signers: &Signers, compression: Compression) -> Vec<u8> {
    let signature = signers.vendor.sign(&sound.manifest_bytes());
    written_with(sound, signers, &signature, compression)
}

fn written_with(
    sound: &Sound,
    signers: &Signers,
    signature: &str,
    compression: Compression,
) -> Vec<u8> {
    let manifest = sound.manifest_bytes();
    let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
    writer.manifest(&manifest).unwrap();
    let id = signers.vendor.id.parse().unwrap();
    writer.signature(id, signature.as_bytes()).unwrap();
    let mut blobs = sound.contents.clone();
    blobs.sort_by_key(|content| digest(content));
    blobs.dedup();
    for content in blobs {
        let digest = digest(&content).parse().unwrap();
        let mut content = Cursor::new(content);
        writer.blob(&digest, &mut content, compression).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn the_sound_packages_are_accepted() {
    let _alone = alone();
    let signers = Signers::new();
    let empty = Sound::new().with_file("a/b", b"");
    let sound = [Sound::new(), Sound::with_step(), empty].map(|sound| sound.build(&signers));
    for bytes in sound.into_iter().chain([large(&signers)]) {
        let package = verify(file_of(&bytes), &ring(&signers)).unwrap();
        assert_eq!(package.manifest().id.as_str(), "agent");
    }
}

#[test]
fn the_sound_package_is_byte_by_byte_what_the_writer_writes() {
    let _alone = alone();
    let signers = Signers::new();
    for sound in [Sound::new(), Sound::with_step()] {
        let signature = signers.vendor.sign(&sound.manifest_bytes());
        let theirs = written_with(&sound, &signers, &signature, Compression::Stored);
        let file = (signers.vendor.entry_name(), signature.into_bytes());
        assert!(theirs == sound.zip_with(&[file]).build());
    }
}
