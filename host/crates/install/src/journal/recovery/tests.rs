// SPDX-License-Identifier: Apache-2.0
//! The decision, over every combination of journal and disk.

use std::collections::BTreeMap;
use std::path::PathBuf;

use cofferdam_package::digest::Digest;

use super::ConfigFound;
use super::Contradiction;
use super::LiveIs;
use super::Observed;
use super::Recovery;
use super::TargetFound;
use super::decide;
use crate::journal::ConfigSwap;
use crate::journal::Floors;
use crate::journal::GenerationRecord;
use crate::journal::Journal;
use crate::journal::Transaction;
use crate::journal::TreeSource;
use crate::journal::TxKind;
use crate::journal::TxState;
use crate::journal::codec;
use crate::layout::InodeId;

const OLD: InodeId = InodeId(1);
const NEW: InodeId = InodeId(2);
const STRANGER: InodeId = InodeId(3);
const LIVE_IS: [LiveIs; 5] = [
    LiveIs::Recorded,
    LiveIs::AsSealed { differing: 1 },
    LiveIs::Another { generation: 1 },
    LiveIs::Nobodys,
    LiveIs::NotCompared,
];
const PLACES: [Option<InodeId>; 4] = [None, Some(OLD), Some(NEW), Some(STRANGER)];

fn record() -> GenerationRecord {
    GenerationRecord {
        version: None,
        data_format: 0,
        package: None,
        roles: vec![],
        confirmed: true,
        created_unix_s: 0,
        txid: "t".to_owned(),
    }
}

/// Generations 1 and 2 exist, 2 is live. A built tree becomes 3, a kept one is that of 1.
fn journal(state: Option<(TxState, TreeSource)>) -> Journal {
    Journal {
        live: 2,
        live_tree: Some(OLD),
        live_tree_born_ns: None,
        next_generation: 3,
        generations: BTreeMap::from([(1, record()), (2, record())]),
        floors: Floors {
            version: None,
            data_format: 0,
        },
        service_owed: false,
        stopped_crashes: BTreeMap::new(),
        condemning: None,
        transaction: state.map(|(state, tree)| Transaction {
            txid: "t".to_owned(),
            kind: TxKind::Apply,
            package: Some(Digest::of(b"package")),
            from: 2,
            to: if tree == TreeSource::Built { 3 } else { 1 },
            makes: record(),
            tree,
            started_unix_s: 0,
            condemn: None,
            temporaries: vec![],
            state,
        }),
        last: None,
        history: None,
    }
}

fn swap(name: &str) -> ConfigSwap {
    ConfigSwap {
        name: name.to_owned(),
        target: PathBuf::from("/etc/x"),
        temporary: PathBuf::from("/etc/.x"),
        old_digest: None,
        new_digest: Some(Digest::of(b"new")),
    }
}

fn states() -> Vec<Option<(TxState, TreeSource)>> {
    let committing = |configs| TxState::Committing {
        old: OLD,
        new: NEW,
        new_born_ns: None,
        configs,
        at_unix_s: 0,
    };
    let mut states = vec![
        None,
        Some((TxState::Moving { tree: NEW }, TreeSource::Kept)),
    ];
    for tree in [TreeSource::Built, TreeSource::Kept] {
        states.push(Some((TxState::Building {}, tree)));
        states.push(Some((TxState::Stopped {}, tree)));
        states.push(Some((committing(vec![]), tree)));
        states.push(Some((committing(vec![swap("a")]), tree)));
        states.push(Some((committing(vec![swap("a"), swap("b")]), tree)));
    }
    states
}

fn configs_of(journal: &Journal) -> usize {
    match journal
        .transaction
        .as_ref()
        .map(|transaction| &transaction.state)
    {
        Some(TxState::Committing { configs, .. }) => configs.len(),
        _ => 0,
    }
}

fn found() -> Vec<ConfigFound> {
    [TargetFound::Old, TargetFound::New, TargetFound::Neither]
        .into_iter()
        .flat_map(|target| [true, false].map(|waiting| ConfigFound { target, waiting }))
        .collect()
}

/// Every way in which `count` config files can be found.
fn found_for(count: usize) -> Vec<Vec<ConfigFound>> {
    let mut all = vec![vec![]];
    for _ in 0..count {
        all = all
            .into_iter()
            .flat_map(|before: Vec<ConfigFound>| {
                found()
                    .into_iter()
                    .map(move |one| [before.clone(), vec![one]].concat())
            })
            .collect();
    }
    all
}

fn every(mut judge: impl FnMut(&Journal, &Observed, Recovery)) -> usize {
    let mut count = 0;
    for state in states() {
        let journal = journal(state);
        for configs in found_for(configs_of(&journal)) {
            for live in PLACES {
                for slot in PLACES {
                    for target in PLACES {
                        for live_is in LIVE_IS {
                            let observed = Observed {
                                live,
                                live_is,
                                slot,
                                target,
                                configs: configs.clone(),
                            };
                            judge(&journal, &observed, decide(&journal, &observed));
                            count += 1;
                        }
                    }
                }
            }
        }
    }
    count
}

/// What the table in the module's header says, written a second time in another way.
fn by_the_table(journal: &Journal, observed: &Observed) -> &'static str {
    let Observed {
        live,
        live_is,
        slot,
        target,
        configs,
    } = observed;
    if live.is_none() {
        return "person";
    }
    let commits = journal
        .transaction
        .as_ref()
        .is_some_and(|under_way| matches!(under_way.state, TxState::Committing { .. }));
    if !commits && matches!(live_is, LiveIs::Another { .. } | LiveIs::Nobodys) {
        return "person";
    }
    let Some(transaction) = &journal.transaction else {
        return "nothing";
    };
    let all = |allowed: &dyn Fn(&ConfigFound) -> bool| configs.iter().all(allowed);
    match &transaction.state {
        TxState::Building {} | TxState::Stopped {} => {
            let kept = transaction.tree == TreeSource::Kept;
            if kept && target.is_none() {
                "person"
            } else {
                "discard"
            }
        }
        TxState::Moving { .. } if (*slot, *target) == (None, Some(NEW)) => "discard",
        TxState::Moving { .. } if (*slot, *target) == (Some(NEW), None) => "move back",
        TxState::Moving { .. } => "person",
        TxState::Committing { .. } => {
            let before = all(&|found| found.target != TargetFound::New);
            let after = all(&|found| match found.target {
                TargetFound::New => true,
                TargetFound::Old => found.waiting,
                TargetFound::Neither => false,
            });
            match (*live, *slot) {
                (Some(OLD), Some(NEW)) if before => "withdraw",
                (Some(NEW), Some(OLD)) if after => "finish",
                _ => "person",
            }
        }
    }
}

fn word(recovery: &Recovery) -> &'static str {
    match recovery {
        Recovery::Nothing => "nothing",
        Recovery::Discard => "discard",
        Recovery::MoveBack => "move back",
        Recovery::Withdraw => "withdraw",
        Recovery::Finish { .. } => "finish",
        Recovery::NeedsPerson(_) => "person",
    }
}

#[test]
fn every_combination_has_the_one_action_of_the_table() {
    let mut actions = BTreeMap::new();
    let count = every(|journal, observed, recovery| {
        let expected = by_the_table(journal, observed);
        assert_eq!(word(&recovery), expected, "{journal:?} {observed:?}");
        *actions.entry(expected).or_insert(0) += 1;
    });
    assert!(count > 5_000, "{count}");
    assert_eq!(actions.len(), 6, "{actions:?}");
}

/// Acts as recovery does, on the description of the disk.
fn act(journal: &Journal, observed: &Observed, recovery: &Recovery) -> (Journal, Observed) {
    let mut disk = observed.clone();
    let next = match recovery {
        Recovery::Nothing | Recovery::NeedsPerson(_) => journal.clone(),
        Recovery::Discard => {
            disk.slot = None;
            disk.configs.clear();
            journal.interrupted(0)
        }
        Recovery::MoveBack => {
            disk.target = disk.slot.take();
            journal.clone()
        }
        Recovery::Withdraw => {
            disk.configs.clear();
            disk.live_is = LiveIs::Recorded;
            let transaction = journal.transaction.as_ref().unwrap();
            journal.in_state(match transaction.tree {
                TreeSource::Built => TxState::Stopped {},
                TreeSource::Kept => TxState::Moving { tree: NEW },
            })
        }
        Recovery::Finish { .. } => {
            disk.configs.clear();
            disk.slot = None;
            disk.target = None;
            disk.live_is = LiveIs::Recorded;
            journal.committed().unwrap()
        }
    };
    (next, disk)
}

#[test]
fn following_the_actions_ends_at_rest_in_at_most_three_steps_and_stays_there() {
    every(|journal, observed, first| {
        let (mut journal, mut observed, mut recovery) = (journal.clone(), observed.clone(), first);
        // A kept tree that is to be exchanged stands in the slot and nowhere else.
        if let Some(transaction) = &journal.transaction
            && matches!(transaction.state, TxState::Committing { .. })
            && transaction.tree == TreeSource::Kept
        {
            observed.target = None;
        }
        for _ in 0..3 {
            if matches!(recovery, Recovery::Nothing | Recovery::NeedsPerson(_)) {
                break;
            }
            (journal, observed) = act(&journal, &observed, &recovery);
            recovery = decide(&journal, &observed);
            assert!(
                !matches!(recovery, Recovery::NeedsPerson(_)),
                "{journal:?} {observed:?}"
            );
        }
        if !matches!(recovery, Recovery::NeedsPerson(_)) {
            assert_eq!(recovery, Recovery::Nothing);
            assert!(journal.transaction.is_none());
        }
    });
}

#[test]
fn nothing_but_old_config_files_with_their_next_content_waiting_is_renamed() {
    every(|_, observed, recovery| {
        if let Recovery::Finish { renames } = recovery {
            for (place, found) in observed.configs.iter().enumerate() {
                assert_eq!(renames.contains(&place), found.target == TargetFound::Old);
                assert!(!renames.contains(&place) || found.waiting);
            }
        }
    });
}

#[test]
fn every_state_survives_the_way_to_disk_and_back() {
    for state in states() {
        let journal = journal(state);
        assert_eq!(codec::decode(&codec::encode(&journal)).unwrap(), journal);
    }
}

#[test]
fn a_journal_that_says_what_cannot_be_is_not_believed() {
    let built = journal(Some((TxState::Building {}, TreeSource::Built)));
    let change = |change: &dyn Fn(&mut Journal)| {
        let mut journal = built.clone();
        change(&mut journal);
        codec::decode(&codec::encode(&journal)).unwrap_err().reason
    };
    let transaction = |journal: &mut Journal, state: TxState| {
        *journal = journal.in_state(state);
    };
    let reasons = [
        change(&|journal| journal.live = 9),
        change(&|journal| journal.next_generation = 2),
        change(&|journal| journal.transaction.as_mut().unwrap().from = 1),
        change(&|journal| journal.transaction.as_mut().unwrap().to = 4),
        change(&|journal| transaction(journal, TxState::Moving { tree: NEW })),
        change(&|journal| {
            let configs = vec![];
            transaction(
                journal,
                TxState::Committing {
                    old: NEW,
                    new: NEW,
                    new_born_ns: None,
                    configs,
                    at_unix_s: 0,
                },
            );
        }),
    ];
    for reason in &reasons {
        assert_eq!(
            reasons.iter().filter(|other| *other == reason).count(),
            1,
            "{reason}"
        );
    }
}

#[test]
fn a_journal_of_a_newer_host_says_so() {
    let text = String::from_utf8(codec::encode(&journal(None))).unwrap();
    let newer = text
        .replace("journal/1", "journal/2")
        .replace("\"live\"", "\"alive\"");
    let error = codec::decode(newer.as_bytes()).unwrap_err();
    assert!(
        error.reason.contains("`journal/2`, expected `journal/1`"),
        "{error}"
    );
}

#[test]
fn an_edited_journal_is_not_believed_even_where_it_makes_sense() {
    let text = String::from_utf8(codec::encode(&journal(None))).unwrap();
    let edited = text.replace("\"next_generation\": 3", "\"next_generation\": 4");
    assert!(
        codec::decode(edited.as_bytes())
            .unwrap_err()
            .reason
            .contains("checksum")
    );
    let spelt_otherwise = text.replace("  ", " ");
    codec::decode(spelt_otherwise.as_bytes()).unwrap_err();
    let doubled = text.replace("\"live\": 2,", "\"live\": 2, \"live\": 2,");
    codec::decode(doubled.as_bytes()).unwrap_err();
}

#[test]
fn every_contradiction_says_what_was_found() {
    every(|_, _, recovery| {
        if let Recovery::NeedsPerson(found) = recovery {
            let text = found.to_string();
            assert!(!text.is_empty() && !text.ends_with('.'));
            if let Contradiction::Exchange { slot: None, .. } = found {
                assert!(text.contains("slot holds nothing"), "{text}");
            }
        }
    });
}
