// SPDX-License-Identifier: Apache-2.0
//! Links that a step leaves behind are safe for whatever walks the tree after it: other steps, the seal,
//! health, the next update, rollback and pruning, and whoever looks.

use std::fs;
use std::path::PathBuf;

use crate::harness::AtRest;
use crate::harness::Canaries;
use crate::harness::Snapshot;

use super::attack::Attack;
use super::attack::DATA;
use super::attack::Ended;

/// Links to what was not granted, to everything, to nothing and to each other, some of them in the
/// place of a file or directory that others know.
const PLANTED: [&str; 9] = [
    "symlink ../private data/peek",
    "symlink .. data/up",
    "symlink . data/loop",
    "symlink round data/round",
    "symlink ../../share/nothere data/sub/dangling",
    "symlink ../bin/agent data/log",
    "symlink ../private data/new",
    "unlink data/a",
    "symlink ../private/key data/a",
];

fn planted() -> Attack {
    Attack::script(&PLANTED)
}

#[track_caller]
fn all_planted(ended: &Ended) {
    let planted = ended
        .log()
        .iter()
        .take(PLANTED.len())
        .all(|line| line.ends_with(": ok "));
    assert!(planted, "{:?}", ended.log());
    for link in [
        "peek",
        "up",
        "loop",
        "round",
        "sub/dangling",
        "log",
        "new",
        "a",
    ] {
        let meta = fs::symlink_metadata(ended.attack.path("data").join(link));
        assert!(meta.unwrap().is_symlink(), "{link}");
    }
    assert_eq!(ended.read("private/key"), "s3cret");
    assert_eq!(ended.read("bin/agent"), "agent 1.2.0");
}

#[test]
fn for_the_next_step_which_is_led_nowhere_that_it_may_not_go() {
    let lines = [
        "read data/a",
        "write data/a x",
        "append data/a x",
        "read data/peek/key",
        "write data/new/file x",
        "mkdir data/new/folder",
        "list data/new",
        "write data/log x",
        "append data/log x",
        "read data/up/private/key",
        "write data/round x",
        "read data/sub/dangling",
    ];
    let ended = planted().then_script(&lines).succeeds();
    assert_eq!(ended.went_well().len(), PLANTED.len(), "{:?}", ended.log());
    all_planted(&ended);
    ended.undone();
}

#[test]
fn for_the_step_after_the_next_when_one_in_between_swaps_them() {
    // An honest link, swapped for one that leads out, and back: each step sees what stands there then.
    let ended = Attack::script(&[
        "mkdir data/new",
        "symlink new data/current",
        "write data/current/one 1",
    ])
    .then_script(&[
        "read data/current/one",
        "unlink data/current",
        "symlink ../private data/current",
        "read data/current/key",
        "write data/current/two 2",
    ])
    .then_script(&[
        "list data/current",
        "read data/current/key",
        "write data/current/three 3",
        "rename data/current data/moved",
        "read data/moved/key",
        "symlink new data/current",
        "read data/current/one",
        "write data/current/four 4",
    ])
    .succeeds();
    assert_eq!(
        ended.went_well(),
        [
            "mkdir data/new: ok ",
            "symlink new data/current: ok ",
            "write data/current/one 1: ok ",
            "read data/current/one: ok 1",
            "unlink data/current: ok ",
            "symlink ../private data/current: ok ",
            "rename data/current data/moved: ok ",
            "symlink new data/current: ok ",
            "read data/current/one: ok 1",
            "write data/current/four 4: ok ",
        ]
    );
    assert_eq!(ended.read("data/new/four"), "4");
    assert_eq!(ended.read("private/key"), "s3cret");
    for stray in ["two", "three"] {
        assert!(!ended.attack.path("private").join(stray).exists());
    }
    ended.undone();
}

#[test]
fn for_the_next_step_which_uses_only_rights_of_its_own() {
    // It may write both, so it is its own affair; the record says where the file really went.
    let grants = "read = [\"script*\"]\nwrite = [\"data/**\", \"private/**\"]\n";
    let attack = planted()
        .then_script(&["write data/new/file x"])
        .may(grants);
    let ended = attack.succeeds();
    assert_eq!(ended.read("private/file"), "x");
    let files = ended.steps()[1]["record"]["files"].clone();
    let paths = files.as_array().unwrap().iter().map(|file| &file["path"]);
    assert!(paths.clone().any(|path| path == "private/file"), "{files}");
    ended.undone();
}

#[test]
fn for_a_health_step_that_reads_the_live_tree() {
    let lines = [
        "read data/a",
        "read data/peek/key",
        "read data/log",
        "list data/peek",
        "read data/up/private/key",
        "write data/log x",
        "answer healthy",
    ];
    let attack = planted().then_script(&lines).in_phase("health");
    let ended = attack.may("read = [\"script*\", \"data/**\"]\n").succeeds();
    assert_eq!(ended.went_well().len(), PLANTED.len(), "{:?}", ended.log());
    all_planted(&ended);
}

#[test]
fn for_the_seal_and_for_everybody_who_looks() {
    let ended = planted().succeeds();
    all_planted(&ended);
    let (machine, install) = (&ended.attack.machine, ended.attack.install);
    let canaries = Canaries::of(machine, install);
    let before = Snapshot::of(install);
    for command in [
        vec!["verify", install],
        vec!["status", install],
        vec!["history", install, "--verify"],
        vec!["recover", install],
        vec!["confirm", install],
    ] {
        let ran = machine.run_soon([&command[..], &["--json"]].concat());
        assert_eq!(ran.exit, Some(0), "{command:?}: {ran:?}");
        assert_eq!(Snapshot::of(install), before, "{command:?}");
        canaries.assert_untouched(machine, install, &ran);
    }
    let verified = machine.run(["verify", install, "--json"]).expect(0).json();
    assert_eq!(verified["drift"], serde_json::json!([]));
    machine.run(["release", install]).expect(0);
    assert_eq!(Snapshot::of(install), before);
}

/// The version after, which brings a file to this path.
fn next(ended: &Ended, path: &str) -> PathBuf {
    let source = ended.attack.machine.source("1.3.0");
    let source = source.file_with_mode("bin/agent", "agent 1.3.0", 0o755);
    source.file("share/lib", "lib").file(path, "payload").pack()
}

#[test]
fn for_the_next_update_which_brings_files_to_where_they_stand() {
    let ended = planted().succeeds();
    let (machine, install) = (&ended.attack.machine, ended.attack.install);
    for path in [
        "data/new/file",
        "data/new",
        "data/a",
        "data/log",
        "data/up/bin/x",
    ] {
        let next = next(&ended, path);
        let at_rest = AtRest::of(machine, install);
        let canaries = Canaries::of(machine, install);
        let ran = machine.run_soon(["apply", install, next.to_str().unwrap(), "--json"]);
        assert_eq!(ran.exit, Some(4), "{path}: {ran:?}");
        assert_eq!(ran.code(), "state-in-the-way", "{path}");
        at_rest.assert_still(machine, install);
        canaries.assert_untouched(machine, install, &ran);
        fs::remove_dir_all(machine.path("packages/1.3.0")).unwrap();
    }
    // Replaced when the operator says so, the link goes and not what it leads to.
    let next = next(&ended, "data/a");
    let next = next.to_str().unwrap();
    let apply = ["apply", install, next, "--replace", "data/a", "--json"];
    machine.run_soon(apply).expect(0);
    assert_eq!(ended.read("data/a"), "payload");
    assert_eq!(ended.read("private/key"), "s3cret");
}

#[test]
fn for_the_next_update_whose_keys_are_in_files_where_they_stand() {
    let ended = planted().succeeds();
    let (machine, install) = (&ended.attack.machine, ended.attack.install);
    fs::write(ended.attack.path("private/key"), "port = 1\n").unwrap();
    for path in ["data/a", "data/new/key"] {
        let declared = format!("[config.extra]\nfile = \"{path}\"\nformat = \"toml\"");
        let source = machine
            .source("1.3.0")
            .file_with_mode("bin/agent", "new", 0o755);
        let next = source
            .toml(&declared)
            .step("step-0", "migrate", "script", "config.write = [\"**\"]\n")
            .pack();
        let canaries = Canaries::of(machine, install);
        let at_rest = AtRest::of(machine, install);
        let ran = machine.run_soon(["apply", install, next.to_str().unwrap(), "--json"]);
        assert_eq!(ran.exit, Some(4), "{path}: {ran:?}");
        assert_eq!(ran.code(), "symlink-swapped", "{path}");
        at_rest.assert_still(machine, install);
        canaries.assert_untouched(machine, install, &ran);
        fs::remove_dir_all(machine.path("packages/1.3.0")).unwrap();
    }
}

#[test]
fn for_rollback_and_for_pruning() {
    let attack = planted();
    // The link count of what lies outside is to be the same at the end.
    fs::remove_file(attack.path("data/linked")).unwrap();
    let ended = attack.succeeds();
    all_planted(&ended);
    ended.undone();
    let (machine, install) = (&ended.attack.machine, ended.attack.install);
    // Version after version, until the tree with the links is the one that is removed.
    for version in ["1.3.0", "1.4.0", "1.5.0", "1.6.0"] {
        let source = machine.source(version).file("share/lib", version);
        let next = source.file_with_mode("bin/agent", version, 0o755).pack();
        let canaries = Canaries::of(machine, install);
        let private = Snapshot::of(ended.attack.path("private"));
        let ran = machine.run_soon(["apply", install, next.to_str().unwrap(), "--json"]);
        assert_eq!(ran.exit, Some(0), "{ran:?}");
        canaries.assert_around_untouched(machine, install, &ran);
        assert_eq!(Snapshot::of(ended.attack.path("private")), private);
    }
    let tree = format!("{install}.cofferdam/generations/3/tree");
    assert!(fs::symlink_metadata(tree).is_err(), "it is still there");
}

#[test]
fn for_configuration_that_is_written_where_one_waits() {
    let grants = format!("{DATA}config.write = [\"net.*\"]\n");
    let grants = grants.replace("\"data/**\"]\n", "\"data/**\", \"conf/**\"]\n");
    for trap in [
        "symlink ../private/key conf/.cofferdam-waiting",
        "write conf/.cofferdam-waiting x",
        "mkdir conf/.cofferdam-waiting",
    ] {
        let ended = Attack::script(&[trap, "set net.port 2"])
            .may(&grants)
            .succeeds();
        assert_eq!(ended.went_well().len(), 2, "{:?}", ended.log());
        assert_eq!(ended.read("private/key"), "s3cret");
        assert!(
            ended
                .read("conf/agent.toml")
                .starts_with("[net]\nport = 2\n")
        );
        ended.undone();
    }
}
