// SPDX-License-Identifier: Apache-2.0
//! A disk that is too small is refused before anything is touched; one that fills up in the middle ends
//! the update as a refusal, with the old install whole, nothing left, and its service running.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use rustix::fs::FallocateFlags;
use serde_json::Value;

use crate::harness::AtRest;
use crate::harness::Disk;
use crate::harness::EVERY_KIND;
use crate::harness::Machine;
use crate::harness::Mount;
use crate::harness::Service;
use crate::harness::Snapshot;

/// File systems that are filled in no time.
const SMALL: [Disk; 2] = [Disk::Ext4 { mib: 20 }, Disk::Tmpfs("size=20m")];

/// What the steps of the update may use, which they do to the last byte and file.
const BUDGET: &str = "limits = { written = \"256KiB\", files = 20 }";
const KIB_EACH: u64 = 12;
const FILES_EACH: u64 = 20;

/// An install on a disk of its own, with a service, and an update with two steps.
struct Small {
    machine: Machine,
    install: &'static str,
    service: Service,
    update: PathBuf,
}

impl Small {
    /// `start` goes on when the service starts.
    fn on(disk: Disk, start: &str) -> Option<Self> {
        let machine = Machine::on(disk)?;
        let source = |version: &str| {
            machine
                .source(version)
                .file_with_mode("agent", version, 0o755)
                .file("share/kept", vec![b'k'; 100 << 10])
        };
        let old = source("1.0.0").file("share/left", "left").pack();
        let grants = format!("read = [\"**\"]\nwrite = [\"data/**\"]\n{BUDGET}\n");
        let update = source("1.1.0")
            .file("share/new", vec![b'n'; 200 << 10])
            .file("lib/a/b/c", "c")
            .step("step-1", "prepare", "script", &grants)
            .step("step-2", "migrate", "script", &grants)
            .pack();
        let install = machine.adopted(&old);
        let at = |path: &str| Path::new(install).join(path);
        fs::create_dir_all(at("data/deep/er")).unwrap();
        for number in 0..100 {
            fs::write(at(&format!("data/{number}")), vec![b'd'; number * 40]).unwrap();
        }
        // Small enough to be copied whole, holes included.
        let sparse = fs::File::create(at("data/deep/sparse")).unwrap();
        sparse.set_len(60 << 10).unwrap();
        let big = fs::File::create(at("data/deep/er/big")).unwrap();
        big.set_len(64 << 20).unwrap();
        big.write_all_at(&vec![b'b'; 300 << 10], 1 << 20).unwrap();
        for step in 1..=2 {
            let line = |number| format!("fill data/made-{step}-{number} {KIB_EACH}\n");
            let script: String = (0..FILES_EACH).map(line).collect();
            fs::write(at(&format!("script-{step}")), format!("strict\n{script}")).unwrap();
        }
        let service = Service::running(&machine, install, start, "true");
        Some(Self {
            machine,
            install,
            service,
            update,
        })
    }

    fn filler(&self) -> PathBuf {
        self.machine.path("opt/filler")
    }

    /// Somebody else fills the disk until about this much is free for us.
    fn leave_bytes(&self, bytes: u64) {
        let _ = fs::remove_file(self.filler());
        loop {
            // What was written and removed counts once it is on the disk.
            let folder = fs::File::open(self.machine.path("opt")).unwrap();
            rustix::fs::syncfs(folder).unwrap();
            let facts = rustix::fs::statvfs(self.install).unwrap();
            let free = facts.f_bavail * facts.f_frsize;
            let Some(excess) = free.checked_sub(bytes + (64 << 10)) else {
                return;
            };
            // Not written: behind the end of a file that grows, xfs takes more than was asked for.
            let filler = fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(self.filler());
            let filler = filler.unwrap();
            let end = filler.metadata().unwrap().len();
            let chunk = (excess / 2).clamp(16 << 10, 8 << 20);
            rustix::fs::fallocate(&filler, FallocateFlags::empty(), end, chunk).unwrap();
        }
    }

    /// Somebody else fills the disk, with a gap of some KiB, when the service is stopped.
    fn fills_when_stopped(&self, gap_kib: u64) {
        let settings = format!("{}.cofferdam/install.toml", self.install);
        let text = fs::read_to_string(&settings).unwrap();
        let hook = self.filling(gap_kib);
        let start = text.find("; rm -f").unwrap();
        let hooked = match text.find("; sync -f ") {
            Some(old) => format!("{}; {hook}{}", &text[..old], &text[start..]),
            None => format!("{}; {hook}{}", &text[..start], &text[start..]),
        };
        fs::write(&settings, hooked).unwrap();
    }

    /// Somebody else fills the disk, with a gap of some KiB.
    fn fill(&self, gap_kib: u64) {
        let mut shell = Command::new("sh");
        let filled = shell.args(["-c", &self.filling(gap_kib)]).status();
        assert!(filled.unwrap().success());
    }

    fn filling(&self, gap_kib: u64) -> String {
        let filler = self.filler();
        let filler = filler.display();
        // Twice, since what was removed before is free only once that is on the disk.
        let sync = format!("sync -f {}", self.machine.path("opt").display());
        let fill = format!("cat /dev/zero >> {filler} 2>&-; {sync}");
        format!("{sync}; {fill}; {fill}; truncate -s -{gap_kib}K {filler}; {sync}")
    }

    fn is_up_to_date(&self) -> bool {
        self.machine.status(self.install)["version"] == "1.1.0"
    }
}

fn number(disk: &Value, member: &str) -> u64 {
    disk[member].as_u64().unwrap()
}

#[test]
fn what_the_plan_says_is_enough_for_steps_that_use_all_that_they_may() {
    for disk in EVERY_KIND {
        let Some(small) = Small::on(disk, "true") else {
            continue;
        };
        let (machine, install, update) = (&small.machine, small.install, &small.update);
        let plan = machine.plan(install, update)["disk"].clone();
        let needed = number(&plan, "needed_bytes");
        assert!(needed < number(&plan, "free_bytes"), "{disk:?}: {plan}");

        small.leave_bytes(needed - (256 << 10));
        let error = machine.refused(install, update, 4, "not-enough-space");
        assert!(
            error["message"]
                .as_str()
                .unwrap()
                .contains(&needed.to_string()),
            "{error}"
        );
        assert!(small.service.log().is_empty(), "the service was touched");
        let package = update.to_str().unwrap();
        let plan = machine.run(["plan", install, package, "--json"]).expect(4);
        assert_eq!(plan.code(), "not-enough-space", "{disk:?}");

        small.leave_bytes(needed);
        machine.apply(install, update).expect(0);
        assert!(small.is_up_to_date(), "{disk:?}");
        let made = Path::new(install).join(format!("data/made-2-{}", FILES_EACH - 1));
        assert_eq!(fs::metadata(made).unwrap().len(), KIB_EACH << 10);
    }
}

#[test]
fn too_few_inodes_are_refused_before_anything_is_touched_and_as_many_as_the_plan_says_do() {
    for disk in [
        Disk::Ext4 { mib: 20 },
        Disk::Tmpfs("size=20m,nr_inodes=900"),
    ] {
        let Some(small) = Small::on(disk, "true") else {
            continue;
        };
        let (machine, install, update) = (&small.machine, small.install, &small.update);
        // The first plan makes files of its own.
        machine.plan(install, update);
        let plan = machine.plan(install, update)["disk"].clone();
        let needed = number(&plan, "needed_inodes");
        let excess = number(&plan, "free_inodes").checked_sub(needed).unwrap();
        let folder = machine.path("opt/many");
        fs::create_dir(&folder).unwrap();
        // The folder is one of them.
        for number in 0..excess {
            fs::write(folder.join(number.to_string()), "").unwrap();
        }
        machine.refused(install, update, 4, "not-enough-inodes");
        assert!(small.service.log().is_empty(), "the service was touched");
        fs::remove_file(folder.join("0")).unwrap();
        machine.apply(install, update).expect(0);
        assert!(small.is_up_to_date(), "{disk:?}");
    }
}

#[test]
fn a_disk_that_somebody_else_fills_during_an_update_ends_it_as_a_refusal_that_leaves_nothing() {
    for disk in SMALL {
        let Some(small) = Small::on(disk, "true") else {
            continue;
        };
        let (machine, install, update) = (&small.machine, small.install, &small.update);
        let before = AtRest::of(machine, install);
        let mut refusals = 0;
        for gap_kib in (0..).map(|number| number * (number + 3) * 6) {
            small.fills_when_stopped(gap_kib);
            let ran = machine.apply(install, update);
            assert!(small.service.runs(), "{disk:?} with {gap_kib} KiB: {ran:?}");
            if ran.exit == Some(0) {
                break;
            }
            assert_eq!(ran.exit, Some(4), "{disk:?} with {gap_kib} KiB: {ran:?}");
            assert_eq!(ran.code(), "disk-full", "{disk:?} with {gap_kib} KiB");
            before.assert_still(machine, install);
            fs::remove_file(small.filler()).unwrap();
            refusals += 1;
        }
        assert!(small.is_up_to_date(), "{disk:?}");
        assert!(refusals > 5, "{disk:?}: {refusals} ends seen");
    }
}

#[test]
fn a_disk_that_is_full_after_the_commit_leaves_the_new_version_live_and_the_rest_for_later() {
    for disk in SMALL {
        let Some(small) = Small::on(disk, "true") else {
            continue;
        };
        let (machine, install, update) = (&small.machine, small.install, &small.update);
        let settings = format!("{install}.cofferdam/install.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let hook = format!("/up; {}; true'", small.filling(0));
        fs::write(&settings, text.replacen("/up; true'", &hook, 1)).unwrap();
        let ran = machine.apply(install, update).expect(0).json();
        // Some file systems keep the little back that the journal takes.
        let is_told = !ran["warnings"].as_array().unwrap().is_empty();
        assert_eq!(ran["confirmed"], !is_told, "{disk:?}: {ran}");
        assert!(is_told || !matches!(disk, Disk::Tmpfs(_)), "{ran}");
        assert!(small.is_up_to_date() && small.service.runs(), "{disk:?}");
        fs::remove_file(small.filler()).unwrap();
        fs::write(&settings, text).unwrap();
        machine.run(["recover", install]).expect(0);
        machine.run(["confirm", install]).expect(0);
        let status = machine.status(install);
        assert_eq!(status["confirmed"], true, "{disk:?}: {status}");
        assert_eq!(status["service_owed"], false, "{disk:?}: {status}");
        machine.history(install);
    }
}

#[test]
fn on_a_full_disk_every_command_that_looks_works_and_every_other_changes_nothing_or_all() {
    for disk in SMALL {
        let Some(small) = Small::on(disk, "true") else {
            continue;
        };
        let (machine, install) = (&small.machine, small.install);
        machine.apply(install, &small.update).expect(0);
        small.fill(0);
        let before = AtRest::of(machine, install);
        for look in ["status", "verify", "history"] {
            machine.run([look, install]).expect(0);
        }
        machine.run(["recover", install]).expect(0);
        let back = ["rollback", install, "--discard-changes", "--json"];
        let plan = ["plan", install, small.update.to_str().unwrap(), "--json"];
        for kib in [0, 4, 8, 16, 32, 64, 128] {
            small.fill(kib);
            for command in [&back[..], &plan] {
                let code = machine.run(command).expect(4).code();
                assert_eq!(code, "not-enough-space", "{disk:?}, {kib} KiB");
            }
            before.assert_still(machine, install);
        }
        assert!(small.service.runs());

        let tree = Snapshot::of(install);
        let released = machine.run(["release", install]);
        released.expect(0);
        assert_eq!(Snapshot::of(install), tree, "{disk:?}");
        let trust = machine.str("acme.pub");
        let adopt = [
            "adopt", install, "--trust", trust, "--id", "agent", "--json",
        ];
        small.fill(0);
        assert_eq!(machine.run(adopt).expect(4).code(), "disk-full", "{disk:?}");
        assert!(!Path::new(&format!("{install}.cofferdam")).exists());
        fs::remove_file(small.filler()).unwrap();
        machine.run(adopt).expect(0);
    }
}

#[test]
fn a_config_file_on_another_disk_that_is_full_or_read_only_is_refused_before_the_service_is_stopped()
 {
    let machine = Machine::new();
    let folder = machine.path("etc/elsewhere");
    fs::create_dir_all(&folder).unwrap();
    let Some(mount) = Mount::fresh(Disk::Tmpfs("size=256k"), &folder) else {
        return;
    };
    let source = |version: &str| {
        let config = "[config.agent]\nfile = \"agent.toml\"\nformat = \"toml\"";
        let source = machine.source(version).file("agent", version);
        source
            .toml(config)
            .file("script", "strict\nset port 8080\n")
    };
    let grants = "read = [\"script\"]\nconfig.write = [\"port\"]";
    let old = source("1.0.0").pack();
    let new = source("1.1.0").step("keys", "migrate", "script", grants);
    let (new, install) = (new.pack(), machine.adopted(&old));
    let service = Service::running(&machine, install, "true", "true");
    let config = folder.join("agent.toml");
    fs::write(&config, "port = 80\n").unwrap();
    machine.settings(
        install,
        &format!("[config.agent]\nfile = \"{}\"", config.display()),
    );
    let before = AtRest::of(&machine, install);
    let refused = |code: &str| {
        let error = machine.refused(install, &new, 4, code);
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(folder.to_str().unwrap()), "{error}");
        assert!(service.log().is_empty(), "the service was touched");
        before.assert_still(&machine, install);
    };
    fs::write(folder.join("filler"), vec![b'f'; 220 << 10]).unwrap();
    refused("not-enough-space");
    fs::remove_file(folder.join("filler")).unwrap();
    mount.remount("ro");
    refused("read-only");
    mount.remount("rw");
    machine.apply(install, &new).expect(0);
    assert_eq!(fs::read_to_string(&config).unwrap(), "port = 8080\n");
}
