// SPDX-License-Identifier: Apache-2.0
//! Carries actions out on a real install, and tells the model of them: what each command answered and left
//! must be what was foretold.

use std::fs;
use std::io;
use std::io::Seek as _;
use std::time::Duration;

use cofferdam_crash::Openings;
use cofferdam_crash::journal::Stage;
use cofferdam_crash::tracer;
use cofferdam_crash::tracer::Call;
use cofferdam_crash::tracer::Decision;
use cofferdam_crash::tracer::Director;
use cofferdam_crash::tracer::Ended;
use cofferdam_crash::tracer::Watched;
use serde_json::Value;

use crate::action::Action;
use crate::action::Command;
use crate::action::Cut;
use crate::disk::Disk;
use crate::disk::Filled;
use crate::found::Found;
use crate::invariants;
use crate::machine::Machine;
use crate::machine::Ran;
use crate::machine::Service;
use crate::model::Changed;
use crate::model::Foretold;
use crate::model::Model;
use crate::model::Number;
use crate::survived::Survived;
use crate::tamper;
use crate::versions::VERSIONS;

/// After this a command has hung.
const LIMIT: Duration = Duration::from_mins(2);

/// A real install beside its model.
pub(crate) struct Driver<'a> {
    pub(crate) machine: Machine,
    pub(crate) service: Service,
    pub(crate) model: Model,
    pub(crate) disk: &'a Disk,
    pub(crate) survived: Survived,
}

/// Where a command was killed.
#[derive(Clone, Copy, Debug)]
struct Killed {
    stage: Stage,
    /// The version that an update under way applies.
    applies: Option<Number>,
}

impl Killed {
    /// The version whose update was cut off after the service was stopped, and before the exchange.
    fn blamed(self) -> Option<Number> {
        let was_stopped = [Stage::Stopped, Stage::Committing].contains(&self.stage);
        self.applies.filter(|_| was_stopped)
    }
}

/// The same states after a crash that is this version's.
fn blaming(blamed: Option<Number>, way: Vec<Model>) -> Vec<Model> {
    let Some(number) = blamed else {
        return way;
    };
    let way = way.into_iter();
    way.map(|model| model.crashed_after_stop(number)).collect()
}

impl Driver<'_> {
    /// Carries one action out, and asks every invariant.
    ///
    /// # Errors
    /// Something is not as it must be.
    pub(crate) fn carry_out(&mut self, action: Action) -> Result<(), String> {
        match action {
            Action::Run(command) => self.run(command),
            Action::Kill(command, cut, nested) => self.kill(command, cut, nested),
            Action::Full(command, cut) => self.fill(command, cut),
            Action::Tamper(accident) => tamper::happen(self, accident),
        }?;
        self.look()
    }

    /// What is found is what the model says, and a recovery has nothing to do.
    pub(crate) fn look(&mut self) -> Result<(), String> {
        let found = Found::of(&self.machine, &self.service)?;
        invariants::all(&self.model, &found)?;
        self.survived.note_history(found.records.len())
    }

    fn run(&mut self, command: Command) -> Result<(), String> {
        let foretold = command.foretold(&self.model);
        let ran = self.machine.run(self.words(command));
        let end = end_of(&ran)?;
        self.survived.ran(command.word(), &end);
        invariant_the_answer_was_foretold(&foretold, &end, &ran)?;
        self.invariant_nobody_need_recover(command)?;
        self.recover()?;
        self.model = foretold.way.last().cloned().ok_or("no way")?;
        Ok(())
    }

    fn kill(&mut self, command: Command, cut: Cut, nested: Option<u64>) -> Result<(), String> {
        let foretold = command.foretold(&self.model);
        let words = self.words(command);
        let Some(killed) = self.cut_off(&words, cut)? else {
            // It came to its end before the moment did.
            self.survived.ran(command.word(), "not met");
            self.recover()?;
            self.model = foretold.way.last().cloned().ok_or("no way")?;
            return Ok(());
        };
        self.survived.killed(command.word(), killed.stage);
        self.invariant_readers_have_an_answer(killed.stage)?;
        if let Some(at) = nested {
            let recover = self.words(Command::Recover);
            if self.cut_off(&recover, Cut::Call(at))?.is_some() {
                self.survived.killed("recover", killed.stage);
            }
        }
        self.recover()?;
        self.invariant_one_of_these(blaming(killed.blamed(), foretold.way))?;
        self.finish_allowing(command)
    }

    fn fill(&mut self, command: Command, cut: Cut) -> Result<(), String> {
        let foretold = command.foretold(&self.model);
        let words = self.words(command);
        let mut moment = Moment::new(&self.machine, cut, Then::Fill(self.disk, None));
        let (_, ran) = self.traced(&words, &mut moment)?;
        let is_full = moment.met.is_some();
        drop(moment);
        let end = end_of(&ran)?;
        if is_full {
            self.survived.filled(command.word(), &end);
        } else {
            self.survived.ran(command.word(), &end);
        }
        if !matches!(ran.exit, Some(0 | 9)) {
            self.invariant_nobody_need_recover(command)?;
        }
        // Recovery cannot know that it was the disk, and not the package, that cut it off.
        let blamed = self.stopped_at().and_then(Killed::blamed);
        self.recover()?;
        let (mut way, live) = (foretold.way, self.model.live);
        let reached = way.last().map(|model| model.live);
        match (ran.exit, command) {
            (Some(9), _) => {}
            (Some(0), _) => way.retain(|model| Some(model.live) == reached),
            // What does not prove healthy on a full disk goes back.
            (Some(7), Command::Apply(number)) => way = vec![self.model.gone_back_from(number)],
            _ => way.retain(|model| model.live == live),
        }
        self.invariant_one_of_these(blaming(blamed, way))?;
        self.finish_allowing(command)
    }

    /// A condemnation that was not lifted may have lost its count of crashes, which nobody can see: it is lifted
    /// now, so that the model knows.
    fn finish_allowing(&mut self, command: Command) -> Result<(), String> {
        match command {
            Command::Allow(number) if self.model.condemned.contains(&number) => self.run(command),
            _ => Ok(()),
        }
    }

    /// How far the transaction under way has come.
    fn stopped_at(&self) -> Option<Killed> {
        let stage = Stage::of(&self.machine.install());
        let applies = applies(&self.machine).ok()?;
        Some(Killed { stage, applies })
    }

    /// Recovers, undisturbed.
    pub(crate) fn recover(&self) -> Result<(), String> {
        let ran = self.machine.run(self.words(Command::Recover));
        let recovered: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        if ran.exit != Some(0) || recovered["recovered"]["action"].is_null() {
            return Err(format!("invariant_recovery_needs_nobody: {ran:?}"));
        }
        let ran = self.machine.run(self.words(Command::Recover));
        let again: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let (again, nothing) = (&again["recovered"], Value::Array(Vec::new()));
        if again["action"] == "nothing"
            && ["collected", "pruned", "warnings"]
                .iter()
                .all(|what| again[what] == nothing)
        {
            return Ok(());
        }
        Err(format!("invariant_recovery_twice_is_once: {ran:?}"))
    }

    /// A command that was not disturbed leaves nothing to recover and owes nobody a service.
    fn invariant_nobody_need_recover(&self, command: Command) -> Result<(), String> {
        let status = crate::found::answer(&self.machine, &["status"], &[0])?;
        if status["state"] == "idle" && status["service_owed"] == false && self.service.runs() {
            return Ok(());
        }
        let word = command.word();
        Err(format!(
            "invariant_nobody_need_recover: after `{word}`: {status}"
        ))
    }

    /// Whoever looks after a kill, before any recovery, has an answer.
    fn invariant_readers_have_an_answer(&self, stage: Stage) -> Result<(), String> {
        let name = "invariant_readers_have_an_answer";
        let found = Found::of(&self.machine, &self.service);
        let found = found.map_err(|wrong| format!("{name}: {wrong}"))?;
        let expected = if stage == Stage::Idle {
            "idle"
        } else {
            "interrupted"
        };
        if found.status["state"] == expected {
            return Ok(());
        }
        Err(format!("{name}: killed while {stage}: {}", found.status))
    }

    /// Exactly one of the states that were foretold is there, whole; the model goes on from it.
    fn invariant_one_of_these(&mut self, way: Vec<Model>) -> Result<(), String> {
        let found = Found::of(&self.machine, &self.service)?;
        let mut wrongs = Vec::new();
        for model in way {
            let model = model.at_rest();
            match invariants::all(&model, &found) {
                Ok(()) => {
                    self.model = model;
                    return Ok(());
                }
                Err(wrong) => wrongs.push(wrong),
            }
        }
        wrongs.dedup();
        Err(format!(
            "invariant_one_of_these: {}",
            wrongs.join("\n  or ")
        ))
    }

    /// Runs a command and kills it; says where, unless it ended before.
    fn cut_off(&self, words: &[String], cut: Cut) -> Result<Option<Killed>, String> {
        let mut moment = Moment::new(&self.machine, cut, Then::Kill);
        let (ended, ran) = self.traced(words, &mut moment)?;
        match ended {
            Ended::Killed => Ok(moment.met),
            Ended::Exit(_) => Ok(None),
            Ended::Signal(_) | Ended::TimedOut => Err(format!(
                "invariant_it_comes_to_an_end: {words:?}: {ended:?}, {ran:?}"
            )),
        }
    }

    fn traced(&self, words: &[String], moment: &mut Moment<'_>) -> Result<(Ended, Ran), String> {
        let run = run_traced(&self.machine, words, moment);
        run.map_err(|error| format!("the test itself failed: {error}"))
    }

    fn words(&self, command: Command) -> Vec<String> {
        let package = |number: Number| self.machine.package(number).display().to_string();
        let mut words = vec![
            command.word().to_owned(),
            self.machine.install().display().to_string(),
            "--json".to_owned(),
        ];
        match command {
            Command::Apply(number) | Command::Plan(number) => words.push(package(number)),
            Command::Allow(number) => words.push(VERSIONS[number].number.to_owned()),
            Command::Rollback(to, changed) => {
                if let Some(to) = to {
                    words.extend(["--to".to_owned(), to.to_string()]);
                }
                if changed == Changed::Discard {
                    words.push("--discard-changes".to_owned());
                }
            }
            Command::Confirm | Command::Recover => {}
        }
        words
    }
}

fn run_traced(
    machine: &Machine,
    words: &[String],
    moment: &mut Moment<'_>,
) -> io::Result<(Ended, Ran)> {
    let roots = [machine.root().to_owned()];
    let watched = Watched {
        roots: &roots,
        product: machine.product(),
        openings: Openings::Changing,
        limit: LIMIT,
    };
    // Not on the small disk, which may be full.
    let output = [tempfile::tempfile()?, tempfile::tempfile()?];
    let mut command = machine.command(words);
    command
        .stdout(output[0].try_clone()?)
        .stderr(output[1].try_clone()?);
    let ended = tracer::run(&mut command, &watched, moment)?.ended;
    let [stdout, stderr] = output.map(|mut file| {
        file.rewind()?;
        io::read_to_string(file)
    });
    let exit = match ended {
        Ended::Exit(exit) => Some(exit),
        Ended::Signal(_) | Ended::Killed | Ended::TimedOut => None,
    };
    let ran = Ran {
        exit,
        stdout: stdout?,
        stderr: stderr?,
        peak_bytes: 0,
    };
    Ok((ended, ran))
}

/// How a command ended, in one word: `done`, or the code of its error.
fn end_of(ran: &Ran) -> Result<String, String> {
    let json: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
    match (ran.exit, json["error"]["code"].as_str()) {
        (Some(0), None) => Ok("done".to_owned()),
        (Some(exit), Some(code)) if exit != 0 => Ok(code.to_owned()),
        _ => Err(format!("invariant_it_comes_to_an_end: {ran:?}")),
    }
}

fn invariant_the_answer_was_foretold(
    foretold: &Foretold,
    end: &str,
    ran: &Ran,
) -> Result<(), String> {
    let fits = |(exit, code): &(i32, Option<&str>)| {
        ran.exit == Some(*exit) && code.unwrap_or("done") == end
    };
    if foretold.ends.iter().any(fits) {
        return Ok(());
    }
    let ends = &foretold.ends;
    Err(format!(
        "invariant_the_answer_was_foretold: expected one of {ends:?}: {ran:?}"
    ))
}

/// Waits for a moment of a command.
struct Moment<'a> {
    machine: &'a Machine,
    cut: Cut,
    then: Then<'a>,
    /// Calls since the transaction had come so far.
    since: u64,
    /// How far it had come.
    met: Option<Killed>,
}

/// What happens at the moment.
enum Then<'a> {
    /// Everything is killed.
    Kill,
    /// The disk is full from now on, until this is dropped.
    Fill(&'a Disk, Option<Filled>),
}

impl<'a> Moment<'a> {
    fn new(machine: &'a Machine, cut: Cut, then: Then<'a>) -> Self {
        Self {
            machine,
            cut,
            then,
            since: 0,
            met: None,
        }
    }

    fn is_now(&mut self, call: &Call) -> bool {
        match self.cut {
            Cut::Call(number) => call.number == number,
            Cut::Stage(stage, later) => {
                let is_there = Stage::of(&self.machine.install()) == stage;
                self.since += u64::from(is_there);
                is_there && self.since > later
            }
        }
    }
}

impl Director for Moment<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        if self.met.is_some() || !self.is_now(call) {
            return Ok(Decision::Go);
        }
        self.met = Some(Killed {
            stage: Stage::of(&self.machine.install()),
            applies: applies(self.machine)?,
        });
        Ok(match &mut self.then {
            Then::Kill => Decision::Kill,
            Then::Fill(disk, filled) => {
                *filled = Some(disk.fill()?);
                Decision::Go
            }
        })
    }
}

/// The version that an update under way applies.
fn applies(machine: &Machine) -> io::Result<Option<Number>> {
    let journal = fs::read(machine.state().join("transaction.json"))?;
    let journal: Value = serde_json::from_slice(&journal)?;
    let transaction = &journal["journal"]["transaction"];
    let is_update = ["apply", "repair"]
        .iter()
        .any(|kind| transaction["kind"] == *kind);
    let version = transaction["makes"]["version"].as_str();
    Ok(version
        .filter(|_| is_update)
        .and_then(crate::model::version_of))
}
