// SPDX-License-Identifier: Apache-2.0
//! The decision, over what may stand at `DIR` and in the slots.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Asked;
use super::Decision;
use super::Spot;
use super::Undecided;
use super::decide;
use super::evidence::Evidence;
use super::evidence::Folder;
use super::evidence::Made;
use super::evidence::Standing;
use super::evidence::Told;
use super::evidence::Tree;
use crate::agreement::Agreement;
use crate::layout::InodeId;

/// How many of ten managed files agree, with generation 1, 2 and 3.
type Agreeing = [usize; 3];
const FIRST: Agreeing = [10, 3, 3];
const SECOND: Agreeing = [3, 10, 3];
const THIRD: Agreeing = [3, 3, 10];
const TWINS: Agreeing = [3, 10, 10];
const DAMAGED: Agreeing = [3, 9, 3];
const NOBODYS: Agreeing = [0, 0, 0];

fn tree(inode: u64, agreeing: Agreeing) -> Standing {
    let agreement = (1..).zip(agreeing).map(|(number, agreeing)| {
        let agreement = Agreement {
            managed: 10,
            agreeing,
            ..Agreement::default()
        };
        (number, agreement)
    });
    Standing::Tree(Tree {
        inode: InodeId(inode),
        agreement: agreement.collect(),
    })
}

/// Generations 1 to 3, each believed and left once, with these trees; inodes 10 at `DIR`, 11 to 13 in the slots.
fn evidence(install: Option<Agreeing>, slots: [Option<Agreeing>; 3]) -> Evidence {
    let folders = (1..).zip(slots).map(|(number, agreeing)| {
        let folder = Folder {
            inode: InodeId(100 + number),
            believed: Ok(Made::default()),
            tree: agreeing.map(|agreeing| tree(10 + number, agreeing)),
            was_left: true,
        };
        (number, folder)
    });
    Evidence {
        install: install.map_or(Standing::Nothing, |agreeing| tree(10, agreeing)),
        folders: folders.collect(),
        strangers: vec![],
        journal: None,
        is_ahead: false,
        told: Told::default(),
        roles: vec![],
        waiting: vec![],
    }
}

fn decided(evidence: &Evidence, wanted: Option<u64>) -> Result<Decision, Undecided> {
    decide(
        evidence,
        &Asked {
            wanted,
            txid: "t".to_owned(),
            now_unix_s: 0,
        },
    )
}

/// The live generation, those that are known, and the moves as words.
type Outcome = (u64, Vec<u64>, Vec<String>);
const UNDECIDED: Outcome = (0, vec![], vec![]);

fn outcome(
    install: Option<Agreeing>,
    slots: [Option<Agreeing>; 3],
    wanted: Option<u64>,
) -> Outcome {
    let Ok(decision) = decided(&evidence(install, slots), wanted) else {
        return UNDECIDED;
    };
    let moves = decision.moves.iter();
    let moves = moves.map(|step| {
        let [from, to] = [&step.from, &step.to].map(|spot| spot.shown("D", "t"));
        format!("{from} > {to}").replace("D.cofferdam/", "")
    });
    (decision.live, decision.generations, moves.collect())
}

fn at(live: u64, known: &[u64], moves: &[&str]) -> Outcome {
    let moves = moves.iter().map(|step| (*step).to_owned()).collect();
    (live, known.to_vec(), moves)
}

const THIRD_AWAY: &str = "generations/3 > set-aside/t/generation-3";
const SECOND_AWAY: &str = "generations/2 > set-aside/t/generation-2";

#[test]
fn the_tree_at_the_install_decides_when_it_is_one_generations() {
    let all = [Some(FIRST), Some(SECOND), None];
    assert_eq!(outcome(Some(THIRD), all, None), at(3, &[1, 2, 3], &[]));
    let two = [Some(FIRST), None, None];
    assert_eq!(
        outcome(Some(SECOND), two, None),
        at(2, &[1, 2], &[THIRD_AWAY])
    );
}

#[test]
fn a_tree_in_the_live_slot_goes_home_or_aside() {
    let exchanged = [None, Some(FIRST), Some(THIRD)];
    assert_eq!(
        outcome(Some(SECOND), exchanged, None),
        at(2, &[1, 2, 3], &["generations/2/tree > generations/1/tree"])
    );
    let strange = [Some(FIRST), Some(NOBODYS), Some(THIRD)];
    assert_eq!(
        outcome(Some(SECOND), strange, None),
        at(2, &[1, 2, 3], &["generations/2/tree > set-aside/t/tree-2"])
    );
}

#[test]
fn twins_are_told_apart_by_the_one_whose_own_tree_is_elsewhere() {
    let slots = [Some(FIRST), Some(TWINS), None];
    assert_eq!(outcome(Some(TWINS), slots, None), at(3, &[1, 2, 3], &[]));
    let slots = [Some(FIRST), None, None];
    assert_eq!(outcome(Some(TWINS), slots, None), UNDECIDED);
    assert_eq!(
        outcome(Some(TWINS), slots, Some(3)),
        at(3, &[1, 3], &[SECOND_AWAY])
    );
    assert_eq!(outcome(Some(TWINS), slots, Some(1)), UNDECIDED);
}

#[test]
fn a_damaged_tree_needs_the_name_of_the_nearest_generation() {
    let slots = [Some(FIRST), None, Some(THIRD)];
    assert_eq!(outcome(Some(DAMAGED), slots, None), UNDECIDED);
    assert_eq!(outcome(Some(DAMAGED), slots, Some(1)), UNDECIDED);
    assert_eq!(
        outcome(Some(DAMAGED), slots, Some(2)),
        at(2, &[1, 2, 3], &[])
    );
}

#[test]
fn a_missing_or_foreign_install_is_replaced_by_the_only_whole_tree() {
    let one = [None, Some(SECOND), None];
    let moves = [
        "generations/2/tree > D",
        "generations/1 > set-aside/t/generation-1",
        THIRD_AWAY,
    ];
    assert_eq!(outcome(None, one, None), at(2, &[2], &moves));
    let foreign = [&["D > set-aside/t/install"], &moves[..]].concat();
    assert_eq!(outcome(Some(NOBODYS), one, None), at(2, &[2], &foreign));
    let several = [Some(FIRST), Some(SECOND), None];
    assert_eq!(outcome(None, several, None), UNDECIDED);
    assert_eq!(
        outcome(None, several, Some(1)),
        at(1, &[1, 2], &["generations/1/tree > D", THIRD_AWAY])
    );
    let damaged = [None, Some(DAMAGED), None];
    assert_eq!(outcome(None, damaged, None), UNDECIDED);
    assert_eq!(outcome(None, [None; 3], None), UNDECIDED);
}

#[test]
fn a_generation_that_is_not_believed_or_never_was_live_is_never_chosen_for_a_missing_install() {
    let mut found = evidence(None, [None, Some(SECOND), None]);
    found.folders.get_mut(&2).unwrap().was_left = false;
    assert!(decided(&found, None).is_err());
    let mut found = evidence(Some(SECOND), [Some(FIRST), None, None]);
    found.folders.get_mut(&2).unwrap().believed = Err("no signature".to_owned());
    let undecided = decided(&found, None).unwrap_err();
    assert!(
        undecided.to_string().contains("no signature"),
        "{undecided}"
    );
    assert!(decided(&found, Some(2)).is_err());
}

/// Whatever is found: every tree and folder that is not explained is moved to a name of its own, nothing is moved
/// twice or onto something, and what is known has a tree.
#[test]
fn every_plan_keeps_everything() {
    let kinds = [
        None,
        Some(FIRST),
        Some(SECOND),
        Some(THIRD),
        Some(TWINS),
        Some(DAMAGED),
        Some(NOBODYS),
    ];
    let mut plans = 0;
    for install in kinds {
        for one in kinds {
            for two in kinds {
                for three in kinds {
                    for wanted in [None, Some(1), Some(2), Some(3)] {
                        let found = evidence(install, [one, two, three]);
                        if let Ok(decision) = decided(&found, wanted) {
                            assert_keeps_everything(&found, &decision);
                            plans += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(plans > 1_000, "{plans}");
}

fn assert_keeps_everything(found: &Evidence, decision: &Decision) {
    let mut places: BTreeMap<Spot, InodeId> = BTreeMap::new();
    places.extend(found.install.inode().map(|inode| (Spot::Install, inode)));
    for (number, folder) in &found.folders {
        let tree = folder.tree.as_ref().and_then(Standing::inode);
        places.extend(tree.map(|inode| (Spot::Tree(*number), inode)));
        places.insert(Spot::Folder(number.to_string()), folder.inode);
    }
    let before: BTreeSet<u64> = places.values().map(|inode| inode.0).collect();
    for step in &decision.moves {
        assert_eq!(places.remove(&step.from), Some(step.what), "{decision:#?}");
        assert_eq!(
            places.insert(step.to.clone(), step.what),
            None,
            "{decision:#?}"
        );
    }
    let after: BTreeSet<u64> = places.values().map(|inode| inode.0).collect();
    assert_eq!(after, before);
    assert_eq!(
        places.get(&Spot::Install).copied(),
        decision.journal.live_tree
    );
    for number in found.folders.keys() {
        let is_known = decision.generations.contains(number);
        let has_folder = places.contains_key(&Spot::Folder(number.to_string()));
        assert_eq!(has_folder, is_known, "{number}: {decision:#?}");
        let has_tree = places.contains_key(&Spot::Tree(*number)) && has_folder;
        let should = is_known && *number != decision.live;
        assert_eq!(has_tree, should, "{number}: {decision:#?}");
    }
    let bytes = crate::journal::codec::encode(&decision.journal);
    assert_eq!(
        crate::journal::codec::decode(&bytes).unwrap(),
        decision.journal
    );
}
