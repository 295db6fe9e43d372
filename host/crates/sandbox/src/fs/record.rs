// SPDX-License-Identifier: Apache-2.0
//! What a step did, per path. A change that cannot be recorded is not made.

use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::RECORDED_ENTRY_BYTES;
use crate::limits::RECORDED_PATH_BYTES;
use crate::record::Denied;
use crate::record::Touched;
use std::collections::HashMap;

/// The paths that a run touched.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    entries: Vec<Touched>,
    /// Where in `entries` a path is: asked for at every call of the step, so not by comparing paths.
    places: HashMap<String, usize>,
    path_bytes: usize,
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
        let place = self.place(path);
        self.is_spent |= place.is_none();
        place
            .and_then(|place| self.entries.get_mut(place))
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
        let place = self.place(path);
        if place.is_none() {
            self.unlisted += 1;
        }
        self.entries.get_mut(place?)
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

    /// Where the entry of a path is; a new one, if there is room for it.
    fn place(&mut self, path: &str) -> Option<usize> {
        if let Some(place) = self.places.get(path) {
            return Some(*place);
        }
        if self.path_bytes + path.len() > RECORDED_PATH_BYTES {
            return None;
        }
        self.path_bytes += path.len() + RECORDED_ENTRY_BYTES;
        let place = self.entries.len();
        self.entries.push(Touched {
            path: path.to_owned(),
            ..Touched::default()
        });
        self.places.insert(path.to_owned(), place);
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
