// SPDX-License-Identifier: Apache-2.0
//! What the host does for a step while it runs: configuration keys, log lines, progress.
//!
//! The sandbox carries the requests and bounds them; whether a key is granted, and what an edit
//! means, is decided by whoever implements [`ConfigAccess`]. All calls come from the thread that
//! called [`crate::Engine::run`].

use cofferdam_config::Value;
use serde::Deserialize;
use serde::Serialize;
use thiserror::Error;

/// Configuration keys, as one step may use them.
///
/// Keys arrive exactly as the step gave them (at most 2 MiB), not parsed.
pub trait ConfigAccess {
    /// The value at a key, if it is there.
    ///
    /// # Errors
    /// Any [`ConfigRefusal`]; the step sees its kind and its text.
    fn get(&mut self, key: &str) -> Result<Option<Value>, ConfigRefusal>;

    /// Puts a value at a key.
    ///
    /// # Errors
    /// As [`ConfigAccess::get`]; nothing has changed then.
    fn set(&mut self, key: &str, value: &Value) -> Result<(), ConfigRefusal>;

    /// Takes a key away; says whether it was there.
    ///
    /// # Errors
    /// As [`ConfigAccess::set`].
    fn remove(&mut self, key: &str) -> Result<bool, ConfigRefusal>;

    /// Moves a value, as it is written, to another key.
    ///
    /// # Errors
    /// As [`ConfigAccess::set`].
    fn rename(&mut self, key: &str, new_key: &str) -> Result<(), ConfigRefusal>;

    /// The readable keys below a prefix, in the order of the file.
    ///
    /// # Errors
    /// As [`ConfigAccess::get`].
    fn list(&mut self, prefix: Option<&str>) -> Result<Vec<String>, ConfigRefusal>;
}

/// Why a request for a key was not carried out: the step sees this much and no more.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConfigRefusal {
    /// The grants do not cover the key.
    #[error("the key is not granted")]
    NotGranted,
    /// The key is a secret.
    #[error("the key is a secret")]
    Secret,
    /// The key is not there.
    #[error("the key does not exist")]
    NoSuchKey,
    /// Another type is there.
    #[error("{0}")]
    TypeMismatch(String),
    /// The key means no place, or several.
    #[error("{0}")]
    Ambiguous(String),
    /// The edit would touch more than the key.
    #[error("{0}")]
    Refused(String),
}

/// No configuration: every key is refused as not granted.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoConfig;

impl ConfigAccess for NoConfig {
    fn get(&mut self, _key: &str) -> Result<Option<Value>, ConfigRefusal> {
        Err(ConfigRefusal::NotGranted)
    }

    fn set(&mut self, _key: &str, _value: &Value) -> Result<(), ConfigRefusal> {
        Err(ConfigRefusal::NotGranted)
    }

    fn remove(&mut self, _key: &str) -> Result<bool, ConfigRefusal> {
        Err(ConfigRefusal::NotGranted)
    }

    fn rename(&mut self, _key: &str, _new_key: &str) -> Result<(), ConfigRefusal> {
        Err(ConfigRefusal::NotGranted)
    }

    fn list(&mut self, _prefix: Option<&str>) -> Result<Vec<String>, ConfigRefusal> {
        Ok(Vec::new())
    }
}

/// How much a log line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// For the author of the step.
    Debug,
    /// What was done.
    Info,
    /// What the operator should know.
    Warn,
    /// What went wrong.
    Error,
}

/// Whoever watches a step at work. Lines come without control characters and within the budget.
pub trait Observer {
    /// A line of the log.
    fn log(&mut self, level: Level, line: &str) {
        let _ = (level, line);
    }

    /// How far the step has come; `total` is 0 when nobody knows.
    fn progress(&mut self, done: u64, total: u64, message: &str) {
        let _ = (done, total, message);
    }
}

/// Nobody watches.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {}
