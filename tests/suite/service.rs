// SPDX-License-Identifier: Apache-2.0
//! The operator's service is stopped late, started always, and asked whether it lives.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;

use crate::harness::AtRest;
use crate::harness::Machine;
use crate::harness::Service;

fn packages(machine: &Machine) -> (&'static str, PathBuf) {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    (machine.adopted(&old), new)
}

/// A package 1.1.0 with one step that is the named guest.
fn with_step(machine: &Machine, phase: &str, guest: &str, script: &str) -> PathBuf {
    let source = machine.source("1.1.0").file("agent", "two");
    source
        .file("script", script)
        .step("the-step", phase, guest, "read = [\"script\"]")
        .pack()
}

#[test]
fn the_service_is_stopped_for_the_exchange_and_runs_the_new_version_afterwards() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    machine.plan(install, &new);
    assert_eq!(service.log(), [""; 0], "a plan does not touch the service");
    let applied = machine.apply(install, &new).expect(0).json();
    assert_eq!(applied["confirmed"], true);
    assert!(
        applied["downtime_seconds"].as_f64().unwrap() > 0.0,
        "{applied}"
    );
    assert_eq!(service.log(), ["stop one", "start two"]);
    assert!(service.runs());
    machine.run(["rollback", install]).expect(0);
    assert_eq!(service.log()[2..], ["stop two", "start one"]);
    assert!(service.runs());
}

#[test]
fn a_service_that_did_not_run_stays_stopped() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    service.stop();
    let applied = machine.apply(install, &new).expect(0).json();
    assert_eq!(applied["downtime_seconds"], 0.0);
    machine.run(["rollback", install]).expect(0);
    assert_eq!(service.log(), [""; 0]);
    assert!(!service.runs());
}

#[test]
fn the_old_version_runs_again_after_every_failure_of_the_update() {
    for (phase, guest, script, code) in [
        ("prepare", "panics", "", "step-panicked"),
        ("migrate", "exits", "", "step-trapped"),
        ("migrate", "script", "answer refuse\n", "step-refused"),
    ] {
        let machine = Machine::new();
        let (install, _) = packages(&machine);
        let new = with_step(&machine, phase, guest, script);
        let service = Service::running(&machine, install, "true", "true");
        machine.refused(install, &new, 5, code);
        assert_eq!(service.log(), ["stop one", "start one"], "{code}");
        assert!(service.runs());
    }
}

#[test]
fn a_refusal_that_needs_no_downtime_has_none() {
    let machine = Machine::new();
    let old = machine
        .source("1.0.0")
        .file("agent", "one")
        .file("script", "answer refuse\n")
        .pack();
    let install = machine.adopted(&old);
    let service = Service::running(&machine, install, "true", "true");
    let vetoed = with_step(&machine, "check", "script", "");
    machine.refused(install, &vetoed, 5, "step-refused");
    let unsigned = machine.source("1.2.0").file("agent", "x").pack_unsigned();
    machine.refused(install, &unsigned, 3, "signatures-missing");
    assert_eq!(service.log(), [""; 0]);
    assert!(service.runs());
}

#[test]
fn an_unexpected_outcome_is_found_after_the_stop_and_the_service_runs_again() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    let before = AtRest::of(&machine, install);
    let digest = "0".repeat(64);
    let package = new.to_str().unwrap();
    let apply = ["apply", install, package, "--expect", &digest, "--json"];
    assert_eq!(machine.run(apply).expect(4).code(), "outcome-differs");
    before.assert_still(&machine, install);
    assert_eq!(service.log(), ["stop one", "start one"]);
}

#[test]
fn a_version_that_does_not_start_is_rolled_back_and_the_old_one_runs() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let fails = format!("! grep -q two {install}/agent");
    let service = Service::running(&machine, install, &fails, "true");
    let ran = machine.apply(install, &new).expect(7);
    assert_eq!(ran.code(), "service-start-failed");
    assert_eq!(ran.json()["result"], "rolled-back");
    let log = service.log();
    assert_eq!(log[..2], ["stop one", "start two"]);
    assert_eq!(log.last().unwrap(), "start one");
    assert!(service.runs());
    let status = machine.status(install);
    assert_eq!(status["version"], "1.0.0");
    assert_eq!(status["condemned"][0]["version"], "1.1.0");
}

#[test]
fn a_version_that_starts_and_dies_is_rolled_back_and_the_old_one_runs() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let dies = format!("! grep -q two {install}/agent");
    let service = Service::running(&machine, install, "true", &dies);
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let short = text.replace("start-timeout = \"20s\"", "start-timeout = \"300ms\"");
    fs::write(&settings, short).unwrap();
    let ran = machine.apply(install, &new).expect(7);
    assert_eq!(ran.code(), "service-not-alive");
    assert_eq!(service.log().last().unwrap(), "start one");
    assert!(service.runs());
    assert_eq!(fs::read(Path::new(install).join("agent")).unwrap(), b"one");
}

#[test]
fn what_the_service_prints_reaches_the_health_step() {
    for (word, exit) in [("healthy", 0), ("unhealthy", 7)] {
        let machine = Machine::new();
        let (install, _) = packages(&machine);
        let new = with_step(&machine, "health", "script", "answer refuse\n");
        let prints = format!("echo answer {word}");
        let service = Service::running(&machine, install, &prints, "true");
        machine.apply(install, &new).expect(exit);
        assert!(service.runs());
    }
}

#[test]
fn a_service_that_does_not_stop_keeps_the_update_away_and_runs_on() {
    for (stop, limit) in [("false", "20s"), ("sleep 600", "100ms")] {
        let machine = Machine::new();
        let (install, new) = packages(&machine);
        let service = Service::running(&machine, install, "true", "true");
        let settings = format!("{install}.cofferdam/install.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let stubborn = text
            .replace("; rm -f", &format!("; {stop}; : "))
            .replace("; : ", " || exit 1; : ")
            .replace(
                "stop-timeout = \"20s\"",
                &format!("stop-timeout = \"{limit}\""),
            );
        fs::write(&settings, stubborn).unwrap();
        machine.refused(install, &new, 4, "service-stop-failed");
        assert!(service.runs());
        assert_eq!(service.log().last().unwrap(), "start one", "{stop}");
    }
}

#[test]
fn a_process_that_uses_an_install_without_a_service_is_named_and_live_goes_on() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let mut user = Command::new("cat")
        .current_dir(install)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let error = machine.refused(install, &new, 4, "in-use");
    let process = &error["details"]["processes"][0];
    assert_eq!(process["pid"], user.id());
    assert_eq!(process["command"], "cat");
    let rollback = machine.run(["rollback", install, "--json"]).expect(4);
    assert_eq!(rollback.code(), "in-use");
    let package = new.to_str().unwrap();
    machine.run(["apply", install, package, "--live"]).expect(0);
    assert_eq!(machine.status(install)["version"], "1.1.0");
    drop(user.stdin.take());
    user.wait().unwrap();
}

#[test]
fn whoever_writes_after_the_stop_keeps_an_update_away_and_whoever_reads_does_not() {
    let machine = Machine::new();
    let (install, new) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        text.replace("stop-timeout = \"20s\"", "stop-timeout = \"1s\""),
    )
    .unwrap();
    let agent = Path::new(install).join("agent");

    let writer = fs::OpenOptions::new().append(true).open(&agent).unwrap();
    machine.refused(install, &new, 4, "in-use");
    assert!(service.runs());
    drop(writer);

    let reader = fs::File::open(&agent).unwrap();
    machine.apply(install, &new).expect(0);
    drop(reader);
    assert!(service.runs());
}
