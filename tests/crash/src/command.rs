// SPDX-License-Identifier: Apache-2.0
//! The command line: which scenarios, which points, and the report at the end.

use std::path::Path;
use std::path::PathBuf;
use std::process::ExitCode;

use crate::bench;
use crate::bench::Bench;
use crate::bench::Report;
use crate::bench::Wanted;
use crate::block;
use crate::block::Block;
use crate::block::Chosen;
use crate::block::FileSystem;
use crate::block::Syncs;
use crate::fault::Fault;
use crate::mutation::Score;
use crate::plan::FULL;
use crate::plan::SHORT;
use crate::point::Disturbance;
use crate::point::Point;
use crate::say;
use crate::scenario;
use crate::scenario::Scenario;

const USAGE: &str = "\
usage: cargo xtask crash [--full] [--mode MODE] [--scenario NAME]… [--classes] [--seed NUMBER] [--jobs NUMBER]
       cargo xtask crash --mutants [--scenario NAME]…
       cargo xtask crash --scenario NAME --mode MODE --point NUMBER [--inner NUMBER] [--fault ERROR [--lasting]]
       cargo xtask crash --mode block [--scenario NAME]… [--point FILE-SYSTEM:NUMBER] [--without-sync]

MODE is kill, torn, nested (with --inner), random, power (NUMBER is CALL.STATE) or fault (with --fault: EIO,
ENOSPC, EDQUOT, EROFS, EMFILE, EINTR or short). The mode block cuts the power below real file systems, as root;
--without-sync does so to a product whose syncs are not made, and wants to see it noticed. Without --scenario:
the small ones, or with --full all. With --mutants the bench itself is tried: see host/docs/durability.md;
--full does that at the end.";

/// How much is tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    /// Minutes, for every change.
    #[default]
    Short,
    /// Everything.
    Full,
    /// The bench itself, and nothing else.
    Mutants,
}

/// What was asked for.
#[derive(Debug, Default)]
struct Asked {
    product: Option<PathBuf>,
    target: Option<PathBuf>,
    form: Form,
    switched: Option<PathBuf>,
    classes: bool,
    scenarios: Vec<String>,
    mode: Option<String>,
    point: Option<String>,
    inner: Option<u64>,
    fault: Option<String>,
    lasting: bool,
    syncs: Syncs,
    seed: Option<u64>,
    jobs: Option<usize>,
}

/// Runs the bench; the exit code says whether everything was as it should be.
pub fn main(words: Vec<String>) -> ExitCode {
    let outcome = parse(words).and_then(|asked| run(&asked));
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say::line(&format!("error: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn parse(words: Vec<String>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("{word} needs a value\n\n{USAGE}"))
        };
        let number = |value: String| {
            let number = value.parse::<u64>();
            number.map_err(|_| format!("`{value}` is no number\n\n{USAGE}"))
        };
        match word.as_str() {
            "--help" | "-h" => return Err(USAGE.to_owned()),
            "--product" => asked.product = Some(value()?.into()),
            "--target" => asked.target = Some(value()?.into()),
            "--full" => asked.form = Form::Full,
            "--mutants" => asked.form = Form::Mutants,
            "--switched" => asked.switched = Some(value()?.into()),
            "--classes" => asked.classes = true,
            "--lasting" => asked.lasting = true,
            "--without-sync" => asked.syncs = Syncs::Pretended,
            "--scenario" => asked.scenarios.push(value()?),
            "--mode" => asked.mode = Some(value()?),
            "--fault" => asked.fault = Some(value()?),
            "--point" => asked.point = Some(value()?),
            "--inner" => asked.inner = Some(number(value()?)?),
            "--seed" => asked.seed = Some(number(value()?)?),
            "--jobs" => asked.jobs = Some(number(value()?)? as usize),
            _ => return Err(format!("no option `{word}`\n\n{USAGE}")),
        }
    }
    Ok(asked)
}

fn run(asked: &Asked) -> Result<bool, String> {
    let needed = |path: &Option<PathBuf>, name: &str| {
        path.clone()
            .ok_or_else(|| format!("{name} is needed; `cargo xtask crash` gives it"))
    };
    let (product, target) = (
        needed(&asked.product, "--product")?,
        needed(&asked.target, "--target")?,
    );
    let jobs = asked
        .jobs
        .or_else(|| std::thread::available_parallelism().ok().map(Into::into));
    let bench = |product: &Path| {
        let bench = Bench::new(product, &target, jobs.unwrap_or(1));
        bench.map_err(|error| error.to_string())
    };
    let mut is_good = true;
    if asked.form != Form::Mutants {
        is_good &= crash(asked, &bench(&product)?)?;
    }
    if let Some(switched) = &asked.switched {
        is_good &= mutate(asked, &bench(switched)?)?;
    }
    Ok(is_good)
}

fn mutate(asked: &Asked, bench: &Bench) -> Result<bool, String> {
    say::line("mutants: each sync left out, each durable step taken after the next one");
    let mut score = Score::default();
    for scenario in chosen(asked, |scenario| scenario.mutates)? {
        let outcomes = bench.mutate(&scenario);
        let outcomes =
            outcomes.map_err(|error| format!("--scenario {}: {error}", scenario.name))?;
        say::line(&format!("  {}: {} mutants", scenario.name, outcomes.len()));
        score.add(scenario.name, outcomes);
    }
    Ok(score.tell())
}

fn crash(asked: &Asked, bench: &Bench) -> Result<bool, String> {
    let is_full = asked.form == Form::Full;
    let scenarios = chosen(asked, |scenario| is_full || scenario.is_small)?;
    let mut whole = Report::default();
    if asked.mode.as_deref() == Some("block") {
        cut_disks(asked, bench, &scenarios, &mut whole)?;
    } else {
        disturb(asked, bench, &scenarios, &mut whole)?;
        if is_full && asked.point.is_none() && asked.mode.is_none() {
            cut_disks(asked, bench, &scenarios, &mut whole)?;
        }
    }
    tell(&whole, asked.classes);
    Ok(whole.violations.is_empty() && whole.not_run.is_empty())
}

fn disturb(
    asked: &Asked,
    bench: &Bench,
    scenarios: &[Scenario],
    whole: &mut Report,
) -> Result<(), String> {
    let (wanted, seed) = (wanted(asked)?, asked.seed.unwrap_or(1));
    for scenario in scenarios {
        match bench.try_out(scenario, &wanted, seed) {
            Ok(report) => whole.merge(report),
            Err(violation) => {
                let told = format!("--scenario {}: {violation}", scenario.name);
                say::line(&format!("  VIOLATION {told}"));
                whole.violations.push(told);
            }
        }
    }
    Ok(())
}

/// The cuts below real file systems; with the full form also the proof that they notice something.
fn cut_disks(
    asked: &Asked,
    bench: &Bench,
    scenarios: &[Scenario],
    whole: &mut Report,
) -> Result<(), String> {
    let chosen = match &asked.point {
        None => Chosen::Each(1, asked.seed.unwrap_or(1)),
        Some(point) => one_cut(point)?,
    };
    if let Err(reason) = block::is_possible(bench) {
        whole.not_run.push(format!("block: {reason}"));
        return Ok(());
    }
    let cut = |syncs, scenarios: &[Scenario]| {
        Block {
            bench,
            chosen,
            syncs,
        }
        .try_out(scenarios)
    };
    whole.merge(cut(asked.syncs, scenarios));
    if asked.form == Form::Full && asked.syncs == Syncs::Made {
        let first = scenarios.get(..1).unwrap_or_default();
        whole.merge(cut(Syncs::Pretended, first));
    }
    Ok(())
}

fn one_cut(point: &str) -> Result<Chosen, String> {
    let one = point.split_once(':').and_then(|(kind, number)| {
        let kind = FileSystem::from_word(kind)?;
        Some(Chosen::One(kind, number.parse().ok()?))
    });
    one.ok_or_else(|| format!("no cut `{point}`: a file system and a number, as in `ext4:57`"))
}

fn wanted(asked: &Asked) -> Result<Wanted, String> {
    let Some(point) = &asked.point else {
        let size = if asked.form == Form::Full {
            FULL
        } else {
            SHORT
        };
        return match asked.mode.as_deref() {
            None => Ok(Wanted::Size(size)),
            Some(mode) => size
                .only(mode)
                .map(Wanted::Size)
                .ok_or_else(|| format!("no mode `{mode}`\n\n{USAGE}")),
        };
    };
    let number = |text: &str| {
        let number = text.parse::<u64>();
        number.map_err(|_| format!("`{point}` is no point\n\n{USAGE}"))
    };
    // Of a power cut: which of the states that it may leave.
    let (point, state) = point.split_once('.').unwrap_or((point, "0"));
    let (number, state) = (number(point)?, number(state)?);
    let fault = || {
        let word = asked.fault.as_deref().unwrap_or_default();
        Fault::from_word(word).ok_or_else(|| format!("no fault `{word}`\n\n{USAGE}"))
    };
    let disturbance = match asked.mode.as_deref() {
        Some("kill") | None => Disturbance::Kill,
        Some("torn") => Disturbance::Torn,
        Some("random") => Disturbance::Random,
        Some("power") => Disturbance::Power {
            state,
            kind: "power",
        },
        Some("nested") => Disturbance::Nested(asked.inner.unwrap_or(1)),
        Some("fault") => Disturbance::Fault {
            fault: fault()?,
            lasting: asked.lasting,
        },
        Some(other) => return Err(format!("no mode `{other}`\n\n{USAGE}")),
    };
    Ok(Wanted::Point(Point {
        number,
        disturbance,
    }))
}

fn chosen(asked: &Asked, by_default: impl Fn(&Scenario) -> bool) -> Result<Vec<Scenario>, String> {
    let mut all = scenario::all();
    if asked.scenarios.is_empty() {
        all.retain(by_default);
        return Ok(all);
    }
    let known: Vec<&str> = all.iter().map(|scenario| scenario.name).collect();
    if let Some(unknown) = asked
        .scenarios
        .iter()
        .find(|name| !known.contains(&name.as_str()))
    {
        return Err(format!(
            "no scenario `{unknown}`: there are {}",
            known.join(", ")
        ));
    }
    all.retain(|scenario| asked.scenarios.iter().any(|name| name == scenario.name));
    Ok(all)
}

fn tell(whole: &Report, classes: bool) {
    if classes {
        for (mode, class, points, violations) in whole.tally.classes() {
            say::line(&format!("{mode:8} {points:5} {violations:5}  {class}"));
        }
    }
    say::line(&format!("\nin all: {}", bench::counts(whole)));
    for violation in &whole.violations {
        let repeat = violation.lines().next().unwrap_or_default();
        say::line(&format!("VIOLATION cargo xtask crash {repeat}"));
    }
    for reason in &whole.not_run {
        say::line(&format!("NOT RUN {reason}"));
    }
}
