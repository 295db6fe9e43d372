// SPDX-License-Identifier: Apache-2.0
//! The formats of configuration files that are edited in place.
//!
//! A format is declared, never guessed from a file's name or bytes.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Serialize;

/// How a configuration file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// TOML 1.0 and 1.1.
    Toml,
    /// JSON; comments and trailing commas are accepted and kept, never added.
    Json,
    /// `[section]` and `name = value`; comments start with `;` or `#`.
    Ini,
    /// `.env`: `NAME=value`, with or without `export`.
    Env,
    /// YAML 1.2, one document.
    Yaml,
}

/// A name that is none of the formats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not a format, expected toml, json, ini, env or yaml")]
pub struct FormatError {
    found: String,
}

impl Format {
    /// The lower-case name, as written in manifests.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Toml => "toml",
            Self::Json => "json",
            Self::Ini => "ini",
            Self::Env => "env",
            Self::Yaml => "yaml",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        [Self::Toml, Self::Json, Self::Ini, Self::Env, Self::Yaml]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or_else(|| FormatError {
                found: text.chars().take(40).collect(),
            })
    }
}
