// SPDX-License-Identifier: Apache-2.0
//! Mutants: the product with one sync left out, or with one durable step taken after the next one.
//! Each should leave a disk behind that the bench finds wrong; what it does not find wrong is explained
//! in the documentation, or the bench is worth less than it seems.
//!
//! A mutant is a switch of a binary that is built for this (the feature `test-switches` of
//! `cofferdam-install`), not a build of its own. What a switch did is seen from outside: the log of the
//! mutant's run is the log of the product's with one call missing, or with two in the other order, and
//! by that call the mutant is named.
//!
//! Only states are tried that the product itself could not leave. A mutant without any such state is no
//! other program, as far as a disk can tell.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::fs;

use crate::calls::Operation;
use crate::class::Class;
use crate::machine::Machine;
use crate::oplog::Log;
use crate::point;
use crate::power::cuts::Cuts;
use crate::stand::Stand;
use crate::stand::Violation;

/// The switch that lists the steps.
pub(crate) const LIST_STEPS: &str = "COFFERDAM_LIST_STEPS";
/// Of the states that only a mutant leaves, so many of each kind are tried.
const OF_EACH_KIND: usize = 4;

/// One mutant; numbers are those of the steps that the product takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mutant {
    /// A sync is left out.
    Drop(u64),
    /// A step is taken after the next one.
    Swap(u64),
}

impl Mutant {
    fn switch(self) -> (&'static str, u64) {
        match self {
            Self::Drop(step) => ("COFFERDAM_DROP_STEP", step),
            Self::Swap(step) => ("COFFERDAM_SWAP_STEP", step),
        }
    }
}

/// What came of a mutant.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What it leaves out, or swaps.
    pub name: String,
    /// What was found wrong; none when it survived.
    pub caught: Option<String>,
    /// How many states were tried that the product could not leave.
    pub states: usize,
}

/// The product, as it is when it is not disturbed: what mutants are compared with.
pub struct Original<'a> {
    stand: &'a Stand<'a>,
    log: Log,
    states: HashSet<u64>,
    states_at_the_end: HashSet<u64>,
}

impl<'a> Original<'a> {
    /// The product at a stand.
    ///
    /// # Errors
    /// It does not do what it should.
    pub fn at(stand: &'a Stand<'a>) -> Result<Self, Violation> {
        let log = stand.log(None)?;
        let cuts = Cuts::of(&log);
        let (mut states, mut states_at_the_end) = (HashSet::new(), HashSet::new());
        cuts.each(&stand.machine, |state| {
            states.insert(state.signature);
            if state.point == cuts.end() {
                states_at_the_end.insert(state.signature);
            }
        });
        Ok(Self {
            stand,
            log,
            states,
            states_at_the_end,
        })
    }

    /// Every mutant of the product in what it does here.
    ///
    /// # Errors
    /// The product has no switches.
    pub fn mutants(&self) -> Result<Vec<Mutant>, Violation> {
        let list = self.stand.output.join("steps");
        let path = list.display().to_string();
        self.stand.log(Some((LIST_STEPS, &path)))?;
        let Ok(text) = fs::read_to_string(&list) else {
            return Err(Violation("the product has no switches".to_owned()));
        };
        fs::remove_file(&list)?;
        let steps = (1..).zip(text.lines());
        let mutants = steps.flat_map(|(number, word)| {
            let drop = word.starts_with("sync").then_some(Mutant::Drop(number));
            drop.into_iter().chain([Mutant::Swap(number)])
        });
        Ok(mutants.collect())
    }

    /// Tries one mutant; none when it does the same as the product.
    ///
    /// # Errors
    /// The bench itself failed.
    pub fn try_out(&self, mutant: Mutant) -> Result<Option<Outcome>, Violation> {
        let (switch, step) = mutant.switch();
        let log = match self.stand.log(Some((switch, &step.to_string()))) {
            Ok(log) => log,
            Err(violation) => {
                return Ok(Some(Outcome {
                    name: format!("{mutant:?}"),
                    caught: Some(violation.0),
                    states: 0,
                }));
            }
        };
        let machine = &self.stand.machine;
        let Some(name) = name(machine, mutant, &self.log, &log) else {
            return Ok(None);
        };
        let cuts = Cuts::of(&log);
        let mut kinds: BTreeMap<_, Vec<(u64, u64)>> = BTreeMap::new();
        let mut known = HashSet::new();
        cuts.each(machine, |state| {
            let is_at_the_end = state.point == cuts.end();
            let could_be = if is_at_the_end {
                &self.states_at_the_end
            } else {
                &self.states
            };
            let is_new = !could_be.contains(&state.signature);
            if is_new && known.insert((state.signature, is_at_the_end)) {
                let points = kinds.entry(state.kind).or_default();
                points.push((state.point, state.number));
            }
        });
        let mut states = 0;
        for (number, state) in kinds.values().flat_map(|points| {
            let step = points.len().div_ceil(OF_EACH_KIND);
            points.iter().step_by(step)
        }) {
            states += 1;
            let judged = point::judge_cut(self.stand, &cuts, *number, *state)?;
            if let Some(violation) = judged.violation {
                return Ok(Some(Outcome {
                    name,
                    caught: Some(violation.0),
                    states,
                }));
            }
        }
        Ok(Some(Outcome {
            name,
            caught: None,
            states,
        }))
    }
}

/// What one call is, as far as two runs can be compared.
fn marks(machine: &Machine, log: &Log) -> Vec<(Operation, Class)> {
    let entries = log.entries.iter();
    let class = |entry| Class::logged(machine, entry);
    entries
        .map(|entry| (entry.operation, class(entry)))
        .collect()
}

/// What a mutant does otherwise than the product.
fn name(machine: &Machine, mutant: Mutant, product: &Log, mutated: &Log) -> Option<String> {
    let (product, mutated) = (marks(machine, product), marks(machine, mutated));
    let same = |one: &(Operation, Class), two: &(Operation, Class)| {
        (one.0, one.1.kind, one.1.by) == (two.0, two.1.kind, two.1.by)
    };
    let pairs = product.iter().zip(&mutated);
    let first = pairs.take_while(|(one, two)| same(one, two)).count();
    let gone = product.get(first)?.1;
    match mutant {
        Mutant::Drop(_) => Some(format!("without {gone}")),
        // The last step has no next one, and is left out: that is another mutant.
        Mutant::Swap(_) if mutated.len() < product.len() => None,
        Mutant::Swap(_) => {
            let moved = mutated.iter().skip(first);
            let later = moved
                .take_while(|other| !same(other, &product[first]))
                .count();
            let next = product.get(first + later)?.1;
            (later > 0).then(|| format!("{gone}, after {next}"))
        }
    }
}
