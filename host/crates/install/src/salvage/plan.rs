// SPDX-License-Identifier: Apache-2.0
//! What is to be done once it is clear which generation is live: moves, and a fresh journal.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use semver::Version;
use serde::Deserialize;
use serde::Serialize;

use super::Asked;
use super::Live;
use super::NotBelieved;
use super::evidence::Evidence;
use super::evidence::Made;
use super::evidence::Standing;
use crate::agreement::Agreement;
use crate::journal::Floors;
use crate::journal::GenerationRecord;
use crate::journal::Journal;
use crate::journal::TxState;
use crate::layout;
use crate::layout::InodeId;

/// What a recovery from the disk will do, all of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// Names it, and its folder of what is set aside.
    pub txid: String,
    /// Why the ordinary recovery does not do.
    pub found: String,
    /// The generation that will be live.
    pub live: u64,
    /// Its version.
    pub version: Option<Version>,
    /// Whether it counts as healthy: only where a journal said so.
    pub confirmed: bool,
    /// Every generation that will be known.
    pub generations: Vec<u64>,
    /// Below these, packages will be refused.
    pub floors: Floors,
    /// What is moved, in this order.
    pub moves: Vec<Move>,
    /// How far each tree agrees with each generation.
    pub compared: Vec<Comparison>,
    /// Generations whose folder cannot be believed, and why.
    pub not_believed: NotBelieved,
    /// Files that wait beside config files outside the install: named, never touched.
    pub waiting: Vec<String>,
    /// A decision that was cut off is carried on.
    pub continues: bool,
    /// The journal that is written at the end.
    #[serde(skip)]
    pub(crate) journal: Journal,
}

impl Decision {
    /// Whether another directory will stand at `DIR` than stands there now.
    pub fn moves_install(&self) -> bool {
        let mut spots = self.moves.iter().flat_map(|step| [&step.from, &step.to]);
        spots.any(|spot| *spot == Spot::Install)
    }

    /// Why a decision that was cut off is not given up for another one.
    pub(crate) fn instead_of(self, wanted: u64) -> Undecided {
        Undecided {
            reason: format!(
                "that generation {} is to be live, and not {wanted}, was decided before, and cut off: carry on without \
                 `--generation`",
                self.live
            ),
            compared: self.compared,
            not_believed: self.not_believed,
        }
    }

    /// Whether the service was stopped before, for a transaction or for this.
    pub fn service_owed(&self) -> bool {
        self.journal.service_owed
    }
}

/// One move of a whole directory or file, to a name that is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// What is moved.
    pub what: InodeId,
    /// Where it is.
    pub from: Spot,
    /// Where it goes.
    pub to: Spot,
    /// Why, for people.
    pub why: String,
}

/// A name that a recovery from the disk may move something from or to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spot {
    /// `DIR`.
    Install,
    /// `generations/<n>/tree`.
    Tree(u64),
    /// `generations/<name>`.
    Folder(String),
    /// `set-aside/<txid>/<name>`.
    SetAside(String),
}

impl Spot {
    /// The path that it stands for, in the install at `dir` and a decision called `txid`: for people.
    pub fn shown(&self, dir: &str, txid: &str) -> String {
        let state = format!("{dir}{}", layout::STATE_SUFFIX);
        let (all, aside) = (layout::GENERATIONS, layout::SET_ASIDE);
        match self {
            Self::Install => dir.to_owned(),
            Self::Tree(number) => format!("{state}/{all}/{number}/{}", layout::TREE),
            Self::Folder(name) => format!("{state}/{all}/{name}"),
            Self::SetAside(name) => format!("{state}/{aside}/{txid}/{name}"),
        }
    }
}

/// How far one tree agrees with one generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// `DIR`, or the tree's name in the state directory.
    pub tree: String,
    /// The generation.
    pub generation: u64,
    /// How far.
    #[serde(flatten)]
    pub agreement: Agreement,
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Agreement {
            managed,
            agreeing,
            state,
            state_agreeing,
            differing,
        } = &self.agreement;
        let (all, same, what) = match managed {
            0 => (state, state_agreeing, "state"),
            _ => (managed, agreeing, "managed"),
        };
        write!(
            f,
            "{} and generation {}: {same} of {all} {what} files agree",
            self.tree, self.generation
        )?;
        match differing.first() {
            Some(first) => write!(f, ", the first that differs is `{first}`"),
            None => Ok(()),
        }
    }
}

/// Why nothing is decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Undecided {
    /// In a sentence.
    pub reason: String,
    /// How far each tree agrees with each generation.
    pub compared: Vec<Comparison>,
    /// Generations whose folder cannot be believed, and why.
    pub not_believed: BTreeMap<u64, String>,
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)?;
        for compared in &self.compared {
            write!(f, "; {compared}")?;
        }
        for (number, why) in &self.not_believed {
            write!(f, "; generation {number} is not believed: {why}")?;
        }
        Ok(())
    }
}

/// The plan for an install whose live tree is known.
pub(super) fn of(evidence: &Evidence, asked: &Asked, live: Live) -> Decision {
    let (generation, tree) = match live {
        Live::Stays { generation, tree }
        | Live::Comes {
            generation, tree, ..
        } => (generation, tree),
    };
    let mut moves = Moves::default();
    if let (Live::Comes { .. }, Some(what)) = (live, evidence.install.inode()) {
        let why = "it stands where the install should be, and no generation explains it";
        moves.aside(what, Spot::Install, "install", why);
    }
    let kept = moves.trees(evidence, live, generation);
    if let Live::Comes { slot, tree, .. } = live {
        moves.add(
            tree,
            Spot::Tree(slot),
            Spot::Install,
            &format!("it is the only whole tree that is left: that of generation {generation}"),
        );
    }
    moves.folders(evidence, generation, &kept);
    let journal = journal_of(evidence, asked, generation, tree, &kept);
    let record = journal.live_generation();
    Decision {
        txid: asked.txid.clone(),
        found: String::new(),
        live: generation,
        version: record.and_then(|record| record.version.clone()),
        confirmed: journal.is_confirmed(),
        generations: journal.generations.keys().copied().collect(),
        floors: journal.floors.clone(),
        moves: moves.0,
        compared: evidence.comparisons(),
        not_believed: evidence.not_believed(),
        waiting: evidence.waiting.clone(),
        continues: false,
        journal,
    }
}

#[derive(Default)]
struct Moves(Vec<Move>);

impl Moves {
    fn add(&mut self, what: InodeId, from: Spot, to: Spot, why: &str) {
        self.0.push(Move {
            what,
            from,
            to,
            why: why.to_owned(),
        });
    }

    fn aside(&mut self, what: InodeId, from: Spot, name: &str, why: &str) {
        self.add(what, from, Spot::SetAside(name.to_owned()), why);
    }

    /// Every tree but the live one stays, goes home, or is set aside; answers with the generations that have one
    /// then. What is set aside goes first, so that a home is free.
    fn trees(&mut self, evidence: &Evidence, live: Live, generation: u64) -> BTreeSet<u64> {
        let mut taken = BTreeSet::from([generation]);
        let mut home = Moves::default();
        for (slot, folder) in &evidence.folders {
            if matches!(live, Live::Comes { slot: from, .. } if from == *slot) {
                continue;
            }
            let Some(standing) = &folder.tree else {
                continue;
            };
            let owner = match standing {
                Standing::Tree(tree) => evidence
                    .owner_of(*slot, tree, &taken)
                    .map(|owner| (owner, tree.inode)),
                Standing::Nothing | Standing::Other(_) => None,
            };
            match (owner, standing.inode()) {
                (Some((owner, inode)), _) => {
                    taken.insert(owner);
                    if owner != *slot {
                        home.add(
                            inode,
                            Spot::Tree(*slot),
                            Spot::Tree(owner),
                            &format!("it is the tree of generation {owner}"),
                        );
                    }
                }
                // Goes with its folder, unless that one stays.
                (None, Some(inode)) if *slot == generation => self.aside(
                    inode,
                    Spot::Tree(*slot),
                    &format!("tree-{slot}"),
                    "it is no generation's that was live, and stands where the next tree is built",
                ),
                (None, Some(_) | None) => {}
            }
        }
        self.0.append(&mut home.0);
        taken
    }

    /// Folders that no tree belongs to are set aside whole, with whatever tree is in them.
    fn folders(&mut self, evidence: &Evidence, generation: u64, kept: &BTreeSet<u64>) {
        for (number, folder) in &evidence.folders {
            if *number == generation || kept.contains(number) {
                continue;
            }
            let why = match &folder.believed {
                Err(why) => format!("generation {number} cannot be believed: {why}"),
                Ok(_) if !evidence.was_live(*number) => {
                    format!("generation {number} was never live")
                }
                Ok(_) => format!("generation {number} has no tree to go back to"),
            };
            let name = number.to_string();
            let aside = format!("generation-{name}");
            self.aside(folder.inode, Spot::Folder(name), &aside, &why);
        }
        for (name, inode) in &evidence.strangers {
            let aside = format!("other-{name}");
            let why = "it is no folder of a generation";
            self.aside(*inode, Spot::Folder(name.clone()), &aside, why);
        }
    }
}

fn journal_of(
    evidence: &Evidence,
    asked: &Asked,
    live: u64,
    live_tree: InodeId,
    kept: &BTreeSet<u64>,
) -> Journal {
    let old = evidence.journal.as_ref().map(|journal| {
        if evidence.is_ahead && journal.live != live {
            // What it tells of is the commit that did not happen.
            Journal {
                last: None,
                condemning: None,
                ..journal.clone()
            }
        } else {
            ended(journal, live, asked.now_unix_s)
        }
    });
    let records: BTreeMap<u64, GenerationRecord> = kept
        .iter()
        .filter_map(|number| {
            let made = evidence.folders.get(number)?.believed.as_ref().ok()?;
            let known = old
                .as_ref()
                .and_then(|old| old.generations.get(number))
                .filter(|known| known.package == made.package);
            let told = *number != live && evidence.told.confirmed.contains(number);
            Some((*number, record_of(evidence, asked, made, known, told)))
        })
        .collect();
    let record = records.get(&live);
    let mut floors = old.as_ref().map_or(
        Floors {
            version: None,
            data_format: 0,
        },
        |old| old.floors.clone(),
    );
    let version = record.and_then(|record| record.version.clone());
    floors.version = floors.version.max(evidence.told.floor.clone()).max(version);
    floors.data_format = floors
        .data_format
        .max(record.map_or(0, |record| record.data_format));
    let highest = evidence.folders.keys().next_back().copied().unwrap_or(0);
    let highest = highest.max(evidence.told.highest).max(live);
    let next_generation = old
        .as_ref()
        .map_or(0, |old| old.next_generation)
        .max(highest.saturating_add(1));
    Journal {
        live,
        live_tree: Some(live_tree),
        live_tree_born_ns: None,
        next_generation,
        generations: records,
        floors,
        service_owed: old.as_ref().is_some_and(|old| old.service_owed),
        stopped_crashes: old
            .as_ref()
            .map(|old| old.stopped_crashes.clone())
            .unwrap_or_default(),
        condemning: old.as_ref().and_then(|old| old.condemning.clone()),
        transaction: None,
        history: old.as_ref().and_then(|old| old.history),
        last: old.and_then(|old| old.last),
    }
}

/// The old journal with its transaction over: done when its generation turned out to be live, else cut off.
fn ended(journal: &Journal, live: u64, now_unix_s: u64) -> Journal {
    match &journal.transaction {
        Some(transaction)
            if transaction.to == live
                && matches!(transaction.state, TxState::Committing { .. }) =>
        {
            journal.committed().unwrap_or_else(|| journal.clone())
        }
        Some(_) => journal.interrupted(now_unix_s),
        None => journal.clone(),
    }
}

fn record_of(
    evidence: &Evidence,
    asked: &Asked,
    made: &Made,
    known: Option<&GenerationRecord>,
    told: bool,
) -> GenerationRecord {
    match known {
        Some(known) => GenerationRecord {
            confirmed: known.confirmed || told,
            ..known.clone()
        },
        None => GenerationRecord {
            version: made.version.clone(),
            data_format: made.data_format,
            package: made.package,
            roles: evidence.roles.clone(),
            confirmed: told,
            created_unix_s: asked.now_unix_s,
            txid: asked.txid.clone(),
        },
    }
}
