// SPDX-License-Identifier: Apache-2.0
//! Damaged, foreign and hostile input is answered with a code: never with a panic, never by waiting,
//! and never by a change of the install.

use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::AtRest;
use crate::harness::Machine;
use crate::harness::Ran;
use crate::harness::Snapshot;

/// How a file can be damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Cut(usize),
    Flip { at: usize, bit: u8 },
    Grown,
    Huge,
    Zeros,
    Missing,
    Directory,
    Fifo,
    Link(&'static str),
}

impl Damage {
    /// Every kind of damage to a file of so many bytes: cuts and flips spread over it.
    fn all(bytes: usize, steps: usize) -> Vec<Self> {
        let spread = |count: usize| (0..count).map(move |step| bytes * step / count);
        let mut all: Vec<Self> = spread(steps).map(Self::Cut).collect();
        all.push(Self::Cut(bytes - 1));
        let flips = spread(2 * steps).zip([0, 3, 5, 7].into_iter().cycle());
        all.extend(flips.map(|(at, bit)| Self::Flip { at, bit }));
        all.extend([Self::Grown, Self::Huge, Self::Zeros, Self::Missing]);
        all.extend([Self::Directory, Self::Fifo]);
        all.extend(["/dev/zero", "/etc/hostname", "nowhere"].map(Self::Link));
        all
    }

    fn of(self, path: &Path, sound: &[u8]) {
        if path.is_dir() {
            fs::remove_dir(path).unwrap();
        } else if path.symlink_metadata().is_ok() {
            fs::remove_file(path).unwrap();
        }
        match self {
            Self::Cut(length) => fs::write(path, &sound[..length]).unwrap(),
            Self::Flip { at, bit } => {
                let mut bytes = sound.to_vec();
                bytes[at] ^= 1 << bit;
                fs::write(path, bytes).unwrap();
            }
            Self::Grown => fs::write(path, [sound, b"\n"].concat()).unwrap(),
            Self::Huge => {
                fs::write(path, sound).unwrap();
                let file = File::options().write(true).open(path).unwrap();
                file.set_len(5 << 30).unwrap();
            }
            Self::Zeros => fs::write(path, vec![0; sound.len()]).unwrap(),
            Self::Missing => {}
            Self::Directory => fs::create_dir(path).unwrap(),
            Self::Fifo => assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            Self::Link(target) => symlink(target, path).unwrap(),
        }
    }
}

/// Three versions, the install at the second after a rollback, so that every file of the state
/// directory is there.
struct Scene {
    machine: Machine,
    install: &'static str,
    new: PathBuf,
}

impl Scene {
    fn new() -> Self {
        let machine = Machine::new();
        let pack = |version: &str| {
            machine
                .source(version)
                .file("agent", version)
                .file("share/lib", "x".repeat(3000))
                .seed("agent.toml", "port = 1\n")
                .pack()
        };
        let old = pack("1.0.0");
        let install = machine.adopted(&old);
        machine.apply(install, &pack("1.1.0")).expect(0);
        machine.run(["rollback", install]).expect(0);
        machine.apply(install, &pack("1.2.0")).expect(0);
        let new = machine
            .source("1.3.0")
            .file("agent", "1.3.0")
            .file("share/lib", "y".repeat(3000))
            .pack();
        Self {
            machine,
            install,
            new,
        }
    }

    /// Runs a command to its end, which must come by itself, soon, and with an answer.
    #[track_caller]
    fn answered(&self, arguments: &[&str], damage: Damage) -> Ran {
        let ran = self.machine.run_soon([arguments, &["--json"]].concat());
        assert!(
            matches!(ran.exit, Some(0..=10)) && !ran.stderr.contains("panicked"),
            "{arguments:?} with {damage:?}: {ran:?}"
        );
        if ran.exit != Some(0) {
            assert!(!ran.code().is_empty(), "{arguments:?} with {damage:?}");
        }
        ran
    }
}

#[test]
fn a_package_with_any_damage_is_refused_or_means_exactly_the_same() {
    let scene = Scene::new();
    let sound = fs::read(&scene.new).unwrap();
    let expected = scene.machine.plan(scene.install, &scene.new)["outcome_digest"].clone();
    let damaged = scene.machine.path("damaged.upd");
    let package = damaged.to_str().unwrap();
    let before = AtRest::of(&scene.machine, scene.install);
    for damage in Damage::all(sound.len(), 48) {
        damage.of(&damaged, &sound);
        scene.answered(&["inspect", package], damage);
        let plan = scene.answered(&["plan", scene.install, package], damage);
        if plan.exit == Some(0) {
            // Compressed data that decodes to the same, such as a larger window of zstd.
            assert!(matches!(damage, Damage::Flip { .. }), "{damage:?}");
            assert_eq!(plan.json()["outcome_digest"], expected, "{damage:?}");
            continue;
        }
        let apply = scene.answered(&["apply", scene.install, package], damage);
        for ran in [plan, apply] {
            assert!(matches!(ran.exit, Some(3 | 4)), "{damage:?}: {ran:?}");
        }
    }
    before.assert_still(&scene.machine, scene.install);
}

#[test]
fn a_damaged_package_is_neither_adopted_nor_signed_nor_tried() {
    let scene = Scene::new();
    let sound = fs::read(&scene.new).unwrap();
    let damaged = scene.machine.path("damaged.upd");
    let package = damaged.to_str().unwrap();
    let (key, public) = (scene.machine.str("acme.key"), scene.machine.str("acme.pub"));
    let directory = scene.machine.str("opt/other");
    fs::create_dir(directory).unwrap();
    let structure = [
        Damage::Cut(0),
        Damage::Cut(sound.len() / 2),
        Damage::Cut(sound.len() - 1),
        Damage::Grown,
        Damage::Huge,
        Damage::Directory,
        Damage::Fifo,
        Damage::Missing,
    ];
    for damage in structure {
        damage.of(&damaged, &sound);
        for arguments in [
            vec!["adopt", directory, "--trust", public, "--package", package],
            vec!["sign", package, "--key", key],
            vec!["try", package, "--from", scene.new.to_str().unwrap()],
            vec!["inspect", package, "--extract", scene.machine.str("out")],
        ] {
            let ran = scene.answered(&arguments, damage);
            assert_ne!(ran.exit, Some(0), "{arguments:?} with {damage:?}");
        }
        assert!(!scene.machine.path("opt/other.cofferdam").exists());
        assert!(!scene.machine.path("out").exists());
    }
    assert_eq!(Snapshot::of(directory).paths(), [""]);
}

#[test]
fn damaged_keys_and_signatures_are_refused_and_leave_the_package_as_it_is() {
    let scene = Scene::new();
    let machine = &scene.machine;
    let package = machine.source("2.0.0").file("agent", "2").pack_unsigned();
    let signed = fs::read(&package).unwrap();
    let folder = machine.str("look");
    let new = scene.new.to_str().unwrap();
    machine.run(["inspect", new, "--extract", folder]).expect(0);
    let mut signatures = fs::read_dir(machine.path("look/signatures")).unwrap();
    let signature = fs::read(signatures.next().unwrap().unwrap().path()).unwrap();

    let damaged = machine.path("damaged");
    let (name, file) = (damaged.to_str().unwrap(), package.to_str().unwrap());
    let directory = machine.str("opt/other");
    fs::create_dir(directory).unwrap();
    let read = |name: &str| fs::read(machine.path(name)).unwrap();
    let key = machine.str("acme.pub");
    for (sound, arguments) in [
        (read("acme.key"), vec!["sign", file, "--key", name]),
        (signature.clone(), vec!["attach", file, name, "--key", key]),
        (
            read("acme.pub"),
            vec!["attach", file, machine.str("none"), "--key", name],
        ),
        (
            read("acme.pub"),
            vec!["adopt", directory, "--trust", name, "--id", "agent"],
        ),
    ] {
        for damage in Damage::all(sound.len(), 12) {
            damage.of(&damaged, &sound);
            let ran = scene.answered(&arguments, damage);
            if ran.exit == Some(0) {
                // A comment and the last line feed may read as they like.
                let last = sound.len() - 1;
                let harmless = match damage {
                    Damage::Cut(length) => length == last,
                    damage => matches!(damage, Damage::Flip { .. } | Damage::Grown),
                };
                assert!(harmless, "{damage:?}");
            } else {
                assert_eq!(fs::read(&package).unwrap(), signed, "{damage:?}");
            }
            fs::write(&package, &signed).unwrap();
            let state = machine.path("opt/other.cofferdam");
            if state.exists() {
                machine.run(["release", directory]).expect(0);
            }
        }
    }
}

/// Copies an install with its state directory, or puts the copy back.
fn copied(from: &str, to: &str) {
    for suffix in ["", ".cofferdam"] {
        let (from, to) = (format!("{from}{suffix}"), format!("{to}{suffix}"));
        if Path::new(&to).exists() {
            fs::remove_dir_all(&to).unwrap();
        }
        let copied = Command::new("cp").args(["-a", &from, &to]).status();
        assert!(copied.unwrap().success());
    }
}

/// What every command says about a state directory in which one file is damaged.
fn damaged_state(file: &str, steps: usize) {
    let scene = Scene::new();
    let install = scene.install;
    let kept = scene.machine.str("opt/kept");
    copied(install, kept);
    let path = PathBuf::from(format!("{install}.cofferdam/{file}"));
    let sound = fs::read(&path).unwrap();
    let new = scene.new.to_str().unwrap();
    let commands: [&[&str]; 8] = [
        &["status", install],
        &["verify", install],
        &["history", install],
        &["plan", install, new],
        &["recover", install],
        &["allow", install, "1.1.0"],
        &["apply", install, new],
        &["rollback", install, "--discard-changes"],
    ];
    for damage in Damage::all(sound.len(), steps) {
        damage.of(&path, &sound);
        let mut changed = false;
        for command in commands {
            let before = Snapshot::of(install);
            let ran = scene.answered(command, damage);
            let after = Snapshot::of(install);
            let may_change = ["apply", "rollback"].contains(&command[0]) && ran.exit == Some(0);
            assert!(may_change || after == before, "{command:?} with {damage:?}");
            changed |= ran.exit == Some(0) && command[0] != "status";
        }
        if changed {
            copied(kept, install);
        }
    }
}

#[test]
fn a_damaged_settings_file_stops_what_needs_it_and_nothing_worse() {
    damaged_state("install.toml", 8);
}

#[test]
fn a_damaged_journal_stops_what_needs_it_and_nothing_worse() {
    damaged_state("transaction.json", 8);
}

#[test]
fn a_damaged_inventory_stops_what_needs_it_and_nothing_worse() {
    damaged_state("generations/3/inventory.json", 6);
    damaged_state("generations/1/inventory.json", 2);
}

#[test]
fn a_damaged_manifest_of_the_live_package_stops_what_needs_it_and_nothing_worse() {
    damaged_state("generations/3/manifest.json", 5);
}

#[test]
fn a_damaged_history_stops_what_needs_it_and_nothing_worse() {
    damaged_state("history.jsonl", 5);
}

#[test]
fn a_damaged_list_of_condemned_packages_stops_what_needs_it_and_nothing_worse() {
    damaged_state("refused.json", 5);
}
