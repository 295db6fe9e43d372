// SPDX-License-Identifier: Apache-2.0
//! Trusted keys and what each may vouch for.
//!
//! | trick | defence |
//! |---|---|
//! | two keys with one key id, so that one is checked in place of the other | refused when added |
//! | one key under two names, so that it counts twice | refused when added |
//! | a key file with a second key after the first | anything but one key is refused |
//!
//! Keys are minisign's own; no secret key ever comes here.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde::de::Error as _;

use crate::base64;
use crate::path::is_control;
use crate::path::shown;

/// What a trusted key may vouch for. Each key has exactly one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Made the package.
    Vendor,
    /// Looked at the package for the operator.
    Reviewer,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Vendor => "vendor",
            Self::Reviewer => "reviewer",
        })
    }
}

/// The id of a minisign key, written as the `minisign` tool writes it: 16 upper-case digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

impl KeyId {
    /// The id from the eight bytes of a key or signature, which hold it in little-endian order.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl FromStr for KeyId {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let is_digit = |c: u8| c.is_ascii_digit() || (b'A'..=b'F').contains(&c);
        let digits = (text.len() == 16 && text.bytes().all(is_digit)).then_some(text);
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| KeyError::Id { found: shown(text) })
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}

/// A minisign public key.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    line: String,
    material: [u8; 32],
    verifier: minisign_verify::PublicKey,
}

/// A key is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's text is its description")]
pub enum KeyError {
    #[error("`{found}` is no minisign public key: expected a `.pub` file or its second line")]
    Format { found: String },
    #[error("`{found}` is no key id: expected 16 upper-case hexadecimal digits")]
    Id { found: String },
    #[error("key `{id}` is already trusted as `{name}`")]
    Duplicate { id: KeyId, name: String },
    #[error("key id `{id}` already belongs to another trusted key, `{name}`")]
    IdTaken { id: KeyId, name: String },
    #[error("the name `{found}` of a key is empty, too long, or has control characters")]
    Name { found: String },
}

impl KeyError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format { .. } => "key-format",
            Self::Id { .. } => "key-id",
            Self::Duplicate { .. } => "key-duplicate",
            Self::IdTaken { .. } => "key-id-taken",
            Self::Name { .. } => "key-name",
        }
    }
}

impl PublicKey {
    /// Reads a public key: the text of a `.pub` file, or its line of base64 alone.
    ///
    /// # Errors
    ///
    /// Refuses anything that is not exactly one minisign public key.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let refused = || KeyError::Format { found: shown(text) };
        let lines: Vec<&str> = text
            .trim_end_matches(['\r', '\n'])
            .split('\n')
            .map(|l| l.trim_end_matches('\r'))
            .collect();
        let line = match lines.as_slice() {
            [line] => *line,
            [comment, line] if comment.starts_with("untrusted comment:") => *line,
            _ => return Err(refused()),
        };
        let bytes = base64::decode(line).ok_or_else(refused)?;
        let [b'E', b'd', rest @ ..] = bytes.as_slice() else {
            return Err(refused());
        };
        let (id, key) = rest.split_first_chunk::<8>().ok_or_else(refused)?;
        let material = key.try_into().map_err(|_| refused())?;
        let verifier = minisign_verify::PublicKey::from_base64(line).map_err(|_| refused())?;
        Ok(Self {
            id: KeyId::from_bytes(*id),
            line: line.to_owned(),
            material,
            verifier,
        })
    }

    /// The key's id.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key as one line of base64, the second line of a `.pub` file.
    pub fn as_str(&self) -> &str {
        &self.line
    }

    pub(crate) fn verifier(&self) -> &minisign_verify::PublicKey {
        &self.verifier
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.line)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.line)
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        Self::parse(text)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.line)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// A key, what it may vouch for, and what the operator calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedKey {
    /// The key.
    pub key: PublicKey,
    /// What it may vouch for.
    pub role: Role,
    /// What the operator calls it.
    pub name: String,
}

/// All trusted keys: distinct keys with distinct ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing(Vec<TrustedKey>);

impl KeyRing {
    /// A ring without keys. It trusts nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a key.
    ///
    /// # Errors
    ///
    /// Refuses a key that is there already, and a key whose id another key has.
    pub fn add(&mut self, key: TrustedKey) -> Result<(), KeyError> {
        if key.name.is_empty() || key.name.len() > 128 || key.name.chars().any(is_control) {
            return Err(KeyError::Name {
                found: shown(&key.name),
            });
        }
        for known in &self.0 {
            // The id is chosen freely by whoever makes the key, so one key can come under two.
            if known.key.material == key.key.material {
                return Err(KeyError::Duplicate {
                    id: key.key.id,
                    name: known.name.clone(),
                });
            }
            if known.key.id == key.key.id {
                return Err(KeyError::IdTaken {
                    id: key.key.id,
                    name: known.name.clone(),
                });
            }
        }
        self.0.push(key);
        Ok(())
    }

    /// The key with this id.
    pub fn get(&self, id: KeyId) -> Option<&TrustedKey> {
        self.0.iter().find(|key| key.key.id == id)
    }

    /// All keys, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, TrustedKey> {
        self.0.iter()
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> IntoIterator for &'a KeyRing {
    type Item = &'a TrustedKey;
    type IntoIter = std::slice::Iter<'a, TrustedKey>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

#[cfg(test)]
mod tests;
