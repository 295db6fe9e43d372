// SPDX-License-Identifier: Apache-2.0
//! Makes the files of the corpora that nobody writes by hand: archives and components.
//!
//! `cargo run --package cofferdam-fuzz --example make_corpus`. Everything else in `corpus/` is text, or an
//! input that a fuzzer found.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a corpus that cannot be made is seen at once"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use cofferdam_package::digest::Digest;
use cofferdam_package::signature::claimed_key_id;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;

const MANIFEST: &[u8] = include_bytes!("../corpus/manifest/sound.json");
const MINIMAL: &[u8] = include_bytes!("../corpus/manifest/minimal.json");
const SIGNATURE: &[u8] = include_bytes!("../corpus/signature/sound.minisig");

/// What the sound manifest lists: a program, a configuration, and an empty component.
const BLOBS: [&[u8]; 3] = [
    b"#!/bin/sh\necho hello\n",
    b"port = 8080\n",
    b"\0asm\x0d\0\x01\0",
];

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for name in ["archive", "component"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    for (name, bytes) in archives() {
        fs::write(folder.join("archive").join(name), bytes).unwrap();
    }
    for (name, text) in components() {
        let bytes = wat::parse_str(&text).unwrap();
        fs::write(folder.join("component").join(format!("{name}.wasm")), bytes).unwrap();
    }
    let step = fs::read(folder.join("component/step.wasm")).unwrap();
    let cut = &step[..step.len() / 2];
    fs::write(folder.join("component/cut-off.wasm"), cut).unwrap();
    fs::write(folder.join("component/text"), "(component)").unwrap();
}

fn package(manifest: &[u8], signed: bool, blobs: &[&[u8]], compression: Compression) -> Vec<u8> {
    let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
    writer.manifest(manifest).unwrap();
    if signed {
        writer
            .signature(claimed_key_id(SIGNATURE).unwrap(), SIGNATURE)
            .unwrap();
    }
    let blobs: BTreeMap<Digest, &[u8]> =
        blobs.iter().map(|blob| (Digest::of(blob), *blob)).collect();
    for (digest, content) in blobs {
        writer
            .blob(&digest, &mut Cursor::new(content), compression)
            .unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn archives() -> Vec<(&'static str, Vec<u8>)> {
    let sound = package(MANIFEST, true, &BLOBS, Compression::Zstd);
    let minimal = package(MINIMAL, false, &[], Compression::Stored);
    let changed = |at: usize, bytes: &[u8]| {
        let mut archive = sound.clone();
        archive[at..at + bytes.len()].copy_from_slice(bytes);
        archive
    };
    let find = |bytes: &[u8]| {
        sound
            .windows(bytes.len())
            .position(|window| window == bytes)
            .unwrap()
    };
    let directory = find(b"PK\x01\x02");
    let first_blob = find(b"blobs/") - 30;
    let end = sound.len() - 22;
    let with_comment = || {
        let mut archive = changed(end + 20, b"\x07\0");
        archive.extend(b"comment");
        archive
    };
    let with_gap = || {
        let mut archive = sound.clone();
        archive.splice(first_blob..first_blob, *b"gap");
        archive
    };
    vec![
        ("signed.upd", sound.clone()),
        (
            "deflated.upd",
            package(MANIFEST, false, &BLOBS, Compression::Deflate),
        ),
        (
            "stored.upd",
            package(MANIFEST, false, &BLOBS, Compression::Stored),
        ),
        ("no-blobs.upd", minimal.clone()),
        (
            "blob-missing.upd",
            package(MANIFEST, false, &BLOBS[1..], Compression::Zstd),
        ),
        (
            "blob-unlisted.upd",
            package(MINIMAL, false, &BLOBS[1..2], Compression::Zstd),
        ),
        ("two-archives.upd", [sound.clone(), minimal].concat()),
        ("prefix.upd", [&b"#!/bin/sh\n"[..], &sound].concat()),
        ("comment.upd", with_comment()),
        ("gap-between-entries.upd", with_gap()),
        (
            "directory-says-another-size.upd",
            changed(directory + 24, b"\0\0\0\x80"),
        ),
        (
            "local-header-says-another-name.upd",
            changed(30, b"Manifest.json"),
        ),
        (
            "local-header-says-another-method.upd",
            changed(first_blob + 8, b"\x08\0"),
        ),
        (
            "four-gib.upd",
            changed(end - 46 - 70 + 24, b"\xff\xff\xff\xff"),
        ),
        ("encrypted.upd", changed(directory + 8, b"\x01\0")),
        ("many-entries.upd", changed(end + 8, b"\xff\xff\xff\xff")),
        (
            "directory-behind-the-end.upd",
            changed(end + 16, b"\xff\xff\xff\x7f"),
        ),
        (
            "damaged-blob.upd",
            changed(first_blob + 30 + 70 + 8, b"\xff\xff"),
        ),
        ("cut-off.upd", sound[..sound.len() - 9].to_vec()),
        (
            "drawn-with-lies",
            [&b"\xff"[..], &(0..=255).collect::<Vec<u8>>().repeat(2)].concat(),
        ),
        ("empty", Vec::new()),
    ]
}

fn components() -> Vec<(&'static str, String)> {
    let import = |name: &str| {
        format!(
            "(component (import \"{name}\" (instance (export \"f\" (func)) (export \"g\" (func (param \"x\" u32))))))"
        )
    };
    let nested = (0..20).fold("(core module)".to_owned(), |inner, _| {
        format!("(component {inner})")
    });
    let step = "(core module $m (func (export \"f\")))
        (core instance $i (instantiate $m))
        (func (export \"run\") (canon lift (core func $i \"f\")))";
    vec![
        ("empty", "(component)".to_owned()),
        ("step", format!("(component {step})")),
        ("step-with-files", format!("(component (import \"wasi:filesystem/types@0.2.6\" (instance)) {step})")),
        ("offered", import("wasi:filesystem/types@0.2.6")),
        ("sockets", import("wasi:sockets/tcp@0.2.6")),
        ("other-version", import("cofferdam:step/config@0.2.0")),
        ("bare-function", "(component (import \"run\" (func)))".to_owned()),
        ("bare-module", "(component (import \"m\" (core module)))".to_owned()),
        ("bare-component", "(component (import \"c\" (component (import \"wasi:io/poll@0.2.0\" (instance)))))".to_owned()),
        ("plain-type", "(component (type $t (record (field \"a\" u8))) (import \"t\" (type (eq $t))))".to_owned()),
        ("resource", "(component (import \"wasi:io/error@0.2.0\" (instance (export \"error\" (type (sub resource))))))".to_owned()),
        ("run-is-no-function", "(component (instance $i) (export \"run\" (instance $i)))".to_owned()),
        ("nested", nested),
        ("core-module", "(module (func (export \"run\")))".to_owned()),
        ("many-types", format!("(component {})", "(type (list u8))".repeat(500))),
        ("import-of-a-nested-one", format!("(component (component {}))", import("wasi:sockets/tcp@0.2.6"))),
    ]
}
