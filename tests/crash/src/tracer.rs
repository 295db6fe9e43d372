// SPDX-License-Identifier: Apache-2.0
//! Runs a command and stops it, with all its threads and children, before each call that would change
//! one of the watched directories, or make a change durable.
//!
//! One counter numbers these calls over all threads and processes. Before each of them a [`Director`]
//! decides what becomes of it. Since no such call is made before the tracer says so, a kill at call
//! *n* is exact: the disk holds what the calls before *n* left there, and nothing else.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::amount;
use crate::calls;
use crate::calls::Amount;
use crate::calls::Operation;
use crate::calls::Shape;
use crate::filter;
use crate::filter::Openings;
use crate::place;
use crate::place::Place;
use crate::sys;
use crate::sys::Event;
use crate::sys::Pid;
use crate::sys::Registers;
use crate::sys::Resume;
use crate::watchdog::Watchdog;

/// A call that is about to be made.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its number in this run, counted from 1.
    pub number: u64,
    /// What it does.
    pub operation: Operation,
    /// Who makes it.
    pub by: Actor,
    /// The file that changes; none where every file system is meant.
    pub file: Option<Place>,
    /// The second name of a rename, an exchange or a link; the source of a copy.
    pub other: Option<Place>,
    /// How many bytes it moves.
    pub bytes: Option<u64>,
    /// The flags of an opening.
    pub(crate) flags: i32,
    pub(crate) tid: Pid,
    pub(crate) registers: Registers,
    pub(crate) amount: Option<Amount>,
}

impl Call {
    /// The same call, numbered on from others.
    #[must_use]
    pub fn counted_from(&self, before: u64) -> Self {
        Self {
            number: self.number + before,
            ..self.clone()
        }
    }

    /// The path that it is about, for people.
    pub fn path(&self) -> &Path {
        self.file
            .as_ref()
            .map_or_else(|| Path::new("/"), |place| &place.path)
    }
}

/// Whose process makes a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// The program that is tried out, in whatever process it runs.
    Product,
    /// Another program that it started: the operator's commands.
    Other,
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is made.
    Go,
    /// Every process is killed before it.
    Kill,
    /// The first half of its bytes is moved, then every process is killed.
    Tear,
    /// The first half of its bytes is moved, and that is what it reports.
    Shorten,
    /// It is not made, and fails with this error number.
    Fail(i32),
    /// It is not made, and reports that it was.
    Pretend,
}

/// Decides about each call.
pub trait Director {
    /// Before the call: its thread stands still.
    ///
    /// # Errors
    /// The run is given up.
    fn before(&mut self, call: &Call) -> io::Result<Decision>;

    /// Whether [`Self::after`] is to be told how calls ended.
    fn wants_results(&self) -> bool {
        false
    }

    /// After the call: its thread stands still once more. A negative result is an error number.
    ///
    /// # Errors
    /// The run is given up.
    fn after(&mut self, _call: &Call, _result: i64) -> io::Result<()> {
        Ok(())
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with an exit code.
    Exit(i32),
    /// By a signal that nobody here sent.
    Signal(i32),
    /// The director had it killed.
    Killed,
    /// It took too long, and was killed for that.
    TimedOut,
}

/// A run that is over: nothing of it lives any more.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// How it ended.
    pub ended: Ended,
    /// How many calls there were.
    pub calls: u64,
}

/// What is watched, and how.
#[derive(Clone, Debug)]
pub struct Watched<'a> {
    /// Directories, by their real paths, in which changes count.
    pub roots: &'a [PathBuf],
    /// The program that is tried out, by its real path.
    pub product: &'a Path,
    /// Which openings count.
    pub openings: Openings,
    /// After this a run has hung.
    pub limit: Duration,
}

/// Runs a command under a director.
///
/// # Errors
/// The system refuses to trace, or the director gave up; nothing of the command lives then.
pub fn run(
    command: &mut Command,
    watched: &Watched<'_>,
    director: &mut dyn Director,
) -> io::Result<Run> {
    let main = sys::start(command, filter::filter(watched.openings))?;
    let alive = Arc::new(Mutex::new(BTreeSet::from([main])));
    let watchdog = Watchdog::start(watched.limit, Arc::clone(&alive));
    let mut tracer = Tracer {
        watched,
        director,
        main,
        alive,
        begun: BTreeSet::new(),
        making: BTreeMap::new(),
        actors: BTreeMap::new(),
        calls: 0,
        ended: None,
    };
    let outcome = tracer.follow_to_the_end();
    if outcome.is_err() {
        tracer.kill_all()?;
        tracer.drain()?;
    }
    // A thread that the watchdog killed is missed where it was about to be looked at.
    let ended = if watchdog.stop() {
        Ended::TimedOut
    } else {
        outcome?
    };
    Ok(Run {
        ended,
        calls: tracer.calls,
    })
}

/// A call that is under way, to be looked at when it returns.
struct Making {
    call: Call,
    then_kill: bool,
    /// What the caller believes its registers are.
    shortened: bool,
}

struct Tracer<'a> {
    watched: &'a Watched<'a>,
    director: &'a mut dyn Director,
    main: Pid,
    /// Every thread and process that is traced.
    alive: Arc<Mutex<BTreeSet<Pid>>>,
    /// Those that have got over the stop that they are born with.
    begun: BTreeSet<Pid>,
    making: BTreeMap<Pid, Making>,
    actors: BTreeMap<Pid, Actor>,
    calls: u64,
    ended: Option<Ended>,
}

impl Tracer<'_> {
    fn follow_to_the_end(&mut self) -> io::Result<Ended> {
        while let Some(event) = sys::wait()? {
            match event {
                Event::Exited { tid, code } => self.gone(tid, Ended::Exit(code)),
                Event::Signaled { tid, signal } => self.gone(tid, Ended::Signal(signal)),
                Event::Born { child, tid } => {
                    self.locked().insert(child);
                    sys::resume(tid, Resume::On, 0)?;
                }
                Event::Execed(tid) => {
                    self.actors.remove(&tid);
                    sys::resume(tid, Resume::On, 0)?;
                }
                Event::Call(tid) => {
                    let judged = self.judge(tid);
                    if unless_gone(tid, judged)?.unwrap_or(false) {
                        return self.killed();
                    }
                }
                Event::Returned(tid) => {
                    let returned = self.returned(tid);
                    if unless_gone(tid, returned)?.unwrap_or(false) {
                        return self.killed();
                    }
                }
                Event::Stopped { tid, signal } => {
                    let stopped = self.stopped(tid, signal);
                    unless_gone(tid, stopped)?;
                }
            }
        }
        self.ended
            .ok_or_else(|| io::Error::other("the command vanished without an end"))
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, BTreeSet<Pid>> {
        self.alive.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gone(&mut self, tid: Pid, ended: Ended) {
        self.locked().remove(&tid);
        self.begun.remove(&tid);
        self.making.remove(&tid);
        self.actors.remove(&tid);
        if tid == self.main {
            self.ended = Some(ended);
        }
    }

    fn stopped(&mut self, tid: Pid, signal: i32) -> io::Result<()> {
        if self.begun.insert(tid) {
            // The first stop of each is the tracer's own.
            self.locked().insert(tid);
            if tid == self.main {
                sys::follow(tid)?;
            }
            return sys::resume(tid, Resume::On, 0);
        }
        sys::resume(tid, Resume::On, signal)
    }

    /// Asks the director about the call before which a thread stands; says whether all is to be
    /// killed.
    fn judge(&mut self, tid: Pid) -> io::Result<bool> {
        let Some(call) = self.understand(tid)? else {
            sys::resume(tid, Resume::On, 0)?;
            return Ok(false);
        };
        self.calls = call.number;
        let decision = self.director.before(&call)?;
        let (mut then_kill, mut shortened) = (false, false);
        match decision {
            Decision::Go => {}
            Decision::Kill => return Ok(true),
            Decision::Tear => {
                amount::halve(&call)?;
                then_kill = true;
            }
            Decision::Shorten => {
                amount::halve(&call)?;
                shortened = true;
            }
            Decision::Fail(errno) => {
                let answered = call.registers.answered(-i64::from(errno));
                sys::set_registers(tid, &answered)?;
            }
            Decision::Pretend => sys::set_registers(tid, &call.registers.answered(0))?,
        }
        if then_kill || shortened || self.director.wants_results() {
            let making = Making {
                call,
                then_kill,
                shortened,
            };
            self.making.insert(tid, making);
            sys::resume(tid, Resume::ToTheEndOfTheCall, 0)?;
        } else {
            sys::resume(tid, Resume::On, 0)?;
        }
        Ok(false)
    }

    fn returned(&mut self, tid: Pid) -> io::Result<bool> {
        if let Some(making) = self.making.remove(&tid) {
            if making.then_kill {
                return Ok(true);
            }
            let registers = sys::registers(tid)?;
            if making.shortened {
                amount::restore(&making.call, registers)?;
            }
            if self.director.wants_results() {
                self.director.after(&making.call, registers.result())?;
            }
        }
        sys::resume(tid, Resume::On, 0)?;
        Ok(false)
    }

    /// The call before which a thread stands, if it counts.
    fn understand(&mut self, tid: Pid) -> io::Result<Option<Call>> {
        let registers = sys::registers(tid)?;
        let arguments = registers.arguments();
        let Some(mut shape) = calls::understand(registers.number(), &arguments) else {
            return Ok(None);
        };
        let mut flags = match registers.number() {
            libc::SYS_open => arguments[1] as i32,
            libc::SYS_openat => arguments[2] as i32,
            libc::SYS_creat => libc::O_CREAT | libc::O_TRUNC,
            _ => 0,
        };
        if registers.number() == libc::SYS_openat2 {
            (shape, flags) = opening(tid, shape, &arguments)?;
            if shape.operation == Operation::Open && self.watched.openings == Openings::Changing {
                return Ok(None);
            }
        }
        let resolved = |spot: Option<_>| match spot {
            Some(spot) => place::resolve(tid, spot, &arguments),
            None => Ok(None),
        };
        let file = resolved(shape.file)?;
        let other = resolved(shape.other)?;
        let is_watched = |place: &Option<Place>| {
            place.as_ref().is_some_and(|place| {
                self.watched
                    .roots
                    .iter()
                    .any(|root| place.path.starts_with(root))
            })
        };
        let names_two = matches!(
            shape.operation,
            Operation::Rename | Operation::Exchange | Operation::Link
        );
        let counts = is_watched(&file)
            || (names_two && is_watched(&other))
            || shape.operation == Operation::SyncEverything;
        if !counts {
            return Ok(None);
        }
        Ok(Some(Call {
            number: self.calls + 1,
            operation: shape.operation,
            by: self.actor(tid),
            file,
            other,
            bytes: shape
                .amount
                .map(|amount| amount::bytes(tid, amount, &arguments))
                .transpose()?,
            flags,
            tid,
            registers,
            amount: shape.amount,
        }))
    }

    fn actor(&mut self, tid: Pid) -> Actor {
        let product = self.watched.product;
        *self.actors.entry(tid).or_insert_with(|| {
            let runs = std::fs::read_link(format!("/proc/{tid}/exe"));
            if runs.is_ok_and(|runs| runs == product) {
                Actor::Product
            } else {
                Actor::Other
            }
        })
    }

    fn killed(&mut self) -> io::Result<Ended> {
        self.kill_all()?;
        self.drain()?;
        Ok(Ended::Killed)
    }

    fn kill_all(&self) -> io::Result<()> {
        for tid in &*self.locked() {
            sys::kill(*tid)?;
        }
        Ok(())
    }

    /// Waits until everything that was killed is gone, and kills what was being born meanwhile.
    fn drain(&mut self) -> io::Result<()> {
        while let Some(event) = sys::wait()? {
            match event {
                Event::Exited { tid, .. } | Event::Signaled { tid, .. } => {
                    self.locked().remove(&tid);
                }
                Event::Born { child, tid } => {
                    sys::kill(child)?;
                    sys::kill(tid)?;
                }
                Event::Call(tid)
                | Event::Returned(tid)
                | Event::Execed(tid)
                | Event::Stopped { tid, .. } => sys::kill(tid)?,
            }
        }
        Ok(())
    }
}

/// None where the thread that was looked at stands still no longer: it was killed meanwhile, by a
/// signal or by the end of its process, and [`sys::wait`] tells of that next.
fn unless_gone<T>(tid: Pid, looked: io::Result<T>) -> io::Result<Option<T>> {
    match looked {
        Ok(seen) => Ok(Some(seen)),
        Err(_) if !sys::stands_still(tid) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The flags of `openat2` are in memory.
fn opening(tid: Pid, shape: Shape, arguments: &[u64; 6]) -> io::Result<(Shape, i32)> {
    let bytes = sys::read_memory(tid, arguments[2], 8)?;
    let flags = bytes
        .first_chunk()
        .map_or(0, |bytes| u64::from_ne_bytes(*bytes)) as i32;
    let follow = if flags & libc::O_NOFOLLOW == 0 {
        calls::Follow::Yes
    } else {
        calls::Follow::No
    };
    let shape = Shape {
        operation: calls::opening(flags),
        file: Some(calls::Spot::At(0, follow)),
        ..shape
    };
    Ok((shape, flags))
}
