// SPDX-License-Identifier: Apache-2.0
//! A vendor can try a whole update before anything is signed, and nothing of the trial stays.

use std::fs;
use std::path::Path;

use crate::harness::Machine;
use crate::harness::Snapshot;

#[test]
fn a_trial_needs_no_signature_and_leaves_packages_and_machine_as_they_were() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack_unsigned();
    let new = machine
        .source("1.1.0")
        .from(">=1.0.0, <1.1.0")
        .file("agent", "two")
        .pack_unsigned();
    let before = Snapshot::of(machine.path(""));
    let (old, new) = (old.to_str().unwrap(), new.to_str().unwrap());
    let tried = machine
        .run(["try", new, "--from", old, "--json"])
        .expect(0)
        .json();
    assert_eq!(tried["from"]["version"], "1.0.0");
    assert_eq!(tried["to"]["version"], "1.1.0");
    assert_eq!(tried["files"]["changed"][0], "agent");
    assert_eq!(Snapshot::of(machine.path("")), before);
}

#[test]
fn a_trial_starts_from_a_copy_of_real_data_and_shows_what_a_failing_step_says() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine
        .source("1.1.0")
        .file("agent", "two")
        .step(
            "migrate",
            "migrate",
            "script",
            "read = [\"script\"]\nwrite = [\"data/*\"]\n",
        )
        .pack();
    let broken = machine
        .source("1.2.0")
        .file("agent", "three")
        .step("panic", "migrate", "panics", "")
        .pack();
    let customer = machine.path("customer");
    machine.lay_out(&old, &customer);
    fs::create_dir(customer.join("data")).unwrap();
    fs::write(customer.join("script"), "write data/record new").unwrap();
    let before = Snapshot::of(&customer);
    let kept = machine.path("kept");
    let old = old.to_str().unwrap();
    let root = customer.to_str().unwrap();

    let arguments = [
        "--from",
        old,
        "--root",
        root,
        "--keep",
        kept.to_str().unwrap(),
    ];
    let new = new.to_str().unwrap();
    machine
        .run(["try", new].into_iter().chain(arguments))
        .expect(0);
    assert_eq!(fs::read_to_string(kept.join("data/record")).unwrap(), "new");
    assert_eq!(Snapshot::of(&customer), before);

    let broken = broken.to_str().unwrap();
    let ran = machine
        .run(["try", broken, "--from", old, "--root", root, "--json"])
        .expect(5);
    assert_eq!(ran.code(), "step-panicked");
    assert_eq!(Snapshot::of(&customer), before);
    assert!(!Path::new(&format!("{root}.cofferdam")).exists());
}
