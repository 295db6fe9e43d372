// SPDX-License-Identifier: Apache-2.0
//! Keys of the configuration files that the package declares: typed, one at a time.
//!
//! A key is written `server.port`, a part with dots in quotes: `hosts."db.example".port`. Where the
//! package declares more than one file, the key starts with the file's name: `agent:server.port`.
//! The manifest lists what a step may use (`config.read`, `config.write`).
//!
//! Edits keep comments, order and layout, and go live together with the files of the update. Secrets
//! can be moved with [`rename`], to another secret key, and never be read or written.
//!
//! In an ordinary unit test (not in wasm) these functions work on a map of the current thread, which
//! starts empty; everything is granted there.

mod backend;
mod value;

use std::fmt;

pub use value::FromValue;
pub use value::Scalar;
pub use value::Value;

/// The value at a key; none when the key is not there.
///
/// `T` is `bool`, an integer, a float, `String`, a `Vec` of these, or [`Value`]. Text that reads as
/// the wanted number or boolean is taken for it: INI and `.env` files have only text.
///
/// # Errors
/// Not granted, a secret, ambiguous, or not a `T`.
pub fn get<T: FromValue>(key: &str) -> Result<Option<T>, Error> {
    let Some(value) = backend::get(key).map_err(|kind| Error::new(key, kind))? else {
        return Ok(None);
    };
    let found = value.type_name();
    match T::from_value(value) {
        Some(value) => Ok(Some(value)),
        None => Err(Error::new(
            key,
            ErrorKind::TypeMismatch(format!("expected {}, found {found}", T::expected())),
        )),
    }
}

/// The value at a key that has to be there.
///
/// # Errors
/// As [`get`], and when the key is not there.
pub fn require<T: FromValue>(key: &str) -> Result<T, Error> {
    get(key)?.ok_or_else(|| Error::new(key, ErrorKind::NoSuchKey))
}

/// Puts a value at a key. A key that is not there is made; one that is keeps its type.
///
/// # Errors
/// Not granted, a secret, ambiguous, another type, or the edit would touch more than the key.
pub fn set(key: &str, value: impl Into<Value>) -> Result<(), Error> {
    backend::set(key, value.into()).map_err(|kind| Error::new(key, kind))
}

/// Takes a key away; says whether it was there.
///
/// # Errors
/// Not granted, a secret, ambiguous, or the edit would touch more than the key.
pub fn remove(key: &str) -> Result<bool, Error> {
    backend::remove(key).map_err(|kind| Error::new(key, kind))
}

/// Moves a value to another key, as it is written. The only thing that can be done with a secret.
///
/// # Errors
/// Not granted, not there, ambiguous, or the edit would touch more than the keys.
pub fn rename(key: &str, new_key: &str) -> Result<(), Error> {
    backend::rename(key, new_key).map_err(|kind| Error::new(key, kind))
}

/// The keys below a table that the step may read, in the order of the file; keys of values, not of tables; no secrets.
/// An empty `prefix` lists all.
///
/// # Errors
/// When the prefix is not a key.
pub fn list(prefix: &str) -> Result<Vec<String>, Error> {
    backend::list((!prefix.is_empty()).then_some(prefix)).map_err(|kind| Error::new(prefix, kind))
}

/// A request for a key that was not carried out. Nothing has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    key: String,
    kind: ErrorKind,
}

/// Why a request for a key was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The step's grants do not cover the key.
    NotGranted,
    /// The key is a secret.
    Secret,
    /// The key is not there.
    NoSuchKey,
    /// Another type is there; which.
    TypeMismatch(String),
    /// The key does not mean exactly one place; why.
    Ambiguous(String),
    /// The edit would touch more than the key; why.
    Refused(String),
}

impl Error {
    fn new(key: &str, kind: ErrorKind) -> Self {
        Self {
            key: key.to_owned(),
            kind,
        }
    }

    /// The key that was asked for.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Why.
    pub fn kind(&self) -> &ErrorKind {
        &self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "configuration key `{}`: ", self.key)?;
        match &self.kind {
            ErrorKind::NotGranted => f.write_str("not granted to this step"),
            ErrorKind::Secret => f.write_str("a secret, which can only be moved"),
            ErrorKind::NoSuchKey => f.write_str("there is no such key"),
            ErrorKind::TypeMismatch(why) | ErrorKind::Ambiguous(why) | ErrorKind::Refused(why) => {
                f.write_str(why)
            }
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_typed() {
        set("server.port", 8080).unwrap();
        set("server.hosts", vec!["a", "b"]).unwrap();
        set("debug", "true").unwrap();
        assert_eq!(get::<u16>("server.port").unwrap(), Some(8080));
        assert!(get::<String>("server.port").is_err());
        assert_eq!(require::<Vec<String>>("server.hosts").unwrap(), ["a", "b"]);
        assert_eq!(get::<bool>("debug").unwrap(), Some(true));
        assert_eq!(get::<bool>("absent").unwrap(), None);
        assert_eq!(list("server").unwrap(), ["server.hosts", "server.port"]);
        assert_eq!(list("").unwrap().len(), 3);
    }

    #[test]
    fn the_wrong_type_is_an_error_that_names_key_and_types() {
        set("server.port", 70_000).unwrap();
        assert_eq!(
            get::<u16>("server.port").unwrap_err().to_string(),
            "configuration key `server.port`: expected an integer from 0 to 65535, found integer"
        );
        let error = require::<bool>("absent").unwrap_err();
        assert_eq!(error.kind(), &ErrorKind::NoSuchKey);
        assert_eq!(error.key(), "absent");
    }

    #[test]
    fn a_rename_moves_the_value() {
        set("net.port", 1).unwrap();
        rename("net.port", "server.port").unwrap();
        assert_eq!(get::<i64>("server.port").unwrap(), Some(1));
        assert!(!remove("net.port").unwrap());
        assert_eq!(
            rename("net.port", "x").unwrap_err().kind(),
            &ErrorKind::NoSuchKey
        );
    }
}
