// SPDX-License-Identifier: Apache-2.0
//! Patterns over configuration keys.
//!
//! A key is `server.port`, or `agent:server.port` with the name of its file; a part that is no bare
//! word is quoted: `server."a.b".port`. A pattern is written the same way, with `*`, `?` and `**` in
//! parts that are not quoted. A pattern without a file name speaks of the only file there is (a
//! manifest with several must name them), so it matches keys of any file.

use std::fmt;

use super::AnyOf;
use super::GlobError;
use super::GlobRule;
use super::MAX_GLOB_BYTES;
use super::MAX_GLOB_PARTS;
use super::any_of::Pattern;
use super::parts;
use super::parts::Part;
use crate::path::is_control;

/// A pattern over configuration keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyGlob {
    text: String,
    file: Option<String>,
    parts: Vec<Part>,
}

impl KeyGlob {
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
        if text.len() > MAX_GLOB_BYTES {
            return Err(refuse(GlobRule::TooLong));
        }
        if text.chars().any(is_control) {
            return Err(refuse(GlobRule::Character));
        }
        let (file, key) = split_file(text);
        if file.is_some_and(|name| !is_file_name(name)) {
            return Err(refuse(GlobRule::Name));
        }
        let parts = split_key(key).map_err(refuse)?;
        if parts.len() > MAX_GLOB_PARTS {
            return Err(refuse(GlobRule::TooLong));
        }
        let parts = parts
            .into_iter()
            .map(|part| match part {
                KeyPart::Quoted(literal) => Ok(Part::Literal(literal)),
                KeyPart::Bare(bare) => Part::parse(&bare),
            })
            .collect::<Result<_, _>>()
            .map_err(refuse)?;
        Ok(Self {
            text: text.to_owned(),
            file: file.map(str::to_owned),
            parts,
        })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The configuration file that the pattern names, if it names one.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Whether the pattern stands for this key. A key that is malformed matches nothing; a key
    /// without a file matches only patterns without one.
    pub fn matches(&self, key: &str) -> bool {
        let (file, key) = split_file(key);
        if self.file.is_some() && self.file.as_deref() != file {
            return false;
        }
        let Ok(parts) = split_key(key) else {
            return false;
        };
        parts::matches(&self.parts, parts.iter().map(KeyPart::as_str))
    }
}

impl fmt::Display for KeyGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Pattern for KeyGlob {
    fn parse(text: &str) -> Result<Self, GlobError> {
        Self::parse(text)
    }

    fn matches(&self, key: &str) -> bool {
        self.matches(key)
    }

    fn as_str(&self) -> &str {
        self.as_str()
    }
}

/// Patterns over keys, `agent:server.port` or `server.port`, of which one must match.
pub type KeyGlobSet = AnyOf<KeyGlob>;

enum KeyPart {
    Bare(String),
    Quoted(String),
}

impl KeyPart {
    fn as_str(&self) -> &str {
        match self {
            Self::Bare(text) | Self::Quoted(text) => text,
        }
    }
}

/// A file's name ends at the first `:` that stands before any quote.
fn split_file(text: &str) -> (Option<&str>, &str) {
    let unquoted = text.find('"').unwrap_or(text.len());
    match text.split_once(':') {
        Some((file, key)) if file.len() < unquoted => (Some(file), key),
        _ => (None, text),
    }
}

/// Whether this may be the name of a configuration file: `[a-z0-9][a-z0-9_-]{0,63}`.
pub(crate) fn is_file_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-')
}

/// Splits at dots outside quotes; within quotes `\"` and `\\` stand for the character.
fn split_key(key: &str) -> Result<Vec<KeyPart>, GlobRule> {
    let mut parts = Vec::new();
    let mut chars = key.chars().peekable();
    loop {
        if chars.next_if_eq(&'"').is_some() {
            let mut text = String::new();
            loop {
                match chars.next() {
                    None => return Err(GlobRule::Quotes),
                    Some('"') => break,
                    Some('\\') => match chars.next() {
                        Some(c @ ('"' | '\\')) => text.push(c),
                        _ => return Err(GlobRule::Quotes),
                    },
                    Some(c) => text.push(c),
                }
            }
            parts.push(KeyPart::Quoted(text));
        } else {
            let mut text = String::new();
            while let Some(c) = chars.next_if(|c| *c != '.') {
                match c {
                    '"' => return Err(GlobRule::Quotes),
                    '\\' => return Err(GlobRule::Character),
                    c => text.push(c),
                }
            }
            if text.is_empty() {
                return Err(GlobRule::EmptyPart);
            }
            parts.push(KeyPart::Bare(text));
        }
        match chars.next() {
            None => return Ok(parts),
            Some('.') => {}
            Some(_) => return Err(GlobRule::Quotes),
        }
    }
}
