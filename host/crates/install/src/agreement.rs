// SPDX-License-Identifier: Apache-2.0
//! How far a tree is what a generation's inventory says: the one thing that tells whose tree it is when the journal
//! cannot.
//!
//! Managed files decide, by digest: state changes while a program runs, and modes and owners change when a backup is
//! unpacked by somebody else. A generation without managed files (adopted without a package) is known by its state
//! files instead, of which at least one must be as it was.

use cofferdam_package::glob::GlobSet;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::inventory::ItemKind;
use cofferdam_tree::inventory::Node;
use cofferdam_tree::verify::Drift;
use cofferdam_tree::verify::DriftKind;
use cofferdam_tree::verify::Scope;
use cofferdam_tree::verify::drift_of;
use cofferdam_tree::walk::LiveTree;
use serde::Serialize;

use crate::error::InstallError;
use crate::generation;
use crate::generation::Known;
use crate::journal::Journal;
use crate::journal::recovery::LiveIs;
use crate::layout;
use crate::layout::InodeId;
use crate::layout::Place;
use crate::settings::Settings;

/// How many differing paths are kept, for people.
const SHOWN: usize = 5;

/// How far a tree is what an inventory says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Agreement {
    /// Files and symlinks that the package owns.
    pub managed: usize,
    /// How many of them are there with the same content; of a tree that is kept at its place, also those that
    /// differ as was known when the generation was left.
    pub agreeing: usize,
    /// State files of the inventory; only counted where nothing is managed.
    pub state: usize,
    /// How many of them are as they were.
    pub state_agreeing: usize,
    /// The first managed paths that differ.
    pub differing: Vec<String>,
}

impl Agreement {
    /// Compares a tree with an inventory.
    pub(crate) fn of(
        tree: &LiveTree,
        inventory: &Inventory,
        left: &Known,
    ) -> Result<Self, InstallError> {
        let count = |managed: bool| {
            let entries = inventory.entries.values();
            entries
                .filter(|item| (item.kind == ItemKind::Managed) == managed)
                .filter(|item| item.node != Node::Directory)
                .count()
        };
        let differs = |drift: &Drift| {
            let is_directory = inventory
                .entries
                .get(&drift.path)
                .is_some_and(|item| item.node == Node::Directory);
            let by_content = match drift.what {
                DriftKind::Missing
                | DriftKind::Type { .. }
                | DriftKind::Content
                | DriftKind::Target => true,
                DriftKind::Unexpected | DriftKind::Mode { .. } | DriftKind::Owner => false,
            };
            by_content && !is_directory
        };
        let managed = count(true);
        if managed == 0 {
            let state = count(false);
            let changed = drift_of(tree, inventory, Scope::State)?;
            return Ok(Self {
                state,
                state_agreeing: state
                    .saturating_sub(changed.iter().filter(|drift| differs(drift)).count()),
                ..Self::default()
            });
        }
        let differing: Vec<String> = drift_of(tree, inventory, Scope::Managed)?
            .into_iter()
            .filter(|drift| differs(drift) && !left.knew(drift))
            .map(|drift| drift.path)
            .collect();
        Ok(Self {
            managed,
            agreeing: managed.saturating_sub(differing.len()),
            differing: differing.into_iter().take(SHOWN).collect(),
            ..Self::default()
        })
    }

    /// Nothing speaks against it.
    pub fn is_full(&self) -> bool {
        if self.managed > 0 {
            self.agreeing == self.managed
        } else {
            self.state == 0 || self.state_agreeing > 0
        }
    }

    /// Nothing speaks for it.
    pub fn is_none(&self) -> bool {
        if self.managed > 0 {
            self.agreeing == 0
        } else {
            !self.is_full()
        }
    }
}

/// Whose tree stands at `DIR`, where the journal says that its generation `live` should.
///
/// The inode that the journal recorded settles it, with the time at which that directory was made. An install that was moved, copied or unpacked from a backup has
/// another one: then the files are compared, until the next command that writes records the new inode.
pub(crate) fn whose_live_tree(place: &Place, journal: &Journal, found: InodeId) -> LiveIs {
    let made_then = journal
        .live_tree_born_ns
        .is_none_or(|then| layout::born_ns(place.parent(), place.name()) == Some(then));
    if journal.live_tree == Some(found) && made_then {
        return LiveIs::Recorded;
    }
    // What cannot be compared contradicts nothing; whoever needs the inventory says what is wrong with it.
    compared(place, journal).unwrap_or(LiveIs::NotCompared)
}

fn compared(place: &Place, journal: &Journal) -> Result<LiveIs, InstallError> {
    let inventory = generation::read_inventory(place, journal.live)?;
    let tree = read_tree(place)?;
    let own = Agreement::of(&tree, &inventory, &Known::default())?;
    if own.is_full() {
        return Ok(LiveIs::AsSealed { differing: 0 });
    }
    for other in folders(place)? {
        if other == journal.live {
            continue;
        }
        let Ok(inventory) = generation::read_inventory(place, other) else {
            continue;
        };
        let theirs = Agreement::of(&tree, &inventory, &Known::default())?;
        if theirs.managed > 0 && theirs.is_full() {
            return Ok(LiveIs::Another { generation: other });
        }
    }
    // It may have come back as it was left: with edits, for which any other edit would pass. So that counts only
    // here, and the operator is told how many files differ.
    let as_left = || Agreement::of(&tree, &inventory, &left(place, journal.live));
    if own.managed > 0 && own.is_none() && !as_left()?.is_full() {
        return Ok(LiveIs::Nobodys);
    }
    Ok(LiveIs::AsSealed {
        differing: own.managed.saturating_sub(own.agreeing),
    })
}

fn read_tree(place: &Place) -> Result<LiveTree, InstallError> {
    let live = place.open_live().map_err(|source| InstallError::Io {
        doing: format!("open `{}`", place.path().display()),
        source,
    })?;
    Ok(LiveTree::read(&live, &patterns(place))?)
}

/// The operator's patterns of live files; none while `install.toml` has a mistake.
fn patterns(place: &Place) -> GlobSet {
    Settings::read(place.state(), layout::SETTINGS)
        .map(|settings| settings.live)
        .unwrap_or_default()
}

/// What was known of a generation when it was left; nothing where that cannot be read.
pub(crate) fn left(place: &Place, generation: u64) -> Known {
    generation::read_known(place, generation, layout::LEFT).unwrap_or_default()
}

/// The numbers of all folders of generations, named by a journal or not.
pub(crate) fn folders(place: &Place) -> Result<Vec<u64>, InstallError> {
    let mut numbers: Vec<u64> = crate::salvage::look::names_in_generations(place)?
        .iter()
        .filter_map(|name| layout::generation_number(name))
        .collect();
    numbers.sort_unstable();
    Ok(numbers)
}
