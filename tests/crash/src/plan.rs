// SPDX-License-Identifier: Apache-2.0
//! Which points are tried: all of a run, or some of each class.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::class::Class;
use crate::directors::Surveyed;
use crate::fault::FAULTS;
use crate::fault::Fault;
use crate::point::Disturbance;
use crate::point::Point;
use crate::tracer::Actor;

/// How many points of each class are tried in each mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Kills before a call.
    pub kill: usize,
    /// Kills in the middle of a write.
    pub torn: usize,
    /// Kills of the recovery: this many kills of the command, in the first scenario that has the class, and every
    /// call of the recovery after each.
    pub nested: usize,
    /// Failing calls, with each error that they can report in turn.
    pub turn: usize,
    /// Failing calls, for each error.
    pub fault: usize,
    /// Calls from which on everything fails, for each error.
    pub lasting: usize,
    /// Kills with file work on many threads, in all.
    pub random: usize,
    /// States that a power cut may leave, of each kind and class.
    pub power: usize,
}

/// The short form: minutes, for every change.
pub const SHORT: Size = Size {
    kill: 1,
    torn: 1,
    nested: 0,
    turn: 1,
    fault: 0,
    lasting: 0,
    random: 0,
    power: 1,
};

/// The full form.
pub const FULL: Size = Size {
    kill: 40,
    torn: 10,
    nested: 1,
    turn: 0,
    fault: 2,
    lasting: 1,
    random: 40,
    power: 3,
};

impl Size {
    /// The points of one mode and no other; none where there is no such mode.
    #[must_use]
    pub fn only(&self, mode: &str) -> Option<Self> {
        let mut only = Self {
            kill: 0,
            torn: 0,
            nested: 0,
            turn: 0,
            fault: 0,
            lasting: 0,
            random: 0,
            power: 0,
        };
        match mode {
            "kill" => only.kill = self.kill,
            "torn" => only.torn = self.torn,
            "nested" => only.nested = self.nested,
            "fault" => {
                (only.turn, only.fault, only.lasting) = (self.turn, self.fault, self.lasting);
            }
            "random" => only.random = self.random,
            "power" => only.power = self.power,
            _ => return None,
        }
        Some(only)
    }

    /// Without failing calls.
    #[must_use]
    pub fn without_faults(self) -> Self {
        Self {
            turn: 0,
            fault: 0,
            lasting: 0,
            ..self
        }
    }
}

/// Random numbers that can be had again: for choosing, not for secrets.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// Begins with a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 1 to `most`, both included.
    pub fn up_to(&mut self, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % most.max(1) + 1
    }
}

/// At most `most` of each class, spread evenly over its calls.
fn some(calls: impl Iterator<Item = Surveyed>, most: usize) -> Vec<Surveyed> {
    let mut classes: BTreeMap<Class, Vec<Surveyed>> = BTreeMap::new();
    for call in calls {
        classes.entry(call.class).or_default().push(call);
    }
    let mut chosen = Vec::new();
    for calls in classes.values() {
        let count = calls.len().min(most);
        chosen.extend((0..count).map(|place| calls[place * calls.len() / count]));
    }
    chosen.sort_by_key(|call| call.number);
    chosen
}

/// The points of a run, nested ones and power cuts left out.
pub fn points(
    size: &Size,
    calls: &[Surveyed],
    openings: &[Surveyed],
    chance: &mut Chance,
) -> Vec<Point> {
    let mut points = Vec::new();
    let mut add = |calls: Vec<Surveyed>, disturbance: Disturbance| {
        points.extend(calls.iter().map(|call| Point {
            number: call.number,
            disturbance,
        }));
    };
    add(some(calls.iter().copied(), size.kill), Disturbance::Kill);
    let torn = calls.iter().copied().filter(|call| call.can_tear);
    add(some(torn, size.torn), Disturbance::Torn);
    for (place, call) in some(openings.iter().copied(), size.turn)
        .into_iter()
        .enumerate()
    {
        let can: Vec<Fault> = FAULTS
            .into_iter()
            .filter(|fault| can_strike(&call, *fault))
            .collect();
        if let Some(fault) = can.get(place % can.len().max(1)) {
            let fault = *fault;
            add(
                vec![call],
                Disturbance::Fault {
                    fault,
                    lasting: false,
                },
            );
        }
    }
    for fault in FAULTS {
        for (lasting, most) in [(false, size.fault), (true, size.lasting)] {
            if lasting && !fault.lasts() {
                continue;
            }
            let can = openings
                .iter()
                .copied()
                .filter(|call| can_strike(call, fault));
            add(some(can, most), Disturbance::Fault { fault, lasting });
        }
    }
    for _ in 0..size.random {
        points.push(Point {
            number: chance.up_to(calls.len() as u64),
            disturbance: Disturbance::Random,
        });
    }
    points
}

fn can_strike(call: &Surveyed, fault: Fault) -> bool {
    call.class.by == Actor::Product
        && fault.strikes(call.class.operation)
        && (fault != Fault::Short || call.can_tear)
}

/// The kills after which every call of the recovery is tried: of classes that are not `known` from a scenario
/// before, since two kills of one class are worth little more than one.
pub fn nests(size: &Size, calls: &[Surveyed], known: &mut BTreeSet<Class>) -> Vec<u64> {
    let new = calls.iter().filter(|call| !known.contains(&call.class));
    let chosen = some(new.copied(), size.nested);
    known.extend(chosen.iter().map(|call| call.class));
    chosen.iter().map(|call| call.number).collect()
}
