// SPDX-License-Identifier: Apache-2.0
//! Questions that a stage and a plan ask of the decisions.

use std::collections::BTreeSet;

use crate::classify::Action;
use crate::classify::Classified;
use crate::classify::is_same_type;
use crate::error::TreeError;
use crate::inventory::Item;
use crate::inventory::ItemKind;
use crate::walk::Found;
use crate::walk::FoundNode;

impl Classified {
    /// The inventory's item at `path` when the package owns it.
    pub(crate) fn managed(&self, path: &str) -> Option<&Item> {
        self.old
            .entries
            .get(path)
            .filter(|item| item.kind == ItemKind::Managed)
    }

    /// Whether the object found at `path` of the live tree is state that goes into the next tree.
    pub(crate) fn is_state(&self, path: &str, found: &Found) -> bool {
        match self.actions.get(path) {
            Some(
                Action::Link { .. }
                | Action::Remode { .. }
                | Action::Write { .. }
                | Action::Symlink { .. },
            ) => false,
            Some(Action::Seed { .. } | Action::SeedStands { .. } | Action::SeedOfOlder { .. }) => {
                true
            }
            Some(Action::Directory { .. }) => found.node == FoundNode::Directory,
            None => {
                self.managed(path)
                    .is_none_or(|item| !is_same_type(&item.node, &found.node))
                    && !self.is_drifted(path, found)
            }
        }
    }

    /// Whether `found` is one of the operator's live files; the package wins where it owns a path.
    pub(crate) fn is_live(&self, path: &str, found: &Found) -> bool {
        let wanted = self.actions.get(path).is_some_and(|action| {
            !matches!(
                action,
                Action::Seed { .. } | Action::SeedStands { .. } | Action::SeedOfOlder { .. }
            )
        });
        found.live && !wanted && self.managed(path).is_none()
    }

    /// A symlink or file in the place of a managed object of another type.
    fn is_drifted(&self, path: &str, found: &Found) -> bool {
        found.node != FoundNode::Directory && self.managed(path).is_some()
    }

    /// Every path that the package owns, in the live tree or the next.
    pub(crate) fn managed_paths(&self) -> BTreeSet<String> {
        let next = self.actions.iter().filter(|(_, action)| {
            !matches!(
                action,
                Action::Seed { .. }
                    | Action::SeedStands { .. }
                    | Action::SeedOfOlder { .. }
                    | Action::Directory { managed: false, .. }
            )
        });
        let old = self.old.paths_of(ItemKind::Managed).map(str::to_owned);
        next.map(|(path, _)| path.clone()).chain(old).collect()
    }

    /// Managed files that are linked because nothing about them changes.
    pub fn linked(&self) -> impl Iterator<Item = &str> {
        self.paths_where(|action| matches!(action, Action::Link { .. }))
    }

    /// Managed files and seeds that are written: new content, a new mode, or not there yet.
    pub fn written(&self) -> impl Iterator<Item = &str> {
        self.paths_where(|action| {
            matches!(
                action,
                Action::Write { .. } | Action::Remode { .. } | Action::Seed { .. }
            )
        })
    }

    /// Seeds that are installed because nothing stands in their place.
    pub fn seeds_installed(&self) -> impl Iterator<Item = &str> {
        self.paths_where(|action| {
            matches!(action, Action::Seed { .. } | Action::SeedOfOlder { .. })
        })
    }

    /// Bytes that are written for managed files and seeds.
    pub fn written_bytes(&self) -> u64 {
        let bytes = |action: &Action| match action {
            Action::Write { bytes, .. } | Action::Seed { bytes, .. } => *bytes,
            Action::Remode { stamp, .. } | Action::SeedOfOlder { stamp, .. } => stamp.bytes,
            Action::Link { .. }
            | Action::SeedStands { .. }
            | Action::Directory { .. }
            | Action::Symlink { .. } => 0,
        };
        self.actions.values().map(bytes).sum()
    }

    fn paths_where(&self, keep: impl Fn(&Action) -> bool) -> impl Iterator<Item = &str> {
        self.actions
            .iter()
            .filter(move |(_, action)| keep(action))
            .map(|(path, _)| path.as_str())
    }

    /// Refuses when state is in the way.
    ///
    /// # Errors
    ///
    /// `state-in-the-way` with every such path.
    pub fn refuse_state_in_the_way(&self) -> Result<(), TreeError> {
        if self.in_the_way.is_empty() {
            Ok(())
        } else {
            Err(TreeError::StateInTheWay {
                paths: self.in_the_way.clone(),
            })
        }
    }
}
