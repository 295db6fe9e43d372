// SPDX-License-Identifier: Apache-2.0
//! An install, opened for reading: what is live, what is kept, what was decided. Never writes,
//! never locks.
//!
//! The journal is read once, when the install is opened, and everything answered afterwards belongs
//! to that instant: folders of generations are written before a journal names them and are not
//! changed while it does. The operator's file is read too, but a mistake in it only matters to
//! those who ask for it: `status` and recovery work without.

use std::path::Path;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::limits::Limits;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::verify::VerifiedManifest;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::verify::Drift;
use cofferdam_tree::verify::Scope;

use crate::error::Doing as _;
use crate::error::InstallError;
use crate::generation;
use crate::history;
use crate::history::History;
use crate::journal::Journal;
use crate::journal::codec;
use crate::journal::codec::UnreadableJournal;
use crate::layout;
use crate::layout::Place;
use crate::layout::PlaceError;
use crate::layout::Site;
use crate::lock;
use crate::recover::Locked;
use crate::refused;
use crate::refused::Condemned;
use crate::settings::Settings;
use crate::settings::SettingsError;

/// An install, opened for reading.
#[derive(Debug)]
pub struct Install {
    pub(crate) place: Place,
    pub(crate) journal: Journal,
    pub(crate) settings: Result<Settings, SettingsError>,
    /// What could not be removed since it was opened, and why: leftovers, until the next command that writes.
    pub(crate) left_over: Vec<String>,
}

impl Install {
    /// Opens the install at `dir`: resolves it to its real path and reads its journal and its
    /// settings.
    ///
    /// # Errors
    /// No directory, not under care, directories that others may write, a journal that cannot be
    /// believed. A mistake in `install.toml` is kept for [`Install::settings`].
    pub fn open(dir: &Path) -> Result<Self, InstallError> {
        Self::at(Place::open(dir)?)
    }

    pub(crate) fn at(place: Place) -> Result<Self, InstallError> {
        let journal = read_journal(&place)?;
        let file = place.state_path().join(layout::SETTINGS);
        let settings = Settings::read(place.state(), &file.display().to_string());
        Ok(Self {
            place,
            journal,
            settings,
            left_over: Vec::new(),
        })
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The journal, as it was when the install was opened.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What the operator decided.
    ///
    /// # Errors
    /// A mistake in `install.toml`.
    pub fn settings(&self) -> Result<&Settings, InstallError> {
        self.settings.as_ref().map_err(|error| error.clone().into())
    }

    /// The keys that the operator trusts.
    ///
    /// # Errors
    /// A mistake in `install.toml`.
    pub fn keyring(&self) -> Result<&KeyRing, InstallError> {
        Ok(&self.settings()?.trust)
    }

    /// Whose signatures a package needs.
    ///
    /// # Errors
    /// A mistake in `install.toml`.
    pub fn signature_rule(&self) -> Result<SignatureRule, InstallError> {
        Ok(self.settings()?.policy.signatures)
    }

    /// The history from record `from` on, its chain verified, up to the last record that the journal
    /// knows of or beyond it.
    ///
    /// # Errors
    /// A line that is not what the chain says, or records that are missing at the end.
    pub fn history(&self, from: u64) -> Result<History, InstallError> {
        let history = history::read(self.place.state(), from)?;
        Ok(history.reaching(self.journal.history.as_ref())?)
    }

    /// The history from record `from` on as far as it goes, its chain verified: for one of which [`Self::history`]
    /// says that its end is missing.
    ///
    /// # Errors
    /// A line that is not what the chain says.
    pub fn history_as_far_as_it_goes(&self, from: u64) -> Result<History, InstallError> {
        Ok(history::read(self.place.state(), from)?)
    }

    /// Packages condemned here.
    ///
    /// # Errors
    /// `refused.json` cannot be believed.
    pub fn condemned(&self) -> Result<Vec<Condemned>, InstallError> {
        Ok(refused::with(
            refused::read(self.place.state())?,
            self.journal.condemning.as_ref(),
        ))
    }

    /// Why a package is condemned here, if it is.
    ///
    /// # Errors
    /// `refused.json` cannot be believed.
    pub fn condemnation_of(&self, package: &Digest) -> Result<Option<Condemned>, InstallError> {
        Ok(self
            .condemned()?
            .into_iter()
            .find(|condemned| condemned.package == *package))
    }

    /// A handle to the live tree.
    ///
    /// # Errors
    /// It is gone.
    pub fn live_tree(&self) -> Result<Dir, InstallError> {
        self.place
            .open_live()
            .doing(|| format!("open `{}`", self.place.path().display()))
    }

    /// A handle to the kept tree of a generation that is not live.
    ///
    /// # Errors
    /// It has none.
    pub fn kept_tree(&self, generation: u64) -> Result<Dir, InstallError> {
        generation::open_tree(&self.place, generation)
            .doing(|| format!("open the tree of generation {generation}"))
    }

    /// Everything in the live tree when it was sealed.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn live_inventory(&self) -> Result<Inventory, InstallError> {
        self.inventory(self.journal.live)
    }

    /// Everything in a generation's tree when it was sealed.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn inventory(&self, generation: u64) -> Result<Inventory, InstallError> {
        generation::read_inventory(&self.place, generation)
    }

    /// The manifest of the live generation; none when it was adopted without a package.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn live_manifest(&self) -> Result<Option<Manifest>, InstallError> {
        self.manifest(self.journal.live)
    }

    /// The manifest of a generation; none when it was adopted without a package. Its digest is
    /// checked against the journal; its signatures were, when the generation was made.
    ///
    /// # Errors
    /// It is missing or damaged.
    pub fn manifest(&self, generation: u64) -> Result<Option<Manifest>, InstallError> {
        generation::read_manifest(&self.place, &self.journal, generation)
    }

    /// The manifest of a generation, its signatures verified again with today's keys and rule.
    ///
    /// # Errors
    /// It is missing or damaged, or its signatures do not suffice any more.
    pub fn verify_manifest(
        &self,
        generation: u64,
    ) -> Result<Option<VerifiedManifest>, InstallError> {
        let settings = self.settings()?;
        generation::verify_manifest(
            &self.place,
            &self.journal,
            generation,
            &settings.trust,
            settings.policy.signatures,
            &Limits::default(),
        )
    }

    /// The component of a health step of the live generation, as it was kept; its digest is checked.
    ///
    /// # Errors
    /// It is missing, longer than `cap_bytes`, or not what its name says.
    pub fn health_component(
        &self,
        component: &Digest,
        cap_bytes: u64,
    ) -> Result<Vec<u8>, InstallError> {
        generation::read_component(&self.place, self.journal.live, component, cap_bytes)
    }

    /// What in the live tree differs from its inventory.
    ///
    /// # Errors
    /// The inventory or the tree cannot be read.
    pub fn drift(&self, scope: Scope) -> Result<Vec<Drift>, InstallError> {
        let inventory = self.live_inventory()?;
        let live = &self.settings()?.live;
        Ok(cofferdam_tree::verify::drift(
            &self.live_tree()?,
            &inventory,
            scope,
            live,
        )?)
    }

    /// Opens the install at `dir` and takes its lock, for a command that writes. A directory that an
    /// `adopt` or a `release` works on is busy, too; for those who only look it is not under care.
    ///
    /// # Errors
    /// As [`Install::open`]; `busy`, with who and since when.
    pub fn open_locked(dir: &Path, command: &str, now_unix_s: u64) -> Result<Locked, InstallError> {
        match Place::open(dir) {
            Ok(place) => Self::at(place)?.lock(command, now_unix_s),
            Err(PlaceError::NotAdopted { path, state }) => {
                let site = Site::resolve(&path)?;
                Err(match lock::who_moves(&site) {
                    Some(holder) => InstallError::Busy { holder },
                    None => PlaceError::NotAdopted { path, state }.into(),
                })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Takes the lock, at once or not at all. What `command` runs is told to whoever comes second.
    ///
    /// # Errors
    /// `busy`, with who and since when.
    pub fn lock(self, command: &str, now_unix_s: u64) -> Result<Locked, InstallError> {
        let lock = lock::take(self.place.state(), command, now_unix_s)?;
        // Somebody may have finished between the opening and the locking.
        Ok(Locked {
            install: Self::at(self.place)?,
            lock,
        })
    }
}

/// Reads the journal; a missing one is unreadable, never "nothing happened".
pub(crate) fn read_journal(place: &Place) -> Result<Journal, InstallError> {
    let read = layout::read_file(place.state(), layout::JOURNAL, codec::JOURNAL_CAP_BYTES);
    let bytes = match read {
        Err(error) if layout::is_damage(&error) => {
            return Err(UnreadableJournal::new(error.to_string()).into());
        }
        read => read.doing(|| format!("read `{}`", layout::JOURNAL))?,
    };
    let bytes = bytes.ok_or_else(|| UnreadableJournal::new("it is missing"))?;
    Ok(codec::decode(&bytes)?)
}
