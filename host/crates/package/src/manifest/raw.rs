// SPDX-License-Identifier: Apache-2.0
//! The manifest as it is written, before any of its words are believed.
//!
//! Texts stay texts here, so that a malformed path or name is refused by its own code and not as a
//! failure of deserialising.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

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
use super::capped::Capped;
use super::capped::CappedMap;
use super::check::MAX_ALL_ROLES;
use super::check::MAX_ROLES;
use super::names;
use super::object::Object;
use crate::digest::Digest;
use crate::path::PayloadPath;

/// Steps, builds and configuration files that are read at all. [`crate::limits::Limits`] allows fewer.
const MAX_DECLARED: usize = 256;

/// Patterns of one list that are read at all: one more than are allowed, so that the rule on patterns
/// refuses the list.
const MAX_PATTERNS: usize = crate::glob::MAX_GLOBS + 1;

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
    requires: Object<RawRequires>,
    entries: Entries,
    config: CappedMap<Object<RawConfigFile>, MAX_DECLARED>,
    steps: Capped<Object<RawStep>, MAX_DECLARED>,
    blobs: Blobs,
    builds: Capped<Object<RawBuild>, MAX_DECLARED>,
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
    #[serde(default, skip_serializing_if = "Capped::is_empty")]
    roles: Capped<String, MAX_ROLES>,
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
    secret: Capped<String, MAX_PATTERNS>,
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
    read: Capped<String, MAX_PATTERNS>,
    write: Capped<String, MAX_PATTERNS>,
    config_read: Capped<String, MAX_PATTERNS>,
    config_write: Capped<String, MAX_PATTERNS>,
    limits: Object<StepLimits>,
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
        let blobs = self.blobs.0?;
        let mut config = BTreeMap::new();
        for (name, file) in self.config.into_map("configuration files")? {
            let Object(RawConfigFile {
                file,
                format,
                secret,
            }) = file;
            config.insert(
                name,
                ConfigFile {
                    file: PayloadPath::parse(&file)?,
                    format,
                    secret: secret.into_first(),
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
                from: self.requires.0.from,
                host: self.requires.0.host,
            },
            entries: self.entries.0?,
            config,
            steps: self
                .steps
                .into_vec("steps")?
                .into_iter()
                .map(|Object(step)| step.accept())
                .collect::<Result<_, _>>()?,
            blobs,
            builds: self
                .builds
                .into_vec("builds")?
                .into_iter()
                .map(|Object(build)| build.accept())
                .collect::<Result<_, _>>()?,
        })
    }
}

/// Entries that are accepted while they are read, or the first refusal.
struct Entries(Result<Vec<Entry>, ManifestError>);

impl<'de> Deserialize<'de> for Entries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Items;

        impl<'de> Visitor<'de> for Items {
            type Value = Entries;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of entries")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Entries, A::Error> {
                let mut accepted = Ok(Vec::new());
                let mut roles = 0_usize;
                while let Some(Object(raw)) = items.next_element::<Object<RawEntry>>()? {
                    let Ok(entries) = &mut accepted else {
                        continue;
                    };
                    match raw.accept() {
                        Ok(entry) => {
                            roles = roles.saturating_add(entry.roles.len());
                            entries.push(entry);
                        }
                        Err(refusal) => accepted = Err(refusal),
                    }
                    if roles > MAX_ALL_ROLES {
                        accepted = Err(ManifestError::TooMany {
                            what: "roles of all entries",
                            limit: MAX_ALL_ROLES,
                        });
                    }
                }
                Ok(Entries(accepted))
            }
        }

        deserializer.deserialize_seq(Items)
    }
}

/// Digests that are accepted while they are read, or the first refusal.
struct Blobs(Result<BTreeMap<Digest, u64>, ManifestError>);

impl<'de> Deserialize<'de> for Blobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Blobs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of blobs and their sizes")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Blobs, A::Error> {
                let mut accepted = Ok(BTreeMap::new());
                while let Some((digest, bytes)) = members.next_entry::<String, u64>()? {
                    let Ok(blobs) = &mut accepted else {
                        continue;
                    };
                    match digest.parse::<Digest>() {
                        Ok(digest) => {
                            blobs.insert(digest, bytes);
                        }
                        Err(refusal) => accepted = Err(refusal.into()),
                    }
                }
                Ok(Blobs(accepted))
            }
        }

        deserializer.deserialize_map(Members)
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
            roles: self.roles.into_vec("roles of one entry")?,
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
            roles: Capped::from(self.roles.clone()),
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
            read: self.read.into_first(),
            write: self.write.into_first(),
            config_read: self.config_read.into_first(),
            config_write: self.config_write.into_first(),
            limits: self.limits.0,
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
