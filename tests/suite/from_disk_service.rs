// SPDX-License-Identifier: Apache-2.0
//! The service of an install whose directory a recovery from the disk replaces: nothing of it goes on in what is
//! moved away, and in the end it runs.

use std::fs;
use std::io::Read as _;
use std::process::Command;
use std::process::Stdio;

use crate::harness::Machine;
use crate::harness::Ran;
use crate::harness::Service;
use crate::harness::Snapshot;

/// An install that went from 1.0.0 to 1.1.0, with somebody else's directory in its place.
fn displaced(machine: &Machine) -> &'static str {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    machine.apply(install, &new).expect(0);
    fs::remove_dir_all(install).unwrap();
    fs::create_dir(install).unwrap();
    fs::write(format!("{install}/agent"), "mine").unwrap();
    install
}

/// A service that is started by `touch`, and stopped and asked by shell commands.
fn service(machine: &Machine, install: &str, stop: &str, alive: Option<&str>) {
    let up = machine.path("up");
    let alive = alive.map(|alive| format!("alive = [\"sh\", \"-c\", '{alive}']\n"));
    machine.settings(
        install,
        &format!(
            "[service]\nstop = [\"sh\", \"-c\", '{stop}']\nstart = [\"touch\", \"{}\"]\n{}stop-timeout = \"1s\"\n",
            up.display(),
            alive.unwrap_or_default(),
        ),
    );
}

fn decide(machine: &Machine, install: &str, more: &[&str]) -> Ran {
    let all = ["recover", install, "--from-disk", "--yes", "--json"];
    machine.run(all.iter().chain(more))
}

/// What is refused has changed nothing.
#[track_caller]
fn refused(machine: &Machine, install: &str) -> Ran {
    let state = format!("{install}.cofferdam");
    let before = (Snapshot::of(install), Snapshot::of(&state));
    let refused = decide(machine, install, &[]).expect(9);
    assert_eq!((Snapshot::of(install), Snapshot::of(&state)), before);
    assert_eq!(refused.json()["done"], false);
    refused
}

#[test]
fn it_is_stopped_before_its_directory_is_moved_and_started_in_the_one_that_comes() {
    let machine = Machine::new();
    let install = displaced(&machine);
    let service = Service::running(&machine, install, "true", "true");
    let shown = machine.run(["recover", install, "--from-disk"]).expect(9);
    let told = "service: it is stopped before that, and started afterwards";
    assert!(shown.stdout.contains(told), "{}", shown.stdout);
    assert!(service.log().is_empty() && service.runs());

    let report = decide(&machine, install, &[]).expect(0).json();
    assert_eq!(report["stops_service"], true);
    assert_eq!(report["service_started"], true);
    assert_eq!(service.log(), ["stop mine", "start one"]);
    assert!(service.runs());
}

#[test]
fn one_that_runs_and_does_not_stop_keeps_its_directory_unless_somebody_else_cares_for_it() {
    let machine = Machine::new();
    let install = displaced(&machine);
    service(&machine, install, "false", Some("true"));
    assert_eq!(refused(&machine, install).code(), "service-stop-failed");

    let report = decide(&machine, install, &["--no-service"])
        .expect(0)
        .json();
    assert_eq!(report["stops_service"], false);
    assert_eq!(report["service_started"], false);
    assert_eq!(machine.status(install)["service_owed"], false);
    assert!(!machine.path("up").exists());
}

#[test]
fn one_that_only_its_own_lost_program_could_ask_does_not_keep_the_install_from_coming_back() {
    let machine = Machine::new();
    let install = displaced(&machine);
    fs::remove_dir_all(install).unwrap();
    let settings = format!(
        "[service]\nstop = [\"{install}/agent\"]\nstart = [\"true\"]\nalive = [\"{install}/agent\"]\n"
    );
    machine.settings(install, &settings);
    let report = decide(&machine, install, &[]).expect(0).json();
    assert_eq!(report["version"], "1.0.0");
    assert_eq!(report["service_started"], true);
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(warning.contains("cannot be run"), "{warning}");
}

#[test]
fn one_that_was_stopped_already_and_cannot_be_asked_is_started() {
    let machine = Machine::new();
    let install = displaced(&machine);
    let up = machine.path("up");
    let stop = format!("rm {}", up.display());
    service(&machine, install, &stop, None);
    let report = decide(&machine, install, &[]).expect(0).json();
    assert_eq!(report["service_started"], true);
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.starts_with("the service may not have run: "),
        "{warning}"
    );
    assert!(up.exists());
}

#[test]
fn what_goes_on_in_the_directory_after_the_stop_keeps_it_there() {
    let machine = Machine::new();
    let install = displaced(&machine);
    service(&machine, install, "true", Some("false"));
    let mut daemon = Command::new("sh")
        .args([
            "-c",
            &format!("exec 3>>{install}/log; echo ready; exec cat"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    daemon
        .stdout
        .take()
        .unwrap()
        .read_exact(&mut ready)
        .unwrap();
    let failure = refused(&machine, install).json();
    assert_eq!(failure["error"]["code"], "in-use");
    assert_eq!(
        failure["error"]["details"]["processes"][0]["pid"],
        daemon.id()
    );
    drop(daemon.stdin.take());
    daemon.wait().unwrap();
    decide(&machine, install, &[]).expect(0);
}

#[test]
fn a_disk_that_fails_before_anything_is_moved_gives_it_back() {
    let machine = Machine::new();
    let install = displaced(&machine);
    let service = Service::running(&machine, install, "true", "true");
    fs::write(format!("{install}.cofferdam/set-aside"), "in the way").unwrap();
    let refused = refused(&machine, install).json();
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(
        message.ends_with("; the service was started again"),
        "{message}"
    );
    assert_eq!(service.log(), ["stop mine", "start mine"]);
    assert!(service.runs());
}

#[test]
fn one_that_does_not_start_in_the_end_is_told_with_all_that_was_done() {
    let machine = Machine::new();
    let install = displaced(&machine);
    let _files = Service::running(&machine, install, "false", "true");
    let failed = decide(&machine, install, &[]).expect(9);
    assert_eq!(failed.code(), "service-start-failed");
    assert_eq!(failed.json()["done"], true);
    let status = machine.status(install);
    assert_eq!(
        (&status["state"], &status["service_owed"]),
        (&"idle".into(), &true.into())
    );
}
