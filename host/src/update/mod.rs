// SPDX-License-Identifier: Apache-2.0
//! The way of an update, from a package file to a confirmed generation or a reason why not.
//!
//! ```text
//! at rest ─ verify ─▶ package ─ decide ─▶ preflight ─ check ─▶ build ─▶ sealed ─┬─▶ thrown away (plan)
//!                                                                             └─▶ commit ─▶ health ─▶ confirmed
//!                                                                                              └─▶ rolled back
//! ```
//!
//! Everything before the commit leaves the install as it was when it fails, with its service running.
//! Nothing here prints: progress goes to a [`Watch`], facts come back as [`report`]s.

pub(crate) mod build;
pub(crate) mod compare;
pub mod config_files;
pub(crate) mod downtime;
pub(crate) mod finish;
pub mod grants;
pub mod judge;
pub mod outcome;
pub mod preflight;
mod record;
pub mod report;
pub mod service;
pub mod steps;
pub mod stopwatch;
pub mod trace;
pub mod trial;

use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_install::Ended;
use cofferdam_install::Install;
use cofferdam_install::InstallError;
use cofferdam_install::Ready;
use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Step;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::stage::ManagedChange;

use crate::care;
use crate::engine;
use crate::failure::Failure;
use crate::package_file;
use crate::watch::Watch;
use build::Facts;
use build::Update;
use downtime::Downtime;
use grants::TreeRules;
use preflight::Preflight;
use report::Applied;
use report::ApplyResult;
use report::Files;
use report::From;
use report::Plan;
use report::Seeds;
use report::To;
use service::Service;
use steps::Ground;
use steps::Setting;
use steps::Steps;
use stopwatch::Stopwatch;

/// What an update is asked to do.
#[derive(Debug)]
pub struct Request {
    /// The install directory.
    pub dir: PathBuf,
    /// The package file.
    pub package: PathBuf,
    /// The outcome digest that is required.
    pub expect: Option<Digest>,
    /// The data digest that is required.
    pub expect_data: Option<Digest>,
    /// Go on although processes use the install.
    pub live: bool,
    /// State that may be replaced by managed files.
    pub replace: Vec<String>,
    /// Run the steps of phase `finalize` too.
    pub finalize: bool,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// A fresh transaction id.
    pub txid: String,
}

/// Says what an update would do: builds it up to the seal, and throws it away.
///
/// # Errors
/// Whatever would keep [`apply`] from reaching the commit.
pub fn plan(request: &Request, watch: &mut dyn Watch) -> Result<Plan, Failure> {
    let mut stopwatch = Stopwatch::new();
    stopwatch.begin("recover");
    let (ready, recovered) = care::at_rest(&request.dir, "plan", request.now)?;
    for warning in &recovered.warnings {
        watch.note(warning);
    }
    stopwatch.begin("verify");
    let package = open_verified(ready.install(), &request.package)?;
    let mut update = begin(&ready, &package, request, stopwatch, watch)?;
    run_checks(&mut update, ready.install())?;
    let mut downtime = Downtime::of_a_plan();
    let built = match build::build(&mut update, ready, &mut downtime) {
        Ok(built) => built,
        Err(mut stopped) => {
            if let Some(ready) = &mut stopped.ready {
                downtime::tell_left_over(ready, update.watch);
            }
            return Err(record::not_planned(&update, stopped));
        }
    };
    let discarded = built.sealed.discard(Ended::planned(), request.now);
    let mut ready = discarded.map_err(|error| InstallError::Interrupted {
        doing: "throwing the tree of the plan away",
        source: Box::new(error),
    })?;
    downtime::tell_left_over(&mut ready, update.watch);
    let plan = planned(&mut update, &ready, built.facts);
    record::planned(&mut ready, request, &plan)?;
    Ok(plan)
}

/// Carries out an update. With the facts comes a failure when it was deferred or rolled back.
///
/// # Errors
/// Why nothing was done; the old generation is live then, with its service running, unless the exit
/// code says that the install needs a person.
pub fn apply(
    request: &Request,
    watch: &mut dyn Watch,
) -> Result<(Applied, Option<Failure>), Failure> {
    let mut stopwatch = Stopwatch::new();
    stopwatch.begin("recover");
    let (mut ready, recovered) = care::at_rest(&request.dir, "apply", request.now)?;
    for warning in &recovered.warnings {
        watch.note(warning);
    }
    let settings = downtime::service_of(ready.install())?;
    let service = settings.as_ref().map(Service::new).transpose()?;
    let mut downtime = Downtime::of(service, request.live);

    stopwatch.begin("verify");
    watch.stage("verify");
    let package = match open_verified(ready.install(), &request.package) {
        Ok(package) => package,
        Err(failure) => return Err(record::refused(&mut ready, request, None, &[], failure)),
    };
    finish::judge_unconfirmed(&mut ready, &mut downtime, request, watch)?;
    let mut update = match begin(&ready, &package, request, stopwatch, watch) {
        Ok(update) => update,
        Err(failure) => {
            return Err(record::refused(
                &mut ready,
                request,
                Some(&package),
                &[],
                failure,
            ));
        }
    };
    if update.preflight.unchanged {
        return Ok((
            applied(update, &ready, ApplyResult::Unchanged, None, &downtime),
            None,
        ));
    }
    if let Err(failure) = preflight::refuse_in_use(ready.install(), request.live)
        .and_then(|()| run_checks(&mut update, ready.install()))
    {
        return record::not_begun(update, ready, failure, &downtime);
    }
    match build::build(&mut update, ready, &mut downtime) {
        Ok(built) => finish::finish(update, built, &mut downtime),
        Err(stopped) => finish::stopped(update, stopped, &mut downtime),
    }
}

/// Opens a package and verifies it with the keys and the rule of an install.
///
/// # Errors
/// The file cannot be read; the package is refused.
pub fn open_verified(install: &Install, package: &Path) -> Result<VerifiedPackage, Failure> {
    let opened = package_file::open(package)?;
    Ok(opened.verify(install.keyring()?, &install.signature_rule()?)?)
}

/// Decides everything that needs no work, and compiles the steps.
fn begin<'a>(
    ready: &Ready,
    package: &'a VerifiedPackage,
    request: &'a Request,
    mut stopwatch: Stopwatch,
    watch: &'a mut dyn Watch,
) -> Result<Update<'a>, Failure> {
    let preflight = Preflight::decide(ready.install(), package, request)?;
    let setting = Setting {
        package: package.digest(),
        from_version: preflight.from_version.clone(),
        from_data_format: preflight.from_data_format,
        roles: preflight.roles.clone(),
        withheld: preflight.config_files.named(),
    };
    stopwatch.begin("compile");
    watch.stage("compile");
    let read = |step: &Step| Ok(package.read_blob(&step.component, step.bytes)?);
    let engine = engine::for_install(ready.install())?;
    let chosen = preflight.chosen.clone();
    let steps = Steps::compile(package.manifest(), setting, chosen, engine, &read)?;
    for wall in &steps.walls {
        if wall.can_be_required() && !wall.up {
            watch.note(&format!(
                "the wall `{}` does not stand around the steps here: {}",
                wall.wall, wall.detail
            ));
        }
    }
    Ok(Update {
        request,
        package,
        preflight,
        steps,
        stopwatch,
        watch,
    })
}

/// Asks the steps of `check` whether the live tree is fit for the update.
fn run_checks(update: &mut Update<'_>, install: &Install) -> Result<(), Failure> {
    if !update.steps.has(Phase::Check) {
        return Ok(());
    }
    update.stopwatch.begin("check");
    update.watch.stage("check");
    let tree = install.live_tree()?;
    let rules = update
        .preflight
        .live_rules(install.live_manifest()?.as_ref());
    let mut session = update.preflight.config_files.open(&tree)?;
    update.steps.run(
        Phase::Check,
        &mut Ground::read_only(&tree, &rules),
        &mut session.keys,
        "",
        update.watch,
    )
}

/// Asks the health steps of the live generation, as it kept them, about the live tree.
fn health_of_live(ready: &Ready, watch: &mut dyn Watch) -> Result<(), Failure> {
    let install = ready.install();
    let Some(verified) = install.verify_manifest(install.journal().live)? else {
        return Ok(());
    };
    let manifest = verified.manifest();
    let settings = install.settings()?;
    let chosen = preflight::health_steps(install, manifest)?;
    let setting = Setting {
        package: verified.digest(),
        from_version: None,
        from_data_format: None,
        roles: settings.roles.clone(),
        withheld: BTreeSet::new(),
    };
    let read = |step: &Step| Ok(install.health_component(&step.component, step.bytes)?);
    let engine = engine::for_install(install)?;
    let mut steps = Steps::compile(manifest, setting, chosen, engine, &read)?;
    let (config_files, hidden) = preflight::config_files(manifest, install)?;
    let tree = install.live_tree()?;
    let rules = TreeRules::new(manifest, &settings.roles, hidden);
    let mut session = config_files.open(&tree)?;
    let mut ground = Ground::read_only(&tree, &rules);
    steps.run(Phase::Health, &mut ground, &mut session.keys, "", watch)
}

fn planned(update: &mut Update<'_>, ready: &Ready, facts: Facts) -> Plan {
    let manifest = update.package.manifest();
    let changes = &facts.changes;
    let mut notes: Vec<String> = changes
        .symlinks_out
        .iter()
        .map(|path| {
            format!("`{path}` leads out of the install: a rollback does not cover what it leads to")
        })
        .collect();
    notes.extend(
        changes
            .replaced
            .iter()
            .map(|path| format!("`{path}` is yours and gives way, as you said")),
    );
    if downtime::service_of(ready.install()).is_ok_and(|service| service.is_some()) {
        notes.push("the service was not stopped: state was taken as found".to_owned());
    } else if let Err(in_use) = preflight::refuse_in_use(ready.install(), false) {
        notes.push(format!("`apply` would refuse: {}", in_use.message));
    }
    Plan {
        id: manifest.id.to_string(),
        from: left(update, ready.journal().live),
        to: To {
            version: manifest.version.to_string(),
        },
        package_digest: update.package.digest().to_string(),
        signatures: update.package.signatures().to_vec(),
        outcome_digest: facts.outcome_digest.to_string(),
        data_digest: facts.data_digest.to_string(),
        files: files(&facts),
        seeds: Seeds {
            installed: changes
                .seeds_installed
                .iter()
                .map(|seed| seed.path.clone())
                .collect(),
            default_changed: changes
                .seeds_changed
                .iter()
                .map(|seed| seed.path.clone())
                .collect(),
        },
        drift: changes
            .drift
            .iter()
            .map(|drift| drift.path.clone())
            .collect(),
        config: facts.config,
        steps: update.steps.take_all_reports(),
        confinement: update.steps.walls.clone(),
        disk: facts.disk,
        notes,
    }
}

fn left(update: &Update<'_>, generation: u64) -> From {
    From {
        version: update
            .preflight
            .from_version
            .as_ref()
            .map(ToString::to_string),
        generation,
    }
}

fn files(facts: &Facts) -> Files {
    let changes = &facts.changes;
    let paths = |list: &[ManagedChange]| -> Vec<String> {
        list.iter().map(|change| change.path.clone()).collect()
    };
    // What had drifted is put right, although the package did not change it.
    let mut differing = paths(&changes.changed);
    differing.extend(changes.drift.iter().map(|drift| drift.path.clone()));
    differing.sort();
    differing.dedup();
    differing.retain(|path| !changes.removed.contains(path));
    Files {
        added: paths(&changes.added),
        changed: differing,
        removed: changes.removed.clone(),
    }
}

/// The answer of `apply`, of an install at rest.
fn applied(
    update: Update<'_>,
    ready: &Ready,
    result: ApplyResult,
    facts: Option<&Facts>,
    downtime: &Downtime<'_>,
) -> Applied {
    let journal = ready.journal();
    let live = journal.live_generation();
    let from = match &journal.last {
        Some(last) if last.txid == update.request.txid => last.from,
        Some(_) | None => journal.live,
    };
    Applied {
        result,
        id: update.package.manifest().id.to_string(),
        generation: journal.live,
        version: live
            .and_then(|live| live.version.as_ref())
            .map(ToString::to_string),
        from: left(&update, from),
        outcome_digest: facts.map(|facts| facts.outcome_digest.to_string()),
        data_digest: facts.map(|facts| facts.data_digest.to_string()),
        confirmed: journal.is_confirmed(),
        downtime_seconds: downtime.seconds(),
        files: facts.map(files).unwrap_or_default(),
        config: facts.map(|facts| facts.config.clone()).unwrap_or_default(),
        warnings: Vec::new(),
        confinement: update.steps.walls,
        steps: update.steps.reports,
        stages: update.stopwatch.into_stages(),
    }
}
