// SPDX-License-Identifier: Apache-2.0
//! One command at a time works on an install; the others say who it is, and looking is always allowed.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;

use crate::harness::Machine;
use crate::harness::Service;
use crate::harness::Snapshot;

/// An install whose `apply` waits in the middle of its work: the service stops when the test says so.
struct Held {
    machine: Machine,
    install: &'static str,
    new: PathBuf,
    service: Service,
    gate: PathBuf,
}

impl Held {
    fn new() -> Self {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("agent", "one").pack();
        let new = machine.source("1.1.0").file("agent", "two").pack();
        let install = machine.adopted(&old);
        let service = Service::running(&machine, install, "true", "true");
        let gate = machine.path("gate");
        let made = std::process::Command::new("mkfifo").arg(&gate).status();
        assert!(made.unwrap().success());
        let settings = format!("{install}.cofferdam/install.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let waits = format!("; cat {}; rm -f", gate.display());
        fs::write(&settings, text.replace("; rm -f", &waits)).unwrap();
        Self {
            machine,
            install,
            new,
            service,
            gate,
        }
    }

    /// Starts `apply` and waits until it waits for the service to stop.
    fn apply(&self) -> Child {
        let arguments = ["apply", self.install, self.new.to_str().unwrap(), "--json"];
        let mut command = self.machine.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let deadline = Instant::now() + Duration::from_mins(1);
        while self.service.log() != ["stop one"] {
            assert!(Instant::now() < deadline, "apply does not stop the service");
            std::thread::yield_now();
        }
        child.unwrap()
    }

    /// Lets the service stop.
    fn open_the_gate(&self) {
        fs::write(&self.gate, "").unwrap();
    }
}

#[test]
fn a_second_command_is_refused_and_told_who_works() {
    let held = Held::new();
    let before = Snapshot::of(held.install);
    let started = now();
    let mut child = held.apply();
    let package = held.new.to_str().unwrap();
    for arguments in [
        vec!["apply", held.install, package],
        vec!["plan", held.install, package],
        vec!["rollback", held.install],
        vec!["recover", held.install],
        vec!["confirm", held.install],
        vec!["allow", held.install, "1.1.0"],
        vec!["release", held.install],
    ] {
        let ran = held.machine.run([arguments, vec!["--json"]].concat());
        let ran = ran.expect(8);
        assert_eq!(ran.code(), "busy");
        let holder = &ran.json()["error"]["details"]["holder"];
        assert_eq!(holder["pid"], child.id());
        assert_eq!(holder["command"], "apply");
        let since = holder["since_unix_s"].as_u64().unwrap();
        assert!(since >= started && since <= now());
    }
    let all = held.machine.run(["recover", "--all", "--json"]).expect(8);
    let holder = &all.json()["installs"][0]["error"]["details"]["holder"];
    assert_eq!(holder["pid"], child.id());
    let status = held.machine.status(held.install);
    assert_eq!(status["state"], "working");
    assert_eq!(status["holder"]["pid"], child.id());
    assert_eq!(status["version"], "1.0.0");
    for look in ["verify", "history"] {
        held.machine.run([look, held.install, "--json"]).expect(0);
    }
    assert_eq!(Snapshot::of(held.install), before);

    held.open_the_gate();
    assert!(child.wait().unwrap().success());
    assert_eq!(held.service.log(), ["stop one", "start two"]);
    assert_eq!(held.machine.status(held.install)["version"], "1.1.0");
}

/// Seconds since 1970.
fn now() -> u64 {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed();
    since.unwrap().as_secs()
}

#[test]
fn a_lock_is_met_by_whatever_name_the_install_is_reached() {
    let held = Held::new();
    let mut child = held.apply();
    let link = held.machine.str("link");
    std::os::unix::fs::symlink(held.install, link).unwrap();
    let folder = held.machine.str("folder");
    std::os::unix::fs::symlink(held.machine.path("opt"), folder).unwrap();
    let mut names = vec![
        link.to_owned(),
        format!("{folder}/agent"),
        "opt/agent".to_owned(),
        "opt/../opt/./agent/".to_owned(),
    ];
    let mounted = Mounted::bind(&held.machine.path("opt"), held.machine.path("mounted"));
    if let Some(mounted) = &mounted {
        names.push(mounted.0.join("agent").display().to_string());
    }
    for name in names {
        let package = held.new.to_str().unwrap();
        let ran = held.machine.run(["apply", &name, package, "--json"]);
        let ran = ran.expect(8);
        assert_eq!(ran.code(), "busy", "{name}");
        let holder = &ran.json()["error"]["details"]["holder"];
        assert_eq!(holder["pid"], child.id(), "{name}");
        assert_eq!(held.machine.status(&name)["holder"], *holder, "{name}");
    }
    held.open_the_gate();
    assert!(child.wait().unwrap().success());
}

/// A directory that stands at a second place, until this is dropped.
struct Mounted(PathBuf);

impl Mounted {
    /// Mounts `directory` at `place` too; none where we may not.
    #[expect(clippy::print_stdout, reason = "what a machine cannot do is said")]
    fn bind(directory: &Path, place: PathBuf) -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            println!("not tried: a bind mount, which only root can make");
            return None;
        }
        fs::create_dir(&place).unwrap();
        rustix::mount::mount_bind(directory, &place).unwrap();
        Some(Self(place))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let flags = rustix::mount::UnmountFlags::DETACH;
        rustix::mount::unmount(&self.0, flags).unwrap();
    }
}

#[test]
fn rubbish_in_a_lock_file_keeps_nobody_from_working_and_names_nobody() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let lock = format!("{install}.cofferdam/lock");
    // A process that ran long ago, and one that runs, but began at another time.
    let dead = |pid: u32| {
        format!(
            "{{\"pid\":{pid},\"process_started_ticks\":1,\"command\":\"apply\",\"since_unix_s\":5}}\n"
        )
    };
    for rubbish in [
        Vec::new(),
        b"\n".to_vec(),
        vec![0; 100_000],
        b"{\"pid\":".to_vec(),
        b"{\"pid\":-1}\n".to_vec(),
        b"\xff\xfe[[[[".to_vec(),
        dead(u32::MAX).into_bytes(),
        dead(std::process::id()).into_bytes(),
    ] {
        fs::write(&lock, rubbish).unwrap();
        let status = machine.status(install);
        assert_eq!(status["state"], "idle", "{status}");
        assert_eq!(status["holder"], Value::Null);
        machine.run(["recover", install]).expect(0);
    }
    // Held by somebody who does not say who it is.
    let held = fs::File::create(&lock).unwrap();
    held.lock().unwrap();
    let before = Snapshot::of(install);
    let refused = machine.apply(install, &new).expect(8);
    assert_eq!(refused.code(), "busy");
    let message = refused.json()["error"]["message"].to_string();
    assert!(message.contains("did not say who it is"), "{message}");
    assert_eq!(Snapshot::of(install), before);
    drop(held);
    machine.apply(install, &new).expect(0);
}

#[test]
fn the_lock_of_a_killed_process_holds_nothing() {
    let held = Held::new();
    let before = Snapshot::of(held.install);
    let mut child = held.apply();
    child.kill().unwrap();
    child.wait().unwrap();
    held.open_the_gate();
    let status = held.machine.status(held.install);
    assert_eq!(status["state"], "interrupted");
    assert_eq!(status["holder"], Value::Null);
    assert_eq!(status["service_owed"], true);
    assert_eq!(Snapshot::of(held.install), before);

    let recovered = held.machine.run(["recover", held.install, "--json"]);
    assert_eq!(recovered.expect(0).json()["service_started"], true);
    assert_eq!(Snapshot::of(held.install), before);
    assert_eq!(held.machine.status(held.install)["state"], "idle");
    assert_eq!(held.service.log().last().unwrap(), "start one");
}

#[test]
fn of_two_updates_at_once_one_wins_and_the_other_changes_nothing() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let start = || {
        let arguments = ["apply", install, new.to_str().unwrap(), "--json"];
        let mut command = machine.command(arguments);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        child.spawn().unwrap()
    };
    let both = [start(), start()].map(|child| child.wait_with_output().unwrap());
    let mut ends: Vec<(Option<i32>, String)> = both
        .iter()
        .map(|output| {
            let json: Value = serde_json::from_slice(&output.stdout).unwrap();
            let end = [&json["result"], &json["error"]["code"]];
            let end = end.into_iter().find_map(Value::as_str).unwrap();
            (output.status.code(), end.to_owned())
        })
        .collect();
    ends.sort();
    assert_eq!(ends[0], (Some(0), "committed".to_owned()));
    let second = (ends[1].0, ends[1].1.as_str());
    assert!(
        [(Some(8), "busy"), (Some(0), "unchanged")].contains(&second),
        "{ends:?}"
    );
    let status = machine.status(install);
    assert_eq!(status["generation"], 2);
    assert_eq!(status["generations"].as_array().unwrap().len(), 2);
    machine.run(["verify", install]).expect(0);
    machine.history(install);
}

#[test]
fn whoever_looks_during_an_update_sees_the_old_version_or_the_new_one() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let arguments = ["apply", install, new.to_str().unwrap()];
    let mut command = machine.command(arguments);
    let mut child = command.stdout(Stdio::null()).spawn().unwrap();
    let mut seen = Vec::new();
    loop {
        let ended = child.try_wait().unwrap();
        let status = machine.status(install);
        let state = status["state"].as_str().unwrap();
        assert!(["idle", "working"].contains(&state), "{status}");
        let known = [("1.0.0", 1), ("1.1.0", 2)];
        let version = status["version"].as_str().unwrap().to_owned();
        let generation = status["generation"].as_u64().unwrap();
        assert!(known.contains(&(version.as_str(), generation)), "{status}");
        seen.push(version);
        if let Some(ended) = ended {
            assert!(ended.success());
            break;
        }
    }
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "1.1.0");
}
