// SPDX-License-Identifier: Apache-2.0
//! Every state that a power cut may leave at each point of a run, by number, and which of them are
//! tried.
//!
//! Point `N.K` is state `K` of those that may be found when the power is cut before call `N`.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::Hash as _;
use std::hash::Hasher as _;
use std::io;

use super::durability;
use super::durability::Made;
use super::state::Left;
use super::state::State;
use crate::class::Class;
use crate::laid;
use crate::machine::Machine;
use crate::oplog::Change;
use crate::oplog::Log;
use crate::plan::Chance;
use crate::point::Disturbance;
use crate::point::Point;

/// The power cuts of one run.
pub struct Cuts<'a> {
    log: &'a Log,
    made: Vec<Made<'a>>,
    /// The file systems that the run changed.
    devices: Vec<u64>,
}

/// What is left of the changes that are pending at a point; numbers are places among all changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaves {
    /// All of them.
    All,
    /// None.
    Nothing,
    /// All on this file system, none elsewhere.
    Only(u64),
    /// One.
    Alone(usize),
    /// All but one.
    Without(usize),
    /// All, and of one write its first half.
    FirstHalf(usize),
    /// All, and of one write its second half.
    SecondHalf(usize),
    /// Of names and inodes on one file system those before this one, of bytes what `bytes` says; on
    /// other file systems all or nothing.
    Before {
        place: usize,
        bytes: Bytes,
        elsewhere: bool,
    },
}

/// What is left of pending bytes, where names and inodes are in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bytes {
    /// All that were written before.
    There,
    /// None.
    Lost,
    /// All but the second half of the last write.
    Torn,
}

/// What kind of state: for counting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cut {
    /// The model, and what is left.
    pub leaves: &'static str,
    /// Whether the commands had ended: what they promised is to be there.
    pub is_after: bool,
    /// The stage at the cut, and what the state is about: the change that is alone or lost, or the
    /// call before which the power was cut.
    pub class: Class,
}

impl Leaves {
    fn word(self) -> &'static str {
        match self {
            Self::All => "power/minimal/all",
            Self::Nothing => "power/minimal/nothing",
            Self::Only(_) => "power/minimal/one file system",
            Self::Alone(_) => "power/minimal/alone",
            Self::Without(_) => "power/minimal/without",
            Self::FirstHalf(_) => "power/minimal/first half",
            Self::SecondHalf(_) => "power/minimal/second half",
            Self::Before { bytes, .. } => match bytes {
                Bytes::There => "power/ordered/before",
                Bytes::Lost => "power/ordered/bytes lost",
                Bytes::Torn => "power/ordered/bytes torn",
            },
        }
    }

    /// The change that the state is about.
    fn about(self) -> Option<usize> {
        match self {
            Self::All | Self::Nothing | Self::Only(_) => None,
            Self::Alone(place)
            | Self::Without(place)
            | Self::FirstHalf(place)
            | Self::SecondHalf(place)
            | Self::Before { place, .. } => Some(place),
        }
    }
}

/// Of so many states of one point each is looked at; of more, others at each point.
const AT_ONE_POINT: usize = 256;

impl<'a> Cuts<'a> {
    /// Those of a run.
    pub fn of(log: &'a Log) -> Self {
        let made = durability::made(log);
        let devices: BTreeSet<u64> = made.iter().map(|made| made.device).collect();
        Self {
            log,
            made,
            devices: devices.into_iter().collect(),
        }
    }

    /// The point after the last call: everything that the run promised, it has promised by then.
    pub fn end(&self) -> u64 {
        self.log.entries.len() as u64 + 1
    }

    /// The changes that a power cut before an entry may take back.
    fn pending(&self, cut: usize) -> Vec<usize> {
        let done = self.made.partition_point(|made| made.entry < cut);
        let is_pending = |place: &usize| !is_kept(self.made[*place].durable, cut);
        (0..done).filter(is_pending).collect()
    }

    /// Which states may be found at a point.
    pub(super) fn at(&self, point: u64) -> Vec<Leaves> {
        let cut = point.saturating_sub(1) as usize;
        let pending = self.pending(cut);
        let mut leaves = vec![Leaves::All, Leaves::Nothing];
        if self.devices.len() > 1 {
            leaves.extend(self.devices.iter().map(|device| Leaves::Only(*device)));
        }
        for place in &pending {
            leaves.extend([Leaves::Alone(*place), Leaves::Without(*place)]);
            if let Change::Write { bytes, .. } = self.made[*place].change
                && bytes.len() > 1
            {
                leaves.extend([Leaves::FirstHalf(*place), Leaves::SecondHalf(*place)]);
            }
        }
        for place in pending {
            let made = &self.made[place];
            if made.is_bytes() || is_kept(made.durable_in_order, cut) {
                continue;
            }
            for bytes in [Bytes::There, Bytes::Lost, Bytes::Torn] {
                for elsewhere in [true, false] {
                    if elsewhere || self.devices.len() > 1 {
                        leaves.push(Leaves::Before {
                            place,
                            bytes,
                            elsewhere,
                        });
                    }
                }
            }
        }
        leaves
    }

    /// What is left of the change at a place.
    fn left(&self, leaves: Leaves, cut: usize, place: usize) -> Left {
        let made = &self.made[place];
        let all_if = |is_left: bool| if is_left { Left::All } else { Left::Nothing };
        if let Leaves::Before {
            place: end,
            bytes,
            elsewhere,
        } = leaves
        {
            if is_kept(made.durable_in_order, cut) {
                return Left::All;
            }
            if made.device != self.made[end].device {
                return all_if(elsewhere);
            }
            if !made.is_bytes() || bytes == Bytes::There {
                return all_if(place < end);
            }
            return match bytes {
                Bytes::Torn if self.is_last_write(place, end) => Left::FirstHalf,
                Bytes::Torn => all_if(place < end),
                Bytes::There | Bytes::Lost => Left::Nothing,
            };
        }
        if is_kept(made.durable, cut) {
            return Left::All;
        }
        match leaves {
            Leaves::Nothing => Left::Nothing,
            Leaves::Only(device) => all_if(device == made.device),
            Leaves::Alone(one) => all_if(one == place),
            Leaves::Without(one) => all_if(one != place),
            Leaves::FirstHalf(one) if one == place => Left::FirstHalf,
            Leaves::SecondHalf(one) if one == place => Left::SecondHalf,
            Leaves::All | Leaves::FirstHalf(_) | Leaves::SecondHalf(_) | Leaves::Before { .. } => {
                Left::All
            }
        }
    }

    /// Whether the write at a place is the last one on its file system before another place.
    fn is_last_write(&self, place: usize, end: usize) -> bool {
        let later = self.made.get(place + 1..end);
        let device = self.made[place].device;
        later.is_some_and(|later| {
            !later
                .iter()
                .any(|made| made.is_bytes() && made.device == device)
        })
    }

    /// A number for what is left of a change; the sum of those of all changes is a state's.
    fn mark(&self, place: usize, left: Left) -> u64 {
        if left == Left::Nothing {
            return 0;
        }
        let mut hasher = DefaultHasher::new();
        let entry = &self.log.entries[self.made[place].entry];
        (place, left, entry.operation).hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn built(&self, point: u64, leaves: Leaves) -> State {
        let cut = point.saturating_sub(1) as usize;
        let mut state = State::new(self.log.start.clone());
        for (place, made) in self.made.iter().enumerate() {
            if made.entry >= cut {
                break;
            }
            state.keep(made.change, self.left(leaves, cut, place));
        }
        state
    }

    fn cut(&self, machine: &Machine, point: u64, leaves: Leaves) -> Cut {
        let at = point.saturating_sub(1) as usize;
        let stage = self
            .log
            .entries
            .get(at)
            .map_or(self.log.after, |entry| entry.stage);
        let about = leaves.about().map_or(at, |place| self.made[place].entry);
        let about = about.min(self.log.entries.len().saturating_sub(1));
        Cut {
            leaves: leaves.word(),
            is_after: point == self.end(),
            class: Class {
                stage,
                ..Class::logged(machine, &self.log.entries[about])
            },
        }
    }

    /// Lays a state down at the place of the machine; answers with its kind, or with none when the
    /// point has no such state.
    ///
    /// # Errors
    /// It cannot be laid down.
    pub fn lay(&self, machine: &Machine, point: u64, number: u64) -> io::Result<Option<Cut>> {
        if point > self.end() {
            return Ok(None);
        }
        let Some(leaves) = self.at(point).get(number as usize).copied() else {
            return Ok(None);
        };
        laid::lay(
            &self.built(point, leaves).disk,
            &self.log.identities,
            machine,
        )?;
        Ok(Some(self.cut(machine, point, leaves)))
    }

    /// Tells of every state of every point; of points with many changes pending, of some.
    pub fn each(&self, machine: &Machine, mut tell: impl FnMut(Found)) {
        for point in 1..=self.end() {
            let cut = point.saturating_sub(1) as usize;
            let pending = self.pending(cut);
            let done = self.made.partition_point(|made| made.entry < cut);
            let is_durable = |place: &usize| is_kept(self.made[*place].durable, cut);
            let durable = (0..done).filter(is_durable);
            let durable = durable.fold(0, |sum: u64, place| {
                sum.wrapping_add(self.mark(place, Left::All))
            });
            let signature = |leaves: Leaves| {
                pending.iter().fold(durable, |sum, place| {
                    sum.wrapping_add(self.mark(*place, self.left(leaves, cut, *place)))
                })
            };
            let leaves = self.at(point);
            let step = leaves.len() / AT_ONE_POINT + 1;
            let first = point as usize % step;
            for (number, leaves) in leaves.iter().enumerate().skip(first).step_by(step) {
                tell(Found {
                    point,
                    number: number as u64,
                    kind: self.cut(machine, point, *leaves),
                    signature: signature(*leaves),
                });
            }
        }
    }

    /// Chooses at most `most` states of each kind, no two of them the same.
    pub fn choose(&self, machine: &Machine, most: usize, chance: &mut Chance) -> Vec<Point> {
        let mut kinds: BTreeMap<Cut, Sample> = BTreeMap::new();
        let mut known = HashSet::new();
        self.each(machine, |found| {
            if known.insert((found.signature, found.kind.is_after)) {
                let sample = kinds.entry(found.kind).or_default();
                sample.offer((found.point, found.number), most, chance);
            }
        });
        let mut chosen = Vec::new();
        for (kind, sample) in kinds {
            chosen.extend(sample.kept.into_iter().map(|(number, state)| Point {
                number,
                disturbance: Disturbance::Power {
                    state,
                    kind: kind.leaves,
                },
            }));
        }
        chosen.sort_by_key(|point| point.number);
        chosen
    }
}

/// A state among others.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Before which call the power is cut.
    pub point: u64,
    /// Which of the states that may be found there.
    pub number: u64,
    /// What kind of state.
    pub kind: Cut,
    /// A number that two states share only when the same changes are left of the same run.
    pub signature: u64,
}

/// Whether a change that is durable from a call on was durable when the power was cut.
fn is_kept(durable: Option<usize>, cut: usize) -> bool {
    durable.is_some_and(|at| at < cut)
}

/// Some of many, each as likely as the others.
#[derive(Default)]
struct Sample {
    kept: Vec<(u64, u64)>,
    seen: u64,
}

impl Sample {
    fn offer(&mut self, state: (u64, u64), most: usize, chance: &mut Chance) {
        self.seen += 1;
        if self.kept.len() < most {
            self.kept.push(state);
            return;
        }
        let place = chance.up_to(self.seen) as usize - 1;
        if let Some(kept) = self.kept.get_mut(place) {
            *kept = state;
        }
    }
}
