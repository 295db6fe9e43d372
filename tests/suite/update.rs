// SPDX-License-Identifier: Apache-2.0
//! An update puts exactly the package in place, keeps what is the operator's, and can be undone.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use serde_json::json;

use crate::harness::Machine;
use crate::harness::Snapshot;

fn list(value: &Value) -> Vec<&str> {
    value
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item.as_str().unwrap())
        .collect()
}

#[test]
fn added_changed_and_removed_files_are_as_the_new_package_has_them() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .file_with_mode("bin/agent", "one", 0o755)
        .file("share/same", "same")
        .file("share/mode", "mode")
        .file("share/gone/deep/file", "gone")
        .symlink("share/link", "same")
        .pack();
    let new = machine
        .source("1.1.0")
        .from(">=1.0.0, <1.1.0")
        .file_with_mode("bin/agent", "two", 0o755)
        .file("share/same", "same")
        .file_with_mode("share/mode", "mode", 0o640)
        .file("share/new/file", "new")
        .symlink("share/link", "mode")
        .pack();
    let install = machine.adopted(&old);
    let before = Snapshot::of(install);

    let plan = machine.plan(install, &new);
    assert_eq!(
        list(&plan["files"]["changed"]),
        ["bin/agent", "share/link", "share/mode"]
    );
    assert!(
        list(&plan["files"]["added"]).contains(&"share/new/file"),
        "{plan}"
    );
    assert!(
        list(&plan["files"]["removed"]).contains(&"share/gone/deep/file"),
        "{plan}"
    );
    assert_eq!(plan["from"], json!({ "version": "1.0.0", "generation": 1 }));
    assert_eq!(plan["to"], json!({ "version": "1.1.0" }));
    assert_eq!(Snapshot::of(install), before, "a plan changes nothing");

    let applied = machine.apply(install, &new).expect(0).json();
    assert_eq!(applied["result"], "committed");
    assert_eq!(applied["generation"], 2);
    assert_eq!(applied["confirmed"], true);
    assert_eq!(applied["outcome_digest"], plan["outcome_digest"]);
    machine.lay_out(&new, &machine.path("expected"));
    assert_eq!(
        Snapshot::of(install),
        Snapshot::of(machine.path("expected"))
    );

    let status = machine.status(install);
    assert_eq!(status["version"], "1.1.0");
    assert_eq!(status["state"], "idle");
    assert_eq!(status["generations"].as_array().unwrap().len(), 2);

    machine.run(["rollback", install, "--json"]).expect(0);
    assert_eq!(
        Snapshot::of(install),
        before,
        "a rollback restores every byte and mode"
    );
    assert_eq!(machine.status(install)["version"], "1.0.0");
}

#[test]
fn unchanged_files_share_their_inode_with_the_old_generation_and_changed_ones_do_not() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .file("same", "same")
        .file("other", "one")
        .pack();
    let new = machine
        .source("1.1.0")
        .file("same", "same")
        .file("other", "two")
        .pack();
    let install = machine.adopted(&old);
    let inode = |name: &str| fs::metadata(Path::new(install).join(name)).unwrap().ino();
    let (same, other) = (inode("same"), inode("other"));
    machine.apply(install, &new).expect(0);
    assert_eq!(inode("same"), same);
    assert_ne!(inode("other"), other);
}

#[test]
fn state_is_kept_and_has_an_inode_of_its_own_in_each_generation() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let record = Path::new(install).join("data/record.json");
    fs::create_dir(record.parent().unwrap()).unwrap();
    fs::write(&record, "{}").unwrap();
    machine.apply(install, &new).expect(0);
    assert_eq!(fs::read_to_string(&record).unwrap(), "{}");
    assert_eq!(fs::metadata(&record).unwrap().nlink(), 1);
}

#[test]
fn the_operators_version_of_a_seed_stays_and_a_changed_default_is_told() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .seed("conf/agent.toml", "port = 1\n")
        .pack();
    let new = machine
        .source("1.1.0")
        .seed("conf/agent.toml", "port = 2\n")
        .seed("conf/extra.toml", "extra = true\n")
        .pack();
    let install = machine.adopted(&old);
    let seed = Path::new(install).join("conf/agent.toml");
    fs::write(&seed, "port = 8080 # mine\n").unwrap();
    let plan = machine.plan(install, &new);
    assert_eq!(list(&plan["seeds"]["default_changed"]), ["conf/agent.toml"]);
    assert_eq!(list(&plan["seeds"]["installed"]), ["conf/extra.toml"]);
    assert_eq!(plan["drift"], json!([]));
    machine.apply(install, &new).expect(0);
    assert_eq!(fs::read_to_string(&seed).unwrap(), "port = 8080 # mine\n");
    let extra = Path::new(install).join("conf/extra.toml");
    assert_eq!(fs::read_to_string(extra).unwrap(), "extra = true\n");
}

#[test]
fn the_live_package_again_is_unchanged_and_drift_is_repaired_by_it() {
    let machine = Machine::new();
    let package = machine
        .source("1.0.0")
        .file("agent", "one")
        .file("lib", "lib")
        .pack();
    let install = machine.adopted(&package);
    assert_eq!(
        machine.apply(install, &package).expect(0).json()["result"],
        "unchanged"
    );
    fs::write(Path::new(install).join("lib"), "edited").unwrap();
    let drifted = machine.run(["verify", install, "--json"]).expect(4);
    assert_eq!(drifted.code(), "drift");
    let repaired = machine.apply(install, &package).expect(0).json();
    assert_eq!(repaired["result"], "repaired");
    assert_eq!(
        fs::read_to_string(Path::new(install).join("lib")).unwrap(),
        "lib"
    );
    machine.run(["verify", install]).expect(0);
}

#[test]
fn an_outcome_that_was_not_expected_is_not_applied() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let before = Snapshot::of(install);
    let wrong = "0".repeat(64);
    let package = new.to_str().unwrap();
    let ran = machine
        .run(["apply", install, package, "--expect", &wrong, "--json"])
        .expect(4);
    assert_eq!(ran.code(), "outcome-differs");
    assert_eq!(Snapshot::of(install), before);
    let plan = machine.plan(install, &new);
    let expected = plan["outcome_digest"].as_str().unwrap();
    machine
        .run(["apply", install, package, "--expect", expected])
        .expect(0);
}

#[test]
fn a_package_is_refused_that_is_not_for_this_install_or_goes_back() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let middle = machine
        .source("1.1.0")
        .data_format(2)
        .file("agent", "two")
        .pack();
    let skipped = machine
        .source("3.0.0")
        .from(">=2.0.0")
        .data_format(2)
        .file("agent", "3")
        .pack();
    let lower = machine
        .source("2.0.0")
        .file("agent", "lower data format")
        .pack();
    let install = machine.adopted(&old);
    machine.apply(install, &middle).expect(0);
    let before = Snapshot::of(install);
    for (package, code) in [
        (&old, "downgrade"),
        (&skipped, "from-mismatch"),
        (&lower, "data-format-downgrade"),
    ] {
        assert_eq!(machine.apply(install, package).expect(4).code(), code);
        assert_eq!(Snapshot::of(install), before);
    }
    let again = machine
        .source("1.1.0")
        .data_format(2)
        .file("agent", "other content")
        .pack();
    assert_eq!(
        machine.apply(install, &again).expect(4).code(),
        "version-reused"
    );
    assert_eq!(Snapshot::of(install), before);
}

#[test]
fn a_package_without_a_trusted_vendors_signature_is_refused() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let install = machine.adopted(&old);
    let before = Snapshot::of(install);
    let unsigned = machine.source("1.1.0").file("agent", "two").pack_unsigned();
    machine.apply(install, &unsigned).expect(3);
    assert_eq!(Snapshot::of(install), before);
    machine
        .run(["keygen", machine.str("stranger"), "--no-password"])
        .expect(0);
    let package = unsigned.to_str().unwrap();
    machine
        .run(["sign", package, "--key", machine.str("stranger.key")])
        .expect(0);
    machine.apply(install, &unsigned).expect(3);
    assert_eq!(Snapshot::of(install), before);
}

#[test]
fn a_state_file_in_the_way_is_replaced_only_when_the_operator_says_so() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine
        .source("1.1.0")
        .file("agent", "two")
        .file("notes", "the vendor's")
        .pack();
    let install = machine.adopted(&old);
    let notes = Path::new(install).join("notes");
    fs::write(&notes, "mine").unwrap();
    let before = Snapshot::of(install);
    assert_eq!(
        machine.apply(install, &new).expect(4).code(),
        "state-in-the-way"
    );
    assert_eq!(Snapshot::of(install), before);
    let package = new.to_str().unwrap();
    machine
        .run(["apply", install, package, "--replace", "notes"])
        .expect(0);
    assert_eq!(fs::read_to_string(&notes).unwrap(), "the vendor's");
}

#[test]
fn a_rollback_that_would_lose_state_is_refused_until_the_operator_decides() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    machine.apply(install, &new).expect(0);
    let notes = Path::new(install).join("notes");
    fs::write(&notes, "written since").unwrap();
    let before = Snapshot::of(install);
    assert_eq!(
        machine
            .run(["rollback", install, "--json"])
            .expect(4)
            .code(),
        "state-changed"
    );
    assert_eq!(Snapshot::of(install), before);

    machine
        .run(["rollback", install, "--discard-changes"])
        .expect(0);
    assert!(!notes.exists());
    assert_eq!(machine.apply(install, &new).expect(4).code(), "condemned");
    machine.run(["allow", install, "1.1.0"]).expect(0);
    machine.apply(install, &new).expect(0);
    fs::write(&notes, "written since").unwrap();
    machine
        .run(["rollback", install, "--to", "1", "--keep-state"])
        .expect(0);
    let agent = Path::new(install).join("agent");
    assert_eq!(fs::read_to_string(agent).unwrap(), "one");
    assert_eq!(fs::read_to_string(&notes).unwrap(), "written since");
}

#[test]
fn a_rollback_and_the_pruning_pass_over_what_did_not_prove_itself() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let bad = machine.source("1.1.0").file("agent", "bad").pack();
    let good = machine.source("1.2.0").file("agent", "good").pack();
    let next = machine.source("1.3.0").file("agent", "next").pack();
    let install = machine.adopted(&old);
    machine.apply(install, &bad).expect(0);
    machine.run(["rollback", install]).expect(0);
    machine.apply(install, &good).expect(0);
    let numbers = || -> Vec<u64> {
        let status = machine.status(install);
        let generations = status["generations"].as_array().unwrap();
        generations
            .iter()
            .map(|generation| generation["number"].as_u64().unwrap())
            .collect()
    };
    assert_eq!(numbers(), [1, 2, 3]);
    machine.apply(install, &next).expect(0);
    assert_eq!(numbers(), [1, 3, 4], "the condemned one goes first");
    machine.run(["rollback", install]).expect(0);
    assert_eq!(machine.status(install)["version"], "1.2.0");
    machine.run(["rollback", install]).expect(0);
    assert_eq!(machine.status(install)["version"], "1.0.0");
}

#[test]
fn release_leaves_the_install_and_takes_the_state_directory_away() {
    let machine = Machine::new();
    let package = machine.source("1.0.0").file("agent", "one").pack();
    let install = machine.adopted(&package);
    let before = Snapshot::of(install);
    machine.run(["release", install]).expect(0);
    assert_eq!(Snapshot::of(install), before);
    assert!(!Path::new(&format!("{install}.cofferdam")).exists());
    assert_eq!(
        machine.run(["status", install, "--json"]).expect(4).code(),
        "not-adopted"
    );
}

#[test]
fn a_rollback_to_a_generation_that_was_edited_says_so() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    fs::remove_file(format!("{install}/agent")).unwrap();
    machine.apply(install, &new).expect(0);
    let back = machine
        .run(["rollback", install, "--json"])
        .expect(0)
        .json();
    let warning = back["warnings"][0].as_str().unwrap();
    assert!(warning.contains("1 of its managed paths"), "{warning}");
    machine.run(["verify", install]).expect(4);
}

#[test]
fn going_back_with_todays_state_keeps_no_more_generations_than_the_operator_wants() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let fewer = text.replace("generations = 3", "generations = 2");
    assert_ne!(text, fewer);
    fs::write(&settings, fewer).unwrap();
    machine.apply(install, &new).expect(0);
    machine
        .run(["rollback", install, "--to", "1", "--keep-state"])
        .expect(0);
    let status = machine.status(install);
    assert_eq!(status["generation"], 3);
    assert_eq!(
        status["generations"].as_array().unwrap().len(),
        2,
        "{status}"
    );
}

#[test]
fn a_copy_of_an_install_that_came_back_edited_is_still_that_install() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    fs::write(format!("{install}/agent"), "one, edited").unwrap();
    machine.apply(install, &new).expect(0);
    machine.run(["rollback", install]).expect(0);
    let copy = machine.str("opt/copy");
    for ending in ["", ".cofferdam"] {
        let [from, to] = [install, copy].map(|path| format!("{path}{ending}"));
        let copied = Command::new("cp").args(["-a", &from, &to]).status();
        assert!(copied.unwrap().success());
    }
    let recovered = machine.run(["recover", copy, "--json"]).expect(0).json();
    let warnings = recovered["recovered"]["warnings"].to_string();
    assert!(warnings.contains("1 managed files are not"), "{recovered}");
    assert_eq!(machine.status(copy)["version"], "1.0.0");
}
