// SPDX-License-Identifier: Apache-2.0
//! Compiled code is used again when this host wrote it, and in no other case.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::Machine;

/// An install at 1.0.0 and a package with one step that senses all it can.
struct Case {
    machine: Machine,
    install: &'static str,
    package: PathBuf,
}

impl Case {
    fn new() -> Self {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("bin/agent", "one").pack();
        let package = machine
            .source("1.1.0")
            .file("bin/agent", "two")
            .step("sense", "migrate", "senses", "write = [\"data/**\"]")
            .pack();
        let install = machine.adopted(&old);
        fs::create_dir(Path::new(install).join("data")).unwrap();
        Self {
            machine,
            install,
            package,
        }
    }

    fn plan(&self) -> Value {
        let package = self.package.to_str().unwrap();
        self.machine
            .run(["plan", self.install, package, "--json"])
            .expect(0)
            .json()
    }

    fn digests(&self) -> [String; 2] {
        let plan = self.plan();
        ["outcome_digest", "data_digest"].map(|name| plan[name].as_str().unwrap().to_owned())
    }

    fn folder(&self) -> PathBuf {
        Path::new(&format!("{}.cofferdam", self.install)).join("cache")
    }

    /// The one file with code that there is.
    fn code(&self) -> PathBuf {
        let mut found = fs::read_dir(self.folder())
            .unwrap()
            .map(|e| e.unwrap().path());
        found
            .find(|path| path.extension().is_some_and(|e| e == "code"))
            .unwrap()
    }

    /// When the code was written: it is written anew only when it was not used.
    fn written(&self) -> std::time::SystemTime {
        fs::metadata(self.code()).unwrap().modified().unwrap()
    }
}

#[test]
fn a_step_does_the_same_freshly_compiled_and_from_the_cache() {
    let case = Case::new();
    let fresh = case.digests();
    let written = case.written();
    let cached = case.digests();
    assert_eq!(fresh, cached);
    assert_eq!(case.written(), written, "the code was compiled again");
}

#[test]
fn code_that_was_tampered_with_is_compiled_again() {
    let case = Case::new();
    let expected = case.digests();
    let sound = fs::read(case.code()).unwrap();
    let mut damaged = vec![
        ("cut", sound[..sound.len() - 1].to_vec()),
        ("empty", Vec::new()),
        ("longer", [&sound[..], b"x"].concat()),
    ];
    for at in [0, 20, 47, 60, sound.len() / 2, sound.len() - 1] {
        let mut flipped = sound.clone();
        flipped[at] ^= 1;
        damaged.push(("flipped", flipped));
    }
    for (what, bytes) in damaged {
        fs::write(case.code(), &bytes).unwrap();
        assert_eq!(case.digests(), expected, "{what}");
        assert_ne!(fs::read(case.code()).unwrap(), bytes, "{what}: it was used");
    }
}

#[test]
fn code_of_another_component_under_this_name_is_compiled_again() {
    let case = Case::new();
    let expected = case.digests();
    let other = case
        .machine
        .source("1.2.0")
        .file("bin/agent", "two")
        .step("other", "migrate", "half_done", "write = [\"data/**\"]")
        .pack();
    let first = case.code();
    let sound = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    let other = other.to_str().unwrap();
    // How that step ends does not matter: its code is in the cache now.
    let ran = case.machine.run(["plan", case.install, other]);
    assert_eq!(ran.exit, Some(5), "{ran:?}");
    fs::rename(case.code(), &first).unwrap();
    assert_eq!(case.digests(), expected);
    assert_eq!(fs::read(&first).unwrap().len(), sound.len());
}

#[test]
fn code_of_another_host_or_open_to_others_is_compiled_again() {
    let case = Case::new();
    let expected = case.digests();
    let elsewhere = Case::new();
    elsewhere.plan();
    let foreign = fs::read(elsewhere.code()).unwrap();
    assert_eq!(elsewhere.code().file_name(), case.code().file_name());
    fs::write(case.code(), &foreign).unwrap();
    assert_eq!(case.digests(), expected);
    assert_ne!(fs::read(case.code()).unwrap(), foreign);

    let written = case.written();
    fs::set_permissions(case.code(), fs::Permissions::from_mode(0o640)).unwrap();
    assert_eq!(case.digests(), expected);
    assert_ne!(
        case.written(),
        written,
        "a file that others may read was used"
    );

    let code = case.code();
    let aside = case.machine.path("aside");
    fs::rename(&code, &aside).unwrap();
    std::os::unix::fs::symlink(&aside, &code).unwrap();
    assert_eq!(case.digests(), expected);
    assert!(
        code.symlink_metadata().unwrap().is_file(),
        "a link was followed"
    );
}

#[test]
fn without_its_key_or_its_folder_a_cache_starts_anew() {
    let case = Case::new();
    let expected = case.digests();
    let key = case.folder().join("key");
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let before = fs::read(case.code()).unwrap();
    fs::write(&key, "too short").unwrap();
    assert_eq!(case.digests(), expected);
    assert_ne!(fs::read(case.code()).unwrap(), before);
    fs::remove_dir_all(case.folder()).unwrap();
    assert_eq!(case.digests(), expected);
    assert!(case.code().exists());
}
