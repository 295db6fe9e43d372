// SPDX-License-Identifier: Apache-2.0
//! A journal that is lost or contradicts the trees: nothing is touched, and `recover --from-disk` is the way out.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::harness::Machine;
use crate::harness::Service;
use crate::harness::Snapshot;

/// An install at 1.1.0 that came from 1.0.0, and a package 1.2.0.
fn updated(machine: &Machine) -> (&'static str, PathBuf) {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let next = machine.source("1.2.0").file("agent", "three").pack();
    let install = machine.adopted(&old);
    machine.apply(install, &new).expect(0);
    (install, next)
}

fn journal(install: &str) -> PathBuf {
    PathBuf::from(format!("{install}.cofferdam/transaction.json"))
}

#[test]
fn a_cut_journal_is_shown_and_asked_about_before_anything_is_changed() {
    let machine = Machine::new();
    let (install, next) = updated(&machine);
    let service = Service::running(&machine, install, "true", "true");
    service.stop();
    let sound = fs::read(journal(install)).unwrap();
    fs::write(journal(install), &sound[..sound.len() / 2]).unwrap();
    let tree = Snapshot::of(install);
    let refused = machine.run(["recover", install, "--json"]).expect(9);
    assert_eq!(refused.code(), "journal-unreadable");

    // Nobody is there to be asked.
    let shown = machine.run(["recover", install, "--from-disk", "--json"]);
    let shown = shown.expect(9);
    assert_eq!(shown.code(), "from-disk-not-agreed");
    let report = shown.json();
    assert_eq!(
        (&report["done"], &report["generation"]),
        (&false.into(), &2.into())
    );
    assert_eq!(
        fs::read(journal(install)).unwrap(),
        sound[..sound.len() / 2]
    );
    assert!(!Path::new(&format!("{install}.cofferdam/set-aside")).exists());
    assert!(!service.runs());
    let people = machine.run(["recover", install, "--from-disk"]).expect(9);
    assert!(
        people
            .stdout
            .contains("live: generation 2 (1.1.0), not confirmed"),
        "{}",
        people.stdout
    );

    let done = machine.run(["recover", install, "--from-disk", "--yes", "--json"]);
    let report = done.expect(0).json();
    assert_eq!(report["done"], true);
    assert_eq!(report["service_started"], true, "{report}");
    assert!(service.runs());
    assert_eq!(Snapshot::of(install), tree);
    let status = machine.status(install);
    assert_eq!(status["state"], "idle");
    assert_eq!(status["version_floor"], "1.1.0");
    let history = machine.history(install);
    assert_eq!(history.last().unwrap()["kind"], "recover");

    let again = machine.run(["recover", install, "--from-disk", "--yes", "--json"]);
    assert_eq!(again.expect(4).code(), "from-disk-not-needed");
    machine.run(["confirm", install]).expect(0);
    machine.apply(install, &next).expect(0);
}

#[test]
fn somebody_elses_directory_in_the_way_is_set_aside_and_the_kept_tree_comes_back() {
    let machine = Machine::new();
    let (install, next) = updated(&machine);
    fs::remove_dir_all(install).unwrap();
    fs::create_dir(install).unwrap();
    fs::write(format!("{install}/thesis"), "mine").unwrap();
    assert_eq!(machine.status(install)["state"], "needs-person");
    for command in ["recover", "confirm", "rollback"] {
        let refused = machine.run([command, install, "--json"]).expect(9);
        assert_eq!(refused.code(), "needs-person", "{command}");
    }
    assert_eq!(
        fs::read_to_string(format!("{install}/thesis")).unwrap(),
        "mine"
    );
    let done = machine.run(["recover", install, "--from-disk", "--yes", "--json"]);
    let report = done.expect(0).json();
    assert_eq!(report["version"], "1.0.0");
    let aside = report["moves"][0]["to"].as_str().unwrap();
    assert_eq!(
        fs::read_to_string(format!("{aside}/thesis")).unwrap(),
        "mine"
    );
    assert_eq!(
        fs::read_to_string(format!("{install}/agent")).unwrap(),
        "one"
    );
    machine.run(["confirm", install]).expect(0);
    machine.apply(install, &next).expect(0);
}

#[test]
fn how_an_old_generation_was_edited_makes_no_other_edit_its_own() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let agent = format!("{install}/agent");
    fs::write(&agent, "one, edited").unwrap();
    machine.apply(install, &new).expect(0);
    fs::write(&agent, "two, edited").unwrap();
    fs::write(journal(install), "cut").unwrap();
    let decide = ["recover", install, "--from-disk", "--yes", "--json"];
    let done = machine.run(decide).expect(0).json();
    // Nobody's, as far as its files tell, while one kept tree is as it was left.
    assert_eq!(done["generation"], 1, "{done}");
    assert_eq!(fs::read_to_string(&agent).unwrap(), "one, edited");
    let aside = done["moves"][0]["to"].as_str().unwrap();
    assert_eq!(
        fs::read_to_string(format!("{aside}/agent")).unwrap(),
        "two, edited"
    );
}

#[test]
fn a_generation_that_a_rollback_made_and_that_proved_healthy_stays_one_to_go_back_to() {
    let machine = Machine::new();
    let (install, next) = updated(&machine);
    machine.run(["rollback", install, "--keep-state"]).expect(0);
    machine.apply(install, &next).expect(0);
    fs::write(journal(install), "cut").unwrap();
    machine
        .run(["recover", install, "--from-disk", "--yes"])
        .expect(0);
    let generations = machine.status(install)["generations"].clone();
    let made = generations
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["number"] == 3)
        .unwrap();
    assert_eq!(made["confirmed"], true, "{generations}");
    machine.run(["rollback", install]).expect(0);
    assert_eq!(machine.status(install)["generation"], 3);
}

#[test]
fn what_cannot_be_decided_is_refused_with_what_agrees_and_changes_nothing() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .file("agent", "one")
        .file("same", "same")
        .pack();
    let install = machine.adopted(&old);
    fs::write(format!("{install}/agent"), "edited").unwrap();
    fs::remove_file(journal(install)).unwrap();
    let tree = Snapshot::of(install);
    let refused = machine.run(["recover", install, "--from-disk", "--yes", "--json"]);
    let refused = refused.expect(9);
    assert_eq!(refused.code(), "from-disk-undecided");
    let compared = &refused.json()["error"]["details"]["compared"][0];
    assert_eq!(
        (&compared["agreeing"], &compared["managed"]),
        (&1.into(), &2.into())
    );
    assert!(!journal(install).exists());
    let named = [
        "recover",
        install,
        "--from-disk",
        "--generation",
        "1",
        "--yes",
    ];
    machine.run(named).expect(0);
    assert_eq!(Snapshot::of(install), tree);
    assert_eq!(
        machine.run(["verify", install, "--json"]).expect(4).code(),
        "drift"
    );
    machine
        .run(["apply", install, old.to_str().unwrap()])
        .expect(0);
    machine.run(["verify", install]).expect(0);
}
