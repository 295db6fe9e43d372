// SPDX-License-Identifier: Apache-2.0
//! The score of the bench: which mutants it caught in any scenario, and whether each survivor is
//! explained in the documentation.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::mutants::Outcome;
use crate::say;

/// The page that explains survivors: each in a row of a table that begins with its name.
const EXPLAINED: &str = include_str!("../../../host/docs/durability.md");

/// What came of every mutant, by name.
#[derive(Debug, Default)]
pub struct Score {
    mutants: BTreeMap<String, Tried>,
}

#[derive(Clone, Debug, Default)]
struct Tried {
    caught: Option<String>,
    scenarios: BTreeSet<&'static str>,
    states: usize,
}

impl Score {
    /// Adds what came of the mutants of a scenario.
    pub fn add(&mut self, scenario: &'static str, outcomes: Vec<Outcome>) {
        for outcome in outcomes {
            let tried = self.mutants.entry(outcome.name).or_default();
            tried.scenarios.insert(scenario);
            tried.states += outcome.states;
            if let Some(how) = outcome.caught {
                tried.caught.get_or_insert(how);
            }
        }
    }

    /// Prints the score; answers whether every survivor is explained.
    pub fn tell(&self) -> bool {
        let (mut caught, mut survived, mut same, mut is_good) = (0, 0, 0, true);
        for (name, tried) in &self.mutants {
            let is_explained = is_explained(name);
            if let Some(how) = &tried.caught {
                caught += 1;
                let how = how.lines().next().unwrap_or_default();
                let how: String = how.chars().take(120).collect();
                say::line(&format!("  caught: {name}\n    {how}"));
                if is_explained {
                    say::line("    what the documents say of it as a survivor is out of date");
                }
            } else if tried.states == 0 {
                same += 1;
                say::line(&format!("  no other disks: {name}"));
            } else {
                survived += 1;
                is_good &= is_explained;
                let word = if is_explained { "" } else { ", UNEXPLAINED" };
                let scenarios: Vec<&str> = tried.scenarios.iter().copied().collect();
                let (scenarios, states) = (scenarios.join(", "), tried.states);
                say::line(&format!(
                    "  survived{word}: {name}\n    {states} states of its own in {scenarios}"
                ));
            }
        }
        let all = caught + survived;
        say::line(&format!(
            "\nmutants: {caught} of {all} caught, {survived} survived; {same} more leave no disk that the \
             product could not leave"
        ));
        is_good
    }
}

fn is_explained(name: &str) -> bool {
    let row = format!("| {name} |");
    EXPLAINED.lines().any(|line| line.starts_with(&row))
}
