// SPDX-License-Identifier: Apache-2.0
//! Names in the archive: paths, aliases, other alphabets, and the same name twice.

use crate::Lie;
use crate::Sound;
use crate::digest;
use crate::raw::RawEntry;
use crate::sound::PROGRAM;

/// The index of a blob's entry: the manifest and the signature come before.
pub(crate) const BLOB: usize = 2;

pub(crate) fn lies() -> Vec<Lie> {
    [shapes(), twice(), order()].into_iter().flatten().collect()
}

fn shapes() -> Vec<Lie> {
    const CODE: &str = "zip-entry-name";
    let sound = digest(PROGRAM);
    let blob = |text: &str| format!("blobs/{text}").into_bytes();
    let named = [
        ("a_blob_without_a_name", Vec::new()),
        ("a_blob_of_only_its_folder", blob("")),
        ("a_blob_that_is_a_directory", blob(&format!("{sound}/"))),
        (
            "a_blob_at_an_absolute_path",
            format!("/blobs/{sound}").into(),
        ),
        (
            "a_blob_above_the_archive",
            format!("../blobs/{sound}").into(),
        ),
        ("a_blob_by_a_way_around", blob(&format!("../blobs/{sound}"))),
        ("a_blob_behind_a_dot", format!("./blobs/{sound}").into()),
        ("a_blob_with_a_doubled_slash", blob(&format!("/{sound}"))),
        ("a_blob_with_a_backslash", format!("blobs\\{sound}").into()),
        ("a_blob_on_a_drive", format!("C:/blobs/{sound}").into()),
        (
            "a_blob_on_a_share",
            format!("\\\\host\\blobs\\{sound}").into(),
        ),
        ("a_blob_below_another_folder", blob(&format!("x/{sound}"))),
        ("a_blob_in_upper_case", blob(&sound.to_uppercase())),
        (
            "a_blob_in_a_folder_in_upper_case",
            format!("BLOBS/{sound}").into(),
        ),
        ("a_blob_with_one_digit_less", blob(&sound[1..])),
        ("a_blob_with_one_digit_more", blob(&format!("{sound}0"))),
        (
            "a_blob_with_a_digit_that_is_none",
            blob(&format!("g{}", &sound[1..])),
        ),
        ("a_blob_with_a_sign", blob(&format!("+{}", &sound[1..]))),
        ("a_blob_with_a_nul", blob(&format!("{sound}\0"))),
        ("a_blob_with_a_line_feed", blob(&format!("{sound}\n"))),
        ("a_blob_with_a_space_in_front", blob(&format!(" {sound}"))),
        ("a_blob_with_an_ending", blob(&format!("{sound}.zst"))),
        (
            "a_blob_with_fullwidth_digits",
            blob(&format!("\u{ff10}{}", &sound[1..])),
        ),
        (
            "a_blob_in_a_cyrillic_folder",
            format!("bl\u{43e}bs/{sound}").into(),
        ),
        (
            "a_blob_with_a_combining_mark",
            blob(&format!("{sound}\u{301}")),
        ),
        (
            "a_blob_read_from_right_to_left",
            format!("\u{202e}blobs/{sound}").into(),
        ),
        (
            "a_blob_behind_a_byte_order_mark",
            format!("\u{feff}blobs/{sound}").into(),
        ),
        ("a_blob_in_no_encoding", vec![0xff; 70]),
        (
            "a_blob_in_an_old_code_page",
            [b"bl\x94bs/", sound.as_bytes()].concat(),
        ),
        (
            "a_blob_with_an_overlong_slash",
            [b"blobs\xc0\xaf", sound.as_bytes()].concat(),
        ),
        ("a_payload_file_beside_the_blobs", b"bin/agent".to_vec()),
        ("a_file_of_the_system", b"/etc/passwd".to_vec()),
        ("a_file_far_above", b"../../../../etc/cron.d/x".to_vec()),
        ("a_device_of_windows", b"nul".to_vec()),
        ("a_second_manifest_in_upper_case", b"MANIFEST.JSON".to_vec()),
        (
            "a_second_manifest_behind_a_dot",
            b"./manifest.json".to_vec(),
        ),
        ("a_second_manifest_with_a_space", b"manifest.json ".to_vec()),
        ("a_second_manifest_with_a_dot", b"manifest.json.".to_vec()),
        ("a_second_manifest_with_a_nul", b"manifest.json\0".to_vec()),
        ("a_second_manifest_in_a_folder", b"x/manifest.json".to_vec()),
        (
            "a_signature_in_lower_case",
            b"signatures/e7620f1842b4e81f.minisig".to_vec(),
        ),
        (
            "a_signature_with_a_short_id",
            b"signatures/E7620F1842B4E81.minisig".to_vec(),
        ),
        (
            "a_signature_with_a_long_id",
            b"signatures/0E7620F1842B4E81F.minisig".to_vec(),
        ),
        (
            "a_signature_with_two_endings",
            b"signatures/E7620F1842B4E81F.minisig.minisig".to_vec(),
        ),
        (
            "a_signature_without_an_ending",
            b"signatures/E7620F1842B4E81F".to_vec(),
        ),
        (
            "a_signature_with_another_ending",
            b"signatures/E7620F1842B4E81F.sig".to_vec(),
        ),
        (
            "a_signature_by_a_way_around",
            b"signatures/../manifest.json".to_vec(),
        ),
        ("a_signature_without_an_id", b"signatures/.minisig".to_vec()),
    ];
    let mut lies: Vec<Lie> = named
        .into_iter()
        .map(|(name, entry)| {
            Lie::zip(name, CODE, move |zip| {
                zip.entries[BLOB].name.clone_from(&entry);
            })
        })
        .collect();
    lies.push(Lie::zip(
        "a_blob_whose_name_fills_the_directory",
        "zip-directory-size",
        |zip| zip.entries[BLOB].name = vec![b'a'; 65_535],
    ));
    lies
}

fn twice() -> Vec<Lie> {
    const CODE: &str = "zip-duplicate-entry";
    vec![
        Lie::zip("a_blob_twice", CODE, |zip| {
            let blob = zip.entries[BLOB].clone();
            zip.entries.insert(BLOB, blob);
        }),
        Lie::zip("a_blob_again_at_the_end", CODE, |zip| {
            let blob = zip.entries[BLOB].clone();
            zip.entries.push(blob);
        }),
        Lie::zip("a_blob_again_with_other_content", CODE, |zip| {
            let name = String::from_utf8(zip.entries[BLOB].name.clone()).unwrap();
            zip.entries
                .insert(BLOB + 1, RawEntry::stored(&name, b"other"));
        }),
        Lie::zip("the_manifest_twice", CODE, |zip| {
            let manifest = zip.entries[0].clone();
            zip.entries.insert(1, manifest);
        }),
        Lie::zip("the_manifest_again_with_other_content", CODE, |zip| {
            zip.entries.push(RawEntry::stored("manifest.json", b"{}"));
        }),
        Lie::zip("a_signature_twice", CODE, |zip| {
            let signature = zip.entries[1].clone();
            zip.entries.insert(1, signature);
        }),
    ]
}

fn order() -> Vec<Lie> {
    vec![
        Lie::zip("blobs_in_another_order", "zip-entry-order", |zip| {
            zip.entries.swap(BLOB, BLOB + 1);
        }),
        Lie::zip("a_signature_after_the_blobs", "zip-entry-order", |zip| {
            let signature = zip.entries.remove(1);
            zip.entries.push(signature);
        }),
        Lie::new(
            "signatures_in_another_order",
            "zip-entry-order",
            |signers| {
                let sound = Sound::new();
                let manifest = sound.manifest_bytes();
                let both = [&signers.vendor, &signers.second]
                    .map(|signer| (signer.entry_name(), signer.sign(&manifest).into_bytes()));
                let mut zip = sound.zip_with(&both);
                zip.entries.swap(1, 2);
                zip.build()
            },
        ),
        Lie::zip("the_manifest_second", "zip-manifest-not-first", |zip| {
            zip.entries.swap(0, 1);
        }),
        Lie::zip("the_manifest_last", "zip-manifest-not-first", |zip| {
            let manifest = zip.entries.remove(0);
            zip.entries.push(manifest);
        }),
        Lie::zip("no_manifest", "zip-manifest-not-first", |zip| {
            zip.entries.remove(0);
        }),
        Lie::zip("no_entries", "zip-manifest-not-first", |zip| {
            zip.entries.clear();
        }),
    ]
}
