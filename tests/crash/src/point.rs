// SPDX-License-Identifier: Apache-2.0
//! One point: disturb the commands of a scenario at one call, bring the machine to rest, and judge.

use std::fmt;
use std::io;

use crate::class::Class;
use crate::directors::KillAt;
use crate::directors::Surveyed;
use crate::directors::Surveyor;
use crate::facts::Allowed;
use crate::facts::PROMISED;
use crate::facts::RECOVERED;
use crate::facts::SAME;
use crate::fault::Failing;
use crate::fault::Fault;
use crate::filter::Openings;
use crate::machine::Threads;
use crate::power::cuts::Cuts;
use crate::stand::Disturbed;
use crate::stand::Stand;
use crate::stand::Violation;
use crate::tracer::Decision;
use crate::tracer::Ended;
use crate::untouched::Untouched;

/// How a point disturbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Disturbance {
    /// Everything is killed before the call.
    Kill,
    /// Everything is killed in the middle of the call, which is a write.
    Torn,
    /// As `Kill`; then recovery is killed at its own call of this number, and made again.
    Nested(u64),
    /// As `Kill`, with file work on many threads: another call each time.
    Random,
    /// The power is cut before the call, and the disk is found in the state of this number: see
    /// [`crate::power`].
    Power {
        /// Which state of those that may be found there.
        state: u64,
        /// What kind of state, for counting.
        kind: &'static str,
    },
    /// The call fails, once or from there on.
    Fault {
        /// How.
        fault: Fault,
        /// Whether every later call that can fails too.
        lasting: bool,
    },
}

impl Disturbance {
    /// The word for it in reports; [`mode_of`] it is the word on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Torn => "torn",
            Self::Nested(_) => "nested",
            Self::Random => "random",
            Self::Power { kind, .. } => kind,
            Self::Fault { .. } => "fault",
        }
    }
}

/// The mode that a word of a report belongs to: a `/` stands before the kind within it.
pub fn mode_of(word: &str) -> &str {
    word.split('/').next().unwrap_or(word)
}

/// One point of a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// The number of the call, over all commands.
    pub number: u64,
    /// What is done there.
    pub disturbance: Disturbance,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "--mode {} --point {}",
            mode_of(self.disturbance.word()),
            self.number
        )?;
        match self.disturbance {
            Disturbance::Power { state, .. } => write!(f, ".{state}"),
            Disturbance::Nested(inner) => write!(f, " --inner {inner}"),
            Disturbance::Fault { fault, lasting } => {
                let lasting = if lasting { " --lasting" } else { "" };
                write!(f, " --fault {}{lasting}", fault.word())
            }
            Disturbance::Kill | Disturbance::Torn | Disturbance::Random => Ok(()),
        }
    }
}

/// What came of a point.
#[derive(Debug)]
pub struct Judged {
    /// What was struck; none when the run was over before.
    pub class: Option<Class>,
    /// What is wrong.
    pub violation: Option<Violation>,
}

/// The calls of an undisturbed run, which must lead to the last state.
///
/// # Errors
/// It does not.
pub fn survey(stand: &Stand<'_>, openings: Openings) -> Result<Vec<Surveyed>, Violation> {
    stand.reset()?;
    let mut surveyor = Surveyor::new(&stand.machine);
    let undisturbed = stand.disturb(&mut surveyor, Threads::One, openings)?;
    let reached = stand.which(SAME)?;
    if reached + 1 == stand.wholes.len() {
        return Ok(surveyor.calls);
    }
    Err(Violation(format!(
        "undisturbed, and ended as {undisturbed:?}"
    )))
}

/// Tries one point.
///
/// # Errors
/// The bench itself failed.
pub fn judge(stand: &Stand<'_>, point: Point) -> io::Result<Judged> {
    stand.reset()?;
    match point.disturbance {
        Disturbance::Kill => kill(stand, point.number, Decision::Kill, Threads::One),
        Disturbance::Torn => kill(stand, point.number, Decision::Tear, Threads::One),
        Disturbance::Random => kill(stand, point.number, Decision::Kill, Threads::Many),
        Disturbance::Nested(inner) => nested(stand, point.number, inner),
        Disturbance::Power { state, .. } => cut(stand, point.number, state),
        Disturbance::Fault { fault, lasting } => fail(stand, point.number, fault, lasting),
    }
}

fn kill(
    stand: &Stand<'_>,
    number: u64,
    decision: Decision,
    threads: Threads,
) -> io::Result<Judged> {
    let untouched = stand.untouched()?;
    let mut killer = KillAt::new(&stand.machine, number, decision);
    let disturbed = stand.disturb(&mut killer, threads, Openings::Changing)?;
    let class = killer.class;
    if class.is_none() {
        return Ok(Judged {
            class,
            violation: None,
        });
    }
    let violation = if disturbed.ended == Ended::Killed {
        recovered(stand, &untouched, RECOVERED).err()
    } else {
        Some(Violation(format!("killed, and ended as {disturbed:?}")))
    };
    Ok(Judged { class, violation })
}

/// Recovers from a crash and judges: the old state or the new one is found, whole, and from it the last
/// one is reached. Answers which of the states was found: its place in the list.
///
/// # Errors
/// What is wrong.
pub(crate) fn recovered(
    stand: &Stand<'_>,
    untouched: &Untouched,
    allowed: Allowed,
) -> Result<usize, Violation> {
    stand.recover()?;
    let state = stand.which(allowed)?;
    if state == 0 && stand.untouched()? != *untouched {
        return Err(Violation(
            "the old tree is live, but was written to".to_owned(),
        ));
    }
    // Twice is once.
    stand.recover()?;
    let again = stand.which(RECOVERED)?;
    if again != state {
        return Err(Violation("a second recovery changed the state".to_owned()));
    }
    stand.go_on(state)?;
    Ok(state)
}

/// Kills a run, then the recovery after it at one of its calls. Both are made anew for each call: the
/// journal names inodes, so a state in the middle of a commit cannot be put back.
fn nested(stand: &Stand<'_>, number: u64, inner: u64) -> io::Result<Judged> {
    let untouched = stand.untouched()?;
    let mut outer = KillAt::new(&stand.machine, number, Decision::Kill);
    stand.disturb(&mut outer, Threads::One, Openings::Changing)?;
    let mut killer = KillAt::new(&stand.machine, inner, Decision::Kill);
    let recovery = stand.recovery();
    let (run, _) = stand.traced(&recovery, &mut killer, Threads::One, Openings::Changing)?;
    let violation = match (killer.class, run.ended) {
        (None, _) => None,
        (Some(_), Ended::Killed) => recovered(stand, &untouched, RECOVERED).err(),
        (Some(_), ended) => Some(Violation(format!("killed, and ended as {ended:?}"))),
    };
    Ok(Judged {
        class: killer.class,
        violation,
    })
}

/// Lays down what a power cut left, and recovers. After the last call the command has promised the new
/// state, and no power cut takes it back.
fn cut(stand: &Stand<'_>, number: u64, state: u64) -> io::Result<Judged> {
    let log = match stand.logged() {
        Ok(log) => log,
        Err(violation) => return Err(io::Error::other(violation.0)),
    };
    judge_cut(stand, &Cuts::of(log), number, state)
}

/// Tries one state of the power cuts of a run that was made at this stand.
///
/// # Errors
/// The bench itself failed.
pub fn judge_cut(
    stand: &Stand<'_>,
    cuts: &Cuts<'_>,
    number: u64,
    state: u64,
) -> io::Result<Judged> {
    let Some(cut) = cuts.lay(&stand.machine, number, state)? else {
        return Ok(Judged {
            class: None,
            violation: None,
        });
    };
    let untouched = stand.untouched()?;
    let allowed = if number < cuts.end() {
        RECOVERED
    } else {
        PROMISED
    };
    let judged = recovered(stand, &untouched, allowed).and_then(|found| {
        let last = stand.wholes.len() - 1;
        if number < cuts.end() || stand.is_same(found, last) {
            Ok(())
        } else {
            Err(Violation(
                "it had said that it is done, and is not".to_owned(),
            ))
        }
    });
    Ok(Judged {
        class: Some(cut.class),
        violation: judged.err(),
    })
}

/// Tries every call of the recovery after one kill, and tells about each.
///
/// # Errors
/// The bench itself failed.
pub fn nest(stand: &Stand<'_>, number: u64, mut tell: impl FnMut(Point, Judged)) -> io::Result<()> {
    for inner in 1.. {
        let point = Point {
            number,
            disturbance: Disturbance::Nested(inner),
        };
        let judged = judge(stand, point)?;
        if judged.class.is_none() {
            return Ok(());
        }
        tell(point, judged);
    }
    Ok(())
}

fn fail(stand: &Stand<'_>, number: u64, fault: Fault, lasting: bool) -> io::Result<Judged> {
    let untouched = stand.untouched()?;
    let mut failing = Failing::new(&stand.machine, number, fault, lasting);
    let disturbed = stand.disturb(&mut failing, Threads::One, Openings::All)?;
    let (class, believed) = (failing.struck, failing.believed);
    if class.is_none() {
        return Ok(Judged {
            class,
            violation: None,
        });
    }
    let told = |violation: Violation| {
        let Disturbed { ended, ran, .. } = &disturbed;
        let told: String = ran
            .stderr
            .chars()
            .chain(ran.stdout.chars())
            .take(500)
            .collect();
        Violation(format!("{violation}\n      {ended:?}: {told}"))
    };
    let violation = failed(stand, &disturbed, &untouched, believed)
        .err()
        .map(told);
    Ok(Judged { class, violation })
}

fn failed(
    stand: &Stand<'_>,
    disturbed: &Disturbed,
    untouched: &Untouched,
    believed: Option<String>,
) -> Result<(), Violation> {
    let wrong = |what: &str| Err(Violation(what.to_owned()));
    let Ended::Exit(exit) = disturbed.ended else {
        return wrong("it did not come to an end of its own");
    };
    if exit == 101 || disturbed.ran.stderr.contains("panicked at") {
        return wrong("it panicked");
    }
    if let Some(believed) = believed.filter(|_| exit == 0) {
        return Err(Violation(format!(
            "a sync that had failed was believed: {believed}"
        )));
    }
    let unlisted = disturbed
        .ran
        .stderr
        .contains("list of installs does not name it");
    let allowed = Allowed {
        unlisted,
        ..RECOVERED
    };
    let last = stand.wholes.len() - 1;
    let ended_as_planned = exit == stand.planned(disturbed.act);
    match exit {
        9 => {
            stand.recover()?;
            let state = stand.which(RECOVERED)?;
            stand.go_on(state)
        }
        _ if ended_as_planned => {
            stand.at_rest(last)?;
            stand.recover()?;
            let state = stand.which(allowed)?;
            if stand.is_same(state, last) {
                stand.go_on_allowing(state, unlisted)
            } else {
                wrong("it says that it is done, and is not")
            }
        }
        0 => wrong("success where there can be none"),
        7 => rolled_back(stand, disturbed.act),
        _ => {
            let old = disturbed.act;
            stand.at_rest(old)?;
            if old == 0 && stand.untouched()? != *untouched {
                return wrong("the old tree is live, but was written to");
            }
            stand.recover()?;
            let state = stand.which(RECOVERED)?;
            if stand.is_same(state, old) {
                stand.go_on(state)
            } else {
                wrong("it says that the old state is live, and it is not")
            }
        }
    }
}

/// The new version was live, could not be proved healthy because of the fault, and the old one came
/// back; the package is condemned, and a person lifts that.
fn rolled_back(stand: &Stand<'_>, old: usize) -> Result<(), Violation> {
    stand.at_rest(old)?;
    stand.recover()?;
    stand.allow_all()?;
    let state = stand.which(RECOVERED)?;
    if stand.is_same(state, old) {
        stand.go_on(state)
    } else {
        Err(Violation(
            "rolled back, and the old state is not live".to_owned(),
        ))
    }
}
