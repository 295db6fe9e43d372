// SPDX-License-Identifier: Apache-2.0
//! The bench: scenarios on as many machines as there are processors, point by point, and the report.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use tempfile::TempDir;

use crate::class::Class;
use crate::class::Tally;
use crate::directors::Surveyed;
use crate::filter::Openings;
use crate::machine;
use crate::machine::Machine;
use crate::mutants::Mutant;
use crate::mutants::Original;
use crate::mutants::Outcome;
use crate::plan;
use crate::plan::Chance;
use crate::plan::Size;
use crate::point;
use crate::point::Judged;
use crate::point::Point;
use crate::power::cuts::Cuts;
use crate::say;
use crate::scenario::Scenario;
use crate::stand::Stand;
use crate::stand::Violation;
use crate::stand::Whole;

/// Where everything is.
#[derive(Debug)]
pub struct Bench {
    product: PathBuf,
    jobs: usize,
    memory: TempDir,
    elsewhere: TempDir,
    kept: PathBuf,
    /// Classes of kills whose recovery was killed in turn.
    nested: Mutex<BTreeSet<Class>>,
}

/// What is tried.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// So many points of each class.
    Size(Size),
    /// One point.
    Point(Point),
}

/// What came of the bench.
#[derive(Debug, Default)]
pub struct Report {
    /// The points that were tried.
    pub tally: Tally,
    /// What is wrong, with the words that repeat it.
    pub violations: Vec<String>,
    /// Points whose call never came.
    pub missed: u64,
    /// Modes that this machine cannot run, and why.
    pub not_run: Vec<String>,
}

impl Report {
    /// Adds another report to this one.
    pub fn merge(&mut self, other: Self) {
        self.tally.merge(&other.tally);
        self.violations.extend(other.violations);
        self.missed += other.missed;
        self.not_run.extend(other.not_run);
    }
}

/// A piece of work: one point, or all points of the recovery after one kill.
#[derive(Clone, Copy, Debug)]
enum Work {
    Point(Point),
    Nest(u64),
}

/// Where scratch files go: in memory, where that can be had.
fn scratch(below: &Path) -> io::Result<TempDir> {
    let folder = if below.is_dir() {
        below.to_owned()
    } else {
        std::env::temp_dir()
    };
    tempfile::Builder::new()
        .prefix("cofferdam-crash-")
        .tempdir_in(folder)
}

/// A folder of this name, empty: another mode may have had one.
fn place(folder: &TempDir, name: &str) -> io::Result<PathBuf> {
    let place = folder.path().canonicalize()?.join(name);
    match fs::remove_dir_all(&place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    fs::create_dir_all(&place)?;
    Ok(place)
}

impl Bench {
    /// A bench for a binary. `target` is a folder for what is built, and lies on another file system
    /// than memory.
    ///
    /// # Errors
    /// There is no such binary, or no place to work in.
    pub fn new(product: &Path, target: &Path, jobs: usize) -> io::Result<Self> {
        fs::create_dir_all(target)?;
        machine::build_guests(&target.canonicalize()?.join("guests"));
        Ok(Self {
            product: product.canonicalize()?,
            jobs: jobs.max(1),
            memory: scratch(Path::new("/dev/shm"))?,
            elsewhere: scratch(target)?,
            kept: target.join("violations"),
            nested: Mutex::default(),
        })
    }

    fn machine(&self, name: &str) -> io::Result<Machine> {
        let (root, elsewhere) = (self.place(name)?, place(&self.elsewhere, name)?);
        Ok(Machine::new(&self.product, &root, &elsewhere))
    }

    /// A folder in memory.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn place(&self, name: &str) -> io::Result<PathBuf> {
        place(&self.memory, name)
    }

    /// The binary that is tried out.
    pub(crate) fn product(&self) -> &Path {
        &self.product
    }

    /// How much is done at once.
    pub(crate) fn jobs(&self) -> usize {
        self.jobs
    }

    /// Where what a person may want to look at is kept.
    pub(crate) fn kept(&self) -> &Path {
        &self.kept
    }

    /// Tries a scenario.
    ///
    /// # Errors
    /// It does not do what it says when nobody disturbs it.
    pub fn try_out(
        &self,
        scenario: &Scenario,
        wanted: &Wanted,
        seed: u64,
    ) -> Result<Report, Violation> {
        let started = Instant::now();
        let packages = self.packages(scenario)?;
        let first = self.stand(scenario, &packages, 0, None)?;
        let (work, told) = match wanted {
            Wanted::Point(point) => (VecDeque::from([Work::Point(*point)]), String::new()),
            Wanted::Size(size) => self.plan(&first, size, seed)?,
        };
        say::line(&format!("{}: {}{told}", scenario.name, scenario.about));
        let work = Mutex::new(work);
        let report = Mutex::new(Report::default());
        let wholes = Arc::clone(&first.wholes);
        std::thread::scope(|scope| {
            let (work, report, packages) = (&work, &report, &packages);
            for number in 1..self.jobs {
                let wholes = Arc::clone(&wholes);
                scope.spawn(
                    move || match self.stand(scenario, packages, number, Some(wholes)) {
                        Ok(stand) => do_all(&stand, work, report),
                        Err(violation) => note(report, scenario, &violation.to_string()),
                    },
                );
            }
            do_all(&first, work, report);
        });
        let report = report.into_inner().unwrap_or_else(PoisonError::into_inner);
        say::line(&format!(
            "  {} in {:.0} s",
            counts(&report),
            started.elapsed().as_secs_f64()
        ));
        Ok(report)
    }

    /// Tries every mutant of what the product does in a scenario. The product must have switches.
    ///
    /// # Errors
    /// It has none, or does not do what the scenario says when nobody disturbs it.
    pub fn mutate(&self, scenario: &Scenario) -> Result<Vec<Outcome>, Violation> {
        let packages = self.packages(scenario)?;
        let first = self.stand(scenario, &packages, 0, None)?;
        let original = Original::at(&first)?;
        let work: Mutex<VecDeque<Mutant>> = Mutex::new(original.mutants()?.into());
        let outcomes = Mutex::new(Vec::new());
        let failed = Mutex::new(None);
        let wholes = Arc::clone(&first.wholes);
        let work_off = |original: &Original<'_>| {
            while let Some(mutant) = { locked(&work).pop_front() } {
                match original.try_out(mutant) {
                    Ok(outcome) => locked(&outcomes).extend(outcome),
                    Err(violation) => *locked(&failed) = Some(violation),
                }
            }
        };
        std::thread::scope(|scope| {
            for number in 1..self.jobs {
                let (wholes, packages) = (Arc::clone(&wholes), &packages);
                let (work_off, failed) = (&work_off, &failed);
                scope.spawn(move || {
                    let stand = self.stand(scenario, packages, number, Some(wholes));
                    let done =
                        stand.and_then(|stand| Original::at(&stand).map(|one| work_off(&one)));
                    if let Err(violation) = done {
                        *locked(failed) = Some(violation);
                    }
                });
            }
            work_off(&original);
        });
        match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(violation) => Err(violation),
            None => Ok(outcomes
                .into_inner()
                .unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// Builds the packages of a scenario.
    ///
    /// # Errors
    /// There is no place for them.
    pub(crate) fn packages(&self, scenario: &Scenario) -> io::Result<Vec<PathBuf>> {
        let packing = self.machine(&format!("{}-packages", scenario.name))?;
        packing.make_key();
        Ok((scenario.build)(&packing))
    }

    fn stand<'a>(
        &self,
        scenario: &'a Scenario,
        packages: &[PathBuf],
        number: usize,
        wholes: Option<Arc<Vec<Whole>>>,
    ) -> Result<Stand<'a>, Violation> {
        let name = format!("{}-{number}", scenario.name);
        let machine = self.machine(&name)?;
        let output = self.memory.path().join(format!("{name}-output"));
        fs::create_dir_all(&output)?;
        Stand::set_up(scenario, machine, packages, output, wholes)
    }

    fn plan(
        &self,
        stand: &Stand<'_>,
        size: &Size,
        seed: u64,
    ) -> Result<(VecDeque<Work>, String), Violation> {
        let size = if stand.scenario.is_cut_off {
            &size.without_faults()
        } else {
            size
        };
        let log = stand.logged()?;
        let mut chance = Chance::new(seed);
        let cuts = match size.power {
            0 => Vec::new(),
            most => Cuts::of(log).choose(&stand.machine, most, &mut chance),
        };
        let calls = point::survey(stand, Openings::Changing)?;
        let openings = point::survey(stand, Openings::All)?;
        let points = plan::points(size, &calls, &openings, &mut chance);
        let mut work: VecDeque<Work> = plan::nests(size, &calls, &mut locked(&self.nested))
            .into_iter()
            .map(Work::Nest)
            .collect();
        work.extend(points.into_iter().chain(cuts).map(Work::Point));
        let told = format!(" ({} calls in {} classes)", calls.len(), classes(&calls));
        Ok((work, told))
    }
}

fn classes(calls: &[Surveyed]) -> usize {
    let mut classes: Vec<_> = calls.iter().map(|call| call.class).collect();
    classes.sort();
    classes.dedup();
    classes.len()
}

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn note(report: &Mutex<Report>, scenario: &Scenario, what: &str) {
    let told = format!("--scenario {}: {what}", scenario.name);
    say::line(&format!("  VIOLATION {told}"));
    locked(report).violations.push(told);
}

fn do_all(stand: &Stand<'_>, work: &Mutex<VecDeque<Work>>, report: &Mutex<Report>) {
    loop {
        let Some(next) = locked(work).pop_front() else {
            return;
        };
        let done = match next {
            Work::Point(point) => {
                point::judge(stand, point).map(|judged| count(stand, report, point, judged))
            }
            Work::Nest(number) => point::nest(stand, number, |point, judged| {
                count(stand, report, point, judged);
            }),
        };
        if let Err(error) = done {
            note(report, stand.scenario, &format!("{next:?}: {error}"));
        }
    }
}

fn count(stand: &Stand<'_>, report: &Mutex<Report>, point: Point, judged: Judged) {
    let Judged { class, violation } = judged;
    match class {
        Some(class) => {
            let word = point.disturbance.word();
            locked(report).tally.add(word, class, violation.is_some());
            if let Some(violation) = violation {
                note(
                    report,
                    stand.scenario,
                    &format!("{point}\n    {class}\n    {violation}"),
                );
            }
        }
        None => locked(report).missed += 1,
    }
}

/// The counts of a report in one line.
pub fn counts(report: &Report) -> String {
    let modes = report.tally.modes();
    let mut parts: Vec<String> = modes
        .iter()
        .map(|(mode, (points, classes, _))| format!("{mode} {points} points of {classes} classes"))
        .collect();
    parts.push(format!("{} violations", report.violations.len()));
    if report.missed > 0 {
        parts.push(format!("{} never came", report.missed));
    }
    parts.join(", ")
}
