// SPDX-License-Identifier: Apache-2.0
//! A tree with something outside of it, and a step to let loose on it.

use crate::guests;
use cofferdam_package::glob::GlobSet;
use cofferdam_sandbox::ConfigAccess;
use cofferdam_sandbox::Context;
use cofferdam_sandbox::Engine;
use cofferdam_sandbox::FileGrants;
use cofferdam_sandbox::Level;
use cofferdam_sandbox::Limits;
use cofferdam_sandbox::NoConfig;
use cofferdam_sandbox::Observer;
use cofferdam_sandbox::Phase;
use cofferdam_sandbox::StepOutcome;
use cofferdam_sandbox::StepRun;
use cofferdam_sandbox::Touched;
use cofferdam_sandbox::Verdict;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// When the pretended package was made.
pub(crate) const CREATED: u64 = 1_700_000_000;

pub(crate) struct Bench {
    folder: TempDir,
    pub(crate) grants: FileGrants,
    pub(crate) limits: Limits,
    pub(crate) phase: Phase,
    pub(crate) seed: [u8; 32],
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) outcome: StepOutcome,
    pub(crate) seen: Vec<(Level, String)>,
}

/// Everything in the bench's folder: path to mode, owner, links, content.
pub(crate) type Snapshot = BTreeMap<PathBuf, String>;

#[derive(Default)]
struct Eyes(Vec<(Level, String)>);

impl Observer for Eyes {
    fn log(&mut self, level: Level, line: &str) {
        self.0.push((level, line.to_owned()));
    }
}

impl Bench {
    /// A tree with `data/a` ("hello"), `secret/key`, and a canary outside.
    pub(crate) fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    fn at(folder: TempDir) -> Self {
        let bench = Self {
            folder,
            grants: FileGrants::none(),
            limits: Limits {
                time: Duration::from_mins(1),
                ..Limits::default()
            },
            phase: Phase::Migrate,
            seed: [7; 32],
        };
        fs::create_dir(bench.root()).unwrap();
        fs::create_dir(bench.folder.path().join("outside")).unwrap();
        fs::write(bench.folder.path().join("outside/canary"), "sings").unwrap();
        bench.file("data/a", "hello").file("secret/key", "s3cret")
    }

    /// As [`Bench::new`], with `data/**` granted for writing.
    pub(crate) fn writable() -> Self {
        Self::new().write(&["data/**"])
    }

    /// The same, below a folder of the caller's.
    pub(crate) fn writable_in(folder: &str) -> Self {
        Self::at(tempfile::tempdir_in(folder).unwrap()).write(&["data/**"])
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("tree")
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.root().join(path)
    }

    pub(crate) fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn mode(self, path: &str, mode: u32) -> Self {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    pub(crate) fn symlink(self, target: &str, path: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    pub(crate) fn read(mut self, globs: &[&str]) -> Self {
        self.grants.read = set(globs);
        self
    }

    pub(crate) fn write(mut self, globs: &[&str]) -> Self {
        self.grants.write = set(globs);
        self
    }

    pub(crate) fn hidden(mut self, globs: &[&str]) -> Self {
        self.grants.hidden = set(globs);
        self
    }

    pub(crate) fn protected(mut self, paths: &[&str]) -> Self {
        self.grants.protected = paths.iter().map(|path| (*path).to_owned()).collect();
        self
    }

    pub(crate) fn phase(mut self, phase: Phase) -> Self {
        self.phase = phase;
        self
    }

    /// Runs a guest; `text` is what it gets as the service's output.
    pub(crate) fn run_with(
        &self,
        guest: &'static str,
        text: &str,
        config: &mut dyn ConfigAccess,
    ) -> Ran {
        self.run_on(&guests::ENGINE, guest, text, config)
    }

    /// The same on an engine of its own kind.
    pub(crate) fn run_on(
        &self,
        engine: &Engine,
        guest: &'static str,
        text: &str,
        config: &mut dyn ConfigAccess,
    ) -> Ran {
        let mut eyes = Eyes::default();
        let tree =
            cap_std::fs::Dir::open_ambient_dir(self.root(), cap_std::ambient_authority()).unwrap();
        let outcome = engine.run(StepRun {
            component: &guests::guest(guest),
            context: Context {
                package_id: "acme-agent".to_owned(),
                step: guest.to_owned(),
                phase: self.phase,
                from_version: Some("1.0.0".to_owned()),
                to_version: "1.1.0".to_owned(),
                from_data_format: Some(1),
                to_data_format: 2,
                roles: Vec::new(),
                service_output: text.to_owned(),
            },
            tree: &tree,
            files: &self.grants,
            limits: self.limits,
            largest_file_bytes: 1 << 20,
            config,
            observer: &mut eyes,
            created_unix_s: CREATED,
            seed: self.seed,
        });
        Ran {
            outcome,
            seen: eyes.0,
        }
    }

    pub(crate) fn run(&self, guest: &'static str) -> Ran {
        self.run_with(guest, "", &mut NoConfig)
    }

    /// Runs lines of the `script` guest and gives the answer to each.
    pub(crate) fn script(&self, lines: &[&str]) -> Vec<String> {
        self.script_ran(lines).answers()
    }

    pub(crate) fn script_ran(&self, lines: &[&str]) -> Ran {
        let ran = self.run_with("script", &lines.join("\n"), &mut NoConfig);
        assert_eq!(ran.outcome.verdict, Verdict::Ok, "{ran:?}");
        ran
    }

    /// Runs lines that must each be answered so, and leave everything as it is.
    pub(crate) fn refuses(&self, answers: &[(&str, &str)]) {
        let before = self.snapshot();
        for (line, expected) in answers {
            assert_eq!(self.script(&[line]), [*expected], "{line}");
            assert_eq!(self.snapshot(), before, "after `{line}`");
        }
    }

    pub(crate) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        look(self.folder.path(), self.folder.path(), &mut snapshot);
        snapshot
    }

    pub(crate) fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }
}

impl Ran {
    /// What came after the `: ` of each line of the script.
    pub(crate) fn answers(&self) -> Vec<String> {
        let log = &self.outcome.record.log;
        log.iter()
            .map(|l| l.line.split_once(": ").unwrap().1.trim().to_owned())
            .collect()
    }

    /// The code of the failure; the verdict if it is none.
    pub(crate) fn code(&self) -> String {
        match &self.outcome.verdict {
            Verdict::Failed(failure) => failure.code().to_owned(),
            other => format!("{other:?}"),
        }
    }

    pub(crate) fn message(&self) -> &str {
        match &self.outcome.verdict {
            Verdict::Failed(failure) => &failure.message,
            other => panic!("not a failure: {other:?}"),
        }
    }

    pub(crate) fn touched(&self, path: &str) -> &Touched {
        let files = &self.outcome.record.files;
        files
            .iter()
            .find(|touched| touched.path == path)
            .expect("a record of the path")
    }
}

fn set(globs: &[&str]) -> GlobSet {
    let globs: Vec<String> = globs.iter().map(|glob| (*glob).to_owned()).collect();
    GlobSet::parse(&globs).unwrap()
}

fn look(base: &Path, directory: &Path, snapshot: &mut Snapshot) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let meta = fs::symlink_metadata(&path).unwrap();
        let content = if meta.is_symlink() {
            fs::read_link(&path).unwrap().display().to_string()
        } else if meta.is_file() {
            String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned()
        } else {
            String::new()
        };
        let text = format!(
            "{:o} {} {} {content}",
            meta.mode(),
            meta.uid(),
            meta.nlink()
        );
        snapshot.insert(path.strip_prefix(base).unwrap().to_owned(), text);
        if meta.is_dir() {
            look(base, &path, snapshot);
        }
    }
}
