// SPDX-License-Identifier: Apache-2.0
//! What the journal of an install says, read by eyes of our own: to sort points by how far a
//! transaction had come.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::Value;

/// How far a transaction had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// There is no journal: not under care.
    NotAdopted,
    /// Nothing is under way.
    Idle,
    /// The next tree is being built, the service runs.
    Building,
    /// The same, and the service is stopped.
    Stopped,
    /// An older generation's tree is on its way.
    Moving,
    /// The exchange is about to happen.
    Committing,
    /// The exchange has happened.
    Exchanged,
    /// It cannot be read.
    Unreadable,
}

impl Stage {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::NotAdopted => "not adopted",
            Self::Idle => "idle",
            Self::Building => "building",
            Self::Stopped => "stopped",
            Self::Moving => "moving",
            Self::Committing => "committing",
            Self::Exchanged => "exchanged",
            Self::Unreadable => "unreadable",
        }
    }

    /// How far the transaction of the install at `dir` has come.
    pub fn of(dir: &Path) -> Self {
        let journal = crate::machine::state_of(dir).join("transaction.json");
        let Ok(bytes) = fs::read(journal) else {
            return Self::NotAdopted;
        };
        let Ok(document) = serde_json::from_slice::<Value>(&bytes) else {
            return Self::Unreadable;
        };
        let transaction = &document["journal"]["transaction"];
        if transaction.is_null() {
            return Self::Idle;
        }
        let state = &transaction["state"];
        match state["name"].as_str() {
            Some("building") => Self::Building,
            Some("stopped") => Self::Stopped,
            Some("moving") => Self::Moving,
            Some("committing") => {
                let live = fs::symlink_metadata(dir)
                    .map(|metadata| metadata.ino())
                    .ok();
                if live.is_some() && state["new"].as_u64() == live {
                    Self::Exchanged
                } else {
                    Self::Committing
                }
            }
            _ => Self::Unreadable,
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
