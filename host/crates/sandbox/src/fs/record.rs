// SPDX-License-Identifier: Apache-2.0
//! What a step did, per path. A change that cannot be recorded is not made.

use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::RECORDED_ENTRY_BYTES;
use crate::limits::RECORDED_LOOKS;
use crate::limits::RECORDED_PATH_BYTES;
use crate::record::Denied;
use crate::record::Touched;
use std::collections::HashMap;

#[derive(Debug, Clone, Copy)]
struct Place {
    entry: usize,
    /// Whether no change was announced for it yet.
    only_looked: bool,
}

/// The paths that a run touched.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    entries: Vec<Touched>,
    /// Where in `entries` a path is: asked for at every call of the step, so not by comparing paths.
    places: HashMap<String, Place>,
    path_bytes: usize,
    /// How many paths no change was announced for.
    looks: usize,
    changes: u64,
    unlisted: u64,
    /// Whether a change was not made for want of room.
    is_spent: bool,
}

impl Trail {
    /// The entry of a path that is about to change.
    ///
    /// # Errors
    /// When there is no room for it.
    pub(super) fn change(&mut self, path: &str) -> Outcome<&mut Touched> {
        self.changes += 1;
        let entry = match self.places.get_mut(path) {
            Some(place) => {
                self.looks -= usize::from(place.only_looked);
                place.only_looked = false;
                Some(place.entry)
            }
            None => self.add(path, false),
        };
        self.is_spent |= entry.is_none();
        entry
            .and_then(|entry| self.entries.get_mut(entry))
            .ok_or(Refusal::Spent)
    }

    /// How many changes were announced.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a change was not made, since there was no room for its entry.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// The entry of a path that was only looked at; none when there is no room for it.
    pub(super) fn look(&mut self, path: &str) -> Option<&mut Touched> {
        let entry = match self.places.get(path) {
            Some(place) => Some(place.entry),
            None if self.looks < RECORDED_LOOKS => self.add(path, true),
            None => None,
        };
        if entry.is_none() {
            self.unlisted += 1;
        }
        self.entries.get_mut(entry?)
    }

    /// Notes that something was refused.
    pub(super) fn deny(&mut self, path: &str, what: Denied) {
        if let Some(touched) = self.look(path) {
            touched.denied.insert(what);
        }
    }

    /// The entries, sorted by path, and how many found no room.
    pub(crate) fn into_entries(mut self) -> (Vec<Touched>, u64) {
        self.entries.retain(|touched| {
            *touched
                != Touched {
                    path: touched.path.clone(),
                    ..Touched::default()
                }
        });
        self.entries.sort_by(|one, other| one.path.cmp(&other.path));
        (self.entries, self.unlisted)
    }

    /// A new entry, if there is room for it.
    fn add(&mut self, path: &str, only_looked: bool) -> Option<usize> {
        if self.path_bytes + path.len() > RECORDED_PATH_BYTES {
            return None;
        }
        self.path_bytes += path.len() + RECORDED_ENTRY_BYTES;
        self.looks += usize::from(only_looked);
        let entry = self.entries.len();
        self.entries.push(Touched {
            path: path.to_owned(),
            ..Touched::default()
        });
        self.places
            .insert(path.to_owned(), Place { entry, only_looked });
        Some(entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_too_many_looks_and_denials_the_rest_is_counted_and_a_change_still_listed() {
        let mut trail = Trail::default();
        for number in 0..RECORDED_LOOKS {
            trail.deny(&format!("a/{number}"), Denied::Read);
        }
        assert!(trail.look("b").is_none());
        trail.deny("b", Denied::Read);
        trail.change("c").unwrap().created = true;
        // One that is changed later takes no room among the looks any more.
        trail.change("a/0").unwrap().written = true;
        assert!(trail.look("d").is_some_and(|touched| {
            touched.read = true;
            true
        }));
        let (entries, unlisted) = trail.into_entries();
        assert_eq!((entries.len(), unlisted), (RECORDED_LOOKS + 2, 2));
        assert!(entries.iter().any(|touched| touched.path == "c"));
        assert_eq!(entries[0].path, "a/0");
        assert!(entries[0].written && !entries[0].denied.is_empty());
    }

    #[test]
    fn a_change_that_finds_no_room_is_refused_and_told() {
        let mut trail = Trail::default();
        let long = "n".repeat(4_000);
        for number in 0..RECORDED_PATH_BYTES / 4_000 {
            trail.look(&format!("{number}/{long}"));
        }
        assert!(!trail.is_spent());
        assert!(trail.change("0").is_ok(), "a little room is left");
        assert!(trail.change(&long).is_err());
        assert!(trail.is_spent());
    }
}
