// SPDX-License-Identifier: Apache-2.0
//! `package.toml`, as the vendor writes it.
//!
//! [`parse`] judges every word and says where it stands; it opens no other file. Turning the result,
//! a payload folder and components into a [`crate::manifest::Manifest`] is the host's job.

mod error;
mod quantity;
mod raw;

use std::collections::BTreeMap;
use std::ops::Range;

use semver::Version;
use toml::Spanned;

use crate::glob::Glob;
use crate::glob::GlobError;
use crate::glob::KeyGlob;
use crate::glob::MAX_GLOBS;
use crate::manifest::ConfigFile;
use crate::manifest::ConfigFormat;
use crate::manifest::HOST_VERSION;
use crate::manifest::Mode;
use crate::manifest::PackageId;
use crate::manifest::Phase;
use crate::manifest::Requires;
use crate::manifest::StepLimits;
use crate::manifest::StepName;
use crate::manifest::check_text;
use crate::manifest::is_role;
use crate::manifest::requirement;
use crate::manifest::version;
use crate::path::PayloadPath;

pub use error::SourceError;

/// A vendor's `package.toml`, each word judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// `[package]`.
    pub package: Package,
    /// `[requires]`.
    pub requires: Requires,
    /// `[payload]`.
    pub payload: Payload,
    /// `[config.NAME]`.
    pub config: BTreeMap<String, ConfigFile>,
    /// `[[step]]`, in order.
    pub step: Vec<Step>,
}

/// `[package]`: what this is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    /// Which software.
    pub id: PackageId,
    /// Which version of it.
    pub version: Version,
    /// The version of the data's format; 0 when the vendor says none.
    pub data_format: u64,
    /// One line for people.
    pub summary: String,
}

/// `[payload]`: which files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The folder, relative to `package.toml`.
    pub dir: String,
    /// `[[payload.set]]`, in order.
    pub set: Vec<Set>,
}

/// `[[payload.set]]`: what is special about the files that a pattern stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Set {
    /// `match`: which files.
    pub pattern: Glob,
    /// Their mode, where it is not that of the file in the folder.
    pub mode: Option<Mode>,
    /// Whether they are seeds.
    pub keep: Option<bool>,
    /// The machines that get them.
    pub roles: Option<Vec<String>>,
}

/// `[[step]]`: one component with one job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its name.
    pub name: StepName,
    /// When it runs.
    pub phase: Phase,
    /// A crate to build or a `.wasm` file, relative to `package.toml`.
    pub component: String,
    /// Why it is needed.
    pub reason: String,
    /// The versions from which it is needed.
    pub from: Option<String>,
    /// Patterns of files that it asks to read.
    pub read: Vec<String>,
    /// Patterns of files that it asks to write.
    pub write: Vec<String>,
    /// What it asks of configuration.
    pub config: StepConfig,
    /// What it may use.
    pub limits: StepLimits,
    /// It asks to write managed files too.
    pub allow_managed_writes: bool,
}

/// `config.read` and `config.write` of a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepConfig {
    /// Patterns of keys that it asks to read.
    pub read: Vec<String>,
    /// Patterns of keys that it asks to write.
    pub write: Vec<String>,
}

/// Reads a `package.toml`.
///
/// # Errors
///
/// The first word that is not as it must be, with its place: syntax, unknown keys, malformed names,
/// patterns, versions, modes, amounts.
pub fn parse(text: &str) -> Result<Source, SourceError> {
    let raw: raw::Source = toml::from_str(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        SourceError::new(text, &span, "source-syntax", error.message())
    })?;
    Judge {
        text,
        config_names: raw
            .config
            .keys()
            .map(|name| name.get_ref().clone())
            .collect(),
    }
    .source(raw)
}

/// Turns raw words into values, knowing the text for the places of errors.
struct Judge<'a> {
    text: &'a str,
    config_names: Vec<String>,
}

/// An error of another module, with its code.
trait Coded: std::error::Error {
    fn code(&self) -> &'static str;
}

macro_rules! coded {
    ($($error:ty),+) => {
        $(impl Coded for $error {
            fn code(&self) -> &'static str {
                <$error>::code(self)
            }
        })+
    };
}

coded!(
    GlobError,
    crate::path::PathError,
    crate::manifest::ManifestError
);

impl Judge<'_> {
    fn refuse(&self, span: &Range<usize>, code: &'static str, message: &str) -> SourceError {
        SourceError::new(self.text, span, code, message)
    }

    /// Judges one word with a function of another module.
    fn word<T, E: Coded>(
        &self,
        word: &Spanned<String>,
        judge: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<T, SourceError> {
        judge(word.get_ref())
            .map_err(|error| self.refuse(&word.span(), error.code(), &error.to_string()))
    }

    fn source(&self, raw: raw::Source) -> Result<Source, SourceError> {
        let mut config = BTreeMap::new();
        for (name, file) in raw.config {
            config.insert(name.get_ref().clone(), self.config(&name, file)?);
        }
        Ok(Source {
            package: self.package(raw.package)?,
            requires: self.requires(raw.requires)?,
            payload: self.payload(raw.payload)?,
            config,
            step: raw
                .step
                .into_iter()
                .map(|step| self.step(step))
                .collect::<Result<_, _>>()?,
        })
    }

    fn package(&self, raw: raw::Package) -> Result<Package, SourceError> {
        Ok(Package {
            id: self.word(&raw.id, PackageId::parse)?,
            version: self.word(&raw.version, version)?,
            data_format: raw.data_format,
            summary: self.line("summary", raw.summary)?,
        })
    }

    fn requires(&self, raw: raw::Requires) -> Result<Requires, SourceError> {
        self.word(&raw.from, |text| requirement("requires.from", text))?;
        let host = match raw.host {
            Some(host) => {
                self.word(&host, |text| requirement("requires.host", text))?;
                host.into_inner()
            }
            None => format!(">={HOST_VERSION}"),
        };
        Ok(Requires {
            from: raw.from.into_inner(),
            host,
        })
    }

    fn payload(&self, raw: raw::Payload) -> Result<Payload, SourceError> {
        let mut set = Vec::with_capacity(raw.set.len());
        for raw in raw.set {
            set.push(Set {
                pattern: self.word(&raw.pattern, Glob::parse)?,
                mode: raw
                    .mode
                    .as_ref()
                    .map(|mode| self.word(mode, Mode::parse))
                    .transpose()?,
                keep: raw.keep,
                roles: raw.roles.map(|roles| self.roles(roles)).transpose()?,
            });
        }
        let dir = match raw.dir {
            Some(dir) => self.place(dir)?,
            None => "payload".to_owned(),
        };
        Ok(Payload { dir, set })
    }

    fn roles(&self, raw: Vec<Spanned<String>>) -> Result<Vec<String>, SourceError> {
        let mut roles: Vec<String> = Vec::with_capacity(raw.len());
        for role in raw {
            if !is_role(role.get_ref()) || roles.contains(role.get_ref()) {
                let message = "a role is `[a-z0-9][a-z0-9_-]{0,63}`, and named once";
                return Err(self.refuse(&role.span(), "manifest-role", message));
            }
            roles.push(role.into_inner());
        }
        Ok(roles)
    }

    fn config(
        &self,
        name: &Spanned<String>,
        raw: raw::ConfigFile,
    ) -> Result<ConfigFile, SourceError> {
        if !is_role(name.get_ref()) {
            let message = "the name of a configuration is `[a-z0-9][a-z0-9_-]{0,63}`";
            return Err(self.refuse(&name.span(), "manifest-name", message));
        }
        let format = ConfigFormat::from_word(raw.format.get_ref()).ok_or_else(|| {
            self.unknown_word(
                &raw.format,
                ConfigFormat::ALL.iter().map(|known| known.as_str()),
            )
        })?;
        Ok(ConfigFile {
            file: self.word(&raw.file, PayloadPath::parse)?,
            format,
            secret: self.keys(raw.secret, &|file| file.is_none())?,
        })
    }

    fn step(&self, raw: raw::Step) -> Result<Step, SourceError> {
        let phase = Phase::from_word(raw.phase.get_ref()).ok_or_else(|| {
            self.unknown_word(&raw.phase, Phase::ALL.iter().map(|known| known.as_str()))
        })?;
        if let Some(from) = &raw.from {
            self.word(from, |text| requirement("step.from", text))?;
        }
        let writes = raw.write.iter().chain(&raw.config.write).next();
        if let (Some(write), false) = (writes, phase.may_write()) {
            let message = format!("a step of phase `{phase}` only looks; it may not ask to write");
            return Err(self.refuse(&write.span(), "step-phase-writes", &message));
        }
        let declared = |file: Option<&str>| match file {
            Some(file) => self.config_names.iter().any(|name| name == file),
            None => self.config_names.len() == 1,
        };
        Ok(Step {
            name: self.word(&raw.name, StepName::parse)?,
            phase,
            component: self.place(raw.component)?,
            reason: self.line("reason", Some(raw.reason))?,
            from: raw.from.map(Spanned::into_inner),
            read: self.globs(raw.read)?,
            write: self.globs(raw.write)?,
            config: StepConfig {
                read: self.keys(raw.config.read, &declared)?,
                write: self.keys(raw.config.write, &declared)?,
            },
            limits: self.limits(raw.limits)?,
            allow_managed_writes: raw.allow_managed_writes,
        })
    }

    fn limits(&self, raw: raw::Limits) -> Result<StepLimits, SourceError> {
        let preset = StepLimits::default();
        let amount = |word: Option<Spanned<String>>, read: quantity::Read, preset| match word {
            None => Ok(preset),
            Some(word) => read(word.get_ref())
                .map_err(|expected| self.refuse(&word.span(), "source-amount", expected)),
        };
        Ok(StepLimits {
            time_ms: amount(raw.time, quantity::milliseconds, preset.time_ms)?,
            memory_bytes: amount(raw.memory, quantity::bytes, preset.memory_bytes)?,
            written_bytes: amount(raw.written, quantity::bytes, preset.written_bytes)?,
            files: raw.files.unwrap_or(preset.files),
            log_bytes: amount(raw.log, quantity::bytes, preset.log_bytes)?,
        })
    }

    fn globs(&self, raw: Vec<Spanned<String>>) -> Result<Vec<String>, SourceError> {
        self.check_count(&raw)?;
        raw.into_iter()
            .map(|word| self.word(&word, Glob::parse).map(|_| word.into_inner()))
            .collect()
    }

    fn keys(
        &self,
        raw: Vec<Spanned<String>>,
        is_declared: &dyn Fn(Option<&str>) -> bool,
    ) -> Result<Vec<String>, SourceError> {
        self.check_count(&raw)?;
        let mut keys = Vec::with_capacity(raw.len());
        for word in raw {
            let glob = self.word(&word, KeyGlob::parse)?;
            if !is_declared(glob.file()) {
                let message = "this speaks of no declared configuration file: write `NAME:key` where \
                               several are declared, and no name under `secret`";
                return Err(self.refuse(&word.span(), "config-unknown", message));
            }
            keys.push(word.into_inner());
        }
        Ok(keys)
    }

    fn check_count(&self, patterns: &[Spanned<String>]) -> Result<(), SourceError> {
        match patterns.get(MAX_GLOBS) {
            Some(word) => {
                let message = format!("there are more than {MAX_GLOBS} patterns");
                Err(self.refuse(&word.span(), "glob-too-many", &message))
            }
            None => Ok(()),
        }
    }

    fn line(
        &self,
        field: &'static str,
        word: Option<Spanned<String>>,
    ) -> Result<String, SourceError> {
        let Some(word) = word else {
            return Ok(String::new());
        };
        self.word(&word, |text| check_text(field, text))?;
        Ok(word.into_inner())
    }

    /// A place on the vendor's machine: any path, only not an empty one.
    fn place(&self, word: Spanned<String>) -> Result<String, SourceError> {
        if word.get_ref().is_empty() || word.get_ref().contains('\0') {
            let message = "expected a path relative to package.toml";
            return Err(self.refuse(&word.span(), "source-place", message));
        }
        Ok(word.into_inner())
    }

    fn unknown_word(
        &self,
        word: &Spanned<String>,
        known: impl Iterator<Item = &'static str>,
    ) -> SourceError {
        let known: Vec<&str> = known.collect();
        let message = format!("unknown word: expected one of `{}`", known.join("`, `"));
        self.refuse(&word.span(), "source-word", &message)
    }
}

#[cfg(test)]
mod tests;
