// SPDX-License-Identifier: Apache-2.0
//! A vendor's run of one step, without an install: on a copy of a folder, with grants from the command
//! line, under the same sandbox as on a host.
//!
//! Never writes to the folder or to the configuration files that it was given: what the step did is
//! told, then thrown away.

pub mod scratch;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_config::Format;
use cofferdam_package::glob::GlobError;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_sandbox::Context;
use cofferdam_sandbox::FileGrants;
use cofferdam_sandbox::Import;
use cofferdam_sandbox::Level;
use cofferdam_sandbox::Limits;
use cofferdam_sandbox::Observer;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::StepRun;
use cofferdam_sandbox::Verdict;
use cofferdam_tree::contents;
use cofferdam_tree::contents::Secrets;
use cofferdam_tree::stage::Changed;
use serde::Serialize;

use super::Code;
use super::diff;
use super::gate;
use super::output::read_small;
use crate::config_session::ConfigFile;
use crate::config_session::ConfigSession;
use crate::config_session::KeyChange;
use crate::config_session::TouchedKeys;
use crate::engine;
use crate::failure::Failure;
use crate::update::trace;
use crate::update::trace::Withheld;
use crate::watch::Watch;
use scratch::Differences;
use scratch::Scratch;

const COMPONENT_CAP_BYTES: u64 = 256 << 20;
/// What `cofferdam-config` reads at most, and a little more so that its own refusal is shown.
const CONFIG_CAP_BYTES: u64 = 8 << 20;

/// What to run, on what, with which grants.
#[derive(Debug)]
pub struct Request {
    /// The component.
    pub component: PathBuf,
    /// The folder that plays the install.
    pub root: PathBuf,
    /// Configuration files, by the vendor's name for them.
    pub config: BTreeMap<String, ConfigSource>,
    /// Patterns of files to read.
    pub read: Vec<String>,
    /// Patterns of files to write.
    pub write: Vec<String>,
    /// Patterns of keys to read.
    pub config_read: Vec<String>,
    /// Patterns of keys to write.
    pub config_write: Vec<String>,
    /// Patterns of keys that are secret.
    pub secret: Vec<String>,
    /// What the step is told.
    pub context: Context,
    /// What it may use up.
    pub limits: Limits,
    /// The time that the step sees.
    pub created_unix_s: u64,
}

/// A configuration file of the rehearsal.
#[derive(Debug)]
pub struct ConfigSource {
    /// Where it is.
    pub path: PathBuf,
    /// How it is written.
    pub format: Format,
}

/// What a step did.
#[derive(Debug, Serialize)]
pub struct Rehearsed {
    /// Its answer.
    pub verdict: Verdict,
    /// What differs in the copy.
    pub files: Differences,
    /// The keys that it changed.
    pub config: Vec<KeyChange>,
    /// The keys that it used.
    pub keys: TouchedKeys,
    /// Line differences of the configuration files, by name; none where something is secret.
    pub config_lines: BTreeMap<String, Vec<String>>,
    /// What its component imports.
    pub imports: Vec<Import>,
    /// What it did and used, as a host would record it.
    pub record: StepRecord,
}

/// Runs the step.
///
/// # Errors
/// The component, a pattern or a configuration file was refused, or the folder cannot be copied. How
/// the step itself ended is no error here.
pub fn rehearse(request: Request, watch: &mut dyn Watch) -> Result<Rehearsed, Failure> {
    let step = request.context.step.clone();
    let bytes = read_small(&request.component, COMPONENT_CAP_BYTES)?;
    let engine = engine::for_vendor();
    let component = gate::admit(&engine, &step, &bytes)?;
    let root = request
        .root
        .canonicalize()
        .map_err(|error| named(&request.root, &error))?;
    let mut session = open_session(&request)?;
    watch.progress("copying the folder", 0, 1);
    let scratch = Scratch::copy_of(&root)?;
    let files = FileGrants {
        read: globs("--read", &request.read)?,
        write: globs("--write", &request.write)?,
        hidden: hidden(&root, &request.config)?,
        no_new_in: scratch.folders_with_executables(),
        ..FileGrants::none()
    };
    let tree = Dir::open_ambient_dir(scratch.root(), ambient_authority())
        .map_err(|error| named(&scratch.root(), &error))?;
    let mut keys = session.for_step(
        key_globs("--config-read", &request.config_read)?,
        key_globs("--config-write", &request.config_write)?,
    );
    let outcome = engine.run(StepRun {
        component: &component,
        context: request.context,
        tree: &tree,
        files: &files,
        limits: request.limits,
        largest_file_bytes: scratch.largest_file_bytes()?,
        config: &mut keys,
        observer: &mut Shown(watch),
        created_unix_s: request.created_unix_s,
        seed: seed_of(&bytes),
    });
    let touched = keys.into_touched();
    let mut record = outcome.record;
    trace_record(&mut record, &root, &tree, &files.hidden, &session.secrets())?;
    Ok(Rehearsed {
        verdict: outcome.verdict,
        files: scratch.differences()?,
        config: session.changes(),
        keys: touched,
        config_lines: config_lines(&request.config, &session, request.secret.is_empty())?,
        imports: component.imports().to_vec(),
        record,
    })
}

/// What the step changed, as a host would record it: the folder itself still has what stood there before.
fn trace_record(
    record: &mut StepRecord,
    root: &Path,
    tree: &Dir,
    hidden: &GlobSet,
    secrets: &Secrets,
) -> Result<(), Failure> {
    let original =
        Dir::open_ambient_dir(root, ambient_authority()).map_err(|error| named(root, &error))?;
    let withheld = Withheld {
        hidden,
        named: &mut BTreeSet::new(),
    };
    trace::fill(record, withheld, |paths| {
        let each = || paths.iter().map(String::as_str);
        let mut before = contents::of(&original, each(), secrets)?;
        let mut after = contents::of(tree, each(), secrets)?;
        let changed = each().map(|path| {
            let changed = Changed {
                before: before.remove(path),
                after: after.remove(path),
            };
            (path, changed)
        });
        Ok(changed.collect())
    })
}

/// Shows a step's progress; its log is shown with the outcome.
struct Shown<'a>(&'a mut dyn Watch);

impl Observer for Shown<'_> {
    fn log(&mut self, level: Level, line: &str) {
        tracing::debug!(?level, "{line}");
    }

    fn progress(&mut self, done: u64, total: u64, message: &str) {
        self.0.progress(message, done, total);
    }
}

fn open_session(request: &Request) -> Result<ConfigSession, Failure> {
    let mut files = BTreeMap::new();
    for (name, source) in &request.config {
        let found = Some(read_small(&source.path, CONFIG_CAP_BYTES)?);
        let secret = key_globs("--secret", &request.secret)?;
        files.insert(
            name.clone(),
            ConfigFile {
                found,
                format: source.format,
                secret,
            },
        );
    }
    ConfigSession::open(files).map_err(|(name, error)| config_refused(&name, &error))
}

/// Configuration files below the root are reached by keys only, as on a host.
fn hidden(root: &Path, config: &BTreeMap<String, ConfigSource>) -> Result<GlobSet, Failure> {
    let mut patterns = Vec::new();
    for source in config.values() {
        let place = source
            .path
            .canonicalize()
            .map_err(|error| named(&source.path, &error))?;
        if let Some(inside) = place.strip_prefix(root).ok().and_then(Path::to_str) {
            patterns.push(inside.to_owned());
        }
    }
    globs("--config", &patterns)
}

fn config_lines(
    sources: &BTreeMap<String, ConfigSource>,
    session: &ConfigSession,
    nothing_secret: bool,
) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut lines = BTreeMap::new();
    for (name, new) in session.changed_files().filter(|_| nothing_secret) {
        if let Some(source) = sources.get(name) {
            let old = read_small(&source.path, CONFIG_CAP_BYTES)?;
            let [old, new] = [old.as_slice(), new].map(String::from_utf8_lossy);
            lines.insert(name.to_owned(), diff::lines(&old, &new));
        }
    }
    Ok(lines)
}

/// The same component sees the same random numbers, here as on a host.
fn seed_of(component: &[u8]) -> [u8; 32] {
    *cofferdam_package::digest::Digest::of(component).as_bytes()
}

fn globs(option: &str, patterns: &[String]) -> Result<GlobSet, Failure> {
    GlobSet::parse(patterns).map_err(|error| pattern_refused(option, &error))
}

fn key_globs(option: &str, patterns: &[String]) -> Result<KeyGlobSet, Failure> {
    KeyGlobSet::parse(patterns).map_err(|error| pattern_refused(option, &error))
}

fn pattern_refused(option: &str, error: &GlobError) -> Failure {
    Code::Argument.because(format!("{option}: {error}"))
}

fn config_refused(name: &str, error: &cofferdam_config::ConfigError) -> Failure {
    Code::ConfigRefused.because(format!("`{name}`: {error}"))
}

fn named(path: &Path, error: &std::io::Error) -> Failure {
    Failure::io(format_args!("`{}`", path.display()), error)
}
