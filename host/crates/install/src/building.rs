// SPDX-License-Identifier: Apache-2.0
//! A transaction while its tree is being built: from [`Ready::begin`] to [`Building::seal`] or
//! [`Building::discard`].
//!
//! Everything happens in the live generation's slot, in `incoming/`, and in the folder of a
//! generation that the journal does not know yet. Nothing live is touched, so a failure or a crash
//! at any point means: throw it away.

use cap_std::fs::Dir;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::classify::Classified;
use cofferdam_tree::stage::Places;
use cofferdam_tree::stage::Stage;

use crate::commit::Built;
use crate::commit::Contents;
use crate::commit::Sealed;
use crate::config_swaps;
use crate::config_swaps::Change;
use crate::declared;
use crate::durable;
use crate::durable::SyncFs;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::failure::Failure;
use crate::failure::undo;
use crate::generation;
use crate::generation::Known;
use crate::generation::SavedConfig;
use crate::journal::ConfigSwap;
use crate::journal::GenerationRecord;
use crate::journal::Journal;
use crate::journal::Transaction;
use crate::journal::TreeSource;
use crate::journal::TxKind;
use crate::journal::TxResult;
use crate::journal::TxState;
use crate::layout;
use crate::lock::Lock;
use crate::open::Install;
use crate::outside;
use crate::outside::ConfigOutside;
use crate::ready::Ready;
use crate::recover::End;
use crate::recover::settle;
use crate::recover::write_journal;
use crate::refused::Condemned;

/// Whose program the next tree holds.
pub enum Program<'a> {
    /// A package's.
    Package(&'a VerifiedPackage),
    /// That of an older generation, with today's state.
    Generation(u64),
}

/// What a transaction is to do.
pub struct Begin<'a> {
    /// What it is for.
    pub kind: TxKind,
    /// A name unique in this install, of letters, digits and `-`.
    pub txid: String,
    /// Whose program the next tree holds.
    pub program: Program<'a>,
    /// What becomes of each path; see [`cofferdam_tree::classify`].
    pub classified: Classified,
    /// Why the package that is left is to be condemned with the commit; for rollbacks by a person.
    pub condemn: Option<String>,
    /// Now, in seconds since 1970.
    pub now_unix_s: u64,
}

/// How a transaction ended that was not committed.
#[derive(Clone, Debug)]
pub struct Ended {
    /// How.
    pub result: TxResult,
    /// The error's code.
    pub code: Option<String>,
    /// The error in words.
    pub message: Option<String>,
}

impl Ended {
    /// A plan was made.
    pub fn planned() -> Self {
        Self {
            result: TxResult::Planned,
            code: None,
            message: None,
        }
    }

    /// It ended with an error.
    pub fn with(result: TxResult, code: &str, message: impl Into<String>) -> Self {
        Self {
            result,
            code: Some(code.to_owned()),
            message: Some(message.into()),
        }
    }
}

/// A transaction whose tree is being built.
#[must_use = "a transaction that was begun is to be sealed or discarded"]
pub struct Building {
    install: Install,
    lock: Lock,
    stage: Stage,
    sync: SyncFs,
    txid: String,
}

impl Ready {
    /// Begins a transaction: says so in the journal, and makes the places to work in.
    ///
    /// # Errors
    /// As [`Failure`] says: undone, with the install at rest again, or interrupted.
    pub fn begin(self, begin: Begin<'_>) -> Result<Building, Failure> {
        let now = begin.now_unix_s;
        let Self { mut install, lock } = self;
        match prepare(&mut install, begin) {
            Ok((stage, sync, txid)) => Ok(Building {
                install,
                lock,
                stage,
                sync,
                txid,
            }),
            Err(error) => Err(undo(install, lock, error, now)),
        }
    }
}

/// A name that may stand in file names.
pub(crate) fn check_txid(txid: &str) -> Result<(), InstallError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if txid.is_empty() || txid.len() > 64 || !txid.bytes().all(plain) {
        return Err(InstallError::BadTxid {
            txid: txid.to_owned(),
        });
    }
    Ok(())
}

/// The package that is left, to be condemned: unless it is the same as the next one, as after a repair.
pub(crate) fn condemn_live(
    journal: &Journal,
    next: &GenerationRecord,
    why: Option<String>,
    now_unix_s: u64,
) -> Option<Condemned> {
    let live = journal.live_generation()?;
    let package = live
        .package
        .filter(|package| next.package != Some(*package))?;
    Some(Condemned {
        package,
        version: live.version.clone(),
        why: why?,
        at_unix_s: now_unix_s,
    })
}

fn prepare(
    install: &mut Install,
    begin: Begin<'_>,
) -> Result<(Stage, SyncFs, String), InstallError> {
    check_txid(&begin.txid)?;
    let settings = install.settings()?;
    let live_patterns = settings.live.clone();
    let makes = makes(install, &begin, settings.roles.clone())?;
    let journal = &install.journal;
    let (from, to) = (journal.live, journal.next_generation);
    let place = &install.place;
    // Before the first write: from here on it reports every error.
    let sync = SyncFs::open(place.state()).doing(|| "open the file system".to_owned())?;
    let condemn = condemn_live(journal, &makes, begin.condemn, begin.now_unix_s);
    let next = journal.begun(Transaction {
        txid: begin.txid.clone(),
        kind: begin.kind,
        package: makes.package,
        from,
        to,
        makes,
        tree: TreeSource::Built,
        started_unix_s: begin.now_unix_s,
        condemn,
        temporaries: Vec::new(),
        state: TxState::Building {},
    });
    // Before: at rest. After: whatever appears in the slot, in `incoming` and in the new folder is
    // to be thrown away.
    write_journal(install, next)?;
    let place = &install.place;
    let doing = || "make the places to build in".to_owned();
    let incoming = durable::ensure_directory(place.state(), layout::INCOMING).doing(doing)?;
    let incoming = durable::create_directory(&incoming, &begin.txid).doing(doing)?;
    let slot_folder = place.open_generation(from).doing(doing)?;
    let slot = durable::create_directory(&slot_folder, layout::TREE).doing(doing)?;
    let folder = place.open_generations().doing(doing)?;
    let folder = durable::create_directory(&folder, &to.to_string()).doing(doing)?;
    declared::write(install, &folder)?;
    let live = install.live_tree()?;
    let base = match begin.program {
        Program::Package(package) => {
            generation::write_manifest(
                &folder,
                package.manifest_bytes(),
                &package.signature_files(),
            )?;
            generation::write_components(&folder, package)?;
            None
        }
        Program::Generation(older) => {
            generation::copy_manifest(place, &install.journal, older, &folder)?;
            Some(install.kept_tree(older)?)
        }
    };
    let places = Places {
        live: &live,
        base: base.as_ref().unwrap_or(&live),
        slot: &slot,
        incoming: &incoming,
    };
    let stage = Stage::begin(places, begin.classified, live_patterns)?;
    Ok((stage, sync, begin.txid))
}

/// What is known of the generation that a transaction makes, and the one rule on formats that is
/// decided here.
fn makes(
    install: &Install,
    begin: &Begin<'_>,
    roles: Vec<String>,
) -> Result<GenerationRecord, InstallError> {
    let made = |version, data_format, package| GenerationRecord {
        version,
        data_format,
        package,
        roles,
        confirmed: false,
        created_unix_s: begin.now_unix_s,
        txid: begin.txid.clone(),
    };
    match begin.program {
        Program::Package(package) => {
            let manifest = package.manifest();
            Ok(made(
                Some(manifest.version.clone()),
                manifest.data_format,
                Some(package.digest()),
            ))
        }
        Program::Generation(older) => {
            let journal = &install.journal;
            let record = journal
                .generations
                .get(&older)
                .ok_or_else(|| install.no_generation(older.to_string()))?;
            let live = journal.live_generation().map_or(0, |live| live.data_format);
            if record.data_format < live {
                return Err(InstallError::StateFormatLower {
                    generation: older,
                    target: record.data_format,
                    live,
                });
            }
            Ok(made(
                record.version.clone(),
                record.data_format,
                record.package,
            ))
        }
    }
}

impl Building {
    /// The install, for reading.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// The transaction's name.
    pub fn txid(&self) -> &str {
        &self.txid
    }

    /// The tree under construction.
    pub fn stage(&mut self) -> &mut Stage {
        &mut self.stage
    }

    /// A handle to the tree as it stands, for steps.
    ///
    /// # Errors
    /// When the process has no descriptor left.
    pub fn tree(&self) -> Result<Dir, InstallError> {
        Ok(self.stage.tree()?)
    }

    /// Writes down what was built so far, while the service still runs, so that the sync of the
    /// seal is small.
    ///
    /// # Errors
    /// `sync-failed`: the transaction cannot be sealed any more.
    pub fn sync(&mut self) -> Result<(), InstallError> {
        self.sync
            .sync()
            .map_err(|source| InstallError::SyncFailed { source })
    }

    /// The service is about to be stopped: the journal says so first, so that it is started again
    /// whatever happens. To be called once nothing else runs from the install too, where there is
    /// no service.
    ///
    /// # Errors
    /// The journal cannot be written.
    pub fn service_stopping(&mut self, was_running: bool) -> Result<(), InstallError> {
        stop_noted(&mut self.install, was_running)
    }

    /// Seals the tree: no step runs any more, the result is fixed, written down and synced.
    /// `configs` are the config files outside the install that change.
    ///
    /// # Errors
    /// As [`Failure`] says. A failed sync throws everything away; it is never tried again.
    pub fn seal(self, configs: &[ConfigOutside], now_unix_s: u64) -> Result<Sealed, Failure> {
        let Self {
            mut install,
            lock,
            stage,
            mut sync,
            txid: _,
        } = self;
        match seal(&mut install, stage, &mut sync, configs) {
            Ok(contents) => Ok(Sealed {
                install,
                lock,
                contents,
            }),
            Err(error) => Err(undo(install, lock, error, now_unix_s)),
        }
    }

    /// Throws away what was built; the journal tells how it ended.
    ///
    /// # Errors
    /// The install is interrupted then, and recovery throws it away.
    pub fn discard(self, ended: Ended, now_unix_s: u64) -> Result<Ready, InstallError> {
        let Self {
            install,
            lock,
            stage,
            ..
        } = self;
        drop(stage);
        discard(install, lock, ended, now_unix_s)
    }
}

pub(crate) fn discard(
    mut install: Install,
    lock: Lock,
    ended: Ended,
    now_unix_s: u64,
) -> Result<Ready, InstallError> {
    let Ended {
        result,
        code,
        message,
    } = ended;
    settle(
        &mut install,
        &End::Told {
            result,
            code,
            message,
        },
        now_unix_s,
        &mut Vec::new(),
    )?;
    Ok(Ready { install, lock })
}

pub(crate) fn stop_noted(install: &mut Install, was_running: bool) -> Result<(), InstallError> {
    let mut next = install.journal.in_state(TxState::Stopped {});
    next.service_owed |= was_running;
    // Before: running, and nobody stopped it. After: owed, and started again by whoever comes next.
    write_journal(install, next)
}

fn seal(
    install: &mut Install,
    stage: Stage,
    sync: &mut SyncFs,
    configs: &[ConfigOutside],
) -> Result<Contents, InstallError> {
    let classified = stage.classified().clone();
    let staged = stage.finish()?;
    let (from, to) = (install.journal.live, install.journal.next_generation);
    let doing = || "write down the sealed tree".to_owned();
    let left = install.place.open_generation(from).doing(doing)?;
    let made = install.place.open_generation(to).doing(doing)?;
    let planned = config_swaps::plan(install, configs.iter().map(Change::from))?;
    let swaps = config_swaps::swaps_of(&planned);
    generation::write_inventory(&made, &staged.inventory)?;
    let declared = outside::read_declared(&install.place, install.settings()?)?;
    generation::write_left(&left, &classified.drift, &declared, &swaps)?;
    config_swaps::write(install, &planned)?;
    generation::write_known(
        &made,
        layout::MADE,
        &Known::new(&[], known(declared, &swaps)),
    )?;
    sync.sync()
        .map_err(|source| InstallError::SyncFailed { source })?;
    Ok(Contents {
        built: Some(Built { staged, classified }),
        swaps,
    })
}

/// The config files outside as the next generation has them: those found, changed or created by the
/// swaps.
fn known(found: Vec<(SavedConfig, Vec<u8>)>, swaps: &[ConfigSwap]) -> Vec<SavedConfig> {
    let mut known: Vec<SavedConfig> = found.into_iter().map(|(saved, _)| saved).collect();
    for swap in swaps {
        let Some(digest) = swap.new_digest else {
            continue;
        };
        let mut is_known = false;
        for saved in known.iter_mut().filter(|saved| saved.target == swap.target) {
            saved.digest = digest;
            is_known = true;
        }
        if !is_known {
            known.push(SavedConfig {
                name: swap.name.clone(),
                target: swap.target.clone(),
                digest,
            });
        }
    }
    known
}
