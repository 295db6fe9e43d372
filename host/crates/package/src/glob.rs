// SPDX-License-Identifier: Apache-2.0
//! Patterns over paths ([`Glob`]) and over configuration keys ([`KeyGlob`]), as grants are written.
//!
//! `*` stands for any characters within one part, `?` for one character, `**` for any number of whole
//! parts. There is nothing else: no classes, no alternatives, no negation, so that a grant reads the
//! same to everyone. Matching walks a set of positions, one bit each, so its time is bounded by
//! pattern × text and no pattern can make it explode.

mod any_of;
mod key;
mod parts;

pub use any_of::AnyOf;
pub use key::KeyGlob;
pub use key::KeyGlobSet;

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

use crate::path::PayloadPath;
use crate::path::is_control;
use crate::path::shown;
use any_of::Pattern;
use parts::Part;

/// Bytes of one pattern. Stops slow matching.
pub const MAX_GLOB_BYTES: usize = 1_024;

/// Parts of one pattern: matching takes the more time for each.
pub const MAX_GLOB_PARTS: usize = 60;

/// Patterns in one set. Stops slow matching.
pub const MAX_GLOBS: usize = 256;

/// A pattern is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern `{pattern}` {rule}")]
pub struct GlobError {
    /// The pattern, with control characters escaped and shortened.
    pub pattern: String,
    /// The rule that it breaks.
    pub rule: GlobRule,
}

/// The rules that a pattern can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each rule's text is its description")]
pub enum GlobRule {
    #[error("is empty")]
    Empty,
    #[error("is absolute; expected a pattern relative to the install")]
    Absolute,
    #[error("has an empty part")]
    EmptyPart,
    #[error("has a `.` or `..` part")]
    DotPart,
    #[error("has a backslash or a control character")]
    Character,
    #[error("has one of `[ ] {{ }}`, which have no meaning here; use `?` for such a character")]
    Unsupported,
    #[error("has `**` beside other characters; it must be a whole part")]
    DoubleStar,
    #[error("is longer than {MAX_GLOB_BYTES} bytes or has more than {MAX_GLOB_PARTS} parts")]
    TooLong,
    #[error("is one of more than {MAX_GLOBS} patterns")]
    TooMany,
    #[error("has quotes that are not closed or not whole parts")]
    Quotes,
    #[error("has a malformed `name:` before the key")]
    Name,
}

impl GlobError {
    fn new(pattern: &str, rule: GlobRule) -> Self {
        Self {
            pattern: shown(pattern),
            rule,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self.rule {
            GlobRule::Empty => "glob-empty",
            GlobRule::Absolute => "glob-absolute",
            GlobRule::EmptyPart => "glob-empty-part",
            GlobRule::DotPart => "glob-dot-part",
            GlobRule::Character => "glob-character",
            GlobRule::Unsupported => "glob-unsupported",
            GlobRule::DoubleStar => "glob-double-star",
            GlobRule::TooLong => "glob-too-long",
            GlobRule::TooMany => "glob-too-many",
            GlobRule::Quotes => "glob-quotes",
            GlobRule::Name => "glob-name",
        }
    }
}

/// A pattern over paths inside an install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Refuses what breaks one of [`GlobRule`].
    pub fn parse(text: &str) -> Result<Self, GlobError> {
        let refuse = |rule| GlobError::new(text, rule);
        if text.is_empty() {
            return Err(refuse(GlobRule::Empty));
        }
        if text.starts_with('/') {
            return Err(refuse(GlobRule::Absolute));
        }
        if text.len() > MAX_GLOB_BYTES || text.split('/').count() > MAX_GLOB_PARTS {
            return Err(refuse(GlobRule::TooLong));
        }
        if text.chars().any(|c| c == '\\' || is_control(c)) {
            return Err(refuse(GlobRule::Character));
        }
        if text.split('/').any(|part| part == "." || part == "..") {
            return Err(refuse(GlobRule::DotPart));
        }
        let parts = text
            .split('/')
            .map(Part::parse)
            .collect::<Result<_, _>>()
            .map_err(refuse)?;
        Ok(Self {
            text: text.to_owned(),
            parts,
        })
    }

    /// A pattern that stands for exactly this path, whatever characters it has.
    pub fn literal(path: &PayloadPath) -> Self {
        let parts = path_parts(path.as_str()).map(|part| Part::Literal(part.to_owned()));
        Self {
            text: path.as_str().to_owned(),
            parts: parts.collect(),
        }
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it stands for exactly one path.
    pub fn is_literal(&self) -> bool {
        self.parts
            .iter()
            .all(|part| matches!(part, Part::Literal(_)))
    }

    /// The deepest directory that everything it stands for lies below: what comes before its first
    /// part with a wildcard, or before its last part; `""` is the root.
    pub fn directory(&self) -> String {
        self.fixed().collect::<Vec<_>>().join("/")
    }

    /// Whether this path lies below [`Glob::directory`].
    pub fn is_above(&self, path: &str) -> bool {
        let mut names = path_parts(path);
        self.fixed().all(|name| names.next() == Some(name)) && names.next().is_some()
    }

    /// Whether [`Glob::directory`] is this directory or lies below it; `""` is the root.
    pub fn begins_in(&self, directory: &str) -> bool {
        let mut fixed = self.fixed();
        path_parts(directory).all(|name| fixed.next() == Some(name))
    }

    /// The names of [`Glob::directory`].
    fn fixed(&self) -> impl Iterator<Item = &str> {
        let above = self.parts.split_last().map_or(&[][..], |(_, above)| above);
        above.iter().map_while(|part| match part {
            Part::Literal(name) => Some(name.as_str()),
            Part::AnyParts | Part::Pattern(_) => None,
        })
    }

    /// Whether the pattern stands for this path; `""` is the root.
    pub fn matches(&self, path: &str) -> bool {
        parts::matches(&self.parts, path_parts(path))
    }

    /// Whether the pattern may stand for something at or below this directory; `""` is the root.
    pub fn leads_to(&self, directory: &str) -> bool {
        parts::leads_to(&self.parts, path_parts(directory))
    }
}

fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Glob {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Glob {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl Pattern for Glob {
    fn parse(text: &str) -> Result<Self, GlobError> {
        Self::parse(text)
    }

    fn matches(&self, path: &str) -> bool {
        self.matches(path)
    }

    fn as_str(&self) -> &str {
        self.as_str()
    }
}

/// Patterns over paths of which one must match; `""` is the root.
pub type GlobSet = AnyOf<Glob>;

impl GlobSet {
    /// Whether one of the patterns may stand for something at or below this directory.
    pub fn leads_to(&self, directory: &str) -> bool {
        self.iter().any(|glob| glob.leads_to(directory))
    }

    /// Whether this path lies below the [`Glob::directory`] of one of the patterns.
    pub fn is_above(&self, path: &str) -> bool {
        self.iter().any(|glob| glob.is_above(path))
    }

    /// Whether the [`Glob::directory`] of one of the patterns is this directory or lies below it.
    pub fn begins_in(&self, directory: &str) -> bool {
        self.iter().any(|glob| glob.begins_in(directory))
    }
}

#[cfg(test)]
mod tests;
