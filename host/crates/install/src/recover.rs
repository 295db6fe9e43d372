// SPDX-License-Identifier: Apache-2.0
//! Recovery: observe what is on disk, decide purely, act, and do so again until nothing is left to
//! do.
//!
//! Every command that writes comes through [`Locked::recover`]; there is no other way to a
//! [`Ready`] install. A transaction that fails in a process that lives on is undone by the same
//! loop, so there is one code for both, and a crash while undoing is a crash like any other. Acting
//! never removes a tree that the journal names.
//!
//! What was decided and is owed (a condemnation, a history record, the service) is caught up next, in
//! [`crate::owed`].

mod observe;

use cap_std::fs::Dir;
use serde::Serialize;

use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::journal::Journal;
use crate::journal::LastTransaction;
use crate::journal::Transaction;
use crate::journal::TreeSource;
use crate::journal::TxResult;
use crate::journal::TxState;
use crate::journal::codec;
use crate::journal::recovery::Contradiction;
use crate::journal::recovery::LiveIs;
use crate::journal::recovery::Recovery;
use crate::journal::recovery::TargetFound;
use crate::journal::recovery::decide;
use crate::layout;
use crate::layout::Place;
use crate::leftovers;
use crate::lock::Lock;
use crate::open::Install;
use crate::outside;
use crate::owed;
use crate::owed::with_causes;
use crate::ready::Ready;
use crate::refused::Condemned;
use observe::look_at;
use observe::observe;

/// The longest way to rest takes three: withdraw, move back, discard. More means that an action has
/// no effect, and would be taken for ever.
const MOST_ACTIONS: usize = 8;

/// An install whose lock is held, before anybody looked at where it stands.
#[must_use = "an install that was locked is to be recovered next"]
#[derive(Debug)]
pub struct Locked {
    pub(crate) install: Install,
    pub(crate) lock: Lock,
}

/// What recovery did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovered {
    /// The way that was taken.
    pub action: RecoveredAction,
    /// The transaction that it ended.
    pub transaction: Option<LastTransaction>,
    /// The service was stopped by an interrupted transaction: it is to be started now.
    pub service_owed: bool,
    /// A package that was condemned by what was finished or undone.
    pub condemned: Option<Condemned>,
    /// Leftovers that were removed, relative to the state directory.
    pub collected: Vec<String>,
    /// Generations that were past the operator's number.
    pub pruned: Vec<u64>,
    /// What could not be caught up or removed, and why: harmless, and tried again by the next
    /// command.
    pub warnings: Vec<String>,
}

/// The way that recovery took.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RecoveredAction {
    /// Nothing was under way.
    Nothing,
    /// The old generation stayed live; what was built is gone.
    Undone,
    /// The new generation is live.
    Finished,
}

impl RecoveredAction {
    /// What recovery would do next, in a word; none when a person must decide.
    pub fn of(recovery: &Recovery) -> Option<Self> {
        match recovery {
            Recovery::Nothing => Some(Self::Nothing),
            Recovery::Discard | Recovery::MoveBack | Recovery::Withdraw => Some(Self::Undone),
            Recovery::Finish { .. } => Some(Self::Finished),
            Recovery::NeedsPerson(_) => None,
        }
    }
}

/// Why a transaction is being ended.
pub(crate) enum End {
    /// Its process is gone.
    CutOff,
    /// Its process lives, and says how it ended.
    Told {
        result: TxResult,
        code: Option<String>,
        message: Option<String>,
    },
}

impl Locked {
    /// The install, for reading.
    pub fn install(&self) -> &Install {
        &self.install
    }

    /// Brings the install to rest: whatever was interrupted is finished or undone. Doing it twice
    /// is doing it once.
    ///
    /// # Errors
    /// `needs-person` when the disk contradicts the journal: nothing was touched then. An error of
    /// the system leaves the install interrupted, to be recovered again.
    pub fn recover(self, now_unix_s: u64) -> Result<(Ready, Recovered), InstallError> {
        let Self { mut install, lock } = self;
        let before = install.journal.clone();
        let mut collected = Vec::new();
        let action = settle(&mut install, &End::CutOff, now_unix_s, &mut collected)?;
        let condemning = install.journal.condemning.clone();
        let condemned = condemning.filter(|new| before.condemning.as_ref() != Some(new));
        let mut warnings = owed::catch_up(&mut install, now_unix_s);
        // Without it the files are compared again next time.
        warnings.extend(record_live_tree(&mut install).unwrap_or_else(|error| {
            Some(format!(
                "which directory is the live tree: {}",
                with_causes(&error)
            ))
        }));
        // It is tried once more.
        install.left_over.clear();
        let mut ready = Ready { install, lock };
        collected.extend(leftovers::collect(&ready.install, &mut warnings));
        let pruned = match ready.install.settings {
            Ok(_) => ready.prune().unwrap_or_else(|error| {
                warnings.push(format!("old generations: {}", with_causes(&error)));
                Vec::new()
            }),
            Err(_) => Vec::new(),
        };
        warnings.extend(ready.take_left_over());
        let journal = &ready.install.journal;
        let recovered = Recovered {
            action,
            transaction: before.transaction.and(journal.last.clone()),
            service_owed: journal.service_owed,
            condemned,
            collected,
            pruned,
            warnings,
        };
        Ok((ready, recovered))
    }
}

/// An install at rest whose root directory is another one than the journal recorded was moved, copied or restored:
/// its files were compared, and the journal takes the new one down. Answers with what is worth knowing about it.
fn record_live_tree(install: &mut Install) -> Result<Option<String>, InstallError> {
    let observed = observe(&install.place, &install.journal)?;
    let LiveIs::AsSealed { differing } = observed.live_is else {
        return Ok(None);
    };
    let was_recorded = install.journal.live_tree.is_some();
    let next = Journal {
        live_tree: observed.live,
        live_tree_born_ns: layout::born_ns(install.place.parent(), install.place.name()),
        ..install.journal.clone()
    };
    // Before: the files are compared again next time. After: they need not be.
    write_journal(install, next)?;
    Ok((was_recorded && differing > 0).then(|| {
        format!(
            "the install was moved, copied or restored, and {differing} managed files are not those of generation {}: \
             see `verify`",
            install.journal.live
        )
    }))
}

/// Writes the journal, on disk first. Where that fails behind the rename, readers see the new document already,
/// and so does whoever goes on with `install`; after a power cut it may be either.
pub(crate) fn write_journal(install: &mut Install, journal: Journal) -> Result<(), InstallError> {
    let written = durable::replace_file(
        install.place.state(),
        layout::JOURNAL,
        &codec::encode(&journal),
    )
    .doing(|| format!("write `{}`", layout::JOURNAL));
    if written.is_ok()
        || crate::open::read_journal(&install.place).is_ok_and(|seen| seen == journal)
    {
        install.journal = journal;
    }
    written
}

/// Observes, decides and acts until nothing is under way.
///
/// The journal is read anew: whoever failed may not know how far its last write came.
pub(crate) fn settle(
    install: &mut Install,
    end: &End,
    now_unix_s: u64,
    collected: &mut Vec<String>,
) -> Result<RecoveredAction, InstallError> {
    // Before: a power cut may bring the journal of a moment ago back. After: what is read is what will be
    // read again, so what is done about it need not be taken back.
    durable::sync_directory(install.place.state())
        .doing(|| "make the state directory durable".to_owned())?;
    install.journal = crate::open::read_journal(&install.place)?;
    let mut taken = RecoveredAction::Nothing;
    for _ in 0..MOST_ACTIONS {
        let observed = observe(&install.place, &install.journal)?;
        let recovery = decide(&install.journal, &observed);
        if let Some(action) = RecoveredAction::of(&recovery)
            && action != RecoveredAction::Nothing
        {
            taken = action;
        }
        match recovery {
            Recovery::Nothing => return Ok(taken),
            Recovery::Discard => discard(install, end, now_unix_s, collected)?,
            Recovery::MoveBack => move_back(install)?,
            Recovery::Withdraw => withdraw(install)?,
            Recovery::Finish { renames } => finish(install, &renames)?,
            Recovery::NeedsPerson(found) => return Err(InstallError::NeedsPerson { found }),
        }
    }
    Err(InstallError::NotAtRest)
}

/// Nothing live was touched: what was built goes, then the journal says so.
fn discard(
    install: &mut Install,
    end: &End,
    now_unix_s: u64,
    collected: &mut Vec<String>,
) -> Result<(), InstallError> {
    let Some(transaction) = install.journal.transaction.clone() else {
        return Ok(());
    };
    if transaction.tree == TreeSource::Kept {
        // The tree is at home, perhaps since a recovery that was cut off before it said so to the disk.
        sync_way_home(install)?;
    }
    for temporary in &transaction.temporaries {
        // Before and after: the journal still names it, so the next recovery comes here again.
        outside::remove_waiting(temporary).doing(|| format!("remove `{}`", temporary.display()))?;
    }
    // What cannot be removed now is a leftover later. It goes first all the same: on a full disk it
    // makes the room that the journal needs.
    let mut left_over = Vec::new();
    collected.extend(leftovers::collect(install, &mut left_over));
    install.left_over.append(&mut left_over);
    let next = match end {
        End::CutOff => install.journal.interrupted(now_unix_s),
        End::Told {
            result,
            code,
            message,
        } => {
            let error = code.clone().zip(message.clone());
            install
                .journal
                .ended(transaction.last(*result, error, now_unix_s))
        }
    };
    // Before: the transaction is still there, and is discarded again. After: it is over.
    write_journal(install, next)
}

/// The exchange did not happen: back to the state before `committing`, in which nothing live may
/// have been touched.
pub(crate) fn withdraw(install: &mut Install) -> Result<(), InstallError> {
    let Some(transaction) = &install.journal.transaction else {
        return Ok(());
    };
    let TxState::Committing { old, new, .. } = transaction.state else {
        return Ok(());
    };
    let state = match transaction.tree {
        TreeSource::Built => TxState::Stopped {},
        TreeSource::Kept => TxState::Moving { tree: new },
    };
    // Before: still committing, with the old tree live, and recovery comes here again. After:
    // nothing is committing.
    let journal = &install.journal;
    let is_recorded = journal.live_tree == Some(old);
    let next = Journal {
        live_tree: Some(old),
        live_tree_born_ns: journal.live_tree_born_ns.filter(|_| is_recorded),
        ..journal.in_state(state)
    };
    write_journal(install, next)
}

/// The older generation's tree goes back to its folder.
fn move_back(install: &mut Install) -> Result<(), InstallError> {
    let Some(transaction) = &install.journal.transaction else {
        return Ok(());
    };
    let (slot, home) = both_ends(install, transaction)?;
    // Before: in the slot, and recovery comes here again. After: at home; at either after a power
    // cut.
    durable::move_to_free_name(&slot, layout::TREE, &home, layout::TREE)
        .doing(|| moving_back(transaction))?;
    sync_way_home(install)
}

/// Writes down that the older generation's tree is at home, and not in the slot.
fn sync_way_home(install: &Install) -> Result<(), InstallError> {
    let Some(transaction) = &install.journal.transaction else {
        return Ok(());
    };
    let (slot, home) = both_ends(install, transaction)?;
    // Before: at either place after a power cut. In between: at home, or at both. After: at home.
    durable::sync_directory(&home).doing(|| moving_back(transaction))?;
    durable::sync_directory(&slot).doing(|| moving_back(transaction))
}

/// The slot that the older generation's tree was moved to, and its home.
fn both_ends(install: &Install, transaction: &Transaction) -> Result<(Dir, Dir), InstallError> {
    let open = |generation| {
        let folder = install.place.open_generation(generation);
        folder.doing(|| moving_back(transaction))
    };
    Ok((open(transaction.from)?, open(transaction.to)?))
}

fn moving_back(transaction: &Transaction) -> String {
    format!("move the tree of generation {} back", transaction.to)
}

/// The exchange happened: what comes after it, in the order of the commit.
///
/// Time has passed since each config file was looked at, so each is looked at again just before its
/// rename or removal: what somebody wrote meanwhile is not overwritten, it needs a person.
pub(crate) fn finish(install: &mut Install, renames: &[usize]) -> Result<(), InstallError> {
    let Some(after) = install.journal.committed() else {
        return Ok(());
    };
    let Some(transaction) = &install.journal.transaction else {
        return Ok(());
    };
    let TxState::Committing { configs, .. } = &transaction.state else {
        return Ok(());
    };
    let slot = install
        .place
        .open_generation(transaction.from)
        .doing(|| format!("open generation {}", transaction.from))?;
    // Before: a power cut may undo the exchange, and no config file was renamed yet. After: the new
    // tree is live.
    durable::sync_directory(install.place.parent())
        .doing(|| "make the exchange durable".to_owned())?;
    durable::sync_directory(&slot).doing(|| "make the exchange durable".to_owned())?;
    for (place, swap) in configs.iter().enumerate() {
        let doing = || format!("put config file `{}` in place", swap.target.display());
        if !renames.contains(&place) {
            // New, perhaps since a recovery that was cut off before it said so to the disk.
            outside::sync_folder(&swap.target).doing(doing)?;
            continue;
        }
        let found = look_at(swap)?;
        match (found.target, found.waiting) {
            // Before and after: see `put_in_place`; each is finished by the next recovery.
            (TargetFound::Old, true) => outside::put_in_place(swap).doing(doing)?,
            (TargetFound::Old, false) => {
                return Err(InstallError::NeedsPerson {
                    found: Contradiction::ConfigLost {
                        name: swap.name.clone(),
                    },
                });
            }
            (TargetFound::New, true | false) => {
                outside::sync_folder(&swap.target).doing(doing)?;
            }
            (TargetFound::Neither, true | false) => {
                return Err(InstallError::NeedsPerson {
                    found: Contradiction::ConfigChanged {
                        name: swap.name.clone(),
                    },
                });
            }
        }
    }
    for temporary in &transaction.temporaries {
        // Most of them have just taken their target's place, and their folder is synced; what is left was
        // written for a target that turned out to be new already.
        let is_done = configs.iter().any(|swap| swap.temporary == *temporary)
            && outside::is_free(temporary)
                .doing(|| format!("look at `{}`", temporary.display()))?;
        if !is_done {
            outside::remove_waiting(temporary)
                .doing(|| format!("remove `{}`", temporary.display()))?;
        }
    }
    let state = install.place.state();
    let bytes = codec::encode(&after);
    let doing = || format!("write `{}`", layout::JOURNAL);
    match layout::read_file(state, layout::JOURNAL_AHEAD, codec::JOURNAL_CAP_BYTES) {
        Ok(Some(ahead)) if ahead == bytes => {
            // Before: committing, with the new tree live, and recovery comes here. After:
            // committed.
            durable::rename_over(state, layout::JOURNAL_AHEAD, layout::JOURNAL).doing(doing)?;
            durable::sync_directory(state).doing(doing)?;
        }
        Ok(Some(_) | None) | Err(_) => {
            durable::replace_file(state, layout::JOURNAL, &bytes).doing(doing)?;
        }
    }
    install.journal = after;
    Ok(())
}

/// What recovery would do about what is there, for those who only look.
pub(crate) fn foresee(
    place: &Place,
    journal: &Journal,
) -> Result<Result<RecoveredAction, Contradiction>, InstallError> {
    let recovery = decide(journal, &observe(place, journal)?);
    Ok(match RecoveredAction::of(&recovery) {
        Some(action) => Ok(action),
        None => match recovery {
            Recovery::NeedsPerson(found) => Err(found),
            Recovery::Nothing
            | Recovery::Discard
            | Recovery::MoveBack
            | Recovery::Withdraw
            | Recovery::Finish { .. } => Ok(RecoveredAction::Nothing),
        },
    })
}
