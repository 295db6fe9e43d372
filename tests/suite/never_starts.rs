// SPDX-License-Identifier: Apache-2.0
//! A version whose service does not start can always be left, by itself or by a person.

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use crate::harness::Machine;

/// An install of 1.0.0, and a version 1.1.0. The service runs while `up` stands; its commands run in the
/// install directory, and `stop` fails when there is nothing to stop.
fn packages(machine: &Machine, start: &str, alive: &str) -> (&'static str, PathBuf, PathBuf) {
    let old = machine
        .source("1.0.0")
        .file("agent", "one")
        .file_with_mode("alive", "#!/bin/sh\nexit 0\n", 0o755)
        .pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let up = machine.path("up");
    fs::write(&up, "").unwrap();
    let text = format!(
        "[service]\nstop = [\"sh\", \"-c\", 'test -e {up} && rm {up}']\n\
         start = [\"sh\", \"-c\", '{start} && touch {up}']\n{alive}\
         stop-timeout = \"20s\"\nstart-timeout = \"50s\"\nsettle = \"1ms\"\n",
        up = up.display(),
        start = start.replace("DIR", install),
        alive = alive.replace("DIR", install),
    );
    machine.settings(install, &text);
    (install, new, up)
}

#[test]
fn without_a_way_to_ask_whether_it_lives_the_old_version_comes_back_and_runs() {
    let machine = Machine::new();
    let (install, new, up) = packages(&machine, "grep -q one DIR/agent", "");
    let ran = machine.apply(install, &new).expect(7);
    assert_eq!(ran.code(), "service-start-failed");
    assert_eq!(machine.status(install)["version"], "1.0.0");
    assert!(up.exists());
}

#[test]
fn a_version_that_lacks_the_command_that_is_to_be_asked_is_left_all_the_same() {
    let machine = Machine::new();
    let (install, new, up) = packages(&machine, "true", "alive = [\"DIR/alive\"]\n");
    let ran = machine.apply(install, &new).expect(7);
    assert_eq!(ran.code(), "service-not-alive");
    assert_eq!(ran.json()["result"], "rolled-back");
    let status = machine.status(install);
    assert_eq!(status["version"], "1.0.0");
    assert_eq!(status["condemned"][0]["version"], "1.1.0");
    assert!(up.exists());
}

#[test]
fn where_no_version_starts_the_message_says_that_the_old_one_does_not_run() {
    let machine = Machine::new();
    let (install, new, _) = packages(&machine, "false", "");
    let ran = machine.apply(install, &new).expect(7);
    let failure = &ran.json()["error"];
    let message = failure["message"].as_str().unwrap();
    let told = "; the service of the old generation does not start: ";
    assert!(message.contains(told), "{message}");
    let status = machine.status(install);
    assert_eq!(status["version"], "1.0.0");
    assert_eq!(status["service_owed"], true);
}

#[test]
fn a_version_that_lacks_the_program_of_its_service_is_taken_back_and_condemned() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .file_with_mode("start", "#!/bin/sh\nexit 0\n", 0o755)
        .pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let text = format!("[service]\nstop = [\"true\"]\nstart = [\"{install}/start\"]\n");
    machine.settings(install, &text);
    let ran = machine.apply(install, &new).expect(7);
    assert_eq!(ran.code(), "service-start-failed");
    assert!(ran.stdout.contains("cannot be run"), "{}", ran.stdout);
    let status = machine.status(install);
    assert_eq!(status["version"], "1.0.0");
    assert_eq!(status["condemned"][0]["version"], "1.1.0");
    assert_eq!(status["service_owed"], false);
}

#[test]
fn after_a_crash_while_it_started_a_person_can_go_back() {
    let machine = Machine::new();
    let hold = machine.path("hold");
    fs::write(&hold, "").unwrap();
    let waits = format!(
        "{{ grep -q one DIR/agent || {{ while test -e {}; do sleep 0.02; done; false; }}; }}",
        hold.display()
    );
    let (install, new, up) = packages(&machine, &waits, "");
    let mut child = machine
        .command(["apply", install, new.to_str().unwrap()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(40);
    while machine.status(install)["generation"] != 2 {
        assert!(
            Instant::now() < deadline,
            "the update was not committed in time"
        );
    }
    child.kill().unwrap();
    child.wait().unwrap();
    fs::remove_file(hold).unwrap();

    let recovered = machine.run(["recover", install, "--json"]).expect(9);
    assert_eq!(recovered.code(), "service-start-failed");
    machine.run(["rollback", install]).expect(0);
    assert_eq!(machine.status(install)["version"], "1.0.0");
    assert_eq!(machine.status(install)["service_owed"], false);
    assert!(up.exists());
}
