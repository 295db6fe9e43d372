// SPDX-License-Identifier: Apache-2.0
//! What was found, as the decision sees it: nothing here touches the disk.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::digest::Digest;
use semver::Version;
use serde_json::Value;

use super::NotBelieved;
use super::plan::Comparison;
use crate::agreement::Agreement;
use crate::history::Record;
use crate::history::RecordKind;
use crate::journal::Journal;
use crate::layout::InodeId;

/// Everything that can be known without the journal, and the journal as far as it can be read.
#[derive(Clone, Debug)]
pub(crate) struct Evidence {
    /// What stands at `DIR`.
    pub(crate) install: Standing,
    /// The folders of generations.
    pub(crate) folders: BTreeMap<u64, Folder>,
    /// Whatever else stands among them.
    pub(crate) strangers: Vec<(String, InodeId)>,
    /// The journal, or the one written ahead; each may be of another time than the trees.
    pub(crate) journal: Option<Journal>,
    /// It is the one written ahead of a commit, which may not have happened.
    pub(crate) is_ahead: bool,
    /// What the history tells, as far as its chain holds.
    pub(crate) told: Told,
    /// The roles of `install.toml`.
    pub(crate) roles: Vec<String>,
    /// Files that wait beside config files outside the install.
    pub(crate) waiting: Vec<String>,
}

/// What stands at a name.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// Nothing.
    Nothing,
    /// Something that is no directory, or a directory that cannot be read as a tree.
    Other(InodeId),
    /// A directory.
    Tree(Tree),
}

impl Standing {
    pub(crate) fn inode(&self) -> Option<InodeId> {
        match self {
            Self::Nothing => None,
            Self::Other(inode) => Some(*inode),
            Self::Tree(tree) => Some(tree.inode),
        }
    }
}

/// A directory, compared with the generations that can be believed.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    pub(crate) inode: InodeId,
    pub(crate) agreement: BTreeMap<u64, Agreement>,
}

/// The folder of a generation.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    pub(crate) inode: InodeId,
    /// What its manifest says, with signatures that suffice today, and an inventory that can be read; or why not.
    pub(crate) believed: Result<Made, String>,
    /// What stands at its `tree`.
    pub(crate) tree: Option<Standing>,
    /// It was live once and was left: only then is `left.json` there.
    pub(crate) was_left: bool,
}

/// What a generation's manifest says; nothing for one that was adopted without a package.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Made {
    pub(crate) version: Option<Version>,
    pub(crate) data_format: u64,
    pub(crate) package: Option<Digest>,
}

impl Evidence {
    pub(crate) fn is_believed(&self, number: u64) -> bool {
        self.folders
            .get(&number)
            .is_some_and(|folder| folder.believed.is_ok())
    }

    /// Whether a generation was live before: what never was is worth nothing.
    pub(crate) fn was_live(&self, number: u64) -> bool {
        let named = self.journal.as_ref().is_some_and(|journal| {
            let may_never_have_been = self.is_ahead && journal.live == number;
            journal.generations.contains_key(&number) && !may_never_have_been
        });
        named
            || self
                .folders
                .get(&number)
                .is_some_and(|folder| folder.was_left)
    }

    /// Whose tree stands in folder `slot`: its own, or that of one generation whose own place is free.
    pub(crate) fn owner_of(&self, slot: u64, tree: &Tree, taken: &BTreeSet<u64>) -> Option<u64> {
        let may_own = |number: u64| {
            self.is_believed(number) && self.was_live(number) && !taken.contains(&number)
        };
        let agrees = |number: u64| tree.agreement.get(&number).is_some_and(Agreement::is_full);
        if may_own(slot) && agrees(slot) {
            return Some(slot);
        }
        let has_no_tree = |number: u64| {
            self.folders
                .get(&number)
                .is_some_and(|folder| folder.tree.is_none())
        };
        let mut others = tree
            .agreement
            .keys()
            .copied()
            .filter(|number| may_own(*number) && has_no_tree(*number) && agrees(*number));
        match (others.next(), others.next()) {
            (Some(one), None) => return Some(one),
            (Some(_), Some(_)) => return None,
            (None, _) => {}
        }
        // A kept tree with damage stays where it is: a rollback looks at it before it is used.
        let in_part = |number: u64| {
            tree.agreement
                .get(&number)
                .is_some_and(|own| !own.is_none())
        };
        (may_own(slot) && in_part(slot)).then_some(slot)
    }

    /// How far what stands at `DIR`, and each kept tree, agrees with each generation.
    pub(crate) fn comparisons(&self) -> Vec<Comparison> {
        let mut all = Vec::new();
        let mut add = |place: &str, standing: &Standing| {
            if let Standing::Tree(tree) = standing {
                all.extend(tree.agreement.iter().map(|(number, agreement)| Comparison {
                    tree: place.to_owned(),
                    generation: *number,
                    agreement: agreement.clone(),
                }));
            }
        };
        add("DIR", &self.install);
        for (number, folder) in &self.folders {
            if let Some(standing) = &folder.tree {
                add(&format!("generations/{number}/tree"), standing);
            }
        }
        all
    }

    pub(crate) fn not_believed(&self) -> NotBelieved {
        let folders = self.folders.iter();
        folders
            .filter_map(|(number, folder)| Some((*number, folder.believed.clone().err()?)))
            .collect()
    }
}

/// What the history tells of generations and of the version floor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// The highest number that a generation had.
    pub(crate) highest: u64,
    /// Those that proved healthy.
    pub(crate) confirmed: BTreeSet<u64>,
    /// The version floor, after every confirmation and rollback.
    pub(crate) floor: Option<Version>,
}

impl Told {
    /// Reads the records in their order: a confirmation raises the floor, a rollback lowers it.
    pub(crate) fn by(records: &[Record]) -> Self {
        let mut told = Self::default();
        let mut versions: BTreeMap<u64, Option<Version>> = BTreeMap::new();
        for record in records {
            let body = match record.body.get("caught_up") {
                Some(_) => record.body.get("last").unwrap_or(&Value::Null),
                None => &record.body,
            };
            let word = |name: &str| body.get(name).and_then(Value::as_str);
            let version = || word("version").and_then(|version| version.parse().ok());
            let number = || {
                let number = body.get("generation").or_else(|| body.get("to"));
                number.and_then(Value::as_u64)
            };
            match record.kind {
                RecordKind::Adopt => {
                    told.highest = told.highest.max(1);
                    told.confirmed.insert(1);
                    told.floor = version();
                    versions.insert(1, version());
                }
                RecordKind::Transaction => {
                    let committed = matches!(
                        word("result"),
                        Some("committed" | "unhealthy" | "rolled-back")
                    );
                    if let (true, Some(number)) = (committed, number()) {
                        told.highest = told.highest.max(number);
                        versions.insert(number, version());
                        if word("kind") == Some("rollback") || word("result") == Some("rolled-back")
                        {
                            told.floor = version();
                        }
                        if body.get("confirmed").and_then(Value::as_bool) == Some(true) {
                            told.confirmed.insert(number);
                        }
                    }
                }
                RecordKind::Confirm => {
                    if let Some(number) = number() {
                        told.confirmed.insert(number);
                        let version = versions.get(&number).cloned().flatten();
                        told.floor = told.floor.take().max(version);
                    }
                }
                RecordKind::Step
                | RecordKind::Condemn
                | RecordKind::Allow
                | RecordKind::Recover
                | RecordKind::Prune
                | RecordKind::Service => {}
            }
        }
        told
    }
}
