// SPDX-License-Identifier: Apache-2.0
//! What our reader accepts, other readers of zip read alike: the same names in the same order, with
//! the same bytes. Needs the tools: `apt install python3 unzip libarchive-tools`.

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::Command;

use cofferdam_archives::Signers;
use cofferdam_archives::Sound;
use cofferdam_archives::large;
use cofferdam_package::write::Compression;

use crate::alone;
use crate::file_of;
use crate::ring;
use crate::sound::written;
use crate::verify;

/// The names of an archive in order, with what they hold.
type Reading = Vec<(String, Vec<u8>)>;

/// Numbers that are the same in every run.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// One of the numbers below `end`.
    fn below(&mut self, end: u64) -> usize {
        usize::try_from(self.next() % end).unwrap()
    }

    /// Content that compresses well, not at all, or somewhat.
    fn content(&mut self) -> Vec<u8> {
        let most = [1, 2, 100, 70_000, 300_000][self.below(5)];
        let bytes = self.below(most);
        let letters = [1, 7, 256][self.below(3)];
        (0..bytes).map(|_| self.below(letters) as u8).collect()
    }

    fn package(&mut self) -> Sound {
        let files = 1 + self.below(20);
        (0..files).fold(Sound::new(), |sound, file| {
            sound.with_file(&format!("random/{file:02}"), &self.content())
        })
    }
}

fn by_us(bytes: &[u8], signers: &Signers) -> Reading {
    let package = verify(file_of(bytes), &ring(signers)).unwrap();
    let manifest = (
        "manifest.json".to_owned(),
        package.manifest_bytes().to_vec(),
    );
    let signatures = package.signature_files().into_iter();
    let signatures = signatures.map(|(id, file)| (format!("signatures/{id}.minisig"), file));
    let blob = |digest| {
        let content = package.read_blob(digest, 1 << 20).unwrap();
        (format!("blobs/{digest}"), content)
    };
    let blobs = package.manifest().blobs.keys().map(blob);
    [manifest]
        .into_iter()
        .chain(signatures)
        .chain(blobs)
        .collect()
}

/// Runs a tool that must succeed; answers with what it said.
fn run(tool: &str, arguments: &[&str]) -> Vec<u8> {
    let output = match Command::new(tool).args(arguments).output() {
        Ok(output) => output,
        Err(error) => {
            panic!("`{tool}` is needed (apt install python3 unzip libarchive-tools): {error}")
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{tool} {arguments:?}: {said}");
    output.stdout
}

fn names(said: &[u8]) -> Vec<String> {
    let said = std::str::from_utf8(said).unwrap();
    said.lines().map(str::to_owned).collect()
}

/// What a tool extracted to a folder, in the order that it told.
fn extracted(names: Vec<String>, folder: &Path) -> Reading {
    let found: usize = ["", "signatures", "blobs"]
        .iter()
        .flat_map(|below| fs::read_dir(folder.join(below)).unwrap())
        .filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_file())
        .count();
    assert_eq!(found, names.len(), "{names:?}");
    let content = |name: String| {
        let content = fs::read(folder.join(&name)).unwrap();
        (name, content)
    };
    names.into_iter().map(content).collect()
}

fn by_bsdtar(archive: &str, folder: &Path) -> Reading {
    run("bsdtar", &["-xf", archive, "-C", folder.to_str().unwrap()]);
    extracted(names(&run("bsdtar", &["-tf", archive])), folder)
}

fn by_unzip(archive: &str, folder: &Path) -> Reading {
    run("unzip", &["-tqq", archive]);
    run("unzip", &["-qq", archive, "-d", folder.to_str().unwrap()]);
    extracted(names(&run("unzip", &["-Z1", archive])), folder)
}

/// Name and content, each behind its length.
const PYTHON: &str = "
import struct, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    assert archive.testzip() is None
    for entry in archive.infolist():
        for piece in entry.filename.encode(), archive.read(entry):
            sys.stdout.buffer.write(struct.pack('<Q', len(piece)) + piece)
";

fn by_python(archive: &str) -> Reading {
    let said = run("python3", &["-c", PYTHON, archive]);
    let mut rest = said.as_slice();
    let mut piece = || {
        let mut length = [0; 8];
        rest.read_exact(&mut length).ok()?;
        let mut piece = vec![0; usize::try_from(u64::from_le_bytes(length)).unwrap()];
        rest.read_exact(&mut piece).unwrap();
        Some(piece)
    };
    let mut reading = Vec::new();
    while let Some(name) = piece() {
        reading.push((String::from_utf8(name).unwrap(), piece().unwrap()));
    }
    reading
}

#[track_caller]
fn assert_alike(bytes: &[u8], expected: &Reading, has_zstd: bool) {
    let scratch = tempfile::tempdir().unwrap();
    let archive = scratch.path().join("package.zip");
    fs::write(&archive, bytes).unwrap();
    let archive = archive.to_str().unwrap();
    let folder = |name: &str| {
        let folder = scratch.path().join(name);
        fs::create_dir(&folder).unwrap();
        folder
    };
    assert!(by_bsdtar(archive, &folder("bsdtar")) == *expected, "bsdtar");
    if !has_zstd {
        assert!(by_unzip(archive, &folder("unzip")) == *expected, "unzip");
        assert!(by_python(archive) == *expected, "python");
    }
}

#[test]
fn other_readers_find_the_same_names_and_bytes() {
    let _alone = alone();
    let signers = Signers::new();
    for seed in 1..=16_u64 {
        let sound = Seeded(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).package();
        for compression in Compression::ALL {
            let bytes = written(&sound, &signers, *compression);
            let expected = by_us(&bytes, &signers);
            println!("seed {seed}, {compression:?}: {} entries", expected.len());
            assert_alike(&bytes, &expected, *compression == Compression::Zstd);
        }
    }
}

#[test]
fn other_readers_find_the_same_in_an_archive_that_needs_zip64() {
    let _alone = alone();
    let signers = Signers::new();
    let bytes = large(&signers);
    assert_alike(&bytes, &by_us(&bytes, &signers), false);
}
