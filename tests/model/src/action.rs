// SPDX-License-Identifier: Apache-2.0
//! What happens to an install, drawn from a seed: commands, crashes of them, full disks, and accidents.

use cofferdam_crash::journal::Stage;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng as _;
use rand_chacha::rand_core::SeedableRng as _;

use crate::model::Changed;
use crate::model::Foretold;
use crate::model::Model;
use crate::model::Number;
use crate::versions::MANAGED;
use crate::versions::STATE;
use crate::versions::VERSIONS;

/// A command of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Apply(Number),
    Plan(Number),
    Rollback(Option<u64>, Changed),
    Confirm,
    Allow(Number),
    Recover,
}

/// The moment at which a command is killed, or its disk is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Before this call, of those that change a disk.
    Call(u64),
    /// So many calls after the transaction has come so far.
    Stage(Stage, u64),
}

/// Something that happens to an install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// A command runs undisturbed.
    Run(Command),
    /// A command is killed, and then perhaps the recovery after it, before this call.
    Kill(Command, Cut, Option<u64>),
    /// A command runs, and from this moment on the disk is full.
    Full(Command, Cut),
    /// An accident, or the operator.
    Tamper(Tamper),
}

/// What happens behind the product's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tamper {
    /// A state file is written.
    WriteState(&'static str, u64),
    /// A state file is removed.
    RemoveState(&'static str),
    /// A managed file is replaced.
    EditManaged(&'static str, u64),
    /// A managed file is removed.
    RemoveManaged(&'static str),
    /// The operator writes in the config file outside.
    EditConfig(u64),
    /// A managed file of a kept tree is replaced: of the oldest that is whole.
    DamageKept(u64),
    /// The journal is cut after so many percent of its bytes.
    CutJournal(u64),
    /// The last line of the history is torn.
    TearHistory,
    /// Something lies where transactions work.
    Litter,
    /// The lock file says something.
    Lock(u64),
    /// The cache is gone.
    DropCache,
}

impl Command {
    /// The word for it in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Plan(_) => "plan",
            Self::Rollback(..) => "rollback",
            Self::Confirm => "confirm",
            Self::Allow(_) => "allow",
            Self::Recover => "recover",
        }
    }

    /// What it leads to.
    pub(crate) fn foretold(self, model: &Model) -> Foretold {
        match self {
            Self::Apply(number) => model.apply(number),
            Self::Plan(number) => model.plan(number),
            Self::Rollback(to, changed) => model.rollback(to, changed),
            Self::Confirm => model.confirm(),
            Self::Allow(number) => model.allow(number),
            Self::Recover => model.recover(),
        }
    }
}

impl Tamper {
    /// The word for it in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::WriteState(..) => "state written",
            Self::RemoveState(_) => "state removed",
            Self::EditManaged(..) => "managed file replaced",
            Self::RemoveManaged(_) => "managed file removed",
            Self::EditConfig(_) => "config edited",
            Self::DamageKept(_) => "kept tree damaged",
            Self::CutJournal(_) => "journal cut",
            Self::TearHistory => "history torn",
            Self::Litter => "litter left",
            Self::Lock(_) => "lock file rewritten",
            Self::DropCache => "cache dropped",
        }
    }
}

/// Random numbers from a seed.
#[derive(Debug)]
pub(crate) struct Chance(ChaCha8Rng);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end.max(1)
    }

    fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// The next action. Where disks cannot be filled, the command runs undisturbed.
    pub(crate) fn action(&mut self, model: &Model, fills: bool) -> Action {
        match self.below(20) {
            0..7 => Action::Run(self.command(model)),
            7..13 => {
                let (command, cut) = (self.command_to_kill(model), self.cut());
                let nested = (self.below(4) == 0).then(|| 1 + self.below(30));
                Action::Kill(command, cut, nested)
            }
            13 | 14 => {
                let (command, cut) = (self.command_to_kill(model), self.cut());
                if fills {
                    Action::Full(command, cut)
                } else {
                    Action::Run(command)
                }
            }
            _ => Action::Tamper(self.tamper()),
        }
    }

    fn cut(&mut self) -> Cut {
        if self.below(2) == 0 {
            return Cut::Call(1 + self.below(160));
        }
        let stages = [
            Stage::Building,
            Stage::Stopped,
            Stage::Moving,
            Stage::Committing,
            Stage::Exchanged,
        ];
        Cut::Stage(self.one_of(&stages), self.below(6))
    }

    /// Mostly something that leads on: an install that refuses everything proves little.
    fn command(&mut self, model: &Model) -> Command {
        let any = self.below(VERSIONS.len() as u64) as usize;
        match self.below(16) {
            0..6 => Command::Apply(self.fit(model).unwrap_or(any)),
            6 | 7 => Command::Apply(any),
            8 => Command::Plan(any),
            9 | 10 => Command::Rollback(None, Changed::Discard),
            11 => Command::Rollback(None, Changed::Refuse),
            12 => Command::Rollback(Some(1 + self.below(model.next)), Changed::Discard),
            13 => Command::Confirm,
            14 => Command::Allow(model.condemned.iter().next().copied().unwrap_or(any)),
            _ => Command::Recover,
        }
    }

    /// Mostly something that has much to do: what ends before it is killed proves nothing.
    fn command_to_kill(&mut self, model: &Model) -> Command {
        let fit = self.fit(model);
        match (self.below(8), fit) {
            (0..5, Some(number)) => Command::Apply(number),
            (0..7, _) if model.rollback_target().is_some() => {
                Command::Rollback(None, Changed::Discard)
            }
            _ => self.command(model),
        }
    }

    /// A version that would be live afterwards.
    fn fit(&mut self, model: &Model) -> Option<Number> {
        let leads_on = |number: &Number| {
            let foretold = model.apply(*number);
            foretold.way.last() != foretold.way.first()
        };
        let fit: Vec<Number> = (0..VERSIONS.len()).filter(leads_on).collect();
        (!fit.is_empty()).then(|| self.one_of(&fit))
    }

    fn tamper(&mut self) -> Tamper {
        let any = self.below(1_000_000);
        match self.below(16) {
            0..4 => Tamper::WriteState(self.one_of(&STATE), any),
            4 => Tamper::RemoveState(self.one_of(&STATE)),
            5 | 6 => Tamper::EditManaged(self.one_of(&MANAGED), any),
            7 => Tamper::RemoveManaged(self.one_of(&MANAGED)),
            8 => Tamper::EditConfig(any),
            9 => Tamper::DamageKept(any),
            10 => Tamper::CutJournal(self.below(100)),
            11 | 12 => Tamper::TearHistory,
            13 => Tamper::Litter,
            14 => Tamper::Lock(any),
            _ => Tamper::DropCache,
        }
    }
}
