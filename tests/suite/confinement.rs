// SPDX-License-Identifier: Apache-2.0
//! Steps run in processes of their own that hold nothing of the host's, and end with it or by it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::harness::Machine;
use crate::harness::Ran;
use crate::harness::Snapshot;

/// An install at 1.0.0 and a package 1.1.0 with one step.
struct Case {
    machine: Machine,
    install: &'static str,
    package: PathBuf,
}

impl Case {
    fn new(guest: &str, members: &str) -> Self {
        let machine = Machine::new();
        let old = machine.source("1.0.0").file("bin/agent", "one").pack();
        let package = machine
            .source("1.1.0")
            .file("bin/agent", "two")
            .step("the-step", "migrate", guest, members)
            .pack();
        let install = machine.adopted(&old);
        Self {
            machine,
            install,
            package,
        }
    }

    fn arguments(&self) -> [&str; 4] {
        [
            "apply",
            self.install,
            self.package.to_str().unwrap(),
            "--json",
        ]
    }

    /// Starts `apply`; answers when the step's runner is at work.
    fn started(&self) -> (Child, Runner) {
        let mut command = self.machine.command(self.arguments());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let host = command.spawn().unwrap();
        let runner = Runner::of(host.id());
        (host, runner)
    }
}

/// A runner process, seen from outside.
struct Runner(PathBuf);

impl Runner {
    /// Waits until a process has one that has put up its walls.
    fn of(parent: u32) -> Self {
        loop {
            for entry in fs::read_dir("/proc").unwrap().flatten() {
                let runner = Self(entry.path());
                let status = runner.status();
                let is = |name: &str, value: &str| status.get(name).is_some_and(|is| is == value);
                if is("PPid", &parent.to_string())
                    && is("Seccomp", "2")
                    && runner.read("cmdline").starts_with("cofferdam-runner")
                {
                    return runner;
                }
            }
            assert!(Path::new(&format!("/proc/{parent}")).exists(), "it ended");
            std::thread::yield_now();
        }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    fn status(&self) -> BTreeMap<String, String> {
        self.read("status")
            .lines()
            .filter_map(|line| line.split_once(":\t"))
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect()
    }

    fn signal(&self, signal: &str) {
        let pid = self.0.file_name().unwrap();
        let sent = Command::new("kill").arg(signal).arg(pid).status().unwrap();
        assert!(sent.success());
    }

    fn is_gone(&self) -> bool {
        self.status()
            .get("State")
            .is_none_or(|state| state.starts_with('Z'))
    }
}

const LONG: &str = "write = [\"data/**\"]\nlimits = { time = \"30s\" }";
const SHORT: &str = "write = [\"data/**\"]\nlimits = { time = \"1s\" }";

#[test]
fn what_is_no_component_is_refused_while_packing() {
    let machine = Machine::new();
    let folder = machine.path("source");
    fs::create_dir_all(folder.join("payload")).unwrap();
    fs::write(folder.join("payload/a"), "a").unwrap();
    fs::write(folder.join("a.wasm"), "not wasm").unwrap();
    let text = "[package]\nid = \"agent\"\nversion = \"1.0.0\"\nsummary = \"s\"\n[requires]\n\
                from = \"*\"\n[payload]\ndir = \"payload\"\n[[step]]\nname = \"a\"\n\
                phase = \"check\"\ncomponent = \"a.wasm\"\nreason = \"r\"\n";
    fs::write(folder.join("package.toml"), text).unwrap();
    let ran = machine.run([
        "pack",
        folder.to_str().unwrap(),
        "-o",
        machine.str("a.upd"),
        "--json",
    ]);
    assert_eq!(ran.exit, Some(3), "{ran:?}");
    assert_eq!(ran.code(), "component-invalid", "{ran:?}");
    let error = &ran.json()["error"];
    assert!(
        error["message"].as_str().unwrap().contains("`a`"),
        "{error}"
    );
    assert!(!machine.path("a.upd").exists());
}

#[test]
fn plan_and_apply_say_which_walls_stand() {
    let case = Case::new("half_done", "write = [\"data/**\"]");
    let package = case.package.to_str().unwrap();
    let machine = &case.machine;
    let old = machine.source("1.0.1").file("bin/agent", "x").pack();
    let without = machine.run(["plan", case.install, old.to_str().unwrap(), "--json"]);
    assert_eq!(
        without.expect(0).json()["confinement"],
        serde_json::json!([])
    );
    let script = machine
        .source("1.0.2")
        .file("script", "")
        .step("s", "migrate", "script", "read = [\"script\"]")
        .pack();
    let plan = machine.run(["plan", case.install, script.to_str().unwrap(), "--json"]);
    let plan = plan.expect(0).json();
    let walls = plan["confinement"].as_array().unwrap();
    for wall in [
        "no-new-privs",
        "limits",
        "capabilities",
        "landlock",
        "seccomp",
        "cgroup",
    ] {
        assert!(
            walls.iter().any(|found| found["wall"] == wall),
            "{wall}: {plan}"
        );
    }
    assert!(Path::new(package).exists());
}

#[test]
fn a_runner_holds_nothing_of_the_hosts() {
    let case = Case::new("endless_loop", LONG);
    let mut command = Command::new("bash");
    let binary = env!("CARGO_BIN_EXE_cofferdam");
    let line = format!("exec 9</etc/hostname; exec \"{binary}\" \"$@\"");
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("COFFERDAM_REGISTRY", case.machine.path("registry"))
        .env("SECRET", "s3cret")
        .args(["-c", &line, "bash"])
        .args(case.arguments())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let host = command.spawn().unwrap();
    let runner = Runner::of(host.id());

    assert_eq!(runner.read("environ"), "");
    let status = runner.status();
    assert_eq!(status["NoNewPrivs"], "1");
    assert_eq!(status["CapInh"], "0000000000000000");
    let allowed = u64::from_str_radix("1b", 16).unwrap();
    for set in ["CapPrm", "CapEff"] {
        let held = u64::from_str_radix(&status[set], 16).unwrap();
        assert_eq!(held & !allowed, 0, "{set}: {held:x}");
    }
    let limits = runner.read("limits");
    let core = limits
        .lines()
        .find(|l| l.starts_with("Max core file size"))
        .unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    let tree = format!("{}.cofferdam/generations/1/tree", case.install);
    for descriptor in fs::read_dir(runner.0.join("fd")).unwrap().flatten() {
        let leads = fs::read_link(descriptor.path()).unwrap_or_default();
        let leads = leads.to_str().unwrap().to_owned();
        let known = leads.is_empty()
            || leads.starts_with("socket:")
            || leads.starts_with("/memfd:cofferdam-code")
            || leads == "anon_inode:[landlock-ruleset]"
            || leads.starts_with(&tree);
        assert!(known, "{leads}");
    }
    runner.signal("-KILL");
    assert_eq!(Ran::at_the_end_of(host).exit, Some(5));
}

/// The kernel's wall opens whole subtrees for writing, so nothing below may be shared.
#[test]
fn no_file_that_the_kernel_lets_a_step_write_is_one_of_the_live_tree() {
    let machine = Machine::new();
    let files = |version: &str| {
        machine
            .source(version)
            .file("bin/agent", "the same")
            .file("data/deep/down/lib", "the same")
    };
    let old = files("1.0.0").pack();
    let package = files("1.1.0")
        .file("bin/new", "new")
        .step(
            "s",
            "migrate",
            "endless_loop",
            "write = [\"data/x\"]\nlimits = { time = \"30s\" }",
        )
        .pack();
    let install = machine.adopted(&old);
    let case = Case {
        machine,
        install,
        package,
    };
    let (host, runner) = case.started();
    let next = format!("{install}.cofferdam/generations/1/tree");
    let links = |tree: &str, path: &str| fs::metadata(Path::new(tree).join(path)).unwrap().nlink();
    assert_eq!(links(&next, "data/deep/down/lib"), 1);
    assert_eq!(links(install, "data/deep/down/lib"), 1);
    assert_eq!(
        links(&next, "bin/agent"),
        2,
        "what no glob reaches is shared"
    );
    runner.signal("-KILL");
    assert_eq!(Ran::at_the_end_of(host).exit, Some(5));
}

#[test]
fn a_runner_that_is_killed_ends_the_step_and_nothing_else() {
    let case = Case::new("endless_loop", LONG);
    let before = Snapshot::of(Path::new(case.install));
    let (host, runner) = case.started();
    runner.signal("-KILL");
    let ran = Ran::at_the_end_of(host);
    assert_eq!(ran.exit, Some(5), "{ran:?}");
    assert_eq!(ran.code(), "step-killed", "{ran:?}");
    assert_eq!(Snapshot::of(Path::new(case.install)), before);
}

#[test]
fn a_runner_that_hangs_outside_of_wasm_is_ended_from_outside() {
    let case = Case::new("endless_loop", SHORT);
    let before = Snapshot::of(Path::new(case.install));
    let (host, runner) = case.started();
    runner.signal("-STOP");
    let ran = Ran::at_the_end_of(host);
    assert_eq!(ran.exit, Some(5), "{ran:?}");
    assert_eq!(ran.code(), "step-timed-out", "{ran:?}");
    let error = &ran.json()["error"];
    assert!(
        error["message"].as_str().unwrap().contains("hung"),
        "{error}"
    );
    assert!(runner.is_gone());
    assert_eq!(Snapshot::of(Path::new(case.install)), before);
}

#[test]
fn a_runner_dies_with_its_host_and_the_install_recovers() {
    let case = Case::new("endless_loop", LONG);
    let before = Snapshot::of(Path::new(case.install));
    let (mut host, runner) = case.started();
    host.kill().unwrap();
    host.wait().unwrap();
    while !runner.is_gone() {
        std::thread::yield_now();
    }
    let recovered = case.machine.run(["recover", case.install, "--json"]);
    assert_eq!(recovered.exit, Some(0), "{recovered:?}");
    assert_eq!(Snapshot::of(Path::new(case.install)), before);
}

/// The sandbox's own tests pull walls down by switches, whose names are in their binary.
#[test]
fn the_binary_that_is_shipped_has_no_switch_that_pulls_a_wall_down() {
    let binary = fs::read(env!("CARGO_BIN_EXE_cofferdam")).unwrap();
    for switch in ["no_path_checks", "no_landlock", "no_seccomp"] {
        let found = binary
            .windows(switch.len())
            .any(|bytes| bytes == switch.as_bytes());
        assert!(!found, "`{switch}` is in the binary");
    }
}
