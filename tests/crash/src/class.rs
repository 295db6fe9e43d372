// SPDX-License-Identifier: Apache-2.0
//! Kinds of points. A thousand points of one kind try one thing a thousand times; so points are
//! chosen and counted by what is done, how far the transaction had come, and to what kind of path.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use crate::calls::Operation;
use crate::journal::Stage;
use crate::machine::Machine;
use crate::machine::state_of;
use crate::oplog::Entry;
use crate::point::mode_of;
use crate::tracer::Actor;
use crate::tracer::Call;

/// What one call of a run is, for sorting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    /// How far the transaction had come.
    pub stage: Stage,
    /// What is done.
    pub operation: Operation,
    /// To what.
    pub kind: &'static str,
    /// By whom.
    pub by: Actor,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            operation,
            kind,
            by,
        } = self;
        let by = match by {
            Actor::Product => "",
            Actor::Other => " by the service",
        };
        write!(f, "{stage}: {operation} of {kind}{by}")
    }
}

impl Class {
    /// The class of a call that is about to be made.
    pub fn of(machine: &Machine, call: &Call) -> Self {
        // A rename puts something where the second path is.
        let place = match call.operation {
            Operation::Rename | Operation::Exchange => call.other.as_ref(),
            _ => call.file.as_ref(),
        };
        let path = place.map_or(call.path(), |place| &place.path);
        Self {
            stage: Stage::of(&machine.install()),
            operation: call.operation,
            kind: kind(machine, path),
            by: call.by,
        }
    }

    /// The class of a call that was logged.
    pub fn logged(machine: &Machine, entry: &Entry) -> Self {
        let path = match entry.operation {
            Operation::Rename | Operation::Exchange => entry.other.as_ref().unwrap_or(&entry.path),
            _ => &entry.path,
        };
        Self {
            stage: entry.stage,
            operation: entry.operation,
            kind: kind(machine, path),
            by: entry.by,
        }
    }
}

/// What kind of path this is.
fn kind(machine: &Machine, path: &Path) -> &'static str {
    let install = machine.install();
    let state = state_of(&install);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if path == install {
        return "the live tree's root";
    }
    if path.starts_with(&install) {
        return "the live tree";
    }
    if let Ok(below) = path.strip_prefix(&state) {
        return in_state(below, &name);
    }
    if name.starts_with(".agent.cofferdam-scratch") {
        return "the scratch folder";
    }
    let parent = install.parent();
    if Some(path) == parent {
        return "the parent directory";
    }
    if parent.is_some_and(|parent| path.starts_with(parent)) {
        return "a state directory in the making";
    }
    if path.starts_with(machine.registry()) {
        return "the list of installs";
    }
    if path.starts_with(machine.elsewhere("")) {
        return if path == machine.elsewhere("") {
            "the folder of config files"
        } else if name.starts_with('.') {
            "a waiting config file"
        } else {
            "a config file outside"
        };
    }
    if path.starts_with(machine.path("tmp")) {
        return "a scratch file";
    }
    "the service's files"
}

fn in_state(below: &Path, name: &str) -> &'static str {
    let mut parts = below.iter().map(|part| part.to_string_lossy());
    let first = parts.next();
    match first.as_deref() {
        None => "the state directory",
        Some(first) if first.ends_with("transaction.json.ahead") => "the journal written ahead",
        Some(first) if first.contains("transaction.json") => "the journal",
        Some(first) if first.contains("history.jsonl") => "the history",
        Some(first) if first.contains("refused.json") => "the condemned packages",
        Some("lock") => "the lock",
        Some("incoming") => "blobs on their way",
        Some("generations") => match (parts.next(), parts.next(), parts.next()) {
            (None, ..) => "the generations",
            (Some(_), None, _) => "a generation's folder",
            (Some(_), Some(tree), None) if tree == "tree" => "a kept tree's root",
            (Some(_), Some(tree), Some(_)) if tree == "tree" => "a kept tree",
            (Some(_), Some(_), _) if name == "inventory.json" => "an inventory",
            (Some(_), Some(_), _) => "a generation's documents",
        },
        Some(_) => "other state",
    }
}

/// How many points there were of each class, and how many were not as they should be.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    counts: BTreeMap<(String, Class), (u64, u64)>,
}

impl Tally {
    /// Counts one point.
    pub fn add(&mut self, mode: &str, class: Class, is_violation: bool) {
        let count = self.counts.entry((mode.to_owned(), class)).or_default();
        count.0 += 1;
        count.1 += u64::from(is_violation);
    }

    /// Adds another tally to this one.
    pub fn merge(&mut self, other: &Self) {
        for (class, (points, violations)) in &other.counts {
            let count = self.counts.entry(class.clone()).or_default();
            count.0 += points;
            count.1 += violations;
        }
    }

    /// Points, classes and violations of each mode. What stands behind a `/` tells kinds within a mode
    /// apart.
    pub fn modes(&self) -> BTreeMap<&str, (u64, u64, u64)> {
        let mut modes = BTreeMap::new();
        for ((kind, _), (points, violations)) in &self.counts {
            let mode = mode_of(kind);
            let sum: &mut (u64, u64, u64) = modes.entry(mode).or_default();
            sum.0 += points;
            sum.1 += 1;
            sum.2 += violations;
        }
        modes
    }

    /// Every class with its points and violations.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Class, u64, u64)> {
        self.counts
            .iter()
            .map(|((mode, class), (points, violations))| {
                (mode.as_str(), *class, *points, *violations)
            })
    }
}
