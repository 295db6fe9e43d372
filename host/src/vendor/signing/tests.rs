// SPDX-License-Identifier: Apache-2.0
//! Signatures in packages, and with the stock `minisign` tool, both ways.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::limits::Limits;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::write::Compression;
use tempfile::TempDir;

use super::password::Password;
use super::*;
use crate::failure::Failure;
use crate::vendor::pack;
use crate::watch::Unwatched;

/// A folder with an unsigned package `a.upd`.
struct Bench {
    folder: TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("payload")).unwrap();
        fs::write(folder.path().join("payload/a"), "a\n").unwrap();
        fs::write(
            folder.path().join("package.toml"),
            "[package]\nid = \"a\"\nversion = \"1.0.0\"\ndata-format = 1\nsummary = \"A\"\n\
             [requires]\nfrom = \"*\"\nhost = \"*\"\n[payload]\ndir = \"payload\"\n",
        )
        .unwrap();
        let request = pack::Request {
            source: folder.path().to_owned(),
            output: folder.path().join("a.upd"),
            compression: Compression::Zstd,
            created_unix_s: 1_790_000_000,
        };
        pack::pack(&request, &mut Unwatched).unwrap();
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn package(&self) -> PathBuf {
        self.at("a.upd")
    }

    /// Writes the exact bytes that are signed to `manifest.json`.
    fn manifest(&self) -> PathBuf {
        let file = fs::File::open(self.package()).unwrap();
        let package = PackageFile::open(file, Limits::default()).unwrap();
        let package = package.examine(&KeyRing::new()).unwrap();
        let place = self.at("manifest.json");
        fs::write(&place, package.manifest_bytes()).unwrap();
        place
    }

    fn verify(&self, public_text: &str) -> Result<Digest, Failure> {
        let key = PublicKey::parse(public_text).unwrap();
        let mut keyring = KeyRing::new();
        keyring
            .add(TrustedKey {
                key,
                role: Role::Vendor,
                name: "test".to_owned(),
            })
            .unwrap();
        let file = fs::File::open(self.package()).unwrap();
        let rule = SignatureRule {
            vendor: 1,
            reviewer: 0,
        };
        let package = PackageFile::open(file, Limits::default())?.verify(&keyring, &rule)?;
        Ok(package.digest())
    }
}

fn new_key() -> (SigningKey, NewKey) {
    let new = generate(None).unwrap();
    (
        SigningKey::parse(&new.secret_text, "a.key", &Password::Ask).unwrap(),
        new,
    )
}

/// The stock tool. A machine without it cannot run these tests: that is a failure, not a skip.
fn minisign(folder: &Path, arguments: &[&str], input: &str) {
    let mut child = Command::new("minisign")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the stock `minisign` tool is needed (apt-get install minisign)");
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "minisign {arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_signed_package_verifies_and_keeps_its_digest() {
    let bench = Bench::new();
    let (key, new) = new_key();
    assert_eq!(
        bench.verify(&new.public_text).unwrap_err().code,
        "signatures-missing"
    );
    let attached = sign(&bench.package(), &key).unwrap();
    assert!(attached.added && attached.verified);
    assert_eq!(bench.verify(&new.public_text).unwrap(), attached.digest);
    let comment = attached.trusted_comment.unwrap();
    for part in ["a", "1.0.0", &attached.digest.to_string()] {
        assert!(comment.contains(part), "{comment}");
    }
}

#[test]
fn signing_twice_with_one_key_changes_nothing() {
    let bench = Bench::new();
    let (key, _) = new_key();
    sign(&bench.package(), &key).unwrap();
    let before = fs::read(bench.package()).unwrap();
    assert!(!sign(&bench.package(), &key).unwrap().added);
    assert_eq!(fs::read(bench.package()).unwrap(), before);
}

#[test]
fn a_second_signer_leaves_the_first_signature_good() {
    let bench = Bench::new();
    let ((one, one_new), (two, two_new)) = (new_key(), new_key());
    sign(&bench.package(), &one).unwrap();
    assert_eq!(sign(&bench.package(), &two).unwrap().signatures, 2);
    bench.verify(&one_new.public_text).unwrap();
    bench.verify(&two_new.public_text).unwrap();
}

#[test]
fn another_signature_by_the_same_key_is_refused() {
    let bench = Bench::new();
    let (key, _) = new_key();
    sign(&bench.package(), &key).unwrap();
    let before = fs::read(bench.package()).unwrap();
    let other = key
        .sign(&fs::read(bench.manifest()).unwrap(), "another comment")
        .unwrap();
    let refused = attach(&bench.package(), &other, None).unwrap_err();
    assert_eq!(refused.code, "signature-conflict");
    assert_eq!(fs::read(bench.package()).unwrap(), before);
}

#[test]
fn what_is_no_signature_or_does_not_verify_is_not_attached() {
    let bench = Bench::new();
    let (key, new) = new_key();
    let public = PublicKey::parse(&new.public_text).unwrap();
    let before = fs::read(bench.package()).unwrap();
    let of_other_bytes = key.sign(b"something else", "c").unwrap();
    let (other_key, _) = new_key();
    let of_other_key = other_key
        .sign(&fs::read(bench.manifest()).unwrap(), "c")
        .unwrap();
    for (bytes, code) in [
        (b"".as_slice(), "signature-format"),
        (&[0xff; 300], "signature-format"),
        (&of_other_bytes, "signature-invalid"),
        (&of_other_key, "signature-by-other"),
    ] {
        assert_eq!(
            attach(&bench.package(), bytes, Some(&public))
                .unwrap_err()
                .code,
            code
        );
        assert_eq!(fs::read(bench.package()).unwrap(), before);
    }
}

#[test]
fn the_stock_tool_verifies_what_we_sign() {
    let bench = Bench::new();
    for password in [None, Some("right")] {
        let new = generate(password.map(str::to_owned)).unwrap();
        let source = Password::Given("right".to_owned());
        let key = SigningKey::parse(&new.secret_text, "k", &source).unwrap();
        let signature = key
            .sign(&fs::read(bench.manifest()).unwrap(), "by us")
            .unwrap();
        fs::write(bench.at("manifest.json.minisig"), signature).unwrap();
        fs::write(bench.at("k.pub"), &new.public_text).unwrap();
        minisign(
            bench.folder.path(),
            &["-V", "-p", "k.pub", "-m", "manifest.json"],
            "",
        );
    }
}

#[test]
fn we_verify_what_the_stock_tool_signs_with_its_own_keys_and_with_ours() {
    let ours = generate(Some("right".to_owned())).unwrap();
    let ours_plain = generate(None).unwrap();
    for (files, input) in [
        (None, ""),
        (Some((&ours.secret_text, &ours.public_text)), "right\n"),
        (Some((&ours_plain.secret_text, &ours_plain.public_text)), ""),
    ] {
        let bench = Bench::new();
        bench.manifest();
        match files {
            None => minisign(
                bench.folder.path(),
                &["-G", "-W", "-p", "k.pub", "-s", "k.key"],
                "",
            ),
            Some((secret, public)) => {
                fs::write(bench.at("k.key"), secret).unwrap();
                fs::write(bench.at("k.pub"), public).unwrap();
            }
        }
        minisign(
            bench.folder.path(),
            &["-S", "-s", "k.key", "-m", "manifest.json"],
            input,
        );
        let signature = fs::read(bench.at("manifest.json.minisig")).unwrap();
        let public_text = fs::read_to_string(bench.at("k.pub")).unwrap();
        let public = PublicKey::parse(&public_text).unwrap();
        let attached = attach(&bench.package(), &signature, Some(&public)).unwrap();
        assert!(attached.added && attached.verified);
        assert!(
            !attach(&bench.package(), &signature, Some(&public))
                .unwrap()
                .added
        );
        bench.verify(&public_text).unwrap();
    }
}

#[test]
fn we_sign_with_keys_of_the_stock_tool() {
    for (generate, input) in [(["-G", "-W"].as_slice(), ""), (&["-G"], "right\nright\n")] {
        let bench = Bench::new();
        let arguments = [generate, &["-p", "k.pub", "-s", "k.key"]].concat();
        minisign(bench.folder.path(), &arguments, input);
        let text = fs::read_to_string(bench.at("k.key")).unwrap();
        let source = Password::Given("right".to_owned());
        let key = SigningKey::parse(&text, "k.key", &source).unwrap();
        sign(&bench.package(), &key).unwrap();
        bench
            .verify(&fs::read_to_string(bench.at("k.pub")).unwrap())
            .unwrap();
    }
}

#[test]
fn a_legacy_signature_is_refused() {
    let bench = Bench::new();
    bench.manifest();
    minisign(
        bench.folder.path(),
        &["-G", "-W", "-p", "k.pub", "-s", "k.key"],
        "",
    );
    minisign(
        bench.folder.path(),
        &["-S", "-l", "-s", "k.key", "-m", "manifest.json"],
        "",
    );
    let signature = fs::read(bench.at("manifest.json.minisig")).unwrap();
    let refused = attach(&bench.package(), &signature, None).unwrap_err();
    assert_eq!(refused.code, "signature-legacy");
}
