// SPDX-License-Identifier: Apache-2.0
//! Every bit of a package is judged: flipped, it is refused, or it stands in compressed data that
//! decodes to the same.

use std::ops::Range;

use cofferdam_archives::Signers;
use cofferdam_archives::Sound;
use cofferdam_archives::digest;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::write::Compression;
use rayon::prelude::*;

use crate::alone;
use crate::file_of;
use crate::ring;
use crate::sound::written;
use crate::verify;

/// What a package comes to: everything that it says and holds.
fn read(bytes: &[u8], ring: &KeyRing) -> Option<Vec<Vec<u8>>> {
    let package = match verify(file_of(bytes), ring) {
        Ok(package) => package,
        Err(error) => {
            assert!(error.is_package_at_fault(), "{error:?}");
            return None;
        }
    };
    let mut all = vec![package.manifest_bytes().to_vec()];
    for report in package.signatures() {
        all.push(format!("{report:?}").into_bytes());
    }
    for digest in package.manifest().blobs.keys() {
        all.push(package.read_blob(digest, 1 << 20).unwrap());
    }
    Some(all)
}

/// The bits of a package that may be flipped without any effect; everything else must be refused.
fn harmless(bytes: &[u8], ring: &KeyRing) -> Vec<usize> {
    let sound = read(bytes, ring).unwrap();
    let is_harmless = |bit: &usize| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        match read(&flipped, ring) {
            None => false,
            Some(content) => {
                assert!(content == sound, "bit {bit} changes what is accepted");
                true
            }
        }
    };
    let bits = 0..bytes.len() * 8;
    bits.into_par_iter().filter(is_harmless).collect()
}

/// Where the data of each blob is.
fn data_of_blobs(bytes: &[u8], sound: &Sound) -> Vec<Range<usize>> {
    let place = |content: &Vec<u8>| {
        let name = format!("blobs/{}", digest(content));
        let at = bytes
            .windows(name.len())
            .position(|window| window == name.as_bytes())
            .unwrap();
        let size = u32::from_le_bytes(bytes[at - 12..at - 8].try_into().unwrap());
        at + name.len()..at + name.len() + size as usize
    };
    sound.contents.iter().map(place).collect()
}

/// A small package: content that compresses, and content that does not.
fn small() -> Sound {
    let program = b"a line that is repeated\n".repeat(10);
    let noise: Vec<u8> = (0..9_u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    Sound::new()
        .with_file("repeated", &program)
        .with_file("noise", &noise)
}

#[test]
fn every_bit_of_a_stored_package_is_judged() {
    let _alone = alone();
    let signers = Signers::new();
    let bytes = written(&small(), &signers, Compression::Stored);
    assert_eq!(harmless(&bytes, &ring(&signers)), [0_usize; 0]);
}

#[test]
fn every_bit_of_a_compressed_package_is_judged_but_for_second_forms_of_the_same_data() {
    let _alone = alone();
    let signers = Signers::new();
    for compression in [Compression::Zstd, Compression::Deflate] {
        let sound = small();
        let bytes = written(&sound, &signers, compression);
        let data = data_of_blobs(&bytes, &sound);
        let harmless = harmless(&bytes, &ring(&signers));
        let places: Vec<(usize, usize)> = harmless
            .iter()
            .map(|bit| {
                let place = data.iter().find(|place| place.contains(&(bit / 8)));
                let place = place.unwrap_or_else(|| panic!("bit {bit} is outside of any blob"));
                (bit / 8 - place.start, place.end - 1 - bit / 8)
            })
            .collect();
        println!(
            "{compression:?}: {} of {} bits",
            places.len(),
            bytes.len() * 8
        );
        for (from_start, from_end) in places {
            let is_known = match compression {
                // The window of a frame, and its flag and field for the size.
                Compression::Zstd => from_start == 5,
                // What fills the last byte.
                Compression::Deflate => from_end == 0,
                Compression::Stored => false,
            };
            assert!(is_known, "byte {from_start}, {from_end} before the end");
        }
    }
}

#[test]
fn a_field_that_lies_alike_in_both_headers_is_refused() {
    let _alone = alone();
    let signers = Signers::new();
    let ring = ring(&signers);
    let zip = Sound::new().zip(&signers);
    let bytes = zip.build();
    let name = |index: usize| zip.entries[index].name.len();
    let mut local = 0;
    let mut central =
        bytes.len() - 22 - (0..zip.entries.len()).map(|e| 46 + name(e)).sum::<usize>();
    for index in 0..zip.entries.len() {
        // From the version to the end of the name.
        for bit in 4 * 8..(30 + name(index)) * 8 {
            let byte = bit / 8;
            let there = if byte < 30 { byte + 2 } else { byte + 16 };
            let mut both = bytes.clone();
            both[local + byte] ^= 1 << (bit % 8);
            both[central + there] ^= 1 << (bit % 8);
            assert!(read(&both, &ring).is_none(), "bit {bit} of entry {index}");
        }
        local += 30 + name(index) + zip.entries[index].data.len();
        central += 46 + name(index);
    }
}

/// As anyone can do who is no vendor: the checksums fit again.
#[test]
fn every_bit_of_a_signature_is_judged_but_for_its_untrusted_comment() {
    let _alone = alone();
    let signers = Signers::new();
    let ring = ring(&signers);
    let sound = Sound::new();
    let text = signers.vendor.sign(&sound.manifest_bytes());
    let expected = read(&sound.build(&signers), &ring).unwrap();
    let comment = "untrusted comment: ".len()..text.find('\n').unwrap();
    let mut accepted = 0;
    for bit in 0..text.len() * 8 {
        let mut flipped = text.clone().into_bytes();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let zip = sound.zip_with(&[(signers.vendor.entry_name(), flipped)]);
        if let Some(content) = read(&zip.build(), &ring) {
            assert!(comment.contains(&(bit / 8)), "bit {bit}");
            assert!(content == expected, "bit {bit}");
            accepted += 1;
        }
    }
    assert!(accepted > 0, "an untrusted comment may say what it likes");
}

#[test]
fn every_bit_of_a_manifest_is_signed() {
    let _alone = alone();
    let signers = Signers::new();
    let ring = ring(&signers);
    let sound = Sound::new();
    let manifest = sound.manifest_bytes();
    let signature = signers.vendor.sign(&manifest).into_bytes();
    (0..manifest.len() * 8).into_par_iter().for_each(|bit| {
        let mut flipped = sound.clone();
        let mut text = manifest.clone();
        text[bit / 8] ^= 1 << (bit % 8);
        flipped.text = Some(text);
        let file = (signers.vendor.entry_name(), signature.clone());
        let refused = verify(file_of(&flipped.zip_with(&[file]).build()), &ring).err();
        assert_eq!(refused.unwrap().code(), "signature-invalid", "bit {bit}");
    });
}
