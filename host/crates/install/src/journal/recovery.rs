// SPDX-License-Identifier: Apache-2.0
//! What to do about what is found: a total, pure function from a journal and the trees on disk to
//! one action.
//!
//! [`decide`] has no wildcard arm, so a new state does not compile until somebody has said what
//! recovery does in it. It never guesses: where the trees contradict the journal, the answer is
//! [`Recovery::NeedsPerson`] with what was found, and nothing is touched. Each action ends in a
//! state in which `decide` gives the next action or [`Recovery::Nothing`], so recovery can itself
//! be cut off anywhere, and running it twice is running it once.
//!
//! | journal | `DIR` | slot of the live generation | tree of the target | action |
//! |---|---|---|---|---|
//! | idle | a directory | - | - | nothing |
//! | anything but committing | another generation's tree, or nobody's | - | - | a person |
//! | building, stopped; tree built | a directory | - | - | discard |
//! | building, stopped; tree kept | a directory | empty | there | discard |
//! | moving | a directory | empty | the named tree | discard |
//! | moving | a directory | the named tree | empty | move back |
//! | committing, no config file new | old | new | - | withdraw |
//! | committing, every config file new, or old with its next content waiting | new | old | - | finish |
//! | any other combination | | | | a person |

use std::fmt;

use super::document::Journal;
use super::document::TreeSource;
use super::document::TxState;
use crate::layout::InodeId;

/// What stands where a transaction could have put something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The directory at `DIR`.
    pub live: Option<InodeId>,
    /// Whose tree it is.
    pub live_is: LiveIs,
    /// The tree in the slot of the generation that the journal calls live.
    pub slot: Option<InodeId>,
    /// The tree in the folder of the generation that the transaction leads to.
    pub target: Option<InodeId>,
    /// Each config file of the transaction, in its order.
    pub configs: Vec<ConfigFound>,
}

/// Whose tree stands at `DIR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LiveIs {
    /// It is the root directory that the journal recorded.
    Recorded,
    /// Another root directory (the install was moved, copied or restored, or nobody had recorded one), and the live
    /// generation's files as far as anybody can say.
    AsSealed {
        /// Managed files that differ.
        differing: usize,
    },
    /// Another root directory, and the files of another generation.
    Another {
        /// Which.
        generation: u64,
    },
    /// Another root directory, and not one managed file of the live generation in it.
    Nobodys,
    /// The files could not be compared.
    NotCompared,
}

/// What a config file of a transaction holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConfigFound {
    /// What stands at the target.
    pub target: TargetFound,
    /// Whether the next content waits under its temporary name, whole. A removal waits for nothing,
    /// so it is always ready.
    pub waiting: bool,
}

/// What stands at the target of a config file's rename.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetFound {
    /// What was there before the transaction.
    Old,
    /// What the transaction puts there; nothing, where it removes the file.
    New,
    /// Neither: somebody else wrote it, or removed it.
    Neither,
}

/// The one way forward or back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// Nothing is under way.
    Nothing,
    /// Nothing live was touched: what was built is removed, and the transaction is over.
    Discard,
    /// The older generation's tree goes back to its folder; then as [`Recovery::Discard`].
    MoveBack,
    /// The exchange did not happen: the journal says so, and then [`Recovery::Discard`] or
    /// [`Recovery::MoveBack`].
    Withdraw,
    /// The exchange happened: these config files are renamed or removed, by their place in the
    /// journal, and the commit is done.
    Finish {
        /// Which config files are still to be renamed or removed.
        renames: Vec<usize>,
    },
    /// The disk contradicts the journal.
    NeedsPerson(Contradiction),
}

/// How the disk contradicts the journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// There is no directory at `DIR`.
    LiveMissing,
    /// The tree at `DIR` is another generation's: the trees, or the state directory, were put there by somebody else.
    LiveIsAnother {
        /// The generation that the journal calls live.
        live: u64,
        /// The one whose files are there.
        generation: u64,
    },
    /// The directory at `DIR` has not one file of the live generation.
    LiveIsNobodys {
        /// The generation that the journal calls live.
        live: u64,
    },
    /// The tree of the older generation is not where it was.
    KeptTreeMissing {
        /// The generation.
        generation: u64,
    },
    /// Neither before nor after the move.
    Move {
        /// The tree that was to be moved.
        tree: InodeId,
        /// What stands in the slot.
        slot: Option<InodeId>,
        /// What stands in the generation's folder.
        target: Option<InodeId>,
    },
    /// Neither before nor after the exchange.
    Exchange {
        /// The tree that was live.
        old: InodeId,
        /// The tree that was to be live.
        new: InodeId,
        /// What stands at `DIR`.
        live: Option<InodeId>,
        /// What stands in the slot.
        slot: Option<InodeId>,
    },
    /// A config file holds neither what it held nor what it was to hold.
    ConfigChanged {
        /// What the operator calls it.
        name: String,
    },
    /// A config file is new, though the exchange, which comes first, did not happen.
    ConfigAhead {
        /// What the operator calls it.
        name: String,
    },
    /// A config file is still to be renamed, but its next content is gone.
    ConfigLost {
        /// What the operator calls it.
        name: String,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = |found: &Option<InodeId>| match found {
            Some(inode) => inode.to_string(),
            None => "nothing".to_owned(),
        };
        match self {
            Self::LiveMissing => f.write_str("there is no directory where the install should be"),
            Self::LiveIsAnother { live, generation } => write!(
                f,
                "generation {live} should be live, but the files in the install are those of generation {generation}"
            ),
            Self::LiveIsNobodys { live } => write!(
                f,
                "generation {live} should be live, but none of its files is in the directory where the install \
                 should be"
            ),
            Self::KeptTreeMissing { generation } => {
                write!(
                    f,
                    "generation {generation} has no tree, though nothing was to move it yet"
                )
            }
            Self::Move { tree, slot, target } => write!(
                f,
                "the tree to be moved was {tree}, but the live generation's slot holds {} and its \
                 own folder {}",
                place(slot),
                place(target)
            ),
            Self::Exchange {
                old,
                new,
                live,
                slot,
            } => write!(
                f,
                "{old} was to be exchanged with {new}, but the install is {} and the live \
                 generation's slot holds {}",
                place(live),
                place(slot)
            ),
            Self::ConfigChanged { name } => write!(
                f,
                "config file `{name}` holds neither what it held before the commit nor what the \
                 commit puts there"
            ),
            Self::ConfigAhead { name } => {
                write!(
                    f,
                    "config file `{name}` is the new one, but the tree at the install is the old \
                     one"
                )
            }
            Self::ConfigLost { name } => {
                write!(
                    f,
                    "config file `{name}` is still the old one, but the new one that waited \
                     beside it is gone"
                )
            }
        }
    }
}

/// The one way forward or back from what is on disk.
pub fn decide(journal: &Journal, observed: &Observed) -> Recovery {
    let Some(live) = observed.live else {
        return Recovery::NeedsPerson(Contradiction::LiveMissing);
    };
    if let Some(found) = stands_for_another(journal, observed.live_is) {
        return Recovery::NeedsPerson(found);
    }
    let Some(transaction) = &journal.transaction else {
        return Recovery::Nothing;
    };
    match &transaction.state {
        TxState::Building {} | TxState::Stopped {} => match (transaction.tree, observed.target) {
            (TreeSource::Built, None | Some(_)) | (TreeSource::Kept, Some(_)) => Recovery::Discard,
            (TreeSource::Kept, None) => Recovery::NeedsPerson(Contradiction::KeptTreeMissing {
                generation: transaction.to,
            }),
        },
        TxState::Moving { tree } => match (observed.slot, observed.target) {
            (None, Some(target)) if target == *tree => Recovery::Discard,
            (Some(slot), None) if slot == *tree => Recovery::MoveBack,
            (slot @ (None | Some(_)), target @ (None | Some(_))) => {
                Recovery::NeedsPerson(Contradiction::Move {
                    tree: *tree,
                    slot,
                    target,
                })
            }
        },
        TxState::Committing {
            old,
            new,
            new_born_ns: _,
            configs,
            at_unix_s: _,
        } => {
            let names = || {
                configs
                    .iter()
                    .map(|swap| swap.name.as_str())
                    .zip(&observed.configs)
            };
            match observed.slot {
                Some(slot) if live == *old && slot == *new => names()
                    .find_map(|(name, found)| stands_before_exchange(name, *found))
                    .map_or(Recovery::Withdraw, Recovery::NeedsPerson),
                Some(slot) if live == *new && slot == *old => names()
                    .find_map(|(name, found)| stands_after_exchange(name, *found))
                    .map_or_else(
                        || Recovery::Finish {
                            renames: still_old(&observed.configs),
                        },
                        Recovery::NeedsPerson,
                    ),
                slot @ (None | Some(_)) => Recovery::NeedsPerson(Contradiction::Exchange {
                    old: *old,
                    new: *new,
                    live: Some(live),
                    slot,
                }),
            }
        }
    }
}

/// Unless a commit is under way, the tree at `DIR` is the live generation's. A commit names both trees by itself.
fn stands_for_another(journal: &Journal, live_is: LiveIs) -> Option<Contradiction> {
    let state = journal
        .transaction
        .as_ref()
        .map(|under_way| &under_way.state);
    match state {
        Some(TxState::Committing { .. }) => return None,
        Some(TxState::Building {} | TxState::Stopped {} | TxState::Moving { .. }) | None => {}
    }
    let live = journal.live;
    match live_is {
        LiveIs::Recorded | LiveIs::AsSealed { .. } | LiveIs::NotCompared => None,
        LiveIs::Another { generation } => Some(Contradiction::LiveIsAnother { live, generation }),
        LiveIs::Nobodys => Some(Contradiction::LiveIsNobodys { live }),
    }
}

/// Before the exchange no config file is renamed: whatever else stands there is somebody's own, and stays.
fn stands_before_exchange(name: &str, found: ConfigFound) -> Option<Contradiction> {
    match found.target {
        TargetFound::Old | TargetFound::Neither => None,
        TargetFound::New => Some(Contradiction::ConfigAhead {
            name: name.to_owned(),
        }),
    }
}

/// After the exchange each config file is new, or old with the new one waiting.
fn stands_after_exchange(name: &str, found: ConfigFound) -> Option<Contradiction> {
    match (found.target, found.waiting) {
        (TargetFound::New, true | false) | (TargetFound::Old, true) => None,
        (TargetFound::Old, false) => Some(Contradiction::ConfigLost {
            name: name.to_owned(),
        }),
        (TargetFound::Neither, true | false) => Some(Contradiction::ConfigChanged {
            name: name.to_owned(),
        }),
    }
}

fn still_old(configs: &[ConfigFound]) -> Vec<usize> {
    configs
        .iter()
        .enumerate()
        .filter(|(_, found)| found.target == TargetFound::Old)
        .map(|(place, _)| place)
        .collect()
}

#[cfg(test)]
mod tests;
