// SPDX-License-Identifier: Apache-2.0
//! Which overrides move where.

use std::collections::BTreeSet;

/// Probes that got new names in 1.1.0.
pub(crate) const RENAMED: [(&str, &str); 2] = [("loadavg", "load"), ("memfree", "memory")];

/// One file to rename, both paths relative to `plugins/`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Move {
    /// Where the override is.
    pub(crate) from: String,
    /// Where it goes.
    pub(crate) to: String,
}

/// Plans the moves for the files `present` in `plugins/local/`.
///
/// An override of a renamed probe gets the new name. Where the operator already has one under the new
/// name, that one counts, and the old one is kept in `plugins/retired/`.
pub(crate) fn plan(present: &BTreeSet<String>) -> Vec<Move> {
    RENAMED
        .iter()
        .map(|(old, new)| (format!("{old}.probe"), format!("{new}.probe")))
        .filter(|(old, _)| present.contains(old))
        .map(|(old, new)| {
            let to = if present.contains(&new) {
                format!("retired/{old}")
            } else {
                format!("local/{new}")
            };
            Move {
                from: format!("local/{old}"),
                to,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn an_override_follows_its_probe() {
        let moves = plan(&names(&["loadavg.probe", "mine.probe"]));
        let expected = Move {
            from: "local/loadavg.probe".into(),
            to: "local/load.probe".into(),
        };
        assert_eq!(moves, vec![expected]);
    }

    #[test]
    fn an_override_under_the_new_name_is_not_overwritten() {
        let moves = plan(&names(&["memfree.probe", "memory.probe"]));
        assert_eq!(moves[0].to, "retired/memfree.probe");
    }

    #[test]
    fn a_second_run_finds_nothing_to_do() {
        assert_eq!(plan(&names(&["load.probe", "mine.probe"])), vec![]);
    }
}
