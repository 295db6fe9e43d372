// SPDX-License-Identifier: Apache-2.0
//! A machine that is crashed: folders at a fixed place with installs and packages, and the real
//! binary in a clean environment.
//!
//! It has the same shape as the machine of `tests/suite`, so that what builds packages and services
//! there is the same code here. An install knows its own path, so a machine never moves: it is filled
//! again, at the same place, for every point.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot lay out its machine has nothing to say"
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

use crate::guests;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::sync::OnceLock;

pub(crate) use ran::Ran;
pub(crate) use service::Service;
pub(crate) use source::Source;

/// When every package was made, in seconds since 1970.
const CREATED: &str = "1700000000";

/// Steps are compiled anew at every point: small ones are quicker.
const SMALL: &[(&str, &str)] = &[
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "s"),
    ("CARGO_PROFILE_RELEASE_LTO", "true"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1"),
    ("CARGO_PROFILE_RELEASE_PANIC", "abort"),
    ("CARGO_PROFILE_RELEASE_STRIP", "debuginfo"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "0"),
];

/// Where guests are built; set once, before the first package.
static GUESTS: OnceLock<PathBuf> = OnceLock::new();

/// Builds the guest `script`, which scenarios use, and says where its component is; `target` is a folder for it.
///
/// # Panics
/// It does not build.
pub fn build_guests(target: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let built = guests::build(&root, target, &["--example", "script"], SMALL);
    let _already = GUESTS.set(built.clone());
    built.join("script.wasm")
}

fn guest(name: &str) -> PathBuf {
    guests::component(GUESTS.get().expect("guests are built first"), name)
}

/// How file work is spread over threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On one: the calls come in the same order each time.
    One,
    /// As shipped.
    Many,
}

/// Some folders that stand for a machine.
#[derive(Clone, Debug)]
pub struct Machine {
    product: PathBuf,
    root: PathBuf,
    elsewhere: PathBuf,
}

/// The install that scenarios are about, below a machine's root.
pub const INSTALL: &str = "opt/agent";

/// The state directory of an install.
pub fn state_of(dir: &Path) -> PathBuf {
    let mut state = dir.as_os_str().to_owned();
    state.push(".cofferdam");
    state.into()
}

impl Machine {
    /// An empty machine at `root`, with another file system at `elsewhere`; both are real paths of
    /// directories that are there.
    ///
    /// # Panics
    /// They cannot be written to.
    pub fn new(product: &Path, root: &Path, elsewhere: &Path) -> Self {
        let machine = Self {
            product: product.to_owned(),
            root: root.to_owned(),
            elsewhere: elsewhere.to_owned(),
        };
        for folder in ["opt", "packages", "etc", "tmp"] {
            fs::create_dir_all(machine.path(folder)).unwrap();
        }
        machine
    }

    /// The directories in which changes count.
    pub fn roots(&self) -> Vec<PathBuf> {
        vec![self.root.clone(), self.elsewhere.clone()]
    }

    /// The binary that is tried out.
    pub fn product(&self) -> &Path {
        &self.product
    }

    /// The install that scenarios are about.
    pub fn install(&self) -> PathBuf {
        self.path(INSTALL)
    }

    /// A path on the machine.
    pub(crate) fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.join(relative)
    }

    /// Where the product lists the installs of the machine: on another file system than the installs.
    pub(crate) fn registry(&self) -> PathBuf {
        self.elsewhere("registry")
    }

    /// A path on the machine's other file system.
    pub(crate) fn elsewhere(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.elsewhere.join(relative)
    }

    /// A path on the machine, as an argument that lives as long as the bench.
    pub(crate) fn str(&self, relative: impl AsRef<Path>) -> &'static str {
        self.path(relative).to_str().unwrap().to_owned().leak()
    }

    /// A path with the machine's own place left out, so that two machines can be compared.
    pub(crate) fn shown(&self, path: &Path) -> PathBuf {
        if let Ok(below) = path.strip_prefix(&self.elsewhere) {
            Path::new("ELSEWHERE").join(below)
        } else if let Ok(below) = path.strip_prefix(&self.root) {
            Path::new("ROOT").join(below)
        } else {
            path.to_owned()
        }
    }

    /// A text with the machine's own place left out.
    pub(crate) fn anywhere(&self, text: &[u8]) -> String {
        let place = |path: &Path| path.to_str().unwrap().to_owned();
        String::from_utf8_lossy(text)
            .replace(&place(&self.elsewhere), "ELSEWHERE")
            .replace(&place(&self.root), "ROOT")
    }

    /// The command with a clean environment.
    pub(crate) fn command<I: AsRef<OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = I>,
        threads: Threads,
    ) -> Command {
        let mut command = Command::new(&self.product);
        command
            .current_dir(&self.root)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("COFFERDAM_REGISTRY", self.registry())
            .env("TMPDIR", self.path("tmp"))
            .stdin(Stdio::null())
            .args(arguments);
        if threads == Threads::One {
            command.env("RAYON_NUM_THREADS", "1");
        }
        command
    }

    /// Runs a command to its end, untraced.
    #[must_use = "a command that may fail is to be judged"]
    pub(crate) fn run<I: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = I>) -> Ran {
        Ran::of(&mut self.command(arguments, Threads::Many))
    }

    /// A source of a package.
    pub(crate) fn source(&self, version: &str) -> Source<'_> {
        Source::new(self, version)
    }

    /// The vendor's key, as the suite's machine has it.
    pub(crate) fn make_key(&self) {
        self.run(["keygen", self.str("acme"), "--no-password"])
            .expect(0);
    }

    /// Puts a package's payload at a new directory.
    pub(crate) fn lay_out(&self, package: &Path, at: &Path) {
        let extracted = self.path("extracted");
        self.run([
            OsStr::new("inspect"),
            package.as_os_str(),
            OsStr::new("--extract"),
            extracted.as_os_str(),
        ])
        .expect(0);
        fs::rename(extracted.join("payload"), at).unwrap();
        fs::remove_dir_all(&extracted).unwrap();
    }

    /// Adds to the operator's file of an install.
    pub(crate) fn settings(&self, install: &str, text: &str) {
        let path = state_of(Path::new(install)).join("install.toml");
        let old = fs::read_to_string(&path).unwrap();
        fs::write(&path, format!("{old}\n{text}\n")).unwrap();
    }
}
