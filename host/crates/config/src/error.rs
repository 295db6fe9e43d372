// SPDX-License-Identifier: Apache-2.0
//! Everything that reading or editing a configuration file can answer instead of doing it.
//!
//! No message holds a value: a value may be a secret. Keys and types are named, values never.

use crate::Format;
use crate::Key;

/// Why a configuration file was not read or not edited. After any of these the document is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// More bytes than [`crate::MAX_BYTES`].
    #[error("the file has {found} bytes, expected at most {limit}")]
    TooLarge {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Bytes that are no UTF-8.
    #[error("the file is not UTF-8: byte {offset} starts no character")]
    NotUtf8 {
        /// Offset of the first wrong byte.
        offset: usize,
    },
    /// Nested deeper than [`crate::MAX_DEPTH`].
    #[error("the file nests tables or lists deeper than {limit} levels")]
    TooDeep {
        /// Levels allowed.
        limit: usize,
    },
    /// Not a file of that format.
    #[error("the file is not valid {format}: {reason}")]
    Syntax {
        /// The format that was expected.
        format: Format,
        /// What the parser says, with the place, without quoting the file.
        reason: String,
    },
    /// A valid file of a kind that is not edited.
    #[error("the file cannot be edited by keys: {reason}")]
    UnsupportedDocument {
        /// What it is.
        reason: String,
    },
    /// A key that this format cannot have.
    #[error("`{key}` cannot be a key in {format}: expected {expected}")]
    BadKey {
        /// The key.
        key: Key,
        /// The format.
        format: Format,
        /// What keys of this format look like.
        expected: &'static str,
    },
    /// The key to rename is not there.
    #[error("there is no key `{key}`")]
    NoSuchKey {
        /// The key.
        key: Key,
    },
    /// The new name is taken.
    #[error("`{key}` exists already")]
    KeyExists {
        /// The key.
        key: Key,
    },
    /// The key names a table, or goes through something that is not one.
    #[error("`{key}` is not a value: found {found}")]
    NotAValue {
        /// The key.
        key: Key,
        /// What stands there.
        found: &'static str,
    },
    /// A value that has no type here.
    #[error(
        "`{key}` cannot be read or set as a value: found {found}, expected boolean, integer, decimal, text or a list of these"
    )]
    UnsupportedValue {
        /// The key.
        key: Key,
        /// What stands there.
        found: &'static str,
    },
    /// A value of another type.
    #[error("`{key}` would change its type: found {found}, expected to set {wanted}")]
    TypeChange {
        /// The key.
        key: Key,
        /// The type in the file.
        found: &'static str,
        /// The type of the new value.
        wanted: &'static str,
    },
    /// The same key more than once.
    #[error("`{key}` stands in the file more than once, expected once")]
    AmbiguousKey {
        /// The key.
        key: Key,
    },
    /// The edit could not be proved to touch this key only.
    #[error("`{key}` was not edited: {reason}")]
    EditRefused {
        /// The key.
        key: Key,
        /// Why not.
        reason: String,
    },
}

impl ConfigError {
    /// The stable name of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "config-too-large",
            Self::NotUtf8 { .. } => "config-not-utf8",
            Self::TooDeep { .. } => "config-too-deep",
            Self::Syntax { .. } => "config-syntax",
            Self::UnsupportedDocument { .. } => "unsupported-document",
            Self::BadKey { .. } => "bad-key",
            Self::NoSuchKey { .. } => "no-such-key",
            Self::KeyExists { .. } => "key-exists",
            Self::NotAValue { .. } => "not-a-value",
            Self::UnsupportedValue { .. } => "unsupported-value",
            Self::TypeChange { .. } => "type-change",
            Self::AmbiguousKey { .. } => "ambiguous-key",
            Self::EditRefused { .. } => "edit-refused",
        }
    }
}

/// Every code of this crate with one line of help.
pub const CODES: &[(&str, &str)] = &[
    (
        "config-too-large",
        "configuration files are edited up to 4 MiB; move bulk data to a file of its own",
    ),
    ("config-not-utf8", "save the file as UTF-8"),
    (
        "config-too-deep",
        "flatten the file; more than 64 levels are not read",
    ),
    (
        "config-syntax",
        "repair the file at the place named, or correct its `format` in install.toml",
    ),
    (
        "unsupported-document",
        "keep one document per file, whose top level is a table of keys",
    ),
    (
        "bad-key",
        "write keys as parts joined by dots, quote a part with other characters; INI has `section.name`, .env one name",
    ),
    (
        "no-such-key",
        "list the keys of the file; the step may test with `get` first",
    ),
    (
        "key-exists",
        "remove the key under the new name, or let the step decide which of the two values wins",
    ),
    ("not-a-value", "name a single value, not a table"),
    (
        "unsupported-value",
        "such a value can be renamed or removed, not read or set; edit it by hand",
    ),
    (
        "type-change",
        "set a value of the same type, or remove the key first if the change is wanted",
    ),
    ("ambiguous-key", "leave one of the duplicates in the file"),
    (
        "edit-refused",
        "edit this key by hand, or spell it in a plainer way, then try again",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_help() {
        let key = Key::from_parts(vec!["k".to_owned()]);
        let reason = String::new();
        let (found, wanted, expected) = ("", "", "");
        let format = Format::Toml;
        let all = [
            ConfigError::TooLarge { found: 1, limit: 1 },
            ConfigError::NotUtf8 { offset: 1 },
            ConfigError::TooDeep { limit: 1 },
            ConfigError::Syntax {
                format,
                reason: reason.clone(),
            },
            ConfigError::UnsupportedDocument {
                reason: reason.clone(),
            },
            ConfigError::BadKey {
                key: key.clone(),
                format,
                expected,
            },
            ConfigError::NoSuchKey { key: key.clone() },
            ConfigError::KeyExists { key: key.clone() },
            ConfigError::NotAValue {
                key: key.clone(),
                found,
            },
            ConfigError::UnsupportedValue {
                key: key.clone(),
                found,
            },
            ConfigError::TypeChange {
                key: key.clone(),
                found,
                wanted,
            },
            ConfigError::AmbiguousKey { key: key.clone() },
            ConfigError::EditRefused { key, reason },
        ];
        assert_eq!(all.len(), CODES.len());
        for error in all {
            assert!(
                CODES.iter().any(|(code, _)| *code == error.code()),
                "{error}"
            );
        }
    }
}
