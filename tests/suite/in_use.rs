// SPDX-License-Identifier: Apache-2.0
//! Whoever uses an install that has no service keeps updates away, and is named: by an open file, by
//! running from it, by standing in it, and by whatever name it reaches it.

use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;

use crate::harness::Machine;
use crate::harness::Mount;

/// An install with a program that runs until its input ends, and an update of it.
struct Used {
    machine: Machine,
    install: &'static str,
    update: PathBuf,
}

impl Used {
    fn new() -> Self {
        let machine = Machine::new();
        let program = fs::read("/bin/cat").unwrap();
        let source = |version: &str| {
            machine
                .source(version)
                .file_with_mode("bin/agent", &program, 0o755)
                .file("version", version)
        };
        let (old, update) = (source("1.0.0").pack(), source("1.1.0").pack());
        let install = machine.adopted(&old);
        fs::create_dir(Path::new(install).join("data")).unwrap();
        fs::write(Path::new(install).join("data/a"), "state").unwrap();
        Self {
            machine,
            install,
            update,
        }
    }

    /// Somebody who uses it is named, keeps updates away, and no longer does once it has ended.
    #[track_caller]
    fn by(&self, mut user: Child, command: &str, how: &str) {
        let Self {
            machine,
            install,
            update,
        } = self;
        let error = machine.refused(install, update, 4, "in-use");
        let holder = &error["details"]["processes"][0];
        assert_eq!(holder["pid"], user.id(), "{error}");
        assert_eq!(holder["command"], command, "{error}");
        assert_eq!(holder["how"], how, "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("{} ({command}: ", user.id())),
            "{message}"
        );
        let plan = machine.plan(install, update);
        let notes = plan["notes"].as_array().unwrap();
        let told = |note: &&serde_json::Value| note.as_str().unwrap().contains("would refuse");
        assert!(notes.iter().any(|note| told(&note)), "{plan}");
        drop(user.stdin.take());
        user.wait().unwrap();
    }
}

/// A program that runs until its input ends.
fn start(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .current_dir("/");
    command
}

#[test]
fn an_open_file_a_running_program_and_a_working_directory_are_uses() {
    let used = Used::new();
    let at = |path: &str| Path::new(used.install).join(path);
    let opened = fs::OpenOptions::new()
        .append(true)
        .open(at("data/a"))
        .unwrap();
    let writer = start("cat").stdout(opened).spawn().unwrap();
    used.by(writer, "cat", "fd");
    let opened = fs::File::open(at("data/a")).unwrap();
    let reader = start("cat").stderr(opened).spawn().unwrap();
    used.by(reader, "cat", "fd-read");
    used.by(start(at("bin/agent")).spawn().unwrap(), "agent", "exe");
    used.by(
        start("cat").current_dir(at("data")).spawn().unwrap(),
        "cat",
        "cwd",
    );
    used.machine.apply(used.install, &used.update).expect(0);
}

#[test]
fn a_use_by_another_name_that_a_mount_gives_is_one_too() {
    let used = Used::new();
    let at = |path: &str| Path::new(used.install).join(path);
    for (from, below) in [
        (used.machine.path("opt"), "agent/data/a"),
        (at(""), "data/a"),
        (at("data"), "a"),
    ] {
        let other = used.machine.path("other");
        fs::create_dir(&other).unwrap();
        let Some(mount) = Mount::bind(from, &other) else {
            return;
        };
        let opened = fs::OpenOptions::new()
            .append(true)
            .open(other.join(below))
            .unwrap();
        let writer = start("cat").stdout(opened).spawn().unwrap();
        used.by(writer, "cat", "fd");
        drop(mount);
        fs::remove_dir(other).unwrap();
    }
    used.machine.apply(used.install, &used.update).expect(0);
}

#[test]
fn a_container_that_has_the_install_at_a_place_of_its_own_uses_it() {
    let used = Used::new();
    let inside = used.machine.path("inside");
    fs::create_dir(&inside).unwrap();
    let Some(_namespace) = Mount::bind(&inside, &inside) else {
        return;
    };
    // Its mounts are seen by nobody else; the update does not see them either.
    let script = format!(
        "mount --bind {} {} && cd {}/data && echo ready && exec cat",
        used.install,
        inside.display(),
        inside.display()
    );
    let mut container = start("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-c", &script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut said = std::io::BufReader::new(container.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut said, &mut line).unwrap();
    assert_eq!(line, "ready\n");
    used.by(container, "cat", "cwd");
    used.machine.apply(used.install, &used.update).expect(0);
}
