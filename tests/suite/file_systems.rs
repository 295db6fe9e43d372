// SPDX-License-Identifier: Apache-2.0
//! Where an install may live: on which file systems, at which places in them, and what is refused.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use crate::harness::AtRest;
use crate::harness::Disk;
use crate::harness::EVERY_KIND;
use crate::harness::Machine;
use crate::harness::Mount;
use crate::harness::Snapshot;

/// Version 1.0.0, and 1.1.0 with a step that writes state.
fn versions(machine: &Machine) -> (PathBuf, PathBuf) {
    let source = |version: &str| {
        machine
            .source(version)
            .file_with_mode("bin/agent", version, 0o755)
            .file("share/kept", "kept")
    };
    let grants = "read = [\"script\", \"data/**\"]\nwrite = [\"data/**\"]\n\
                  limits = { written = \"64KiB\", files = 10 }\n";
    let new = source("1.1.0").step("step", "migrate", "script", grants);
    (source("1.0.0").pack(), new.pack())
}

/// State for the step.
fn fill(install: &str) {
    let install = Path::new(install);
    fs::create_dir(install.join("data")).unwrap();
    fs::write(install.join("data/a"), "state").unwrap();
    fs::write(install.join("script"), "strict\ncopy data/a data/b\n").unwrap();
}

/// `adopt`, which must be refused with this code, and must leave nothing.
#[track_caller]
fn adopt_refused(machine: &Machine, install: &str, code: &str) {
    let before = Snapshot::of(install);
    let trust = machine.str("acme.pub");
    let adopt = [
        "adopt", install, "--trust", trust, "--id", "agent", "--json",
    ];
    let ran = machine.run(adopt).expect(4);
    assert_eq!(ran.code(), code, "{}", ran.stdout);
    assert_eq!(Snapshot::of(install), before);
    assert!(!Path::new(&format!("{install}.cofferdam")).exists());
}

/// `adopt`, an update and the way back.
fn lives(machine: &Machine, install: &str) {
    let (old, new) = versions(machine);
    machine.lay_out(&old, Path::new(install));
    machine.adopt(install, &old);
    fill(install);
    let before = Snapshot::of(install);
    machine.apply(install, &new).expect(0);
    assert_eq!(
        fs::read_to_string(format!("{install}/data/b")).unwrap(),
        "state"
    );
    let verify = machine.run(["verify", install, "--json"]);
    verify.expect(0);
    machine
        .run(["rollback", install, "--discard-changes"])
        .expect(0);
    assert_eq!(Snapshot::of(install), before);
    machine.run(["release", install]).expect(0);
}

#[test]
fn an_install_lives_on_every_kind_of_file_system() {
    for disk in EVERY_KIND {
        if let Some(machine) = Machine::on(disk) {
            lives(&machine, machine.str("opt/agent"));
        }
    }
}

#[test]
fn state_takes_no_space_twice_where_the_file_system_can_share_it() {
    const STATE_BYTES: u64 = 24 << 20;
    for (disk, shares) in [
        (Disk::Xfs, true),
        (Disk::XfsWithoutReflinks, false),
        (Disk::Btrfs, true),
    ] {
        let Some(machine) = Machine::on(disk) else {
            continue;
        };
        let (old, new) = versions(&machine);
        let install = machine.adopted(&old);
        fill(install);
        let noise: Vec<u8> = (0..STATE_BYTES).map(|at| ((at * at) >> 7) as u8).collect();
        fs::write(Path::new(install).join("data/big"), noise).unwrap();
        let free_bytes = || {
            let opened = fs::File::open(install).unwrap();
            rustix::fs::syncfs(&opened).unwrap();
            let facts = rustix::fs::statvfs(install).unwrap();
            facts.f_bavail * facts.f_frsize
        };
        let before = free_bytes();
        machine.apply(install, &new).expect(0);
        let taken = before.saturating_sub(free_bytes());
        assert_eq!(
            taken < STATE_BYTES / 2,
            shares,
            "{disk:?} took {taken} bytes"
        );
        // With reflinks or without, the plan counts the worst case.
        let plan = machine.plan(install, &new);
        let needed = plan["disk"]["needed_bytes"].as_u64().unwrap();
        assert!(needed > STATE_BYTES, "{disk:?}: {needed}");
    }
}

#[test]
fn an_install_that_is_a_mount_point_is_refused_whatever_is_mounted() {
    let machine = Machine::new();
    let install = machine.str("opt/agent");
    fs::create_dir(install).unwrap();
    let Some(memory) = Mount::fresh(Disk::Tmpfs("size=1m"), Path::new(install)) else {
        return;
    };
    adopt_refused(&machine, install, "different-file-system");
    drop(memory);
    let Some(_itself) = Mount::bind(install, install) else {
        return;
    };
    adopt_refused(&machine, install, "move-unsupported");
}

#[test]
fn a_mount_at_or_below_an_install_or_in_its_state_directory_keeps_updates_away() {
    let machine = Machine::new();
    let (old, new) = versions(&machine);
    let install = machine.adopted(&old);
    fill(install);
    let apart = machine.path("apart");
    fs::create_dir(&apart).unwrap();
    fs::write(apart.join("a"), "not the install's").unwrap();
    let state = format!("{install}.cofferdam");
    for (from, at) in [
        // Of the same device, so that no device number tells.
        (apart.as_path(), Path::new(install).join("data")),
        (Path::new(install), PathBuf::from(install)),
        (apart.as_path(), Path::new(&state).join("incoming")),
    ] {
        let before = AtRest::of(&machine, install);
        let Some(mount) = Mount::bind(from, &at) else {
            return;
        };
        let ran = machine.apply(install, &new).expect(4);
        assert_eq!(ran.code(), "mount-below", "{}", at.display());
        assert_eq!(
            ran.json()["error"]["details"]["mounts"][0],
            at.to_str().unwrap()
        );
        drop(mount);
        before.assert_still(&machine, install);
    }
    let Some(_mount) = Mount::bind(&apart, Path::new(install).join("data")) else {
        return;
    };
    machine.run(["release", install]).expect(0);
    adopt_refused(&machine, install, "mount-below");
    assert_eq!(
        fs::read_to_string(apart.join("a")).unwrap(),
        "not the install's"
    );
}

#[test]
fn something_else_mounted_over_an_install_needs_a_person_and_is_not_touched() {
    let machine = Machine::new();
    let (old, new) = versions(&machine);
    let install = machine.adopted(&old);
    fill(install);
    let Some(other) = Mount::fresh(Disk::Tmpfs("size=1m"), Path::new(install)) else {
        return;
    };
    fs::write(Path::new(install).join("a"), "somebody else's").unwrap();
    let ran = machine.apply(install, &new).expect(9);
    assert_eq!(ran.code(), "needs-person");
    assert_eq!(Snapshot::of(install).paths(), ["", "/a"]);
    drop(other);
    machine.apply(install, &new).expect(0);
}

#[test]
fn an_install_is_resolved_once_whatever_becomes_of_the_link_that_led_to_it() {
    let machine = Machine::new();
    let (old, new) = versions(&machine);
    let install = machine.adopted(&old);
    fill(install);
    let (other, link) = (machine.path("opt/other"), machine.path("link"));
    fs::create_dir(&other).unwrap();
    std::os::unix::fs::symlink(install, &link).unwrap();
    let link = link.to_str().unwrap();
    let swap = format!(
        "ln -sfn {} {link}; rm {}/up",
        other.display(),
        machine.path("").display()
    );
    machine.settings(
        install,
        &format!(
            "[service]\nstop = [\"sh\", \"-c\", '{swap}']\nstart = [\"touch\", \"{up}\"]\n\
             alive = [\"test\", \"-e\", \"{up}\"]\nsettle = \"1ms\"",
            up = machine.path("up").display()
        ),
    );
    fs::write(machine.path("up"), "").unwrap();
    machine.apply(link, &new).expect(0);
    assert_eq!(fs::read_link(link).unwrap(), other, "it was not swapped");
    assert_eq!(machine.status(install)["version"], "1.1.0");
    assert_eq!(fs::read_dir(other).unwrap().count(), 0);
    assert!(!machine.path("opt/other.cofferdam").exists());
}

#[test]
fn an_overlay_is_as_good_as_its_upper_layer_and_its_lower_one_is_refused() {
    let machine = Machine::new();
    let (old, _) = versions(&machine);
    let (lower, merged) = (machine.path("lower"), machine.path("opt/merged"));
    for folder in [&lower, &merged] {
        fs::create_dir(folder).unwrap();
    }
    machine.lay_out(&old, &lower.join("below"));
    let Some(_overlay) = Mount::overlay(&lower, &merged) else {
        return;
    };
    lives(&machine, machine.str("opt/merged/above"));

    // From the image of a container: a directory of the lower layer cannot be moved.
    adopt_refused(
        &machine,
        machine.str("opt/merged/below"),
        "move-unsupported",
    );
    // And one that was written since is a mixture of both.
    fs::write(merged.join("below/written"), "since").unwrap();
    adopt_refused(
        &machine,
        machine.str("opt/merged/below"),
        "move-unsupported",
    );
}

#[test]
fn a_btrfs_subvolume_is_refused_as_an_install_and_below_one() {
    let Some(machine) = Machine::on(Disk::Btrfs) else {
        return;
    };
    let subvolume = |path: &Path| {
        let made = Command::new("btrfs")
            .args(["-q", "subvolume", "create"])
            .arg(path)
            .status();
        assert!(made.unwrap().success());
    };
    let install = machine.str("opt/agent");
    subvolume(Path::new(install));
    adopt_refused(&machine, install, "different-file-system");
    fs::remove_dir(install).unwrap();

    let (old, new) = versions(&machine);
    machine.adopted(&old);
    fill(install);
    let below = Path::new(install).join("data/sub");
    subvolume(&below);
    let error = machine.refused(install, &new, 4, "subvolume-below");
    assert_eq!(error["details"]["paths"][0], "data/sub");
    machine.run(["release", install]).expect(0);
    adopt_refused(&machine, install, "subvolume-below");
}

#[test]
fn a_file_system_that_is_read_only_is_looked_at_and_not_updated() {
    let Some(machine) = Machine::on(Disk::Ext4 { mib: 32 }) else {
        return;
    };
    let (old, new) = versions(&machine);
    let install = machine.adopted(&old);
    fill(install);
    let (tree, status) = (Snapshot::of(install), machine.status(install));
    machine.disk().remount("ro");
    for command in [
        vec!["apply", install, new.to_str().unwrap(), "--json"],
        vec!["plan", install, new.to_str().unwrap(), "--json"],
        vec!["rollback", install, "--json"],
        vec!["recover", install, "--json"],
        vec!["confirm", install, "--json"],
        vec!["release", install, "--json"],
    ] {
        let ran = machine.run(&command).expect(4);
        assert_eq!(ran.code(), "read-only", "{command:?}");
    }
    machine.run(["verify", install]).expect(0);
    assert_eq!(machine.status(install), status);
    machine.disk().remount("rw");
    assert_eq!(Snapshot::of(install), tree);
    machine.apply(install, &new).expect(0);
}
