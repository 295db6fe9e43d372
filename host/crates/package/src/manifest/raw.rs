// SPDX-License-Identifier: Apache-2.0
//! The manifest as it is written, before any of its words are believed.
//!
//! Texts stay texts here, so that a malformed path or name is refused by its own code and not as a
//! failure of deserialising.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;

use super::Build;
use super::ConfigFile;
use super::ConfigFormat;
use super::Entry;
use super::EntryKind;
use super::FormatTag;
use super::ManifestError;
use super::Mode;
use super::PackageId;
use super::Phase;
use super::Requires;
use super::Step;
use super::StepLimits;
use super::StepName;
use super::names;
use crate::digest::Digest;
use crate::path::PayloadPath;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(rename = "cofferdam")]
    _cofferdam: String,
    id: String,
    version: String,
    data_format: u64,
    created: u64,
    summary: String,
    requires: RawRequires,
    entries: Vec<RawEntry>,
    config: BTreeMap<String, RawConfigFile>,
    steps: Vec<RawStep>,
    blobs: BTreeMap<String, u64>,
    builds: Vec<RawBuild>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRequires {
    from: String,
    host: String,
}

/// One struct for the three types, since serde's tagged enums lose positions in their errors.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEntry {
    path: String,
    #[serde(rename = "type")]
    kind: RawKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    target: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    roles: Vec<String>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawKind {
    File,
    Directory,
    Symlink,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfigFile {
    file: String,
    format: ConfigFormat,
    secret: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    name: String,
    phase: Phase,
    component: String,
    bytes: u64,
    reason: String,
    #[serde(default)]
    from: Option<String>,
    read: Vec<String>,
    write: Vec<String>,
    config_read: Vec<String>,
    config_write: Vec<String>,
    limits: StepLimits,
    allow_managed_writes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBuild {
    step: String,
    toolchain: String,
    #[serde(default)]
    lock_digest: Option<String>,
}

impl Manifest {
    /// Turns words into values; the rules between them are checked afterwards.
    pub(super) fn accept(self) -> Result<super::Manifest, ManifestError> {
        let mut blobs = BTreeMap::new();
        for (digest, bytes) in self.blobs {
            blobs.insert(digest.parse::<Digest>()?, bytes);
        }
        let mut config = BTreeMap::new();
        for (name, file) in self.config {
            let RawConfigFile {
                file,
                format,
                secret,
            } = file;
            config.insert(
                name,
                ConfigFile {
                    file: PayloadPath::parse(&file)?,
                    format,
                    secret,
                },
            );
        }
        Ok(super::Manifest {
            cofferdam: FormatTag,
            id: PackageId::parse(&self.id)?,
            version: names::version(&self.version)?,
            data_format: self.data_format,
            created: self.created,
            summary: self.summary,
            requires: Requires {
                from: self.requires.from,
                host: self.requires.host,
            },
            entries: self
                .entries
                .into_iter()
                .map(RawEntry::accept)
                .collect::<Result<_, _>>()?,
            config,
            steps: self
                .steps
                .into_iter()
                .map(RawStep::accept)
                .collect::<Result<_, _>>()?,
            blobs,
            builds: self
                .builds
                .into_iter()
                .map(RawBuild::accept)
                .collect::<Result<_, _>>()?,
        })
    }
}

impl RawEntry {
    fn accept(self) -> Result<Entry, ManifestError> {
        let path = PayloadPath::parse(&self.path)?;
        let kind = match (
            self.kind,
            self.digest,
            self.bytes,
            self.mode,
            self.keep,
            self.target,
        ) {
            (RawKind::File, Some(digest), Some(bytes), Some(mode), keep, None) => EntryKind::File {
                digest: digest.parse()?,
                bytes,
                mode: Mode::parse(&mode)?,
                keep: keep.unwrap_or(false),
            },
            (RawKind::Directory, None, None, Some(mode), None, None) => EntryKind::Directory {
                mode: Mode::parse(&mode)?,
            },
            (RawKind::Symlink, None, None, None, None, Some(target)) => {
                EntryKind::Symlink { target }
            }
            (kind, ..) => {
                let expected = match kind {
                    RawKind::File => "a file has `digest`, `bytes`, `mode` and perhaps `keep`",
                    RawKind::Directory => "a directory has `mode`",
                    RawKind::Symlink => "a symlink has `target`",
                };
                return Err(ManifestError::Schema {
                    message: format!("entry `{path}` has other members than expected: {expected}"),
                });
            }
        };
        Ok(Entry {
            path,
            kind,
            roles: self.roles,
        })
    }
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut raw = RawEntry {
            path: self.path.to_string(),
            kind: RawKind::File,
            digest: None,
            bytes: None,
            mode: None,
            keep: None,
            target: None,
            roles: self.roles.clone(),
        };
        match &self.kind {
            EntryKind::File {
                digest,
                bytes,
                mode,
                keep,
            } => {
                raw.digest = Some(digest.to_string());
                raw.bytes = Some(*bytes);
                raw.mode = Some(mode.to_string());
                raw.keep = keep.then_some(true);
            }
            EntryKind::Directory { mode } => {
                raw.kind = RawKind::Directory;
                raw.mode = Some(mode.to_string());
            }
            EntryKind::Symlink { target } => {
                raw.kind = RawKind::Symlink;
                raw.target = Some(target.clone());
            }
        }
        raw.serialize(serializer)
    }
}

impl RawStep {
    fn accept(self) -> Result<Step, ManifestError> {
        Ok(Step {
            name: StepName::parse(&self.name)?,
            phase: self.phase,
            component: self.component.parse()?,
            bytes: self.bytes,
            reason: self.reason,
            from: self.from,
            read: self.read,
            write: self.write,
            config_read: self.config_read,
            config_write: self.config_write,
            limits: self.limits,
            allow_managed_writes: self.allow_managed_writes,
        })
    }
}

impl RawBuild {
    fn accept(self) -> Result<Build, ManifestError> {
        let lock_digest = self.lock_digest.map(|text| text.parse()).transpose()?;
        Ok(Build {
            step: self.step,
            toolchain: self.toolchain,
            lock_digest,
        })
    }
}
