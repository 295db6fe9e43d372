// SPDX-License-Identifier: Apache-2.0
//! A scenario set up at one place: the machine before the commands, the states that may be found
//! after a crash of them, and the judgement of what is found.
//!
//! The states come from the commands themselves, run once without a disturbance: before the first,
//! after each. Where a scenario says so, a committed and not yet judged generation is one more.

mod log;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Seek as _;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::directors::CountedOn;
use crate::directors::WhenCommitted;
use crate::disk::Disk;
use crate::disk::Object;
use crate::facts::Allowed;
use crate::facts::Facts;
use crate::facts::SAME;
use crate::filter::Openings;
use crate::journal::Stage;
use crate::laid;
use crate::machine::Machine;
use crate::machine::Ran;
use crate::machine::Threads;
use crate::oplog::Log;
use crate::place::Identity;
use crate::scenario::Act;
use crate::scenario::Scenario;
use crate::scenario::Step;
use crate::tracer;
use crate::tracer::Director;
use crate::tracer::Ended;
use crate::tracer::Watched;
use crate::untouched::Untouched;

/// After this a command has hung. Compiling steps takes its time on a machine that is busy.
const LIMIT: Duration = Duration::from_mins(2);

/// Why a point is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<io::Error> for Violation {
    fn from(error: io::Error) -> Self {
        Self(format!("the bench itself failed: {error}"))
    }
}

/// A state that may be found.
#[derive(Clone, Debug)]
pub struct Whole {
    /// What it is called.
    pub name: String,
    /// What it is.
    pub facts: Facts,
    /// From it, these lead to the last state.
    pub onwards: Vec<Step>,
}

/// A scenario, set up.
pub struct Stand<'a> {
    /// What is crashed.
    pub scenario: &'a Scenario,
    /// Where.
    pub machine: Machine,
    template: Disk,
    identities: BTreeMap<Object, Identity>,
    acts: Vec<Act>,
    logged: OnceCell<Log>,
    /// Every state that may be found: the first is before the commands, the last after them.
    pub wholes: Arc<Vec<Whole>>,
    pub(crate) output: PathBuf,
}

/// How the commands of a scenario ended under a director.
#[derive(Debug)]
pub(crate) struct Disturbed {
    /// How the last command that was run ended.
    pub(crate) ended: Ended,
    /// Which command that was.
    pub(crate) act: usize,
    /// What the last command printed.
    pub(crate) ran: Ran,
}

impl<'a> Stand<'a> {
    /// Sets a scenario up on a machine whose folders are empty. `wholes` are those of another stand of
    /// the same scenario; without them the commands are run to find them.
    ///
    /// # Errors
    /// The scenario does not do what it says when nobody disturbs it.
    pub fn set_up(
        scenario: &'a Scenario,
        machine: Machine,
        packages: &[PathBuf],
        output: PathBuf,
        wholes: Option<Arc<Vec<Whole>>>,
    ) -> Result<Self, Violation> {
        (scenario.lay_out)(&machine, packages);
        let (template, objects) = Disk::read(&machine.roots())?;
        let identities = objects
            .into_iter()
            .map(|(identity, object)| (object, identity));
        let acts = (scenario.acts)(&machine, packages);
        let mut stand = Self {
            scenario,
            machine,
            template,
            identities: identities.collect(),
            acts,
            logged: OnceCell::new(),
            wholes: Arc::default(),
            output,
        };
        stand.reset()?;
        stand.wholes = match wholes {
            Some(wholes) => Arc::new(stand.at_home(&wholes)),
            None => Arc::new(stand.find_wholes()?),
        };
        stand.reset()?;
        Ok(stand)
    }

    /// The same states with commands for this machine.
    fn at_home(&self, wholes: &[Whole]) -> Vec<Whole> {
        let between = self.scenario.between.map(|between| between(&self.machine));
        let mut at_home = wholes.to_vec();
        for (place, whole) in at_home.iter_mut().enumerate() {
            whole.onwards = match &between {
                Some(between) if between.name == whole.name => between.onwards.clone(),
                _ => self.onwards((place + self.first()).min(self.acts.len())),
            };
        }
        at_home
    }

    /// What leads from the state after `done` commands to the last one.
    fn onwards(&self, done: usize) -> Vec<Step> {
        let mut onwards = Vec::new();
        if done > 0 {
            onwards.extend(self.acts[done - 1].again.iter().cloned());
        }
        onwards.extend(self.acts[done..].iter().map(|act| act.step.clone()));
        onwards
    }

    fn find_wholes(&self) -> Result<Vec<Whole>, Violation> {
        let mut wholes = Vec::new();
        if self.first() == 0 {
            wholes.push(self.whole("before", 0)?);
        }
        for (place, act) in self.acts.iter().enumerate() {
            self.expect(&act.step)?;
            wholes.push(self.whole(&format!("after command {}", place + 1), place + 1)?);
        }
        if let Some(between) = self.scenario.between.map(|between| between(&self.machine)) {
            self.reset()?;
            let install = self.machine.install();
            let mut committed = WhenCommitted::new(install);
            let disturbed = self.disturb(&mut committed, Threads::One, Openings::Changing)?;
            if disturbed.ended != Ended::Killed {
                return Err(Violation(
                    "there is no commit to be killed after".to_owned(),
                ));
            }
            self.recover()?;
            let last = wholes.len() - 1;
            wholes.insert(
                last,
                Whole {
                    name: between.name.to_owned(),
                    facts: self.facts()?,
                    onwards: between.onwards,
                },
            );
        }
        Ok(wholes)
    }

    /// After how many commands there is the first state that may be found.
    fn first(&self) -> usize {
        usize::from(self.scenario.is_cut_off)
    }

    fn whole(&self, name: &str, done: usize) -> Result<Whole, Violation> {
        Ok(Whole {
            name: name.to_owned(),
            facts: self.facts()?,
            onwards: self.onwards(done),
        })
    }

    /// The machine as it is now.
    ///
    /// # Errors
    /// It is wrong in itself.
    pub fn facts(&self) -> Result<Facts, Violation> {
        Facts::of(&self.machine).map_err(|wrong| Violation(wrong.join("; ")))
    }

    /// Puts the machine back to before the commands.
    ///
    /// # Errors
    /// The system refuses.
    pub fn reset(&self) -> io::Result<()> {
        laid::lay(&self.template, &self.identities, &self.machine)
    }

    /// Runs the commands under a director, until one does not end as it should.
    ///
    /// # Errors
    /// The system refuses to trace.
    pub(crate) fn disturb(
        &self,
        director: &mut dyn Director,
        threads: Threads,
        openings: Openings,
    ) -> io::Result<Disturbed> {
        let mut calls = 0;
        let mut last = None;
        for (place, act) in self.acts.iter().enumerate() {
            let mut counted = CountedOn {
                before: calls,
                director: &mut *director,
            };
            let arguments = &act.step.arguments;
            let (run, ran) = self.traced(arguments, &mut counted, threads, openings)?;
            calls += run.calls;
            let as_expected = run.ended == Ended::Exit(act.step.exit);
            last = Some(Disturbed {
                ended: run.ended,
                act: place,
                ran,
            });
            if !as_expected {
                break;
            }
        }
        last.ok_or_else(|| io::Error::other("a scenario without a command"))
    }

    fn watched<'r>(&'r self, roots: &'r [PathBuf], openings: Openings) -> Watched<'r> {
        Watched {
            roots,
            product: self.machine.product(),
            openings,
            limit: LIMIT,
        }
    }

    /// Runs one command under a director.
    ///
    /// # Errors
    /// The system refuses to trace.
    pub(crate) fn traced(
        &self,
        arguments: &[String],
        director: &mut dyn Director,
        threads: Threads,
        openings: Openings,
    ) -> io::Result<(tracer::Run, Ran)> {
        let file = |name: &str| {
            let options = File::options()
                .read(true)
                .write(true)
                .create(true)
                .truncate(true)
                .clone();
            options.open(self.output.join(name))
        };
        let (mut stdout, mut stderr) = (file("stdout")?, file("stderr")?);
        let mut command: Command = self.machine.command(arguments, threads);
        command
            .stdout(stdout.try_clone()?)
            .stderr(stderr.try_clone()?);
        let roots = self.machine.roots();
        let watched = self.watched(&roots, openings);
        let run = tracer::run(&mut command, &watched, director)?;
        let ran = Ran {
            exit: match run.ended {
                Ended::Exit(code) => Some(code),
                Ended::Signal(_) | Ended::Killed | Ended::TimedOut => None,
            },
            stdout: all_of(&mut stdout)?,
            stderr: all_of(&mut stderr)?,
            peak_bytes: 0,
        };
        Ok((run, ran))
    }

    /// The command that recovers.
    pub fn recovery(&self) -> Vec<String> {
        let install = self.machine.install().display().to_string();
        ["recover".to_owned(), install, "--json".to_owned()].into()
    }

    /// Recovers, undisturbed.
    ///
    /// # Errors
    /// It does not end as it should.
    pub fn recover(&self) -> Result<(), Violation> {
        let ran = self.machine.run(self.recovery());
        self.recovered(&ran)
    }

    /// Whether a recovery that was not disturbed ended as it should.
    ///
    /// # Errors
    /// It did not.
    pub(crate) fn recovered(&self, ran: &Ran) -> Result<(), Violation> {
        if ran.exit == Some(0) {
            return Ok(());
        }
        // A crash of `adopt` or `release` may leave nothing to recover.
        let answer: Value = serde_json::from_str(&ran.stdout).unwrap_or_default();
        let is_bare = Stage::of(&self.machine.install()) == Stage::NotAdopted;
        if is_bare && ran.exit == Some(4) && answer["error"]["code"] == "not-adopted" {
            return Ok(());
        }
        Err(Violation(format!("recovery: {ran:?}")))
    }

    /// Runs a command to its end, which must be as expected.
    ///
    /// # Errors
    /// It is not.
    pub fn expect(&self, step: &Step) -> Result<(), Violation> {
        let ran = self.machine.run(&step.arguments);
        if ran.exit == Some(step.exit) {
            return Ok(());
        }
        let expected = step.exit;
        let words = step.arguments.join(" ");
        Err(Violation(format!(
            "`{words}`, expected exit {expected}: {ran:?}"
        )))
    }

    /// Which of the states is there now: its place in the list.
    ///
    /// # Errors
    /// None is: how it differs from the nearest.
    pub fn which(&self, allowed: Allowed) -> Result<usize, Violation> {
        let found = self.facts()?;
        let mut nearest: Option<(usize, Vec<String>)> = None;
        // The last first: where commands change nothing, several are the same.
        for (place, whole) in self.wholes.iter().enumerate().rev() {
            let differences = whole.facts.differences(&found, allowed);
            if differences.is_empty() {
                return Ok(place);
            }
            if nearest
                .as_ref()
                .is_none_or(|(_, least)| differences.len() < least.len())
            {
                nearest = Some((place, differences));
            }
        }
        let (place, differences) = nearest.unwrap_or_default();
        let name = self
            .wholes
            .get(place)
            .map_or("nothing", |whole| &whole.name);
        Err(Violation(format!(
            "neither old nor new; nearest is `{name}`, but {}",
            differences.join("; ")
        )))
    }

    /// Goes on from a state to the last one, and requires that it is reached.
    ///
    /// # Errors
    /// It is not.
    pub fn go_on(&self, from: usize) -> Result<(), Violation> {
        self.go_on_allowing(from, false)
    }

    /// The same, where the machine's list of installs may not name the install.
    ///
    /// # Errors
    /// It is not reached.
    pub fn go_on_allowing(&self, from: usize, unlisted: bool) -> Result<(), Violation> {
        let Some(whole) = self.wholes.get(from) else {
            return Err(Violation("no such state".to_owned()));
        };
        let told = |violation: Violation| Violation(format!("from `{}`: {violation}", whole.name));
        for step in &whole.onwards {
            self.expect(step).map_err(told)?;
        }
        // What a command leaves for the next one to catch up.
        self.recover().map_err(told)?;
        let allowed = Allowed { unlisted, ..SAME };
        let reached = self.which(allowed).map_err(told)?;
        if reached + 1 == self.wholes.len() {
            return Ok(());
        }
        let name = &self.wholes[reached].name;
        Err(told(Violation(format!("went on, and is at `{name}`"))))
    }

    /// How a command ends when nobody disturbs it.
    pub fn planned(&self, act: usize) -> i32 {
        self.acts.get(act).map_or(0, |act| act.step.exit)
    }

    /// Whether two of the states are one and the same: where commands change nothing.
    pub fn is_same(&self, one: usize, two: usize) -> bool {
        let (Some(one), Some(two)) = (self.wholes.get(one), self.wholes.get(two)) else {
            return false;
        };
        one.facts.differences(&two.facts, SAME).is_empty()
    }

    /// The install says that it is at rest, and its service runs where it should: without any recovery.
    ///
    /// # Errors
    /// It does not.
    pub fn at_rest(&self, place: usize) -> Result<(), Violation> {
        let found = Stage::of(&self.machine.install());
        if ![Stage::Idle, Stage::NotAdopted].contains(&found) {
            return Err(Violation(format!("the journal still says {found}")));
        }
        let service = self
            .wholes
            .get(place)
            .and_then(|whole| whole.facts.service());
        if service == Some(true) && !self.machine.path("up").exists() {
            return Err(Violation("the service does not run any more".to_owned()));
        }
        Ok(())
    }

    /// Lifts every condemnation.
    ///
    /// # Errors
    /// It cannot be lifted.
    pub fn allow_all(&self) -> Result<(), Violation> {
        for version in self.facts()?.condemned() {
            let install = self.machine.install().display().to_string();
            let arguments = vec!["allow".to_owned(), install, version];
            self.expect(&Step { arguments, exit: 0 })?;
        }
        Ok(())
    }

    /// The live files as the file system knows them now.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn untouched(&self) -> io::Result<Untouched> {
        Untouched::of(&self.machine.install())
    }
}

fn all_of(file: &mut File) -> io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
