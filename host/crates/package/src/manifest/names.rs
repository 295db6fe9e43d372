// SPDX-License-Identifier: Apache-2.0
//! The small words of a manifest: ids, names, modes, versions, lines for people.

use std::fmt;

use semver::Version;
use semver::VersionReq;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

use super::ManifestError;
use crate::path::is_control;
use crate::path::shown;

macro_rules! name {
    ($(#[$meta:meta])* $type:ident, $field:literal, $rule:literal, $extra:literal) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Reads a name.
            ///
            /// # Errors
            ///
            #[doc = concat!("Refuses what is not `", $rule, "`.")]
            pub fn parse(text: &str) -> Result<Self, ManifestError> {
                if is_word(text, $extra) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(ManifestError::Name { field: $field, found: shown(text), expected: $rule })
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
            }
        }
    };
}

name!(
    /// Which software a package is for.
    PackageId, "id", "[a-z0-9][a-z0-9._-]{0,63}", "._-"
);
name!(
    /// The name of a step.
    StepName, "step name", "[a-z0-9][a-z0-9-]{0,63}", "-"
);

fn is_word(text: &str, extra: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || extra.contains(c))
}

/// Whether this may be the name of a role or of a configuration file.
pub(crate) fn is_role(text: &str) -> bool {
    is_word(text, "_-")
}

/// The permissions of a file or directory: at most `0777`, so no set-id and no sticky bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mode(u32);

impl Mode {
    /// Reads a mode: four octal digits, the first `0`.
    ///
    /// # Errors
    ///
    /// Refuses any other spelling.
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let digits = text.strip_prefix('0').filter(|rest| {
            rest.len() == 3 && rest.bytes().all(|digit| (b'0'..=b'7').contains(&digit))
        });
        digits
            .and_then(|digits| u32::from_str_radix(digits, 8).ok())
            .map(Self)
            .ok_or_else(|| ManifestError::Mode { found: shown(text) })
    }

    /// A mode from its bits; `None` when there are others than the nine permission bits.
    pub fn from_bits(bits: u32) -> Option<Self> {
        (bits <= 0o777).then_some(Self(bits))
    }

    /// The permission bits.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Whether anyone may execute the file.
    pub fn is_executable(self) -> bool {
        self.0 & 0o111 != 0
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// Bytes of a version or of a version requirement. Stops versions that fill a screen.
const MAX_VERSION_BYTES: usize = 128;

pub(crate) fn version(text: &str) -> Result<Version, ManifestError> {
    let refused = || ManifestError::Version { found: shown(text) };
    if text.len() > MAX_VERSION_BYTES {
        return Err(refused());
    }
    Version::parse(text).map_err(|_| refused())
}

pub(crate) fn requirement(field: &'static str, text: &str) -> Result<VersionReq, ManifestError> {
    let refused = || ManifestError::Requirement {
        field,
        found: shown(text),
    };
    if text.len() > MAX_VERSION_BYTES {
        return Err(refused());
    }
    VersionReq::parse(text).map_err(|_| refused())
}

/// Whether a requirement that was checked before admits the version. `*` admits pre-releases too,
/// which semver's own `*` does not: it stands for "whatever was there".
pub(super) fn requirement_matches(requirement: &str, version: &Version) -> bool {
    requirement == "*" || VersionReq::parse(requirement).is_ok_and(|req| req.matches(version))
}

/// Bytes of a line for people. Stops lines that fill a screen.
const MAX_LINE_BYTES: usize = 1_024;

/// Lines for people reach terminals, so they hold no control characters.
pub(crate) fn check_text(field: &'static str, text: &str) -> Result<(), ManifestError> {
    if text.len() > MAX_LINE_BYTES || text.chars().any(is_control) {
        return Err(ManifestError::Text {
            field,
            found: shown(text),
            limit_bytes: MAX_LINE_BYTES,
        });
    }
    Ok(())
}
