// SPDX-License-Identifier: Apache-2.0
//! Power cuts below real file systems: the commands of a scenario run on disks that log every write and
//! every flush (`drives`, `recording`); then the disks that a cut may leave are built from the log
//! (`cuts`), the real kernel mounts them and replays their journals, and the machine is recovered and
//! judged as after any other crash.
//!
//! Nothing is assumed here about what a file system promises: ext4, xfs and btrfs show it. The install
//! lies on one disk, configuration files elsewhere on another one with another file system; both lose
//! their power at one instant and keep what they keep.
//!
//! A recording is not the same each time: file systems write some things when they find the time. So
//! the disks of a violation are kept as files that can be mounted.

mod cuts;
mod disks;
mod drives;
mod image;
mod recording;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

pub use disks::FILE_SYSTEMS;
pub use disks::FileSystem;
pub use recording::Syncs;

use crate::bench::Bench;
use crate::bench::Report;
use crate::bench::locked;
use crate::bench::note;
use crate::class::Class;
use crate::facts::RECOVERED;
use crate::machine::Machine;
use crate::plan::Chance;
use crate::point;
use crate::say;
use crate::scenario::Scenario;
use crate::stand::Stand;
use crate::stand::Violation;
use crate::sys;
use crate::untouched::Untouched;
use cuts::Cut;
use disks::Disks;
use recording::Recording;

/// Which cuts are tried.
#[derive(Clone, Copy, Debug)]
pub enum Chosen {
    /// At most so many of each class and kind, on every file system; by chance, which this seed makes
    /// the same each time.
    Each(usize, u64),
    /// The one of this number, on this file system.
    One(FileSystem, u64),
}

/// The cuts of some scenarios.
#[derive(Debug)]
pub struct Block<'a> {
    /// Where everything is.
    pub bench: &'a Bench,
    /// Which cuts.
    pub chosen: Chosen,
    /// Whether the product syncs.
    pub syncs: Syncs,
}

/// A scenario on one file system.
struct Job<'a> {
    scenario: &'a Scenario,
    packages: &'a [PathBuf],
    kind: FileSystem,
}

/// The same, recorded.
struct Recorded<'a> {
    stand: Stand<'a>,
    disks: Disks,
    untouched: Untouched,
    recording: Recording,
}

/// Whether this machine lets us do it: a reason why not.
///
/// # Errors
/// It does not, or there is no command that makes one of the file systems.
pub fn is_possible(bench: &Bench) -> io::Result<()> {
    disks::permitted()?;
    let folder = bench.place("possible")?;
    on_a_thread(|| {
        for kind in FILE_SYSTEMS {
            Disks::plug_in(kind, &folder)?.mount()?;
        }
        Ok(())
    })
}

/// What is mounted is seen by one thread only, and what is open there is open for nobody else: a process
/// that another thread is just about to start would hold it, and keep it from being unmounted.
fn on_a_thread<E>(work: impl FnOnce() -> Result<(), E> + Send) -> Result<(), E>
where
    E: From<io::Error> + Send,
{
    let alone = || {
        sys::forget_descriptors()?;
        work()
    };
    let joined = std::thread::scope(|scope| scope.spawn(alone).join());
    joined.unwrap_or_else(|_panicked| Err(io::Error::other("it panicked").into()))
}

impl Block<'_> {
    /// Tries the cuts.
    pub fn try_out(&self, scenarios: &[Scenario]) -> Report {
        let report = Mutex::new(Report::default());
        let mut packed = Vec::new();
        for scenario in scenarios {
            match self.bench.packages(scenario) {
                Ok(packages) => packed.push((scenario, packages)),
                Err(error) => note(&report, scenario, &error.to_string()),
            }
        }
        let kinds = FILE_SYSTEMS
            .into_iter()
            .filter(|kind| !matches!(self.chosen, Chosen::One(one, _) if one != *kind));
        let kinds: Vec<FileSystem> = kinds.collect();
        let jobs = packed.iter().flat_map(|(scenario, packages)| {
            kinds.iter().map(move |kind| Job {
                scenario,
                packages,
                kind: *kind,
            })
        });
        let jobs: Mutex<VecDeque<Job<'_>>> = Mutex::new(jobs.collect());
        std::thread::scope(|scope| {
            for _ in 0..self.bench.jobs() {
                scope.spawn(|| {
                    while let Some(job) = { locked(&jobs).pop_front() } {
                        let done = on_a_thread(|| self.work_off(&job, &report));
                        if let Err(violation) = done {
                            let told = format!("{}: {violation}", job.kind.word());
                            note(&report, job.scenario, &told);
                        }
                    }
                });
            }
        });
        report.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn work_off(&self, job: &Job<'_>, report: &Mutex<Report>) -> Result<(), Violation> {
        let started = std::time::Instant::now();
        let mut recorded = self.record(job)?;
        let recording = &recorded.recording;
        let all = cuts::cuts(recording);
        let chosen = self.choose(recording, &all);
        let (events, listed, tried) = (recording.events.len(), all.len(), chosen.len());
        if chosen.is_empty() {
            locked(report).missed += 1;
        }
        let mut wrong = 0;
        for (kind, class, cut) in chosen {
            let outcome = recorded.cut(cut)?;
            wrong += u64::from(outcome.is_err());
            if self.syncs == Syncs::Pretended {
                continue;
            }
            let mode = format!("block {}/{kind}", job.kind.word());
            locked(report).tally.add(&mode, class, outcome.is_err());
            if let Err(violation) = outcome {
                let point = format!("--mode block --point {}:{}", job.kind.word(), cut.number);
                let kept = self.keep(job, &recorded.recording, cut)?;
                let told = format!("{point}\n    {kind}, {class}\n    {violation}\n    {kept}");
                note(report, job.scenario, &told);
            }
        }
        let what = match self.syncs {
            Syncs::Made => "violations",
            Syncs::Pretended => "noticed that nothing was synced",
        };
        say::line(&format!(
            "{} on {}: {events} requests to the disks, {listed} cuts, {tried} tried, {wrong} {what}, {:.0} s",
            job.scenario.name,
            job.kind.word(),
            started.elapsed().as_secs_f64()
        ));
        if self.syncs == Syncs::Pretended && wrong == 0 {
            return Err(Violation(
                "nothing is synced, and no cut notices".to_owned(),
            ));
        }
        Ok(())
    }

    /// Sets a scenario up on disks, and records it there.
    fn record<'s>(&self, job: &Job<'s>) -> Result<Recorded<'s>, Violation> {
        let name = format!("{}-{}", job.scenario.name, job.kind.word());
        let folder = self.bench.place(&name)?;
        let mut disks = Disks::plug_in(job.kind, &folder)?;
        disks.mount()?;
        let roots = [disks.point(0).join("machine"), disks.point(1).join("other")];
        for root in &roots {
            fs::create_dir(root)?;
        }
        let machine = Machine::new(self.bench.product(), &roots[0], &roots[1]);
        let output = folder.join("output");
        fs::create_dir_all(&output)?;
        let stand = Stand::set_up(job.scenario, machine, job.packages, output, None)?;
        let untouched = stand.untouched()?;
        let recording = Recording::of(&stand, &mut disks, self.syncs)?;
        Ok(Recorded {
            stand,
            disks,
            untouched,
            recording,
        })
    }

    fn choose(&self, recording: &Recording, all: &[Cut]) -> Vec<(String, Class, Cut)> {
        let mut kinds: BTreeMap<(String, Class), Vec<Cut>> = BTreeMap::new();
        for cut in all {
            // Before the first call of a command there is nothing to be lost.
            let Some(class) = recording.class(cut.at - 1) else {
                continue;
            };
            let ended = if cut.at >= recording.ended {
                ", after the end"
            } else {
                ""
            };
            let kind = format!("{}{ended}", cut.kept.word());
            kinds.entry((kind, class)).or_default().push(*cut);
        }
        let mut chosen = Vec::new();
        for ((kind, class), cuts) in kinds {
            let of_kind = |cut: &Cut| (kind.clone(), class, *cut);
            match self.chosen {
                Chosen::Each(most, seed) => {
                    // One from each of as many equal parts.
                    let (mut chance, parts) = (Chance::new(seed), cuts.len().min(most));
                    let spread = (0..parts).map(|part| {
                        let begin = part * cuts.len() / parts;
                        let length = (part + 1) * cuts.len() / parts - begin;
                        &cuts[begin + chance.up_to(length as u64) as usize - 1]
                    });
                    chosen.extend(spread.map(of_kind));
                }
                Chosen::One(_, number) => {
                    chosen.extend(cuts.iter().filter(|cut| cut.number == number).map(of_kind));
                }
            }
        }
        chosen
    }

    /// Keeps the disks of a cut for whoever wants to look at them.
    fn keep(&self, job: &Job<'_>, recording: &Recording, cut: Cut) -> Result<String, Violation> {
        let folder = self.bench.kept();
        fs::create_dir_all(folder)?;
        let name = format!("{}-{}-{}", job.scenario.name, job.kind.word(), cut.number);
        for (disk, image) in cuts::found(recording, cut).iter().enumerate() {
            image.save(&folder.join(format!("{name}-{disk}.img")))?;
        }
        Ok(format!("kept as {}", folder.join(name).display()))
    }
}

impl Recorded<'_> {
    /// Cuts the power, lets the kernel find the disks, recovers, and judges.
    ///
    /// # Errors
    /// The disks cannot be unmounted, so nothing more can be tried on them.
    fn cut(&mut self, cut: Cut) -> io::Result<Result<(), Violation>> {
        let found = cuts::found(&self.recording, cut);
        self.disks.drives.load(found);
        let mounted = self.disks.mount();
        let judged = match mounted {
            Ok(()) => self.judge(cut.at >= self.recording.ended),
            Err(error) => Err(Violation(format!("the file system is lost: {error}"))),
        };
        self.disks.unmount()?;
        Ok(judged)
    }

    fn judge(&self, has_ended: bool) -> Result<(), Violation> {
        let stand = &self.stand;
        if stand.wholes[0].facts.service().is_some() {
            // The machine starts its services, and this is no machine that could do it.
            fs::write(stand.machine.path("up"), "")?;
            let _never_written = fs::remove_file(stand.machine.path("service.log"));
        }
        let state = point::recovered(stand, &self.untouched, RECOVERED)?;
        let last = stand.wholes.len() - 1;
        if has_ended && !stand.is_same(state, last) {
            return Err(Violation(
                "the command had ended, and what it did is lost".to_owned(),
            ));
        }
        Ok(())
    }
}
