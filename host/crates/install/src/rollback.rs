// SPDX-License-Identifier: Apache-2.0
//! The way back: the tree of an older generation is moved into the live one's slot, and then
//! exchanged like any other.
//!
//! The target is verified against its inventory first, since a file that trees share may have been
//! edited in place. State that changed since the live generation was made would be left behind, so
//! that is a refusal unless the caller says otherwise. Live files are the same for every
//! generation: they are linked anew into the tree that comes back. The generation that is left
//! stays, with its tree, its state and its config files. A config file outside that was created
//! when the target was left is removed with the way back to it, after it was saved too.

use std::collections::BTreeSet;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::glob::GlobSet;
use cofferdam_tree::verify::Drift;
use cofferdam_tree::verify::DriftKind;
use cofferdam_tree::verify::Scope;

use crate::building::Ended;
use crate::building::check_txid;
use crate::building::condemn_live;
use crate::building::discard;
use crate::building::stop_noted;
use crate::commit::Contents;
use crate::commit::Sealed;
use crate::config_swaps;
use crate::config_swaps::Change;
use crate::config_swaps::Planned;
use crate::durable;
use crate::durable::SyncFs;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::error::StateChanges;
use crate::failure::Failure;
use crate::failure::undo;
use crate::generation;
use crate::generation::AbsentConfig;
use crate::generation::Known;
use crate::journal::ConfigSwap;
use crate::journal::Transaction;
use crate::journal::TreeSource;
use crate::journal::TxKind;
use crate::journal::TxState;
use crate::layout;
use crate::lock::Lock;
use crate::open::Install;
use crate::outside;
use crate::owed;
use crate::ready::Ready;
use crate::recover::write_journal;

/// What to go back to.
#[derive(Clone, Debug)]
pub struct Rollback {
    /// A name unique in this install, of letters, digits and `-`.
    pub txid: String,
    /// The generation; none for the newest older one that proved healthy and was not condemned since.
    pub to: Option<u64>,
    /// What becomes of state that changed since the live generation was made.
    pub changed_state: ChangedState,
    /// Why the package that is left is to be condemned with the commit.
    pub condemn: Option<String>,
    /// Now, in seconds since 1970.
    pub now_unix_s: u64,
}

/// What becomes of state that changed since the live generation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangedState {
    /// It is a reason not to go back.
    Refuse,
    /// It stays behind, in the generation that is left.
    LeaveBehind,
}

/// A rollback that was begun: nothing was moved yet.
#[must_use = "a rollback that was begun is to be sealed or discarded"]
#[derive(Debug)]
pub struct Returning {
    install: Install,
    lock: Lock,
    sync: SyncFs,
    changed_state: ChangedState,
}

impl Install {
    /// The generation that a rollback would lead to: the one that is named, or the newest older one with another
    /// package that proved healthy and was not condemned since.
    ///
    /// # Errors
    /// `no-generation`, with those that are there.
    pub fn rollback_target(&self, to: Option<u64>) -> Result<u64, InstallError> {
        let journal = &self.journal;
        let kept =
            |number: u64| number != journal.live && generation::has_tree(&self.place, number);
        let found = if let Some(number) = to {
            Some(number).filter(|number| journal.generations.contains_key(number) && kept(*number))
        } else {
            let proved = self.proved_generations()?;
            let live = journal.live_generation().and_then(|live| live.package);
            let older = journal.generations.range(..journal.live).rev();
            older
                .filter(|(_, record)| record.package.is_none() || record.package != live)
                .map(|(number, _)| *number)
                .find(|number| kept(*number) && proved.contains(number))
        };
        found.ok_or_else(|| {
            self.no_generation(to.map_or_else(
                || "that is older than the live one, of another package, confirmed and not condemned".to_owned(),
                |number| number.to_string(),
            ))
        })
    }

    /// Generations that once proved healthy, and whose package was not condemned since.
    pub(crate) fn proved_generations(&self) -> Result<BTreeSet<u64>, InstallError> {
        let condemned = self.condemned()?;
        let is_condemned =
            |package: &Digest| condemned.iter().any(|entry| entry.package == *package);
        let generations = self.journal.generations.iter();
        let proved = generations.filter(|(_, record)| {
            record.confirmed && !record.package.as_ref().is_some_and(is_condemned)
        });
        Ok(proved.map(|(number, _)| *number).collect())
    }

    pub(crate) fn no_generation(&self, wanted: String) -> InstallError {
        let live = self.journal.live;
        let kept: Vec<String> = self
            .journal
            .generations
            .keys()
            .filter(|number| **number != live && generation::has_tree(&self.place, **number))
            .map(u64::to_string)
            .collect();
        let kept = if kept.is_empty() {
            "none".to_owned()
        } else {
            kept.join(", ")
        };
        InstallError::NoGeneration { wanted, kept }
    }

    /// State that a rollback to generation `to` would leave behind: files that changed since the live
    /// generation was made, and config files outside. One that nobody has declared since is state that
    /// changed unless it is what comes back: nothing tells whose it is.
    ///
    /// # Errors
    /// The inventory or the tree cannot be read.
    pub fn state_changes(&self, to: u64) -> Result<(StateChanges, Vec<String>), InstallError> {
        let mut changes = StateChanges {
            added: 0,
            changed: 0,
            removed: 0,
        };
        let mut paths = Vec::new();
        for Drift { path, what, .. } in self.drift(Scope::State)? {
            match what {
                DriftKind::Unexpected => changes.added += 1,
                DriftKind::Missing => changes.removed += 1,
                DriftKind::Type { .. }
                | DriftKind::Content
                | DriftKind::Target
                | DriftKind::Mode { .. }
                | DriftKind::Owner => changes.changed += 1,
            }
            paths.push(path);
        }
        let made = generation::read_known(&self.place, self.journal.live, layout::MADE)?.configs;
        for made in &made {
            let now = outside::read_named(&made.name, &made.target)?;
            match now.map(|(now, _)| now.digest) {
                Some(digest) if digest == made.digest => continue,
                Some(_) => changes.changed += 1,
                None => changes.removed += 1,
            }
            paths.push(made.target.display().to_string());
        }
        // What the live generation was left with once, a rollback to it has brought back. A rollback that was
        // cut off may have left it torn: then nothing is known.
        let brought = generation::read_known(&self.place, self.journal.live, layout::LEFT);
        let brought = brought.map(|known| known.configs).unwrap_or_default();
        for left in generation::read_known(&self.place, to, layout::LEFT)?.configs {
            if made.iter().any(|made| made.target == left.target)
                || outside::is_inside(&self.place, &left.target)
            {
                continue;
            }
            let Some((now, _)) = outside::read_named(&left.name, &left.target)? else {
                continue;
            };
            let mut known = brought.iter().chain([&left]);
            if !known.any(|known| known.target == now.target && known.digest == now.digest) {
                changes.changed += 1;
                paths.push(left.target.display().to_string());
            }
        }
        Ok((changes, paths))
    }

    fn refuse_changed_state(&self, to: u64) -> Result<(), InstallError> {
        let (changes, paths) = self.state_changes(to)?;
        if paths.is_empty() {
            return Ok(());
        }
        Err(InstallError::StateChanged {
            generation: self.journal.live,
            changes,
            paths,
        })
    }

    /// Verifies the managed files of a kept tree. Differences that were known when it was left are
    /// as it was.
    ///
    /// # Errors
    /// `generation-damaged`, or it cannot be read.
    pub fn verify_kept(&self, generation: u64) -> Result<(), InstallError> {
        let inventory = self.inventory(generation)?;
        let left = generation::read_known(&self.place, generation, layout::LEFT)?;
        let tree = self.kept_tree(generation)?;
        let live: &GlobSet = &self.settings()?.live;
        let mut drift = cofferdam_tree::verify::drift(&tree, &inventory, Scope::Managed, live)?;
        drift.retain(|drift| !left.knew(drift));
        match drift.first() {
            None => Ok(()),
            Some(first) => Err(InstallError::GenerationDamaged {
                generation,
                count: drift.len(),
                first: first.path.clone(),
            }),
        }
    }
}

impl Ready {
    /// Begins a rollback: chooses and verifies the target, and looks at the state that would be
    /// left behind.
    ///
    /// # Errors
    /// As [`Failure`] says: refused, with the install at rest as it was, or interrupted.
    pub fn begin_rollback(self, rollback: Rollback) -> Result<Returning, Failure> {
        let Self { mut install, lock } = self;
        let now = rollback.now_unix_s;
        let changed_state = rollback.changed_state;
        match prepare(&mut install, rollback) {
            Ok(sync) => Ok(Returning {
                install,
                lock,
                sync,
                changed_state,
            }),
            Err(error) => Err(undo(install, lock, error, now)),
        }
    }
}

fn prepare(install: &mut Install, rollback: Rollback) -> Result<SyncFs, InstallError> {
    check_txid(&rollback.txid)?;
    // There is room for one that is owed: the next must not take its place.
    owed::catch_up_condemned(install)?;
    let to = install.rollback_target(rollback.to)?;
    install.verify_kept(to)?;
    if rollback.changed_state == ChangedState::Refuse {
        install.refuse_changed_state(to)?;
    }
    let journal = &install.journal;
    let makes = journal
        .generations
        .get(&to)
        .cloned()
        .ok_or_else(|| install.no_generation(to.to_string()))?;
    let sync = SyncFs::open(install.place.state()).doing(|| "open the file system".to_owned())?;
    let condemn = condemn_live(journal, &makes, rollback.condemn, rollback.now_unix_s);
    let next = journal.begun(Transaction {
        txid: rollback.txid,
        kind: TxKind::Rollback,
        package: None,
        from: journal.live,
        to,
        makes,
        tree: TreeSource::Kept,
        started_unix_s: rollback.now_unix_s,
        condemn,
        temporaries: Vec::new(),
        state: TxState::Building {},
    });
    // Before: at rest. After: nothing was moved yet, so there is nothing to undo but this.
    write_journal(install, next)?;
    Ok(sync)
}

impl Returning {
    /// The install, for reading.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// The generation that comes back.
    pub fn to(&self) -> u64 {
        self.install
            .journal
            .transaction
            .as_ref()
            .map_or(self.install.journal.live, |tx| tx.to)
    }

    /// The service is about to be stopped: the journal says so first.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn service_stopping(&mut self, was_running: bool) -> Result<(), InstallError> {
        stop_noted(&mut self.install, was_running)
    }

    /// Moves the kept tree into the slot, links the live files into it, and prepares the config
    /// files of that time.
    ///
    /// # Errors
    /// As [`Failure`] says. State that changed while the service was stopped counts too.
    pub fn seal(self, now_unix_s: u64) -> Result<Sealed, Failure> {
        let Self {
            mut install,
            lock,
            mut sync,
            changed_state,
        } = self;
        match seal(&mut install, &mut sync, changed_state) {
            Ok(contents) => Ok(Sealed {
                install,
                lock,
                contents,
            }),
            Err(error) => Err(undo(install, lock, error, now_unix_s)),
        }
    }

    /// Gives the rollback up.
    ///
    /// # Errors
    /// The install is interrupted then, and recovery does it.
    pub fn discard(self, ended: Ended, now_unix_s: u64) -> Result<Ready, InstallError> {
        discard(self.install, self.lock, ended, now_unix_s)
    }
}

fn seal(
    install: &mut Install,
    sync: &mut SyncFs,
    changed_state: ChangedState,
) -> Result<Contents, InstallError> {
    let Some(transaction) = install.journal.transaction.clone() else {
        return Ok(Contents {
            built: None,
            swaps: Vec::new(),
        });
    };
    let (from, to) = (transaction.from, transaction.to);
    if changed_state == ChangedState::Refuse {
        install.refuse_changed_state(to)?;
    }
    let doing = || format!("move the tree of generation {to}");
    let slot = install.place.open_generation(from).doing(doing)?;
    let home = install.place.open_generation(to).doing(doing)?;
    let mut planned = plan_configs(install, to)?;
    let saved = save_left(install, &slot, &config_swaps::swaps_of(&planned))?;
    // Nothing is overwritten or removed of which there is no copy.
    planned.retain(|planned| {
        planned.swap.old_digest.is_none() || saved.contains(&planned.swap.target)
    });
    let swaps = config_swaps::swaps_of(&planned);

    let tree = layout::directory_inode(&home, layout::TREE).doing(doing)?;
    let tree = tree.ok_or_else(|| install.no_generation(to.to_string()))?;
    // Before: stopped, the tree at home. After: moving, the tree at home or in the slot.
    write_journal(install, install.journal.in_state(TxState::Moving { tree }))?;
    // Before: at home. After: in the slot; recovery moves it back. At either after a power cut.
    durable::move_to_free_name(&home, layout::TREE, &slot, layout::TREE).doing(doing)?;
    durable::sync_directory(&slot).doing(doing)?;
    durable::sync_directory(&home).doing(doing)?;

    let returning: Dir = install.kept_tree(from)?;
    let inventory = install.inventory(to)?;
    let patterns = &install.settings()?.live;
    cofferdam_tree::live::share_live_files(
        &install.live_tree()?,
        &returning,
        &inventory,
        patterns,
    )?;
    config_swaps::write(install, &planned)?;
    sync.sync()
        .map_err(|source| InstallError::SyncFailed { source })?;
    Ok(Contents { built: None, swaps })
}

/// What is known of the generation that is left, with its config files; answers with those that
/// were saved.
fn save_left(
    install: &Install,
    folder: &Dir,
    swaps: &[ConfigSwap],
) -> Result<BTreeSet<PathBuf>, InstallError> {
    let mut configs = outside::read_declared(&install.place, install.settings()?)?;
    let mut saved: BTreeSet<PathBuf> = configs
        .iter()
        .map(|(saved, _)| saved.target.clone())
        .collect();
    let made = generation::read_known(&install.place, install.journal.live, layout::MADE)?.configs;
    let made = made.iter().map(|made| (&made.name, &made.target));
    let swapped = swaps.iter().filter(|swap| swap.old_digest.is_some());
    let swapped = swapped.map(|swap| (&swap.name, &swap.target));
    for (name, target) in made.chain(swapped) {
        if saved.contains(target) {
            continue;
        }
        if let Some(undeclared) = outside::read_named(name, target)? {
            saved.insert(undeclared.0.target.clone());
            configs.push(undeclared);
        }
    }
    generation::write_left(folder, &install.drift(Scope::Managed)?, &configs, swaps)?;
    Ok(saved)
}

/// The config files outside, as they were when the generation was left, where they differ from
/// today's: those it did not have, and that were created since, are to be gone.
fn plan_configs(install: &Install, to: u64) -> Result<Vec<Planned>, InstallError> {
    let left = generation::read_known(&install.place, to, layout::LEFT)?;
    let mut changes = Vec::new();
    let mut targets = BTreeSet::new();
    for saved in &left.configs {
        // One inside came back with the tree; one that has two names comes back once.
        if outside::is_inside(&install.place, &saved.target) || !targets.insert(&saved.target) {
            continue;
        }
        changes.push(Change {
            name: &saved.name,
            path: &saved.target,
            before: outside::read_named(&saved.name, &saved.target)?.map(|(_, bytes)| bytes),
            after: Some(generation::read_saved_config(&install.place, to, saved)?),
        });
    }
    let created = created_since(install, to, &left)?;
    for absent in &created {
        // Gone already, perhaps with its directory; a symlink there now is not what was created.
        let found = std::fs::symlink_metadata(&absent.target);
        if !found.is_ok_and(|found| found.is_file()) || !targets.insert(&absent.target) {
            continue;
        }
        changes.push(Change {
            name: &absent.name,
            path: &absent.target,
            before: outside::read_named(&absent.name, &absent.target)?.map(|(_, bytes)| bytes),
            after: None,
        });
    }
    config_swaps::plan(install, changes)
}

/// The config files outside that were not there when a generation was left, and were created by
/// the update that left it, or by a later one on the way to the live generation.
fn created_since(
    install: &Install,
    to: u64,
    left: &Known,
) -> Result<Vec<AbsentConfig>, InstallError> {
    let (place, journal) = (&install.place, &install.journal);
    let mut created = left.absent.clone();
    let made = generation::read_known(place, journal.live, layout::MADE)?.configs;
    let between = journal.generations.keys();
    for number in between.filter(|number| to < **number && **number < journal.live) {
        let later = generation::read_known(place, *number, layout::LEFT)?.absent;
        // One that the live generation was made without was created by nobody of ours, or is the
        // trace of a way that was gone back.
        let is_made = |absent: &AbsentConfig| made.iter().any(|made| made.target == absent.target);
        created.extend(later.into_iter().filter(is_made));
    }
    Ok(created)
}
