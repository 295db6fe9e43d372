// SPDX-License-Identifier: Apache-2.0
//! The commit: one exchange, and what must be true before and after it, in exactly this order.
//!
//! Sealing has synced the tree, the config files that wait outside, and the copies of the old ones.
//! Then:
//!
//! 1. the document that will end the commit is written ahead, so that ending it needs no space;
//! 2. the journal says `committing`, with both trees' inodes and each config file's digests;
//! 3. every config file still holds what it held, with its next content beside it, else the transaction
//!    is undone;
//! 4. the exchange;
//! 5. both parent directories are synced. No config file is renamed before: on two real file
//!    systems a rename was seen to survive a power cut that the exchange did not;
//! 6. each config file is renamed, or removed, and its directory synced;
//! 7. the document written ahead takes the journal's place.
//!
//! Until (4) a failure undoes everything. After it nothing is undone: the new generation is live,
//! and whatever could not be done is done by recovery, from the same functions.

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use cofferdam_tree::classify::Classified;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::stage::Changes;
use cofferdam_tree::stage::Staged;

use crate::building::Ended;
use crate::building::discard;
use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::failure::Failure;
use crate::failure::undone;
use crate::journal::ConfigSwap;
use crate::journal::TxState;
use crate::journal::codec;
use crate::journal::recovery::ConfigFound;
use crate::journal::recovery::TargetFound;
use crate::layout;
use crate::leftovers;
use crate::lock::Lock;
use crate::open::Install;
use crate::outside;
use crate::owed;
use crate::ready::Ready;
use crate::recover;
use crate::recover::RecoveredAction;
use crate::recover::write_journal;

/// A tree that is fixed and on the disk, and not yet live.
#[must_use = "a sealed transaction is to be committed or discarded"]
pub struct Sealed {
    pub(crate) install: Install,
    pub(crate) lock: Lock,
    pub(crate) contents: Contents,
}

/// What was sealed.
pub(crate) struct Contents {
    /// Of a tree that was built; none of a kept one.
    pub(crate) built: Option<Built>,
    /// Config files outside the install that change.
    pub(crate) swaps: Vec<ConfigSwap>,
}

/// What was sealed of a tree that was built.
pub(crate) struct Built {
    pub(crate) staged: Staged,
    pub(crate) classified: Classified,
}

impl Sealed {
    /// The install, for reading.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// What the new tree changes; none where a kept tree comes back.
    pub fn changes(&self) -> Option<&Changes> {
        self.contents
            .built
            .as_ref()
            .map(|built| &built.staged.changes)
    }

    /// Everything in the new tree; none where a kept tree comes back.
    pub fn inventory(&self) -> Option<&Inventory> {
        self.contents
            .built
            .as_ref()
            .map(|built| &built.staged.inventory)
    }

    /// A handle to the sealed tree, for looking.
    ///
    /// # Errors
    /// It is gone.
    pub fn tree(&self) -> Result<Dir, InstallError> {
        self.install.kept_tree(self.install.journal.live)
    }

    /// State files of the live tree that changed since they were copied: to be asked just before
    /// the commit, where no service was stopped.
    ///
    /// # Errors
    /// The live tree cannot be walked.
    pub fn state_changed(&self) -> Result<Vec<String>, InstallError> {
        let Some(built) = &self.contents.built else {
            return Ok(Vec::new());
        };
        let live = self.install.live_tree()?;
        let patterns: &GlobSet = &self.install.settings()?.live;
        Ok(built
            .staged
            .witness
            .changed_since(&live, &built.classified, patterns)?)
    }

    /// Throws the sealed tree away, or puts the kept one back; the journal tells how it ended.
    ///
    /// # Errors
    /// The install is interrupted then, and recovery does it.
    pub fn discard(self, ended: Ended, now_unix_s: u64) -> Result<Ready, InstallError> {
        discard(self.install, self.lock, ended, now_unix_s)
    }

    /// Makes the sealed tree live.
    ///
    /// # Errors
    /// [`Failure::Undone`] before the exchange, [`Failure::Interrupted`] after it: the new tree is
    /// live then, and recovery finishes.
    pub fn commit(self, now_unix_s: u64) -> Result<Ready, Failure> {
        let Self {
            mut install,
            lock,
            contents,
        } = self;
        if let Err(error) = up_to_exchange(&mut install, &contents.swaps, now_unix_s) {
            return match undone(&mut install, &error, now_unix_s) {
                // The system reported a failure of an exchange that took place.
                Ok(RecoveredAction::Finished) => Ok(after(install, lock)),
                Ok(RecoveredAction::Undone | RecoveredAction::Nothing) => Err(Failure::Undone {
                    ready: Box::new(Ready { install, lock }),
                    error,
                }),
                Err(source) => Err(interrupted("undoing the commit", source)),
            };
        }
        let renames = match &install.journal.transaction {
            Some(transaction) => match &transaction.state {
                TxState::Committing { configs, .. } => (0..configs.len()).collect(),
                TxState::Building {} | TxState::Stopped {} | TxState::Moving { .. } => Vec::new(),
            },
            None => Vec::new(),
        };
        // (5) to (7): the same function that recovery uses.
        match recover::finish(&mut install, &renames) {
            Ok(()) => Ok(after(install, lock)),
            Err(source) => Err(interrupted("finishing the commit", source)),
        }
    }
}

fn interrupted(doing: &'static str, source: InstallError) -> Failure {
    Failure::Interrupted {
        error: InstallError::Interrupted {
            doing,
            source: Box::new(source),
        },
    }
}

/// What follows from the commit and may as well be done by the next command: only warnings.
fn after(mut install: Install, lock: Lock) -> Ready {
    let mut left_over = Vec::new();
    if install.journal.condemning.is_some()
        && let Err(error) = owed::catch_up_condemned(&mut install)
    {
        left_over.push(owed::with_causes(&error));
    }
    leftovers::collect(&install, &mut left_over);
    install.left_over.append(&mut left_over);
    Ready { install, lock }
}

/// (1) to (4).
fn up_to_exchange(
    install: &mut Install,
    swaps: &[ConfigSwap],
    now_unix_s: u64,
) -> Result<(), InstallError> {
    let place = &install.place;
    let from = install.journal.live;
    let slot = place
        .open_generation(from)
        .doing(|| format!("open generation {from}"))?;
    let gone = |what: &str| {
        let what = what.to_owned();
        move || InstallError::Io {
            doing: format!("find {what}"),
            source: std::io::Error::from(std::io::ErrorKind::NotFound),
        }
    };
    let old = layout::directory_inode(place.parent(), place.name())
        .doing(|| "look at the live tree".to_owned())?
        .ok_or_else(gone("the live tree"))?;
    let new = layout::directory_inode(&slot, layout::TREE)
        .doing(|| "look at the sealed tree".to_owned())?
        .ok_or_else(gone("the sealed tree"))?;
    let committing = install.journal.in_state(TxState::Committing {
        old,
        new,
        new_born_ns: layout::born_ns(&slot, layout::TREE),
        configs: swaps.to_vec(),
        at_unix_s: now_unix_s,
    });
    if let Some(committed) = committing.committed() {
        // (1) Before and after: not committing, and the file is a leftover.
        durable::write_synced(
            place.state(),
            layout::JOURNAL_AHEAD,
            &codec::encode(&committed),
        )
        .doing(|| "write the end of the commit ahead".to_owned())?;
    }
    // (2) Before: everything built is thrown away. After: recovery looks which tree is live.
    write_journal(install, committing)?;
    // (3)
    let stands = |found: ConfigFound| found.target == TargetFound::Old && found.waiting;
    for swap in swaps {
        let found = outside::observe(swap)
            .doing(|| format!("look at config file `{}`", swap.target.display()))?;
        if stands(found) {
            continue;
        }
        // Somebody else wrote it, or took away what waits beside it: nothing is committing any more.
        recover::withdraw(install)?;
        return Err(InstallError::ConfigChanged {
            name: swap.name.clone(),
            path: swap.target.clone(),
        });
    }
    let place = &install.place;
    // (4) Before: the old generation is live, and recovery goes back. After: the new one is, and
    // recovery goes on.
    durable::exchange(place.parent(), place.name(), &slot, layout::TREE)
        .doing(|| "exchange the trees".to_owned())
}
