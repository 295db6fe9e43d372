// SPDX-License-Identifier: Apache-2.0
//! A way out when the journal cannot be believed, or contradicts the disk: what is live is decided by the trees and
//! the signed manifests that are there.
//!
//! [`decide`] is pure: from what was found to one plan, or to the reason why there is none. It never guesses: the tree
//! at `DIR` must agree with exactly one generation, or be gone (or be nobody's) while exactly one kept tree is left.
//! Nothing is ever removed. What no generation explains is moved to `set-aside/<txid>`, and nothing that a later
//! recovery would collect stays behind.
//!
//! | tree at `DIR` | kept trees | live is |
//! |---|---|---|
//! | agrees with one generation | - | that one |
//! | agrees with several alike | own trees of all but one are there | that one |
//! | agrees with several alike | else | undecided, unless a person names one |
//! | agrees with some in part | - | undecided, unless a person names the one that agrees best |
//! | missing, or nobody's | one agrees with its generation | that one: its tree is moved to `DIR` |
//! | missing, or nobody's | several | undecided, unless a person names one |
//! | missing, or nobody's | none | undecided |
//!
//! [`look`] gathers, [`act`] moves and writes, [`marker`] is what makes a cut off recovery go on where it was.

mod act;
mod evidence;
pub(crate) mod look;
pub mod marker;
mod plan;

pub use self::look::Salvage;
pub use self::plan::Comparison;
pub use self::plan::Decision;
pub use self::plan::Move;
pub use self::plan::Spot;
pub use self::plan::Undecided;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use self::evidence::Evidence;
use self::evidence::Folder;
use self::evidence::Standing;
use crate::layout::InodeId;

/// What a person says, and what the decision is called.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The generation that is to be live, when the trees alone do not say.
    pub(crate) wanted: Option<u64>,
    /// Names the decision and its folder of what is set aside.
    pub(crate) txid: String,
    /// Now, in seconds since 1970.
    pub(crate) now_unix_s: u64,
}

/// Which tree is to be at `DIR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Live {
    /// The one that is there.
    Stays { generation: u64, tree: InodeId },
    /// The one in this folder.
    Comes {
        generation: u64,
        slot: u64,
        tree: InodeId,
    },
}

/// The one plan that what was found allows.
pub(crate) fn decide(evidence: &Evidence, asked: &Asked) -> Result<Decision, Undecided> {
    let undecided = |reason: String| Undecided {
        reason,
        compared: evidence.comparisons(),
        not_believed: evidence.not_believed(),
    };
    if let Some(wanted) = asked.wanted
        && !evidence.is_believed(wanted)
    {
        return Err(undecided(format!(
            "generation {wanted} is not among those that can be believed"
        )));
    }
    let live = live_of(evidence, asked.wanted).map_err(undecided)?;
    Ok(plan::of(evidence, asked, live))
}

fn live_of(evidence: &Evidence, wanted: Option<u64>) -> Result<Live, String> {
    match &evidence.install {
        Standing::Tree(tree) => {
            let agreements = || {
                tree.agreement
                    .iter()
                    .filter(|(number, _)| evidence.is_believed(**number))
            };
            let most = agreements()
                .filter(|(_, agreement)| agreement.is_full())
                .map(|(_, agreement)| agreement.managed)
                .max();
            let best: Vec<u64> = agreements()
                .filter(|(_, agreement)| agreement.is_full() && Some(agreement.managed) == most)
                .map(|(number, _)| *number)
                .collect();
            let stays = |generation| Live::Stays {
                generation,
                tree: tree.inode,
            };
            if !best.is_empty() {
                return only_one(evidence, &best, wanted).map(stays);
            }
            if agreements().all(|(_, agreement)| agreement.is_none()) {
                return a_kept_one(evidence, wanted);
            }
            let most = agreements().map(|(_, agreement)| agreement.agreeing).max();
            let nearest: Vec<u64> = agreements()
                .filter(|(_, agreement)| Some(agreement.agreeing) == most)
                .map(|(number, _)| *number)
                .collect();
            match (nearest.as_slice(), wanted) {
                ([one], Some(wanted)) if *one == wanted => Ok(stays(wanted)),
                _ => Err("the tree at the install is no generation's in full".to_owned()),
            }
        }
        Standing::Nothing | Standing::Other(_) => a_kept_one(evidence, wanted),
    }
}

/// Of generations whose files are the same: the one that a person names, or the only one whose own tree is not kept
/// elsewhere.
fn only_one(evidence: &Evidence, best: &[u64], wanted: Option<u64>) -> Result<u64, String> {
    if let Some(wanted) = wanted {
        return if best.contains(&wanted) {
            Ok(wanted)
        } else {
            Err(format!(
                "the tree at the install is that of generation {}, not of {wanted}",
                listed(best)
            ))
        };
    }
    let without_tree: Vec<u64> = best
        .iter()
        .filter(|number| {
            !evidence
                .folders
                .get(number)
                .is_some_and(has_own_tree(**number))
        })
        .copied()
        .collect();
    match (best, without_tree.as_slice()) {
        ([one], _) | (_, [one]) => Ok(*one),
        (several, _) => Err(format!(
            "the tree at the install agrees equally with generations {}",
            listed(several)
        )),
    }
}

fn has_own_tree(number: u64) -> impl Fn(&Folder) -> bool {
    move |folder| match &folder.tree {
        Some(Standing::Tree(tree)) => tree
            .agreement
            .get(&number)
            .is_some_and(super::agreement::Agreement::is_full),
        Some(Standing::Nothing | Standing::Other(_)) | None => false,
    }
}

/// There is no tree at `DIR`, or nobody's: the only kept one that is whole, or the one that a person names.
fn a_kept_one(evidence: &Evidence, wanted: Option<u64>) -> Result<Live, String> {
    let mut kept = Vec::new();
    for (slot, folder) in &evidence.folders {
        let Some(Standing::Tree(tree)) = &folder.tree else {
            continue;
        };
        let whose = evidence.owner_of(*slot, tree, &BTreeSet::new());
        if let Some(generation) = whose
            && tree
                .agreement
                .get(&generation)
                .is_some_and(super::agreement::Agreement::is_full)
            && wanted.is_none_or(|wanted| wanted == generation)
        {
            kept.push(Live::Comes {
                generation,
                slot: *slot,
                tree: tree.inode,
            });
        }
    }
    match kept.as_slice() {
        [one] => Ok(*one),
        [] => Err(
            "no generation's tree is at the install, and no kept tree is whole and could take its place"
                .to_owned(),
        ),
        several => {
            let numbers: Vec<u64> = several
                .iter()
                .map(|live| match live {
                    Live::Stays { generation, .. } | Live::Comes { generation, .. } => *generation,
                })
                .collect();
            Err(format!(
                "no generation's tree is at the install, and the trees of generations {} could take its place",
                listed(&numbers)
            ))
        }
    }
}

fn listed(numbers: &[u64]) -> String {
    let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
    numbers.join(", ")
}

/// Why folders are not believed, by number.
type NotBelieved = BTreeMap<u64, String>;

#[cfg(test)]
mod tests;
