// SPDX-License-Identifier: Apache-2.0
//! While a directory comes under care, or goes out of it, whoever else wants to work on it is told who is
//! at it; nobody works in a state directory that is not in place for good.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_crash::tracer::Decision;
use cofferdam_crash::tracer::Ended;

use crate::harness::Machine;
use crate::harness::Snapshot;
use crate::harness::step_by_step;

/// A directory with a program, and the packages for it.
struct Unadopted {
    machine: Machine,
    install: &'static str,
    old: PathBuf,
    new: PathBuf,
}

impl Unadopted {
    fn new() -> Self {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("agent", "one").pack();
        let new = machine.source("1.1.0").file("agent", "two").pack();
        let install = machine.str("opt/agent");
        machine.lay_out(&old, Path::new(install));
        Self {
            machine,
            install,
            old,
            new,
        }
    }

    fn adopt(&self) -> Vec<&str> {
        let package = self.old.to_str().unwrap();
        let key = self.machine.str("acme.pub");
        let arguments = ["adopt", self.install, "--trust", key, "--package", package];
        arguments.to_vec()
    }

    fn apply(&self) -> Vec<&str> {
        vec!["apply", self.install, self.new.to_str().unwrap()]
    }

    /// Whether there is a state directory, finished or not.
    fn state_is_there(&self) -> bool {
        let scratch = self.machine.path("opt/.agent.cofferdam-scratch");
        scratch.exists() || self.is_under_care()
    }

    fn is_under_care(&self) -> bool {
        Path::new(&format!("{}.cofferdam", self.install)).exists()
    }

    /// A command is refused, and told that this other one is at work; the name is missing only in the moment
    /// before it is written.
    #[track_caller]
    fn is_busy(&self, arguments: &[&str], with: &str) -> bool {
        let ran = self.machine.run([arguments, &["--json"]].concat());
        let ran = ran.expect(8);
        assert_eq!(ran.code(), "busy");
        let holder = &ran.json()["error"]["details"]["holder"];
        if holder["pid"] == 0 {
            let message = ran.json()["error"]["message"].to_string();
            assert!(message.contains("did not say who it is"), "{message}");
            return false;
        }
        assert_eq!(holder["command"], with);
        assert_ne!(holder["since_unix_s"], 0);
        true
    }
}

#[test]
fn whoever_comes_while_a_directory_is_adopted_is_told_who_adopts_it() {
    let unadopted = Unadopted::new();
    let before = Snapshot::of(unadopted.install);
    let (mut named, mut nameless) = (0, 0);
    let ended = step_by_step(&unadopted.machine, &unadopted.adopt(), |_| {
        if !unadopted.state_is_there() {
            return Decision::Go;
        }
        let is_named = unadopted.is_busy(&unadopted.adopt(), "adopt");
        if is_named {
            assert!(unadopted.is_busy(&unadopted.apply(), "adopt"));
            assert!(unadopted.is_busy(&["rollback", unadopted.install], "adopt"));
            named += 1;
        } else {
            nameless += 1;
        }
        // Looking is another matter: it is not under care yet, and then it is.
        let status = ["status", unadopted.install, "--json"];
        let status = unadopted.machine.run(status);
        if unadopted.is_under_care() {
            assert_eq!(status.expect(0).json()["version"], "1.0.0");
        } else {
            assert_eq!(status.expect(4).code(), "not-adopted");
        }
        Decision::Go
    });
    assert_eq!(ended, Ended::Exit(0));
    assert!(named > 10 && nameless <= 4, "{named}, {nameless}");
    assert_eq!(Snapshot::of(unadopted.install), before);
    let machine = &unadopted.machine;
    machine.apply(unadopted.install, &unadopted.new).expect(0);
}

#[test]
fn what_a_killed_adopt_leaves_holds_nothing() {
    let unadopted = Unadopted::new();
    let ended = step_by_step(&unadopted.machine, &unadopted.adopt(), |call| {
        let is_history = call.path().ends_with("history.jsonl");
        if is_history && unadopted.state_is_there() {
            Decision::Kill
        } else {
            Decision::Go
        }
    });
    assert_eq!(ended, Ended::Killed);
    assert!(unadopted.state_is_there() && !unadopted.is_under_care());
    let apply = unadopted.machine.apply(unadopted.install, &unadopted.new);
    assert_eq!(apply.expect(4).code(), "not-adopted");
    unadopted.machine.run(unadopted.adopt()).expect(0);
}

#[test]
fn a_directory_is_not_adopted_again_before_all_of_its_old_care_is_gone() {
    let unadopted = Unadopted::new();
    unadopted.machine.run(unadopted.adopt()).expect(0);
    let mut met = 0;
    let release = ["release", unadopted.install];
    let ended = step_by_step(&unadopted.machine, &release, |_| {
        if !unadopted.is_under_care() && unadopted.state_is_there() {
            unadopted.is_busy(&unadopted.adopt(), "release");
            met += 1;
        }
        Decision::Go
    });
    assert_eq!(ended, Ended::Exit(0));
    assert!(met > 5, "{met}");
    assert!(!unadopted.state_is_there());
    unadopted.machine.run(unadopted.adopt()).expect(0);
}

#[test]
fn an_install_under_care_is_not_adopted_again_whoever_works_on_it() {
    let unadopted = Unadopted::new();
    unadopted.machine.run(unadopted.adopt()).expect(0);
    let mut asked = 0;
    let ended = step_by_step(&unadopted.machine, &unadopted.apply(), |_| {
        asked += 1;
        if asked % 10 == 0 {
            let again = [&unadopted.adopt()[..], &["--json"]].concat();
            let again = unadopted.machine.run(again).expect(4);
            assert_eq!(again.code(), "already-adopted");
        }
        Decision::Go
    });
    assert_eq!(ended, Ended::Exit(0));
    assert!(asked > 20, "{asked}");
    let agent = fs::read_to_string(Path::new(unadopted.install).join("agent"));
    assert_eq!(agent.unwrap(), "two");
}

#[test]
fn what_holds_an_install_is_not_adopted() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let install = machine.adopted(&old);
    let above = Path::new(install).parent().unwrap();
    let before = Snapshot::of(above);
    let key = machine.str("acme.pub");
    let adopt = [
        "adopt",
        above.to_str().unwrap(),
        "--trust",
        key,
        "--id",
        "all",
        "--json",
    ];
    let refused = machine.run(adopt).expect(4);
    assert_eq!(refused.code(), "holds-install");
    assert!(refused.stdout.contains(install), "{}", refused.stdout);
    assert_eq!(Snapshot::of(above), before);
}
