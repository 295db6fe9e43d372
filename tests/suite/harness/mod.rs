// SPDX-License-Identifier: Apache-2.0
//! A machine to test on: a scratch folder with keys, packages and installs, and the real binary.
//!
//! Nothing of the machine that runs the tests goes in: the environment is cleared, time is given, and
//! each machine has a registry of its own.

mod at_rest;
mod canaries;
mod disks;
mod packed_by_hand;
mod ran;
mod service;
mod snapshot;
mod source;
mod step_by_step;

use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;

pub(crate) use at_rest::AtRest;
pub(crate) use canaries::Canaries;
pub(crate) use disks::Disk;
pub(crate) use disks::EVERY_KIND;
pub(crate) use disks::Mount;
pub(crate) use packed_by_hand::with_component;
pub(crate) use ran::Ran;
pub(crate) use service::Service;
pub(crate) use snapshot::Snapshot;
pub(crate) use source::Source;
pub(crate) use step_by_step::step_by_step;

/// When every test package was made, in seconds since 1970.
pub(crate) const CREATED: &str = "1700000000";

/// Runs its arguments as a command, and tells on its last line how many KiB that had resident at most.
const MEASURE: &str = "
import resource, subprocess, sys
ended = subprocess.run(sys.argv[1:]).returncode
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
sys.stderr.write(f'\\n{peak}\\n')
sys.exit(ended)
";

static GUESTS: LazyLock<PathBuf> = LazyLock::new(|| {
    cofferdam_guests::build(Path::new(env!("CARGO_TARGET_TMPDIR"))).expect("guests that build")
});

/// The component of a guest, built.
pub(crate) fn guest(name: &str) -> PathBuf {
    let component = GUESTS.join(format!("{name}.wasm"));
    assert!(component.is_file(), "there is no guest `{name}`");
    component
}

/// A scratch folder that stands for a machine.
pub(crate) struct Machine {
    /// Before the scratch folder, so that it is empty when it goes.
    disk: Option<Mount>,
    scratch: TempDir,
}

impl Machine {
    /// A machine with the vendor's key `acme`.
    pub(crate) fn new() -> Self {
        let machine = Self {
            disk: None,
            scratch: tempfile::tempdir().unwrap(),
        };
        for folder in ["opt", "packages", "etc"] {
            std::fs::create_dir(machine.path(folder)).unwrap();
        }
        machine
            .run(["keygen", machine.str("acme"), "--no-password"])
            .expect(0);
        machine
    }

    /// A machine whose `opt` is a file system of its own; none where this machine cannot have one.
    pub(crate) fn on(disk: Disk) -> Option<Self> {
        let mut machine = Self::new();
        machine.disk = Some(Mount::fresh(disk, &machine.path("opt"))?);
        Some(machine)
    }

    /// The file system at `opt`.
    pub(crate) fn disk(&self) -> &Mount {
        self.disk.as_ref().unwrap()
    }

    /// A path on the machine.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.scratch.path().join(relative)
    }

    /// A path on the machine, as an argument that lives as long as the test.
    pub(crate) fn str(&self, relative: impl AsRef<Path>) -> &'static str {
        Box::leak(
            self.path(relative)
                .to_str()
                .unwrap()
                .to_owned()
                .into_boxed_str(),
        )
    }

    /// The command with a clean environment.
    pub(crate) fn command<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
        self.clean(&mut command);
        command.args(arguments);
        command
    }

    /// Runs the command to its end from a small process of its own, and says how many bytes it had resident at
    /// most. (Of a process that we start, the kernel counts what *we* had at that moment, too.)
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run_measured<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> (Ran, u64) {
        let mut command = Command::new("python3");
        self.clean(&mut command);
        command
            .args(["-c", MEASURE, env!("CARGO_BIN_EXE_cofferdam")])
            .args(arguments);
        let ran = Ran::of(&mut command);
        let peak_kib = ran.stderr.lines().last().and_then(|line| line.parse().ok());
        let peak_kib: u64 = peak_kib.unwrap_or_else(|| panic!("not measured: {ran:?}"));
        (ran, peak_kib * 1024)
    }

    /// Takes everything out of a command's environment that is not the machine's.
    pub(crate) fn clean(&self, command: &mut Command) {
        command
            .current_dir(self.scratch.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("COFFERDAM_REGISTRY", self.path("registry"))
            .stdin(Stdio::null());
    }

    /// Runs the command to its end.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    /// The same, for a command that might wait for ever: after five minutes, far more than any takes, it
    /// is killed by a signal.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run_soon<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        self.run_by(&["timeout", "--signal=KILL", "300"], arguments)
    }

    /// The same, run by another command, which is given it as its last arguments.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run_by<I: AsRef<OsStr>>(
        &self,
        by: &[&str],
        arguments: impl IntoIterator<Item = I>,
    ) -> Ran {
        let mut command = Command::new(by[0]);
        self.clean(&mut command);
        command
            .args(&by[1..])
            .arg(env!("CARGO_BIN_EXE_cofferdam"))
            .args(arguments);
        Ran::of(&mut command)
    }

    /// A source of a package that is to be packed on this machine.
    pub(crate) fn source(&self, version: &str) -> Source<'_> {
        Source::new(self, version)
    }

    /// The install directory `opt/agent`, laid out as the package has it and adopted.
    pub(crate) fn adopted(&self, package: &Path) -> &'static str {
        let install = self.str("opt/agent");
        self.lay_out(package, Path::new(install));
        self.adopt(install, package);
        install
    }

    /// Puts a package's payload at a new directory.
    pub(crate) fn lay_out(&self, package: &Path, at: &Path) {
        // Beside it, since only there a rename is sure to lead to it.
        let extracted = at.with_added_extension("extracted");
        let package = package.to_str().unwrap();
        self.run(["inspect", package, "--extract", extracted.to_str().unwrap()])
            .expect(0);
        std::fs::rename(extracted.join("payload"), at).unwrap();
        std::fs::remove_dir_all(&extracted).unwrap();
    }

    /// Takes a directory that the package was installed to into care.
    pub(crate) fn adopt(&self, install: &str, package: &Path) {
        let package = package.to_str().unwrap();
        self.run([
            "adopt",
            install,
            "--trust",
            self.str("acme.pub"),
            "--package",
            package,
        ])
        .expect(0);
    }

    /// `plan` as JSON, which must succeed.
    pub(crate) fn plan(&self, install: &str, package: &Path) -> Value {
        self.run(["plan", install, package.to_str().unwrap(), "--json"])
            .expect(0)
            .json()
    }

    /// `apply` as JSON.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn apply(&self, install: &str, package: &Path) -> Ran {
        self.run(["apply", install, package.to_str().unwrap(), "--json"])
    }

    /// Applies a package that must be refused with this exit and code, and must leave everything as it
    /// was; answers with the `error` object.
    #[track_caller]
    pub(crate) fn refused(&self, install: &str, package: &Path, exit: i32, code: &str) -> Value {
        let before = AtRest::of(self, install);
        let ran = self.apply(install, package).expect(exit);
        assert_eq!(ran.code(), code, "{}", ran.stdout);
        before.assert_still(self, install);
        ran.json()["error"].clone()
    }

    /// The records of the history, whose chain must be whole.
    #[track_caller]
    pub(crate) fn history(&self, install: &str) -> Vec<Value> {
        let history = self.run(["history", install, "--verify", "--json"]);
        let history = history.expect(0).json();
        assert_eq!(history["verified"], true);
        history["records"].as_array().unwrap().clone()
    }

    /// Adds to the operator's file of an install.
    pub(crate) fn settings(&self, install: &str, text: &str) {
        let path = format!("{install}.cofferdam/install.toml");
        let old = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{old}\n{text}\n")).unwrap();
    }

    /// `status` as JSON, which must succeed.
    pub(crate) fn status(&self, install: &str) -> Value {
        self.run(["status", install, "--json"]).expect(0).json()
    }
}
