// SPDX-License-Identifier: Apache-2.0
//! A generation that a crash left committed and unconfirmed stays live, and is judged before anything is
//! built on it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::harness::Machine;
use crate::harness::Snapshot;

/// An install whose update to 1.1.0 was killed between its commit and its health step, and a package
/// 1.2.0. The health step of 1.1.0 answers what is given.
fn left_unconfirmed(machine: &Machine, answer: &str) -> (&'static str, PathBuf) {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine
        .source("1.1.0")
        .file("agent", "two")
        .step("judge", "health", "script", "read = [\"script\"]\n")
        .pack();
    let next = machine.source("1.2.0").file("agent", "three").pack();
    let install = machine.adopted(&old);
    fs::write(Path::new(install).join("script"), answer).unwrap();
    let hold = machine.path("hold");
    fs::write(&hold, "").unwrap();
    // The service does not say that it lives while the new version stands there and `hold` does.
    let settings = format!(
        "[service]\nstop = [\"true\"]\nstart = [\"true\"]\n\
         alive = [\"sh\", \"-c\", 'test ! -e {} || grep -q one {install}/agent']\n\
         start-timeout = \"60s\"\nsettle = \"1ms\"\n",
        hold.display()
    );
    machine.settings(install, &settings);
    let mut child = machine
        .command(["apply", install, new.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(50);
    while machine.status(install)["generation"] != 2 {
        assert!(
            Instant::now() < deadline,
            "the update was not committed in time"
        );
        assert!(
            child.try_wait().unwrap().is_none(),
            "the update ended by itself"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(hold).unwrap();
    assert_eq!(machine.status(install)["confirmed"], false);
    (install, next)
}

#[test]
fn recovery_leaves_it_live_and_unconfirmed_and_a_person_can_confirm_it() {
    let machine = Machine::new();
    let (install, _) = left_unconfirmed(&machine, "answer healthy");
    machine.run(["recover", install]).expect(0);
    let status = machine.status(install);
    assert_eq!(status["version"], "1.1.0");
    assert_eq!(status["confirmed"], false);
    machine.run(["confirm", install]).expect(0);
    assert_eq!(machine.status(install)["confirmed"], true);
}

#[test]
fn the_next_update_asks_its_health_steps_first_and_goes_on_when_they_agree() {
    let machine = Machine::new();
    let (install, next) = left_unconfirmed(&machine, "answer healthy");
    let applied = machine.apply(install, &next).expect(0).json();
    assert_eq!(applied["generation"], 3);
    let status = machine.status(install);
    assert_eq!(status["generations"][1]["confirmed"], true);
}

#[test]
fn nothing_is_built_on_it_when_its_health_steps_do_not_agree() {
    let machine = Machine::new();
    let (install, next) = left_unconfirmed(&machine, "answer unhealthy");
    let before = Snapshot::of(install);
    let ran = machine.apply(install, &next).expect(4);
    assert_eq!(ran.code(), "unconfirmed");
    assert_eq!(Snapshot::of(install), before);
    machine.run(["rollback", install]).expect(0);
    assert_eq!(machine.status(install)["version"], "1.0.0");
}
