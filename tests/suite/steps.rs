// SPDX-License-Identifier: Apache-2.0
//! A step sees and changes what it was granted, says its word, and cannot do harm when it fails.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::Machine;
use crate::harness::Snapshot;

/// An install at 1.0.0 with some state, and a package 1.1.0 with one step.
struct Case {
    machine: Machine,
    install: &'static str,
    new: PathBuf,
}

impl Case {
    /// The step does what `script` says.
    fn scripted(phase: &str, script: &str, members: &str) -> Self {
        Self::new(phase, "script", script, members)
    }

    fn new(phase: &str, guest: &str, script: &str, members: &str) -> Self {
        let machine = Machine::new();
        let files = |version: &str, agent: &str| {
            machine
                .source(version)
                .file_with_mode("bin/agent", agent, 0o755)
                .file("share/lib", "lib")
                .file("script", script)
        };
        let old = files("1.0.0", "one").pack();
        let new = files("1.1.0", "two")
            .step("the-step", phase, guest, members)
            .pack();
        let install = machine.adopted(&old);
        fs::create_dir(Path::new(install).join("data")).unwrap();
        fs::write(Path::new(install).join("data/a"), "hello").unwrap();
        Self {
            machine,
            install,
            new,
        }
    }

    fn refused(&self, exit: i32, code: &str) -> Value {
        self.machine.refused(self.install, &self.new, exit, code)
    }

    /// Applies, which must succeed, and answers with what the step logged.
    fn applied(&self) -> Vec<String> {
        let applied = self.machine.apply(self.install, &self.new).expect(0).json();
        log(&applied["steps"][0])
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(Path::new(self.install).join(path)).unwrap()
    }
}

fn log(step: &Value) -> Vec<String> {
    let lines = step["record"]["log"].as_array().unwrap().iter();
    lines
        .map(|line| line["line"].as_str().unwrap().to_owned())
        .collect()
}

/// The lines of a script that were not refused.
fn went_well(log: &[String]) -> Vec<&str> {
    let well = log.iter().filter(|line| line.contains(": ok"));
    well.map(String::as_str).collect()
}

const READ_SCRIPT: &str = r#"read = ["script"]"#;
const READ_ALL: &str = r#"read = ["**"]"#;
const WRITE_DATA: &str = "read = [\"**\"]\nwrite = [\"data/**\"]";

#[test]
fn a_check_that_refuses_ends_the_update_and_its_reason_is_recorded() {
    let case = Case::scripted("check", "answer refuse\n", READ_SCRIPT);
    let error = case.refused(5, "step-refused");
    assert_eq!(error["details"]["step"], "the-step");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("told to"), "{message}");
    let history = case.machine.history(case.install);
    let step = history.iter().find(|record| record["kind"] == "step");
    assert_eq!(step.unwrap()["body"]["verdict"], "refuse");
    let end = &history.last().unwrap()["body"];
    assert_eq!(
        (&end["result"], &end["code"]),
        (&"refused".into(), &"step-refused".into())
    );
}

#[test]
fn a_check_that_defers_says_when_to_come_back() {
    let case = Case::scripted("check", "answer defer\n", READ_SCRIPT);
    let error = case.refused(6, "deferred");
    assert_eq!(error["details"]["retry_after_seconds"], 60);
    let again = case.machine.apply(case.install, &case.new).expect(6).json();
    assert_eq!(again["result"], "deferred");
    assert_eq!(again["generation"], 1);
}

#[test]
fn a_check_reads_the_live_tree_and_writes_nothing() {
    let script = "read bin/agent\nread data/a\nwrite data/a no\nwrite data/new no\nunlink data/a\n";
    let case = Case::scripted("check", script, READ_ALL);
    let log = case.applied();
    assert_eq!(
        went_well(&log),
        ["read bin/agent: ok one", "read data/a: ok hello"]
    );
    assert_eq!(case.read("data/a"), "hello");
    assert!(!Path::new(case.install).join("data/new").exists());
}

#[test]
fn prepare_sees_the_old_files_and_migrate_the_new_ones() {
    for (phase, seen) in [("prepare", "one"), ("migrate", "two")] {
        let case = Case::scripted(phase, "read bin/agent\n", READ_ALL);
        assert_eq!(case.applied(), [format!("read bin/agent: ok {seen}")]);
    }
}

#[test]
fn a_step_changes_state_within_its_grants_and_a_rollback_takes_it_back() {
    let script = "write data/a changed\nwrite data/new new\nmkdir data/deep\nwrite data/deep/b b\n\
                  write elsewhere no\nwrite share/lib no\nsymlink /etc/passwd data/passwd\n";
    let case = Case::scripted("migrate", script, WRITE_DATA);
    let before = Snapshot::of(case.install);
    let log = case.applied();
    assert_eq!(went_well(&log).len(), 4, "{log:?}");
    assert_eq!(case.read("data/a"), "changed");
    assert_eq!(case.read("data/deep/b"), "b");
    let new = fs::metadata(Path::new(case.install).join("data/new")).unwrap();
    assert_eq!(new.mode() & 0o7777, 0o644);
    assert!(!Path::new(case.install).join("elsewhere").exists());
    let rollback = ["rollback", case.install, "--discard-changes"];
    case.machine.run(rollback).expect(0);
    assert_eq!(Snapshot::of(case.install), before);
}

#[test]
fn the_record_of_a_step_tells_what_it_touched_and_what_it_was_denied() {
    let script = "read data/a\nwrite data/a changed\nwrite elsewhere no\n";
    let case = Case::scripted("migrate", script, WRITE_DATA);
    case.applied();
    let history = case.machine.history(case.install);
    let step = history
        .iter()
        .find(|record| record["kind"] == "step")
        .unwrap();
    let body = &step["body"];
    assert_eq!(body["name"], "the-step");
    assert_eq!(body["phase"], "migrate");
    assert_eq!(body["verdict"], "ok");
    assert_eq!(body["grants"]["write"][0], "data/**");
    let files = body["record"]["files"].as_array().unwrap();
    let at = |path: &str| files.iter().find(|file| file["path"] == path).unwrap();
    assert_eq!(at("data/a")["written"], true);
    assert!(at("elsewhere")["denied"][0].is_string(), "{files:?}");
}

#[test]
fn a_step_reads_nothing_that_it_was_not_granted() {
    let script = "read data/a\nread bin/agent\nread /etc/hostname\nread ../agent/bin/agent\n";
    let case = Case::scripted("migrate", script, READ_SCRIPT);
    let log = case.applied();
    assert_eq!(log.len(), 4);
    assert_eq!(went_well(&log), [""; 0]);
}

#[test]
fn managed_files_stay_as_the_vendor_signed_them_whatever_is_granted() {
    let script = "write bin/agent hacked\nappend bin/agent hacked\nunlink bin/agent\n\
                  rename bin/agent data/agent\nrename bin data/bin\npurge share\n\
                  write bin/helper hacked\nrename data/a bin/a\nrename data/a share/lib\n";
    let all = "read = [\"**\"]\nwrite = [\"**\"]";
    for phase in ["prepare", "migrate"] {
        let case = Case::scripted(phase, script, all);
        let log = case.applied();
        assert_eq!(went_well(&log), [""; 0], "{phase}");
        assert_eq!(case.read("bin/agent"), "two");
        let verified = case.machine.run(["verify", case.install, "--json"]);
        assert_eq!(verified.expect(0).json()["drift"], serde_json::json!([]));
        assert!(!Path::new(case.install).join("bin/helper").exists());
    }
}

#[test]
fn a_step_that_asks_for_managed_files_is_refused_until_the_operator_allows_it() {
    let members =
        "read = [\"**\"]\nwrite = [\"share/**\", \"lib2\"]\nallow-managed-writes = true\n";
    let script = "write share/lib patched\nwrite lib2 left-by-prepare\n";
    let machine = Machine::new();
    let base = |version: &str| {
        machine
            .source(version)
            .file("share/lib", "lib")
            .file("script", script)
    };
    let old = base("1.0.0").pack();
    let new = base("1.1.0")
        .file("lib2", "payload")
        .step("patch", "prepare", "script", members)
        .pack();
    let install = machine.adopted(&old);
    machine.refused(install, &new, 4, "managed-writes-not-allowed");
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text.replace("# allow-managed-writes", "allow-managed-writes");
    fs::write(&settings, text).unwrap();
    machine.apply(install, &new).expect(0);
    let lib2 = fs::read_to_string(Path::new(install).join("lib2")).unwrap();
    assert_eq!(lib2, "payload", "the payload wins over what prepare left");
}

#[test]
fn configuration_files_are_invisible_to_file_grants() {
    let machine = Machine::new();
    let script = "read conf/agent.toml\nexists conf/agent.toml\nwrite conf/agent.toml x\n\
                  unlink conf/agent.toml\nrename conf/agent.toml data\nlist conf\n";
    let source = |version: &str| {
        machine
            .source(version)
            .seed("conf/agent.toml", "port = 1\n")
            .file("script", script)
            .toml("[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"")
    };
    let old = source("1.0.0").pack();
    let all = "read = [\"**\"]\nwrite = [\"**\"]";
    let new = source("1.1.0")
        .step("peek", "migrate", "script", all)
        .pack();
    let install = machine.adopted(&old);
    let applied = machine.apply(install, &new).expect(0).json();
    let log = log(&applied["steps"][0]);
    assert_eq!(
        went_well(&log),
        ["exists conf/agent.toml: ok false", "list conf: ok "]
    );
    let config = fs::read_to_string(Path::new(install).join("conf/agent.toml")).unwrap();
    assert_eq!(config, "port = 1\n");
}

#[test]
fn a_request_above_the_operators_ceiling_is_refused_by_plan_and_apply() {
    for (limit, requested, ceiling, (asked, allowed)) in [
        ("time", "\"2s\"", "\"1s\"", (2000, 1000)),
        ("memory", "\"2MiB\"", "\"1MiB\"", (2 << 20, 1 << 20)),
        ("written", "\"2KiB\"", "\"1KiB\"", (2 << 10, 1 << 10)),
        ("files", "11", "10", (11, 10)),
        ("log", "\"2KiB\"", "\"1KiB\"", (2 << 10, 1 << 10)),
    ] {
        let members = format!("limits = {{ {limit} = {requested} }}");
        let case = Case::scripted("migrate", "", &members);
        let policy = format!("[policy.limits]\n{limit} = {ceiling}");
        case.machine.settings(case.install, &policy);
        let error = case.refused(4, "limit-above-policy");
        assert_eq!(error["details"]["allowed"], allowed, "{limit}");
        assert_eq!(error["details"]["requested"], asked, "{limit}");
        let plan = ["plan", case.install, case.new.to_str().unwrap(), "--json"];
        let plan = case.machine.run(plan).expect(4);
        assert_eq!(plan.code(), "limit-above-policy", "{limit}");
    }
}

#[test]
fn a_verdict_that_does_not_belong_to_the_phase_is_a_failure() {
    Case::scripted("migrate", "answer healthy\n", READ_SCRIPT).refused(5, "step-wrong-verdict");
    Case::scripted("migrate", "answer unhealthy\n", READ_SCRIPT).refused(5, "step-wrong-verdict");
}
