// SPDX-License-Identifier: Apache-2.0
//! Names of values: `server.port`, `server."a.b".port`.
//!
//! A key is a list of parts. Written down, parts are joined by dots; a part that is not plain is quoted.
//! INI keys are `section.name` (or `name` above the first section), `.env` keys are one flat name.
//! A key never names a file: which file it belongs to is decided by the caller.

use std::fmt;
use std::str::FromStr;

use crate::Format;
use crate::MAX_DEPTH;

/// The longest key that is accepted, in bytes as written: stops keys that exist only to fill logs.
pub const MAX_KEY_BYTES: usize = 1024;

/// The name of one value in a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    parts: Vec<String>,
}

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a key: {reason}; expected parts joined by dots, like `server.port`")]
pub struct KeyError {
    text: String,
    reason: &'static str,
}

impl KeyError {
    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        "bad-key"
    }
}

impl Key {
    /// Reads a written key.
    ///
    /// # Errors
    /// `bad-key` for an empty text or part, an unclosed quote, a character that needs quotes, too many parts.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let refuse = |reason| KeyError {
            text: text.chars().take(80).collect(),
            reason,
        };
        if text.len() > MAX_KEY_BYTES {
            return Err(refuse("it is longer than 1024 bytes"));
        }
        let mut parts = Vec::new();
        let mut rest = text.chars().peekable();
        loop {
            let mut part = String::new();
            if rest.next_if_eq(&'"').is_some() {
                loop {
                    match rest.next() {
                        None => return Err(refuse("a quote is not closed")),
                        Some('"') => break,
                        Some('\\') => match rest.next() {
                            Some(escaped @ ('"' | '\\')) => part.push(escaped),
                            _ => return Err(refuse("only `\\\"` and `\\\\` can be escaped")),
                        },
                        Some(character) if character.is_control() => {
                            return Err(refuse("it holds a control character"));
                        }
                        Some(character) => part.push(character),
                    }
                }
            } else {
                while let Some(character) = rest.next_if(|next| is_plain(*next)) {
                    part.push(character);
                }
                if part.is_empty() {
                    return Err(refuse(
                        "a part is empty or holds a character that needs quotes",
                    ));
                }
            }
            parts.push(part);
            match rest.next() {
                None => break,
                Some('.') => {}
                Some(_) => return Err(refuse("a part holds a character that needs quotes")),
            }
        }
        if parts.len() > MAX_DEPTH {
            return Err(refuse("it has more than 64 parts"));
        }
        Ok(Self { parts })
    }

    /// The parts, without quotes; at least one.
    pub fn parts(&self) -> &[String] {
        &self.parts
    }

    /// Whether this key lies below `prefix`, or is it.
    pub fn starts_with(&self, prefix: &Self) -> bool {
        self.parts.starts_with(&prefix.parts)
    }

    /// The key itself, then the tables that it is in, from the inside out.
    pub fn and_ancestors(&self) -> impl Iterator<Item = Self> {
        (1..=self.parts.len()).rev().map(|count| Self {
            parts: self.parts[..count].to_vec(),
        })
    }

    pub(crate) fn from_parts(parts: Vec<String>) -> Self {
        Self { parts }
    }

    /// Whether a file of this format can have such a key at all.
    pub(crate) fn fits(&self, format: Format) -> bool {
        match format {
            Format::Toml | Format::Json | Format::Yaml => true,
            Format::Ini => self.parts.len() <= 2,
            Format::Env => self.parts.len() == 1,
        }
    }
}

fn is_plain(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '_' | '-' | '/' | '@' | '$' | '+' | '~')
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            if !part.is_empty() && part.chars().all(is_plain) {
                f.write_str(part)?;
            } else {
                write!(f, "\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\""))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Key {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_written_as_it_was_read() {
        for text in [
            "port",
            "server.port",
            "server.\"a.b\".port",
            "a.\"\\\"\"",
            "a.\"\"",
        ] {
            assert_eq!(Key::parse(text).expect("a key").to_string(), text);
        }
        assert_eq!(
            Key::parse("\"plain\".x").expect("a key").to_string(),
            "plain.x"
        );
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for text in [
            "", ".", "a.", ".a", "a..b", "a b", "\"a", "\"a\"b", "a:b", "a\n", "\"\n\"",
        ] {
            assert_eq!(Key::parse(text).expect_err(text).code(), "bad-key");
        }
        assert!(Key::parse(&"a".repeat(2000)).is_err());
        assert!(Key::parse(&["a"; 65].join(".")).is_err());
    }
}
