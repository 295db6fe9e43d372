// SPDX-License-Identifier: Apache-2.0
//! Where an install stands, for those who only look: no lock, no write, and one consistent answer.
//!
//! The journal is one document that is replaced atomically, so it is never half an answer. What is
//! found on disk is only believed when the journal is still the same afterwards; else somebody is
//! at work, and it is looked at again.

use std::path::PathBuf;

use cofferdam_package::digest::Digest;
use semver::Version;
use serde::Serialize;

use crate::error::InstallError;
use crate::generation;
use crate::journal::Floors;
use crate::journal::Journal;
use crate::journal::LastTransaction;
use crate::journal::TxKind;
use crate::journal::TxState;
use crate::lock;
use crate::lock::Holder;
use crate::open::Install;
use crate::open::read_journal;
use crate::recover::RecoveredAction;
use crate::recover::foresee;
use crate::refused;
use crate::refused::Condemned;

/// How often a changing journal is looked at again before the last answer is given as it is.
const ATTEMPTS: usize = 16;

/// Where an install stands.
#[derive(Clone, Debug, Serialize)]
pub struct StatusView {
    /// The install directory.
    pub dir: PathBuf,
    /// The package id; none when `install.toml` has a mistake.
    pub id: Option<String>,
    /// What the machine is for.
    pub roles: Vec<String>,
    /// The live generation.
    pub generation: u64,
    /// Its version.
    pub version: Option<Version>,
    /// Its data format.
    pub data_format: u64,
    /// Its package.
    pub package: Option<Digest>,
    /// It has proved healthy.
    pub confirmed: bool,
    /// Whether something is under way.
    pub state: State,
    /// The service was stopped by a transaction, and nobody has started it again yet.
    pub service_owed: bool,
    /// Every generation, oldest first.
    pub generations: Vec<GenerationView>,
    /// Below these, packages are refused.
    pub floors: Floors,
    /// Packages condemned here.
    pub condemned: Vec<Condemned>,
    /// How the last transaction ended.
    pub last: Option<LastTransaction>,
    /// A mistake in `install.toml`, with its place.
    pub settings_error: Option<String>,
}

/// Whether something is under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum State {
    /// Nothing.
    Idle,
    /// A command is at work.
    Working {
        /// Which.
        holder: Holder,
    },
    /// A transaction was cut off: any command that writes recovers first.
    Interrupted {
        /// What was under way.
        kind: TxKind,
        /// How far it had come.
        stage: &'static str,
        /// What recovery would do.
        recovery: RecoveredAction,
    },
    /// Recovery would refuse.
    NeedsPerson {
        /// What was found.
        found: String,
    },
}

/// One generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct GenerationView {
    /// Its number.
    pub number: u64,
    /// Its version.
    pub version: Option<Version>,
    /// It has proved healthy.
    pub confirmed: bool,
    /// It is the live one.
    pub live: bool,
    /// It can be rolled back to: its tree is there.
    pub kept: bool,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// The transaction that made it.
    pub txid: String,
}

impl Install {
    /// Where the install stands now.
    ///
    /// # Errors
    /// The journal cannot be believed, or the system refused.
    pub fn status(&self) -> Result<StatusView, InstallError> {
        let mut journal = read_journal(&self.place)?;
        let mut attempts = 0;
        loop {
            let view = self.look(&journal);
            let now = read_journal(&self.place)?;
            attempts += 1;
            if now == journal || attempts == ATTEMPTS {
                return view;
            }
            journal = now;
        }
    }

    fn look(&self, journal: &Journal) -> Result<StatusView, InstallError> {
        let live = journal.live_generation();
        let settings = self.settings.as_ref();
        let condemned = refused::with(
            refused::read(self.place.state())?,
            journal.condemning.as_ref(),
        );
        Ok(StatusView {
            dir: self.place.path().to_owned(),
            id: settings.ok().map(|settings| settings.id.to_string()),
            roles: settings.map_or_else(|_| Vec::new(), |settings| settings.roles.clone()),
            generation: journal.live,
            version: live.and_then(|live| live.version.clone()),
            data_format: live.map_or(0, |live| live.data_format),
            package: live.and_then(|live| live.package),
            confirmed: journal.is_confirmed(),
            state: self.state_of(journal)?,
            service_owed: journal.service_owed,
            generations: journal
                .generations
                .iter()
                .map(|(number, record)| GenerationView {
                    number: *number,
                    version: record.version.clone(),
                    confirmed: record.confirmed,
                    live: *number == journal.live,
                    kept: generation::has_tree(&self.place, *number) && *number != journal.live,
                    created_unix_s: record.created_unix_s,
                    txid: record.txid.clone(),
                })
                .collect(),
            floors: journal.floors.clone(),
            condemned,
            last: journal.last.clone(),
            settings_error: settings.err().map(ToString::to_string),
        })
    }

    fn state_of(&self, journal: &Journal) -> Result<State, InstallError> {
        if let Some(holder) = lock::read(self.place.state()).filter(Holder::is_alive) {
            return Ok(State::Working { holder });
        }
        Ok(
            match (foresee(&self.place, journal)?, &journal.transaction) {
                (Err(found), _) => State::NeedsPerson {
                    found: found.to_string(),
                },
                (Ok(_), None) => State::Idle,
                (Ok(recovery), Some(transaction)) => State::Interrupted {
                    kind: transaction.kind,
                    stage: match transaction.state {
                        TxState::Building {} => "building",
                        TxState::Stopped {} => "stopped",
                        TxState::Moving { .. } => "moving",
                        TxState::Committing { .. } => "committing",
                    },
                    recovery,
                },
            },
        )
    }
}
