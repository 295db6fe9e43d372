// SPDX-License-Identifier: Apache-2.0
//! Which entries there are, what they are called, and in which order they come.

use super::*;

#[test]
fn only_the_three_shapes_of_names_exist() {
    let digest = Digest::of(CONTENT).to_string();
    for name in [
        "",
        "readme.txt",
        "Manifest.json",
        "./manifest.json",
        "manifest.json/",
        "blobs/",
        &format!("blobs/{}", digest.to_uppercase()),
        &format!("blobs/../{digest}"),
        &format!("/blobs/{digest}"),
        &format!("blobs\\{digest}"),
        &format!("blobs/{digest}\0"),
        "signatures/e7620f1842b4e81f.minisig",
        "signatures/E7620F1842B4E81F.minisig.minisig",
        "signatures/E7620F1842B4E81.minisig",
        "../../etc/passwd",
        "b\u{e9}",
    ] {
        let zip = sound_but(|zip| zip.entries[1].name = name.as_bytes().to_vec());
        assert_refused(&zip, "zip-entry-name");
    }
    let not_text = sound_but(|zip| zip.entries[1].name = vec![0xff; 70]);
    assert_refused(&not_text, "zip-entry-name");
}

#[test]
fn repeated_entries_are_refused() {
    let repeated = |index: usize| {
        sound_but(|zip| {
            let entry = zip.entries[index].clone();
            zip.entries.push(entry);
        })
    };
    assert_refused(&repeated(0), "zip-duplicate-entry");
    assert_refused(&repeated(1), "zip-duplicate-entry");
}

#[test]
fn entries_in_another_order_are_refused() {
    let digests = [b"one".as_slice(), b"two"].map(Digest::of);
    let manifest = manifest_of(&[b"one".to_vec(), b"two".to_vec()]).to_bytes();
    let mut blobs = [(digests[0], b"one"), (digests[1], b"two")]
        .map(|(digest, content)| RawEntry::stored(&format!("blobs/{digest}"), content));
    blobs.sort_by(|a, b| b.name.cmp(&a.name));
    let mut zip = RawZip::new(vec![RawEntry::stored("manifest.json", &manifest)]);
    zip.entries.extend(blobs);
    assert_refused(&zip, "zip-entry-order");
    zip.entries.swap(1, 2);
    assert_refused(&zip, "accepted");
    let signature = RawEntry::stored("signatures/E7620F1842B4E81F.minisig", b"x");
    zip.entries.push(signature);
    assert_refused(&zip, "zip-entry-order");
}

#[test]
fn the_manifest_comes_first() {
    assert_refused(
        &sound_but(|zip| zip.entries.reverse()),
        "zip-manifest-not-first",
    );
    let none = sound_but(|zip| {
        zip.entries.remove(0);
    });
    assert_refused(&none, "zip-manifest-not-first");
}
