// SPDX-License-Identifier: Apache-2.0
//! Who decides about calls: kills at one of them, looks at all of them, or waits for a moment.

use std::io;
use std::path::PathBuf;

use crate::class::Class;
use crate::journal::Stage;
use crate::machine::Machine;
use crate::tracer::Actor;
use crate::tracer::Call;
use crate::tracer::Decision;
use crate::tracer::Director;

/// Kills at one call.
pub(crate) struct KillAt<'a> {
    machine: &'a Machine,
    at: u64,
    decision: Decision,
    /// What the call was; none while it has not come.
    pub(crate) class: Option<Class>,
}

impl<'a> KillAt<'a> {
    /// Decides so at call `at`, and lets every other one through.
    pub(crate) fn new(machine: &'a Machine, at: u64, decision: Decision) -> Self {
        Self {
            machine,
            at,
            decision,
            class: None,
        }
    }
}

impl Director for KillAt<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        if call.number != self.at {
            return Ok(Decision::Go);
        }
        self.class = Some(Class::of(self.machine, call));
        Ok(self.decision)
    }
}

/// One call of an undisturbed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surveyed {
    /// Its number.
    pub number: u64,
    /// What it is.
    pub class: Class,
    /// Whether it moves bytes enough to be cut in the middle.
    pub can_tear: bool,
}

/// Lists the calls of an undisturbed run.
pub(crate) struct Surveyor<'a> {
    machine: &'a Machine,
    /// Those that came.
    pub(crate) calls: Vec<Surveyed>,
}

impl<'a> Surveyor<'a> {
    /// For runs on this machine.
    pub(crate) fn new(machine: &'a Machine) -> Self {
        Self {
            machine,
            calls: Vec::new(),
        }
    }
}

impl Director for Surveyor<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        let has_halves = call.operation.moves_bytes() && call.bytes.is_some_and(|bytes| bytes > 1);
        self.calls.push(Surveyed {
            number: call.number,
            class: Class::of(self.machine, call),
            can_tear: has_halves && call.by == Actor::Product,
        });
        Ok(Decision::Go)
    }
}

/// A director whose calls are numbered on from those of earlier commands.
pub(crate) struct CountedOn<'a> {
    /// How many calls those made.
    pub(crate) before: u64,
    /// Who decides.
    pub(crate) director: &'a mut dyn Director,
}

impl Director for CountedOn<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        self.director.before(&call.counted_from(self.before))
    }

    fn wants_results(&self) -> bool {
        self.director.wants_results()
    }

    fn after(&mut self, call: &Call, result: i64) -> io::Result<()> {
        self.director.after(&call.counted_from(self.before), result)
    }
}

/// Kills as soon as a transaction has come so far.
pub(crate) struct KillIn {
    install: PathBuf,
    stage: Stage,
}

impl KillIn {
    /// For the install at this path.
    pub(crate) fn new(install: PathBuf, stage: Stage) -> Self {
        Self { install, stage }
    }
}

impl Director for KillIn {
    fn before(&mut self, _call: &Call) -> io::Result<Decision> {
        Ok(if Stage::of(&self.install) == self.stage {
            Decision::Kill
        } else {
            Decision::Go
        })
    }
}

/// Kills as soon as a commit is over.
pub(crate) struct WhenCommitted {
    install: PathBuf,
    exchanged: bool,
}

impl WhenCommitted {
    /// For the install at this path.
    pub(crate) fn new(install: PathBuf) -> Self {
        Self {
            install,
            exchanged: false,
        }
    }
}

impl Director for WhenCommitted {
    fn before(&mut self, _call: &Call) -> io::Result<Decision> {
        let stage = Stage::of(&self.install);
        self.exchanged |= stage == Stage::Exchanged;
        Ok(if self.exchanged && stage == Stage::Idle {
            Decision::Kill
        } else {
            Decision::Go
        })
    }
}
