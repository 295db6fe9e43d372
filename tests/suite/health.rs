// SPDX-License-Identifier: Apache-2.0
//! A new version must prove that it works, or the old one comes back by itself; which steps run is
//! decided by the version that is left, and by what their components import.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::harness::AtRest;
use crate::harness::Machine;
use crate::harness::with_component;

const READ_SCRIPT: &str = r#"read = ["script"]"#;

/// An install at 1.0.0, and a package 1.1.0 whose health step says what `script` says.
fn judged_by(machine: &Machine, script: &str) -> (&'static str, PathBuf) {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine
        .source("1.1.0")
        .file("agent", "two")
        .file("script", script)
        .step("works", "health", "script", READ_SCRIPT)
        .pack();
    (machine.adopted(&old), new)
}

#[test]
fn an_unhealthy_version_is_rolled_back_by_itself_and_condemned() {
    let machine = Machine::new();
    let (install, new) = judged_by(&machine, "read agent\nanswer unhealthy\n");
    fs::write(Path::new(install).join("data"), "state").unwrap();
    let error = machine.apply(install, &new).expect(7).json();
    assert_eq!(error["result"], "rolled-back");
    assert_eq!(error["version"], "1.0.0");
    assert_eq!(error["generation"], 1);
    assert_eq!(error["error"]["code"], "unhealthy");
    assert_eq!(error["error"]["details"]["step"], "works");
    assert_eq!(
        fs::read(Path::new(install).join("agent")).unwrap(),
        b"one",
        "the old generation is live"
    );
    assert!(!Path::new(install).join("script").exists());
    assert_eq!(fs::read(Path::new(install).join("data")).unwrap(), b"state");

    let status = machine.status(install);
    assert_eq!(status["state"], "idle");
    assert_eq!(status["condemned"][0]["version"], "1.1.0");
    let told = machine.history(install);
    let end = told
        .iter()
        .find(|record| record["body"]["result"] == "rolled-back")
        .unwrap();
    assert_eq!(end["body"]["code"], "unhealthy");

    machine.refused(install, &new, 4, "condemned");
    machine.run(["allow", install, "1.1.0"]).expect(0);
    machine.apply(install, &new).expect(7);
}

#[test]
fn a_rollback_never_leads_to_what_was_unhealthy_here_unless_it_is_named() {
    let machine = Machine::new();
    let (install, unhealthy) = judged_by(&machine, "answer unhealthy\n");
    let fixed = machine.source("1.2.0").file("agent", "three").pack();
    machine.apply(install, &unhealthy).expect(7);
    machine.apply(install, &fixed).expect(0);
    assert_eq!(machine.status(install)["generation"], 3);
    let back = machine.run(["rollback", install, "--json"]).expect(0);
    assert_eq!(back.json()["version"], "1.0.0");
    let named = ["rollback", install, "--to", "2", "--json"];
    let named = machine.run(named).expect(0).json();
    assert_eq!(named["version"], "1.1.0");
}

#[test]
fn a_health_step_that_fails_in_any_way_counts_as_unhealthy() {
    for guest in ["panics", "exits", "error_chain"] {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("agent", "one").pack();
        let new = machine
            .source("1.1.0")
            .file("agent", "two")
            .step("works", "health", guest, "")
            .pack();
        let install = machine.adopted(&old);
        let ran = machine.apply(install, &new).expect(7).json();
        assert_eq!(ran["result"], "rolled-back", "{guest}");
        assert_eq!(machine.status(install)["version"], "1.0.0");
    }
}

#[test]
fn a_health_step_reads_the_new_live_tree_and_changes_nothing() {
    let machine = Machine::new();
    let script = "read script\nwrite agent hacked\nwrite new x\nread agent\nanswer healthy\n";
    let (install, new) = judged_by(&machine, script);
    let applied = machine.apply(install, &new).expect(0).json();
    assert_eq!(applied["confirmed"], true);
    assert_eq!(applied["steps"][0]["verdict"], "healthy");
    let log = applied["steps"][0]["record"]["log"].to_string();
    for denied in [
        "write agent hacked: ok",
        "write new x: ok",
        "read agent: ok",
    ] {
        assert!(!log.contains(denied), "{log}");
    }
    assert_eq!(fs::read(Path::new(install).join("agent")).unwrap(), b"two");
}

#[test]
fn a_version_range_selects_the_steps_of_a_cumulative_package() {
    for (left, expected) in [
        ("1.0.0", vec!["first", "second", "always"]),
        ("1.1.0", vec!["second", "always"]),
    ] {
        let machine = Machine::new();
        let old = machine.source(left).file("agent", "old").pack();
        let new = machine
            .source("1.2.0")
            .file("agent", "new")
            .step("first", "migrate", "script", "from = \"<1.1.0\"")
            .step("second", "migrate", "script", "from = \"<1.2.0\"")
            .step("always", "migrate", "script", "")
            .step("never", "migrate", "script", "from = \">=3.0.0\"")
            .pack();
        let install = machine.adopted(&old);
        let applied = machine.apply(install, &new).expect(0).json();
        let ran = applied["steps"].as_array().unwrap().iter();
        let ran: Vec<&Value> = ran.map(|step| &step["name"]).collect();
        assert_eq!(json!(ran), json!(expected), "from {left}");
    }
}

#[test]
fn steps_for_the_last_host_of_a_fleet_run_only_when_asked_for() {
    for (arguments, runs) in [(vec![], false), (vec!["--finalize"], true)] {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("agent", "one").pack();
        let new = machine
            .source("1.1.0")
            .file("agent", "two")
            .step("once", "finalize", "script", "")
            .pack();
        let install = machine.adopted(&old);
        let mut command = vec!["apply", install, new.to_str().unwrap(), "--json"];
        command.extend(arguments);
        let steps = &machine.run(command).expect(0).json()["steps"];
        assert_eq!(!steps.as_array().unwrap().is_empty(), runs, "{steps}");
    }
}

/// A component that imports sockets: `(component (import "wasi:sockets/tcp@0.2.6" (instance (export
/// "connect" (func)))))`.
const SOCKETS: &[u8] =
    b"\0asm\x0d\0\x01\0\x07\x14\x01\x42\x02\x01\x40\0\x01\0\x04\0\x07connect\x01\0\
    \x0a\x1b\x01\0\x16wasi:sockets/tcp@0.2.6\x05\0";

#[test]
fn a_component_that_imports_what_is_not_on_offer_is_refused_by_name() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let sound = machine
        .source("1.1.0")
        .file("agent", "two")
        .step("calls-home", "migrate", "script", "")
        .pack_unsigned();
    let install = machine.adopted(&old);
    let made = with_component(&machine, &sound, SOCKETS);
    let made = made.to_str().unwrap();
    for command in ["plan", "apply"] {
        let before = AtRest::of(&machine, install);
        let ran = machine.run([command, install, made, "--json"]).expect(4);
        assert_eq!(ran.code(), "component-imports");
        assert!(
            ran.stdout.contains("wasi:sockets/tcp@0.2.6"),
            "{}",
            ran.stdout
        );
        assert_eq!(ran.json()["error"]["details"]["step"], "calls-home");
        before.assert_still(&machine, install);
    }
}

#[test]
fn a_vendor_learns_from_pack_that_no_host_would_run_a_component() {
    let machine = Machine::new();
    fs::write(machine.path("calls-home.wasm"), SOCKETS).unwrap();
    let source = machine.source("1.0.0").file("agent", "one");
    let folder = machine.path("packages/1.0.0");
    drop(source);
    let text = format!(
        "[package]\nid = \"agent\"\nversion = \"1.0.0\"\ndata-format = 1\nsummary = \"s\"\n\
         [requires]\nfrom = \"*\"\nhost = \">=0.1.0\"\n[payload]\ndir = \"payload\"\n\
         [[step]]\nname = \"calls-home\"\nphase = \"migrate\"\ncomponent = \"{}\"\nreason = \"r\"\n",
        machine.str("calls-home.wasm")
    );
    fs::write(folder.join("package.toml"), text).unwrap();
    let out = machine.str("out.upd");
    let ran = machine
        .run(["pack", folder.to_str().unwrap(), "-o", out, "--json"])
        .expect(4);
    assert_eq!(ran.code(), "component-imports");
    assert!(!Path::new(out).exists());
}

#[test]
fn what_an_update_does_can_be_computed_ahead_again_and_again() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine
        .source("1.1.0")
        .file("agent", "two")
        .file("script", "append data/a more\n")
        .step(
            "grow",
            "migrate",
            "script",
            "read = [\"script\"]\nwrite = [\"data/**\"]",
        )
        .pack();
    let install = machine.adopted(&old);
    fs::create_dir(Path::new(install).join("data")).unwrap();
    fs::write(Path::new(install).join("data/a"), "some ").unwrap();
    let first = machine.plan(install, &new);
    assert_eq!(
        machine.plan(install, &new)["data_digest"],
        first["data_digest"]
    );
    fs::write(Path::new(install).join("data/a"), "other ").unwrap();
    let then = machine.plan(install, &new);
    assert_ne!(then["data_digest"], first["data_digest"]);
    assert_eq!(then["outcome_digest"], first["outcome_digest"]);
    let expected = first["data_digest"].as_str().unwrap();
    let package = new.to_str().unwrap();
    let before = AtRest::of(&machine, install);
    let ran = machine
        .run([
            "apply",
            install,
            package,
            "--expect-data",
            expected,
            "--json",
        ])
        .expect(4);
    assert_eq!(ran.code(), "data-differs");
    before.assert_still(&machine, install);
    let applied = machine.apply(install, &new).expect(0).json();
    assert_eq!(applied["data_digest"], then["data_digest"]);
}
