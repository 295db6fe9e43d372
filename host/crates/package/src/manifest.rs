// SPDX-License-Identifier: Apache-2.0
//! The manifest: the signed description inside a package.
//!
//! [`parse`] is the only way from bytes to a [`Manifest`]. It judges the kind of document and the
//! host that it needs before anything else, so that an old host says "needs a newer one" instead of
//! stumbling over a field that it does not know. Everything in a `Manifest` has passed [`check`]: no
//! path leads out, no name is ambiguous, every blob is listed, every pattern is well-formed.

mod capped;
mod check;
mod error;
mod names;
mod object;
mod raw;
mod strict;

use std::collections::BTreeMap;
use std::fmt;

use semver::Version;
use serde::Serialize;
use serde::Serializer;

use object::Object;

use crate::digest::Digest;
use crate::limits::Limits;
use crate::path::PayloadPath;

pub use check::check;
pub use error::ManifestError;
pub use names::Mode;
pub use names::PackageId;
pub use names::StepName;
pub(crate) use names::check_text;
pub(crate) use names::is_role;
pub(crate) use names::requirement;
pub(crate) use names::version;

/// The version that `requires.host` is judged against.
pub const HOST_VERSION: &str = env!("CARGO_PKG_VERSION");

/// The kind and version of the document, its first member: `"cofferdam": "package/1"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormatTag;

impl FormatTag {
    /// The tag's text.
    pub const TEXT: &'static str = "package/1";
}

impl Serialize for FormatTag {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Self::TEXT)
    }
}

/// What a package holds and asks for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Manifest {
    /// The kind of document.
    pub cofferdam: FormatTag,
    /// Which software this is.
    pub id: PackageId,
    /// The software's version.
    pub version: Version,
    /// The version of the data's format; an update never lowers it.
    pub data_format: u64,
    /// When the package was made, in seconds since 1970: the time that steps see.
    pub created: u64,
    /// One line for people.
    pub summary: String,
    /// What must hold before the package may be applied.
    pub requires: Requires,
    /// Files, directories and symlinks, sorted by path, each path once.
    pub entries: Vec<Entry>,
    /// Configuration files that steps may speak of, by the vendor's name for them.
    pub config: BTreeMap<String, ConfigFile>,
    /// Steps, in the order in which they run within their phase.
    pub steps: Vec<Step>,
    /// Every blob of the archive and its size in bytes.
    pub blobs: BTreeMap<Digest, u64>,
    /// How components were built, where `pack` built them.
    pub builds: Vec<Build>,
}

/// What must hold before a package may be applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Requires {
    /// The versions that may be updated; `*` also allows a first install.
    pub from: String,
    /// The versions of Cofferdam that understand the package.
    pub host: String,
}

impl Requires {
    /// Whether this version may be left for the package's; `None` stands for a first install.
    pub fn matches(&self, from: Option<&Version>) -> bool {
        match from {
            None => self.from == "*",
            Some(version) => names::requirement_matches(&self.from, version),
        }
    }
}

/// One path of the payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it goes, relative to the install.
    pub path: PayloadPath,
    /// What goes there.
    pub kind: EntryKind,
    /// Only on machines with one of these roles; empty stands for all machines.
    pub roles: Vec<String>,
}

/// What stands at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File {
        /// Its content.
        digest: Digest,
        /// Its size.
        bytes: u64,
        /// Its permissions.
        mode: Mode,
        /// A seed: installed where no file stands, then the operator's.
        keep: bool,
    },
    /// A directory that exists even when it is empty.
    Directory {
        /// Its permissions.
        mode: Mode,
    },
    /// A symbolic link.
    Symlink {
        /// What it says; leads nowhere outside the tree.
        target: String,
    },
}

/// A configuration file that steps may speak of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigFile {
    /// Where the vendor expects it; the operator may say otherwise.
    pub file: PayloadPath,
    /// How it is written.
    pub format: ConfigFormat,
    /// Patterns of keys whose values no step, record or plan may see.
    pub secret: Vec<String>,
}

macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $variant),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that stands for it in documents.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The value that a word stands for.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = String::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| {
                    let known: Vec<&str> = Self::ALL.iter().map(|value| value.as_str()).collect();
                    serde::de::Error::custom(format!(
                        "unknown word `{}`, expected one of `{}`",
                        crate::path::shown(&word),
                        known.join("`, `"),
                    ))
                })
            }
        }
    };
}

words! {
    /// How a configuration file is written.
    ConfigFormat {
        /// TOML.
        Toml = "toml",
        /// JSON, also with comments.
        Json = "json",
        /// Sections of `key = value`.
        Ini = "ini",
        /// Lines of `KEY=value`.
        Env = "env",
        /// YAML.
        Yaml = "yaml",
    }
}

words! {
    /// When a step runs.
    Phase {
        /// May veto; sees the live tree, writes nothing.
        Check = "check",
        /// Gets the next tree ready, with the old files still in place.
        Prepare = "prepare",
        /// Migrates configuration and data, with the new files in place.
        Migrate = "migrate",
        /// Judges the live tree after the swap, writes nothing.
        Health = "health",
        /// As `migrate`, once per fleet.
        Finalize = "finalize",
    }
}

impl Phase {
    /// Whether steps of this phase may be granted writing.
    pub fn may_write(self) -> bool {
        match self {
            Self::Check | Self::Health => false,
            Self::Prepare | Self::Migrate | Self::Finalize => true,
        }
    }
}

/// One component with one job in one phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name, once per package.
    pub name: StepName,
    /// When it runs.
    pub phase: Phase,
    /// Its component's blob.
    pub component: Digest,
    /// Its component's size.
    pub bytes: u64,
    /// Why it is needed, for people.
    pub reason: String,
    /// Runs only when the version being left matches this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Patterns of files that it asks to read.
    pub read: Vec<String>,
    /// Patterns of files that it asks to write.
    pub write: Vec<String>,
    /// Patterns of keys that it asks to read.
    pub config_read: Vec<String>,
    /// Patterns of keys that it asks to write.
    pub config_write: Vec<String>,
    /// What it may use.
    pub limits: StepLimits,
    /// It asks to write managed files too.
    pub allow_managed_writes: bool,
}

impl Step {
    /// Whether the step runs when this version is left; `None` stands for a first install.
    pub fn runs_from(&self, version: Option<&Version>) -> bool {
        match (&self.from, version) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(requirement), Some(version)) => names::requirement_matches(requirement, version),
        }
    }
}

/// What a step may use, as its vendor asks; the host's policy may allow less.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepLimits {
    /// Time until it is stopped.
    pub time_ms: u64,
    /// Memory of its instances.
    pub memory_bytes: u64,
    /// Bytes that it may write to files.
    pub written_bytes: u64,
    /// Files and directories that it may create.
    pub files: u64,
    /// Bytes of log lines that are kept.
    pub log_bytes: u64,
}

impl Default for StepLimits {
    fn default() -> Self {
        Self {
            time_ms: 30_000,
            memory_bytes: 64 << 20,
            written_bytes: 64 << 20,
            files: 1_000,
            log_bytes: 64 << 10,
        }
    }
}

/// How a component was built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Build {
    /// The step whose component it is.
    pub step: String,
    /// The compiler, as it names itself.
    pub toolchain: String,
    /// The digest of the lock file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_digest: Option<Digest>,
}

impl Manifest {
    /// The entries for a machine with these roles.
    pub fn entries_for<'a>(&'a self, roles: &'a [String]) -> impl Iterator<Item = &'a Entry> {
        self.entries.iter().filter(move |entry| entry.is_for(roles))
    }

    /// The steps of a phase, in order.
    pub fn steps_in(&self, phase: Phase) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(move |step| step.phase == phase)
    }

    /// Bytes of all payload files, counted once per path.
    pub fn payload_bytes(&self) -> u64 {
        self.entries
            .iter()
            .map(Entry::bytes)
            .fold(0, u64::saturating_add)
    }

    /// The document as `pack` writes it: members in order, no white space, one line end.
    ///
    /// # Panics
    ///
    /// Never: a manifest has string keys and no floats, so it always serialises.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = serde_json::to_vec(self)
            .expect("a manifest has string keys and no floats, so it always serialises");
        bytes.push(b'\n');
        bytes
    }
}

impl Entry {
    /// Whether the entry is for a machine with these roles.
    pub fn is_for(&self, roles: &[String]) -> bool {
        self.roles.is_empty() || self.roles.iter().any(|role| roles.contains(role))
    }

    /// The size of a file; 0 for anything else.
    pub fn bytes(&self) -> u64 {
        match self.kind {
            EntryKind::File { bytes, .. } => bytes,
            EntryKind::Directory { .. } | EntryKind::Symlink { .. } => 0,
        }
    }
}

/// Reads a manifest and checks everything in it.
///
/// # Errors
///
/// Refuses whatever [`ManifestError`] lists, in this order: size, nesting, syntax, duplicate keys,
/// kind of document, host version, unknown or missing members, and then the rules of [`check`].
pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Manifest, ManifestError> {
    if bytes.len() as u64 > limits.manifest_bytes {
        return Err(ManifestError::TooLarge {
            bytes: bytes.len() as u64,
            limit_bytes: limits.manifest_bytes,
        });
    }
    let found = strict::check_json(bytes, limits)?;
    strict::check_preamble(bytes)?;
    found.refuse_null()?;
    let Object(raw): Object<raw::Manifest> =
        serde_json::from_slice(bytes).map_err(|error| ManifestError::json(&error))?;
    let manifest = raw.accept()?;
    check(&manifest, limits)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests;
