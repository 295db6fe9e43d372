// SPDX-License-Identifier: Apache-2.0
//! Whoever looks at an install while a command works on it, or after that command was killed, sees the old
//! facts or the new ones, at every instant: never an error, never a mixture.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cofferdam_crash::calls::Operation;
use cofferdam_crash::journal::Stage;
use cofferdam_crash::tracer::Decision;
use cofferdam_crash::tracer::Ended;
use serde_json::Value;

use crate::harness::Machine;
use crate::harness::Service;
use crate::harness::step_by_step;

/// How many instants of one kind (stage of the transaction, and what is done) are looked at.
const OF_A_KIND: u32 = 2;

/// A machine with an install of two versions, a service and a config file outside.
struct Looked {
    machine: Machine,
    install: &'static str,
    new: &'static str,
}

impl Looked {
    fn new() -> Self {
        let machine = Machine::new();
        let outside = "[config.agent]\nfile = \"agent.toml\"\nformat = \"toml\"";
        let source = |version: &str, agent: &str| {
            let source = machine.source(version).file("agent", agent);
            source.file("script", "set port 8080\n").toml(outside)
        };
        let old = source("1.0.0", "one").pack();
        let keys = "read = [\"script\"]\nconfig.write = [\"**\"]";
        let new = source("1.1.0", "two");
        let new = new.step("keys", "migrate", "script", keys).pack();
        let install = machine.adopted(&old);
        let config = machine.path("etc/agent.toml");
        fs::write(&config, "port = 80\n").unwrap();
        machine.settings(
            install,
            &format!("[config.agent]\nfile = \"{}\"", config.display()),
        );
        let _its_files_stay = Service::running(&machine, install, "true", "true");
        let new = new.to_str().unwrap().to_owned().leak();
        Self {
            machine,
            install,
            new,
        }
    }

    /// What everybody who looks is told now, which must be one consistent answer; the version that is live.
    #[track_caller]
    fn look(&self, command: &str) -> String {
        let stage = Stage::of(Path::new(self.install));
        let status = self.machine.status(self.install);
        let told = status["state"].as_str().unwrap();
        if told == "working" {
            assert_eq!(status["holder"]["command"], command, "{status}");
            assert_ne!(status["holder"]["since_unix_s"], 0, "{status}");
        } else {
            assert_eq!((told, stage), ("idle", Stage::Idle), "{status}");
        }
        self.facts(&status)
    }

    /// The same, once nobody works any more.
    #[track_caller]
    fn look_after_a_kill(&self) -> String {
        let stage = Stage::of(Path::new(self.install));
        let status = self.machine.status(self.install);
        assert_eq!(status["holder"], Value::Null, "{status}");
        if stage == Stage::Idle {
            assert_eq!(status["state"], "idle", "{status}");
        } else {
            assert_eq!(status["state"], "interrupted", "{status}");
            let would = status["recovery"].as_str().unwrap();
            let way = if stage == Stage::Exchanged {
                "would finish it"
            } else {
                "would undo it"
            };
            assert!(would.ends_with(way), "{stage}: {would}");
        }
        self.facts(&status)
    }

    #[track_caller]
    fn facts(&self, status: &Value) -> String {
        let version = status["version"].as_str().unwrap().to_owned();
        let known = [("1.0.0", 1), ("1.1.0", 2)];
        let generation = status["generation"].as_u64().unwrap();
        assert!(known.contains(&(version.as_str(), generation)), "{status}");
        let generations = status["generations"].as_array().unwrap();
        let live = generations.iter().filter(|one| one["live"] == true);
        let live: Vec<&Value> = live.map(|one| &one["version"]).collect();
        assert_eq!(live, [version.as_str()], "{status}");

        // Files are compared with what is said of the tree that they are in.
        let verified = self.machine.run(["verify", self.install, "--json"]);
        let verified = verified.expect(0).json();
        let agent = fs::read_to_string(Path::new(self.install).join("agent")).unwrap();
        let is_new = agent == "two";
        let expected = known[usize::from(is_new)];
        assert_eq!(
            (&verified["version"], &verified["generation"]),
            (&expected.0.into(), &expected.1.into()),
            "{verified}"
        );
        self.machine.history(self.install);
        version
    }
}

/// Chooses some instants of each kind.
#[derive(Default)]
struct Kinds(BTreeMap<(Stage, Operation), u32>);

impl Kinds {
    fn wants(&mut self, stage: Stage, operation: Operation) -> bool {
        let count = self.0.entry((stage, operation)).or_default();
        *count += 1;
        *count <= OF_A_KIND
    }

    #[track_caller]
    fn assert_saw(&self, stages: &[Stage]) {
        for stage in stages {
            let seen = self.0.keys().any(|(seen, _)| seen == stage);
            assert!(seen, "nobody looked while {stage}");
        }
    }
}

#[test]
fn at_every_instant_of_an_update_and_of_the_way_back_there_is_one_consistent_answer() {
    use Stage::*;
    let looked = Looked::new();
    for (arguments, leads, stages) in [
        (
            vec!["apply", looked.install, looked.new],
            ["1.0.0", "1.1.0"],
            vec![Idle, Building, Stopped, Committing, Exchanged],
        ),
        (
            vec!["rollback", looked.install],
            ["1.1.0", "1.0.0"],
            vec![Idle, Building, Stopped, Moving, Committing, Exchanged],
        ),
    ] {
        let mut kinds = Kinds::default();
        let mut seen = Vec::new();
        let ended = step_by_step(&looked.machine, &arguments, |call| {
            let stage = Stage::of(Path::new(looked.install));
            if kinds.wants(stage, call.operation) {
                seen.push(looked.look(arguments[0]));
            }
            Decision::Go
        });
        assert_eq!(ended, Ended::Exit(0));
        kinds.assert_saw(&stages);
        seen.dedup();
        assert_eq!(seen, leads, "the new facts come once, and stay");
    }
}

#[test]
fn after_a_kill_in_every_state_of_a_transaction_there_is_one_consistent_answer() {
    for stage in [
        Stage::Building,
        Stage::Stopped,
        Stage::Committing,
        Stage::Exchanged,
    ] {
        let looked = Looked::new();
        let arguments = ["apply", looked.install, looked.new];
        let ended = step_by_step(&looked.machine, &arguments, |_| {
            if Stage::of(Path::new(looked.install)) == stage {
                Decision::Kill
            } else {
                Decision::Go
            }
        });
        assert_eq!(ended, Ended::Killed, "never {stage}");
        looked.look_after_a_kill();
        looked.machine.run(["recover", looked.install]).expect(0);
        let version = looked.look_after_a_kill();
        assert_eq!(version == "1.1.0", stage == Stage::Exchanged);
    }
}
