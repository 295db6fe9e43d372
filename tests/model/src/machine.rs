// SPDX-License-Identifier: Apache-2.0
//! A machine with one install, the packages of every version, and the real binary in a clean environment.
//!
//! It has the shape of the machine of `tests/suite`, so that what builds packages and services there is the
//! same code here.

#![expect(
    clippy::unwrap_used,
    reason = "a machine that cannot be laid out has nothing to say"
)]
#![expect(
    clippy::unused_self,
    reason = "what is on a machine is asked of the machine"
)]

#[path = "../../suite/harness/ran.rs"]
#[allow(
    dead_code,
    clippy::panic,
    reason = "the suite uses the rest, and is allowed to panic"
)]
mod ran;
#[path = "../../suite/harness/service.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod service;
#[path = "../../suite/harness/source.rs"]
#[allow(dead_code, reason = "the suite uses the rest")]
mod source;

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

use crate::model::Config;
use crate::model::KEPT;
use crate::versions::End;
use crate::versions::SEED;
use crate::versions::VERSIONS;

pub(crate) use ran::Ran;
pub(crate) use service::Service;
use source::Source;

/// When every package was made, in seconds since 1970.
const CREATED: &str = "1700000000";

/// The component that does what a script says.
static SCRIPT: OnceLock<PathBuf> = OnceLock::new();

fn guest(_script: &str) -> PathBuf {
    SCRIPT.get().unwrap().clone()
}

/// A machine.
#[derive(Debug)]
pub(crate) struct Machine {
    product: PathBuf,
    root: PathBuf,
}

impl Machine {
    /// A machine below `root`, with a vendor's key and the packages of every version.
    pub(crate) fn new(product: &Path, script: &Path, root: &Path) -> Self {
        SCRIPT.get_or_init(|| script.to_owned());
        let machine = Self {
            product: product.canonicalize().unwrap(),
            root: root.canonicalize().unwrap(),
        };
        for folder in ["opt", "packages", "etc", "tmp"] {
            fs::create_dir(machine.path(folder)).unwrap();
        }
        machine
            .run(["keygen", machine.str("acme"), "--no-password"])
            .expect(0);
        for number in 0..VERSIONS.len() {
            machine.pack(number);
        }
        machine
    }

    /// A path on the machine.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// A path on the machine, as an argument that lives as long as the program.
    pub(crate) fn str(&self, relative: impl AsRef<Path>) -> &'static str {
        self.path(relative).to_str().unwrap().to_owned().leak()
    }

    /// The install.
    pub(crate) fn install(&self) -> PathBuf {
        self.path("opt/agent")
    }

    /// Its state directory.
    pub(crate) fn state(&self) -> PathBuf {
        self.path("opt/agent.cofferdam")
    }

    /// The binary that is tried out.
    pub(crate) fn product(&self) -> &Path {
        &self.product
    }

    /// The directory in which changes count.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The package of a version.
    pub(crate) fn package(&self, number: usize) -> PathBuf {
        let version = VERSIONS[number].number;
        self.path(format!("packages/agent-{version}.upd"))
    }

    /// The command with a clean environment.
    pub(crate) fn command<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
    ) -> Command {
        let mut command = Command::new(&self.product);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COFFERDAM_REGISTRY", self.path("registry"))
            .env("TMPDIR", self.path("tmp"))
            .env("RAYON_NUM_THREADS", "1")
            .stdin(Stdio::null())
            .args(arguments);
        command
    }

    /// Runs a command to its end.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        Ran::of(&mut self.command(arguments))
    }

    fn pack(&self, number: usize) {
        let version = &VERSIONS[number];
        let mut source = Source::new(self, version.number).data_format(version.data_format);
        if let Some(from) = version.from {
            source = source.from(&format!(">={from}"));
        }
        for (path, file) in version.brings() {
            source = source.file_with_mode(&path, &file.content, file.mode);
        }
        source = source.seed(SEED, version.seed()).toml(CONFIG);
        let grants = "read = [\"**\"]\nwrite = [\"data/**\"]\nconfig.write = [\"**\"]\n\
                      limits = { written = \"64KiB\", files = 10 }\n";
        if version.migration().is_some() {
            source = source.step("script-migrate", "migrate", "script", grants);
        }
        if version.end == End::Unhealthy {
            source = source.step("script-health", "health", "script", "read = [\"**\"]\n");
        }
        source.pack();
    }

    /// Lays the first version out, takes it into care, and gives it a service and a config file outside.
    pub(crate) fn adopt(&self, state: impl IntoIterator<Item = (String, String)>) -> Service {
        let (install, extracted) = (self.install(), self.path("extracted"));
        let package = self.package(0);
        let extract = [OsStr::new("inspect"), package.as_os_str()];
        let extract = extract
            .into_iter()
            .chain([OsStr::new("--extract"), extracted.as_os_str()]);
        self.run(extract).expect(0);
        fs::rename(extracted.join("payload"), &install).unwrap();
        fs::remove_dir_all(&extracted).unwrap();
        for folder in ["data", "logs"] {
            fs::create_dir(install.join(folder)).unwrap();
        }
        for (path, content) in state {
            fs::write(install.join(path), content).unwrap();
        }
        fs::write(self.config(), Config::default().text()).unwrap();
        let (install, key) = (self.str("opt/agent"), self.str("acme.pub"));
        let package = package.to_str().unwrap();
        self.run(["adopt", install, "--trust", key, "--package", package])
            .expect(0);
        let settings = self.state().join("install.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let kept = format!("generations = {KEPT}\n");
        assert!(text.contains(&kept), "{text}");
        let config = self.config();
        let more = format!(
            "[state]\nlive = [\"logs/**\"]\n[config.agent]\nfile = \"{}\"",
            config.display()
        );
        self.settings(install, &more);
        Service::running(self, install, "true", "true")
    }

    /// The config file outside of the install.
    pub(crate) fn config(&self) -> PathBuf {
        self.path("etc/agent.toml")
    }

    /// Adds to the operator's file of an install.
    pub(crate) fn settings(&self, install: &str, text: &str) {
        let path = format!("{install}.cofferdam/install.toml");
        let old = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{old}\n{text}\n")).unwrap();
    }
}

/// The config file that every version declares.
const CONFIG: &str = "[config.agent]\nfile = \"agent.toml\"\nformat = \"toml\"";
