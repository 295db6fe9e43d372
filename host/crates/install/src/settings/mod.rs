// SPDX-License-Identifier: Apache-2.0
//! The operator's file: `install.toml`, strict, with the line and column of every mistake.
//!
//! The file as written is private to `raw.rs`; only [`Settings`], in which every value has been
//! judged, leaves this module. Unknown keys are mistakes: a misspelt `trsut` must not silently mean
//! "nothing". Nothing here is read from anywhere else, and nothing here weakens a signature rule
//! below one vendor's signature.

mod raw;
mod template;
mod units;

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::PackageId;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::signature::SignatureRule;

use crate::error::io_code;
use crate::layout;

pub use template::render;

/// Stops a file that is not ours from being read into memory; a real one has a few kilobytes.
const CAP_BYTES: u64 = 1024 * 1024;
/// How many generations are kept unless the operator says otherwise: the live one and two to go
/// back to.
pub const DEFAULT_GENERATIONS: u32 = 3;

/// What the operator decided.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Only packages with this id are applied.
    pub id: PackageId,
    /// What this machine is for; sorted.
    pub roles: Vec<String>,
    /// How many generations are kept, the live one among them.
    pub generations: u32,
    /// The keys that are trusted, each with its role.
    pub trust: KeyRing,
    /// What packages and their steps may do here.
    pub policy: Policy,
    /// Where config files really are, by the name that packages use.
    pub config: BTreeMap<String, ConfigPlace>,
    /// The service that runs from the install.
    pub service: Option<Service>,
    /// Append-only files, shared by all generations.
    pub live: GlobSet,
}

/// The operator's ceiling on what packages may ask.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Whose signatures a package needs.
    pub signatures: SignatureRule,
    /// Whether a step that asks for it may write managed files.
    pub managed_writes: ManagedWrites,
    /// Whether no step may run where the kernel lacks a wall.
    pub confinement: Confinement,
    /// The most that any step may use, whatever its manifest asks.
    pub ceilings: Ceilings,
    /// CPU time that compiling one component may take; none: the host's own ceiling.
    pub compile_time: Option<Duration>,
}

/// What is done where the kernel lacks a wall around the processes that run steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confinement {
    /// The default: steps run behind the walls that there are, and the plan says which are missing.
    AsFarAsPossible,
    /// No step runs.
    Required,
}

/// Whether a step that asks for it may write managed files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ManagedWrites {
    /// The default.
    Refused,
    /// The operator widened it: steps may change what the vendor signed as payload.
    AllowedDespiteSignedPayload,
}

/// The most that any step may use; none: the host's own ceiling.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ceilings {
    /// Time.
    pub time: Option<Duration>,
    /// Memory.
    pub memory_bytes: Option<u64>,
    /// Bytes written to files.
    pub written_bytes: Option<u64>,
    /// Files created.
    pub files: Option<u64>,
    /// Bytes of log lines.
    pub log_bytes: Option<u64>,
}

/// Where a config file really is, where the operator says so; else the manifest's word counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigPlace {
    /// The file.
    pub file: Option<ConfigFileAt>,
    /// Its format.
    pub format: Option<ConfigFormat>,
    /// Keys that are secret here, in addition to the vendor's.
    pub secret: KeyGlobSet,
    /// What versions before declared under this name counts no more.
    pub release: bool,
}

/// Inside the install, a config file goes live with the exchange; outside, it has its own rename.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigFileAt {
    /// Relative to the install.
    Inside(PayloadPath),
    /// Anywhere else, by its absolute path.
    Outside(PathBuf),
}

/// How the service is stopped, started, and asked whether it lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Stops it, and returns once it has stopped.
    pub stop: Vec<String>,
    /// Starts it.
    pub start: Vec<String>,
    /// Exits with 0 while it runs.
    pub alive: Option<Vec<String>>,
    /// How long stopping may take.
    pub stop_timeout: Duration,
    /// How long starting may take.
    pub start_timeout: Duration,
    /// How long it must stay alive to count as started.
    pub settle: Duration,
}

/// A mistake in `install.toml`, with its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{reason}", Place { file, at: *at })]
pub struct SettingsError {
    /// The file.
    pub file: String,
    /// Line and column, counted from 1; none when the file could not be read at all.
    pub at: Option<(usize, usize)>,
    /// What is wrong.
    pub reason: String,
    /// The stable code.
    code: &'static str,
}

impl SettingsError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        self.code
    }
}

struct Place<'a> {
    file: &'a str,
    at: Option<(usize, usize)>,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some((line, column)) => write!(f, "{}:{line}:{column}: ", self.file),
            None => write!(f, "{}: ", self.file),
        }
    }
}

impl Settings {
    /// Judges the text of an `install.toml`; `file` is what messages call it.
    ///
    /// # Errors
    /// The first mistake, with its line and column.
    pub fn parse(text: &str, file: &str) -> Result<Self, SettingsError> {
        raw::parse(text).map_err(|mistake| {
            let before = text.get(..mistake.at).unwrap_or(text);
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
            SettingsError {
                file: file.to_owned(),
                at: Some((line, column)),
                reason: mistake.reason,
                code: "settings-invalid",
            }
        })
    }

    /// Reads the file of a state directory; `file` is what messages call it.
    pub(crate) fn read(state: &Dir, file: &str) -> Result<Self, SettingsError> {
        let unreadable = |reason: String, code| SettingsError {
            file: file.to_owned(),
            at: None,
            reason,
            code,
        };
        let bytes = layout::read_file(state, layout::SETTINGS, CAP_BYTES)
            .map_err(|error| unreadable(format!("cannot be read: {error}"), io_code(&error)))?
            .ok_or_else(|| unreadable("is missing".to_owned(), "settings-invalid"))?;
        let text = String::from_utf8(bytes)
            .map_err(|error| unreadable(format!("is not UTF-8: {error}"), "settings-invalid"))?;
        Self::parse(&text, file)
    }
}

#[cfg(test)]
mod tests;
