// SPDX-License-Identifier: Apache-2.0
//! What a step did, per path. A change that cannot be recorded is not made.

use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::RECORDED_PATH_BYTES;
use crate::record::Denied;
use crate::record::Touched;
use std::collections::BTreeMap;

/// The paths that a run touched.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    paths: BTreeMap<String, Touched>,
    path_bytes: usize,
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
        self.is_spent |= !self.paths.contains_key(path) && !self.has_room(path);
        self.entry(path).ok_or(Refusal::Spent)
    }

    /// Whether a change was not made, since there was no room for its entry.
    pub(crate) fn is_spent(&self) -> bool {
        self.is_spent
    }

    /// The entry of a path that was only looked at; none when there is no room for it.
    pub(super) fn look(&mut self, path: &str) -> Option<&mut Touched> {
        // Two look-ups instead of one, because of the early return of a borrow.
        if self.paths.contains_key(path) || self.has_room(path) {
            return self.entry(path);
        }
        self.unlisted += 1;
        None
    }

    /// Notes that something was refused.
    pub(super) fn deny(&mut self, path: &str, what: Denied) {
        if let Some(touched) = self.look(path) {
            touched.denied.insert(what);
        }
    }

    /// The entries, sorted by path, and how many found no room.
    pub(crate) fn into_entries(self) -> (Vec<Touched>, u64) {
        let nothing = |touched: &Touched| {
            *touched
                == Touched {
                    path: touched.path.clone(),
                    ..Touched::default()
                }
        };
        (
            self.paths
                .into_values()
                .filter(|touched| !nothing(touched))
                .collect(),
            self.unlisted,
        )
    }

    fn has_room(&self, path: &str) -> bool {
        self.path_bytes + path.len() <= RECORDED_PATH_BYTES
    }

    fn entry(&mut self, path: &str) -> Option<&mut Touched> {
        if !self.paths.contains_key(path) {
            if !self.has_room(path) {
                return None;
            }
            // The map's own cost per entry counts as well, so that short names are not free.
            self.path_bytes += path.len() + 64;
            let touched = Touched {
                path: path.to_owned(),
                ..Touched::default()
            };
            self.paths.insert(path.to_owned(), touched);
        }
        self.paths.get_mut(path)
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
