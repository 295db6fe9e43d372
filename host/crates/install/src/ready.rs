// SPDX-License-Identifier: Apache-2.0
//! An install at rest, whose lock is held: the only thing that a transaction can begin from, and
//! what every one ends in.
//!
//! Small changes that need no transaction are made here: confirm, condemn, allow, prune. Each is
//! one replacement of the journal, with whatever follows from it done afterwards and caught up when
//! a crash comes in between.

use semver::Version;

use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::history::Entry;
use crate::journal::Journal;
use crate::layout;
use crate::layout::Site;
use crate::lock;
use crate::lock::Lock;
use crate::open::Install;
use crate::owed;
use crate::recover::write_journal;
use crate::refused;
use crate::refused::Condemned;

/// An install at rest, whose lock is held.
#[must_use = "the lock is held until this is dropped"]
#[derive(Debug)]
pub struct Ready {
    pub(crate) install: Install,
    pub(crate) lock: Lock,
}

impl Ready {
    /// The install, for reading.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// The journal.
    pub fn journal(&self) -> &Journal {
        &self.install.journal
    }

    /// What could not be removed since this was asked last, and why: it takes room until the next command that
    /// writes.
    pub fn take_left_over(&mut self) -> Vec<String> {
        std::mem::take(&mut self.install.left_over)
    }

    /// The service that a transaction stopped runs again.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn service_started(&mut self) -> Result<(), InstallError> {
        if !self.install.journal.service_owed {
            return Ok(());
        }
        let next = Journal {
            service_owed: false,
            ..self.install.journal.clone()
        };
        // Before: owed, and the service is started once more, which does no harm. After: not owed.
        let written = write_journal(&mut self.install, next);
        // It runs, whatever is on the disk: the next document that is written says so too.
        self.install.journal.service_owed = false;
        written
    }

    /// The live generation has proved healthy: floors go up to it.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn confirm(&mut self) -> Result<(), InstallError> {
        let next = self.install.journal.confirmed();
        if next == self.install.journal {
            return Ok(());
        }
        // Before: unconfirmed. After: confirmed, with its floors.
        write_journal(&mut self.install, next)
    }

    /// Condemns a package: it is not to be applied here again.
    ///
    /// # Errors
    /// The journal or the list cannot be written.
    pub fn condemn(&mut self, condemned: Condemned) -> Result<(), InstallError> {
        let next = Journal {
            condemning: Some(condemned),
            ..self.install.journal.clone()
        };
        // Before: nothing. After: decided, and moved into the list here or by the next command.
        write_journal(&mut self.install, next)?;
        owed::catch_up_condemned(&mut self.install)
    }

    /// Every package with this version that is condemned.
    ///
    /// # Errors
    /// `not-condemned`, or the list cannot be read.
    pub fn condemned_as(&self, version: &Version) -> Result<Vec<Condemned>, InstallError> {
        let mut condemned = refused::read(self.install.place.state())?;
        condemned.retain(|condemned| condemned.version.as_ref() == Some(version));
        if condemned.is_empty() {
            return Err(InstallError::NotCondemned {
                version: version.clone(),
            });
        }
        Ok(condemned)
    }

    /// Lifts the condemnation of these packages.
    ///
    /// # Errors
    /// The journal or the list cannot be written.
    pub fn allow(&mut self, lifted: &[Condemned]) -> Result<(), InstallError> {
        let mut kept = refused::read(self.install.place.state())?;
        kept.retain(|condemned| !lifted.contains(condemned));
        let mut next = self.install.journal.clone();
        for condemned in lifted {
            next.stopped_crashes.remove(&condemned.package);
        }
        let owed = next.condemning.as_ref();
        if lifted
            .iter()
            .any(|lifted| owed.is_some_and(|owed| owed.package == lifted.package))
        {
            next.condemning = None;
        }
        // Before: condemned. In between: condemned, its crashes forgotten. After: allowed.
        write_journal(&mut self.install, next)?;
        refused::write(self.install.place.state(), kept)
    }

    /// Removes old generations past the operator's number: those that did not prove healthy or were condemned first,
    /// then the oldest; never the live one, and never the one that was just left, unless only the live one is kept.
    /// Does nothing while the live generation is unconfirmed. Answers with what was removed.
    ///
    /// # Errors
    /// A mistake in `install.toml`, or the journal cannot be written. A folder that cannot be
    /// removed is a leftover, collected by the next command.
    pub fn prune(&mut self) -> Result<Vec<u64>, InstallError> {
        let keep = self.install.settings()?.generations as usize;
        let journal = &self.install.journal;
        let excess = journal.generations.len().saturating_sub(keep);
        if excess == 0 || !journal.is_confirmed() {
            return Ok(Vec::new());
        }
        let live = journal.live;
        let left = journal.last.as_ref().map(|last| last.from);
        let proved = self.install.proved_generations()?;
        let mut spare: Vec<u64> = journal.generations.keys().copied().collect();
        spare.retain(|number| *number != live && (keep < 2 || Some(*number) != left));
        spare.sort_by_key(|number| (proved.contains(number), *number));
        let pruned: Vec<u64> = spare.into_iter().take(excess).collect();
        let mut next = journal.clone();
        next.generations
            .retain(|number, _| !pruned.contains(number));
        // Before: kept. After: not named any more, so the folder is a leftover, whole or in part.
        write_journal(&mut self.install, next)?;
        let folder = self
            .install
            .place
            .open_generations()
            .doing(|| "open the generations".to_owned())?;
        for number in &pruned {
            if let Err(error) = durable::remove_tree(&folder, &number.to_string()) {
                let left = format!("cannot remove `{}/{number}`: {error}", layout::GENERATIONS);
                self.install.left_over.push(left);
            }
        }
        Ok(pruned)
    }

    /// Adds records to the history, in their order, and the journal learns of the last.
    ///
    /// # Errors
    /// The history is damaged or cannot be written, or the journal cannot.
    pub fn append_history(&mut self, entries: Vec<Entry>) -> Result<(), InstallError> {
        owed::append_history(&mut self.install, entries)
    }

    /// Stops caring: the install stays as it is, the state directory goes, with every kept
    /// generation. Answers with why it is left under its temporary name, if it is.
    ///
    /// # Errors
    /// The state directory cannot be taken away: nothing changed then, unless the error is
    /// `interrupted`. What cannot be removed afterwards is collected by the next `adopt` of this
    /// directory.
    pub fn release(self) -> Result<Option<String>, InstallError> {
        let Self { install, lock } = self;
        let site = Site::resolve(install.place.path())?;
        // An `adopt` that begins before all of it is gone would find its own work taken away.
        let _exclusive = lock::take_directory(&site)?;
        let scratch = layout::scratch_of(&site.name);
        let doing = || format!("take `{}` away", install.place.state_path().display());
        durable::remove_tree(&site.parent, &scratch)?;
        // Before: under care. After: not under care, and what is left is collected here or by the
        // next `adopt`.
        let (parent, state_name) = (&site.parent, site.state_name());
        durable::move_to_free_name(parent, &state_name, parent, &scratch).doing(doing)?;
        if let Err(error) = durable::sync_directory(parent).doing(doing) {
            // Before: not under care. After: under care again; either after a power cut.
            let back = durable::move_to_free_name(parent, &scratch, parent, &state_name)
                // After the sync: under care, whatever happens.
                .and_then(|()| durable::sync_directory(parent));
            return Err(match back.doing(doing) {
                Ok(()) => error,
                Err(source) => InstallError::Interrupted {
                    doing: "taking the directory back under care",
                    source: Box::new(source),
                },
            });
        }
        let removed = durable::remove_tree(&site.parent, &scratch);
        drop(lock);
        Ok(removed
            .err()
            .map(|error| format!("cannot remove `{scratch}`: {error}")))
    }
}
