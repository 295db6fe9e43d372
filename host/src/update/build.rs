// SPDX-License-Identifier: Apache-2.0
//! From an install at rest to a sealed tree: the part of an update that `plan` and `apply` share.
//!
//! While the service runs: changed files are fetched and unchanged ones linked. After it stopped: state
//! is copied, `prepare` runs, the payload takes its place, `migrate` runs, and the tree is sealed. Any
//! failure throws away what was built and leaves the install at rest; nothing live is touched here.

use std::collections::BTreeMap;

use cofferdam_install::Begin;
use cofferdam_install::Building;
use cofferdam_install::Ended;
use cofferdam_install::InstallError;
use cofferdam_install::Program;
use cofferdam_install::Ready;
use cofferdam_install::Sealed;
use cofferdam_install::TxResult;
use cofferdam_package::digest::Digest;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::manifest::Phase;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::progress::Progress;
use cofferdam_tree::stage::Changes;
use cofferdam_tree::stage::Service as Writing;
use cofferdam_tree::stage::StateChangeKind;
use serde_json::json;

use crate::config_session::KeyChange;
use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::Request;
use crate::update::compare::compare;
use crate::update::compare::globs_of;
use crate::update::config_files::Session;
use crate::update::config_files::Writable;
use crate::update::downtime::Downtime;
use crate::update::grants::TreeRules;
use crate::update::outcome::ManagedChange;
use crate::update::outcome::Outcome;
use crate::update::outcome::data_digest;
use crate::update::preflight::Preflight;
use crate::update::report::Disk;
use crate::update::steps::Ground;
use crate::update::steps::Steps;
use crate::update::stopwatch::Stopwatch;
use crate::watch::Watch;

/// What one update works with, from the preflight to its end.
pub(super) struct Update<'a> {
    pub(super) request: &'a Request,
    pub(super) package: &'a VerifiedPackage,
    pub(super) preflight: Preflight<'a>,
    pub(super) steps: Steps<'a>,
    pub(super) stopwatch: Stopwatch,
    pub(super) watch: &'a mut dyn Watch,
}

/// A sealed tree and what is to be told about it.
pub(super) struct Built {
    pub(super) sealed: Sealed,
    pub(super) facts: Facts,
}

/// What is to be told about a sealed tree.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) changes: Changes,
    pub(super) config: Vec<KeyChange>,
    pub(super) outcome_digest: Digest,
    pub(super) data_digest: Digest,
    pub(super) disk: Disk,
}

/// An update that ended before its commit: the install at rest (unless recovery must do that), and why.
pub(crate) struct Stopped {
    pub(crate) ready: Option<Box<Ready>>,
    pub(crate) failure: Failure,
}

impl From<(Ready, Failure)> for Stopped {
    fn from((ready, failure): (Ready, Failure)) -> Self {
        Self {
            ready: Some(Box::new(ready)),
            failure,
        }
    }
}

impl From<cofferdam_install::Failure> for Stopped {
    fn from(failure: cofferdam_install::Failure) -> Self {
        let (ready, error) = failure.into_parts();
        Self {
            ready: ready.map(Box::new),
            failure: error.into(),
        }
    }
}

/// Builds and seals the next tree.
pub(super) fn build(
    update: &mut Update<'_>,
    ready: Ready,
    downtime: &mut Downtime<'_>,
) -> Result<Built, Stopped> {
    let now = update.request.now;
    update.stopwatch.begin("compare");
    update.watch.stage("compare");
    let (classified, disk) = match compare(update, &ready) {
        Ok(compared) => compared,
        Err(failure) => return Err((ready, failure).into()),
    };
    let mut building = ready.begin(Begin {
        kind: if downtime.is_plan() {
            cofferdam_install::TxKind::Plan
        } else {
            update.preflight.kind
        },
        txid: update.request.txid.clone(),
        program: Program::Package(update.package),
        classified,
        condemn: None,
        now_unix_s: now,
    })?;
    let session = match fill(update, &mut building, downtime) {
        Ok(session) => session,
        Err(failure) => return Err(discard_building(building, failure, now)),
    };
    update.stopwatch.begin("seal");
    update.watch.stage("seal");
    let sealed = building.seal(&session.outside(), now)?;
    match told(update, &sealed, &session, disk) {
        Ok(facts) => Ok(Built { sealed, facts }),
        Err(failure) => Err(discard_sealed(sealed, failure, now)),
    }
}

/// Throws a sealed tree away because of a failure.
pub(crate) fn discard_sealed(sealed: Sealed, failure: Failure, now: u64) -> Stopped {
    after_discard(sealed.discard(ended(&failure), now), failure)
}

/// Throws an unfinished tree away because of a failure.
pub(crate) fn discard_building(building: Building, failure: Failure, now: u64) -> Stopped {
    after_discard(building.discard(ended(&failure), now), failure)
}

/// What came of throwing away what was built because of a failure.
pub(crate) fn after_discard(discarded: Result<Ready, InstallError>, failure: Failure) -> Stopped {
    match discarded {
        Ok(ready) => (ready, failure).into(),
        Err(error) => Stopped {
            ready: None,
            failure: interrupted(&failure, error),
        },
    }
}

/// A failure after which the install could not be brought to rest: recovery will.
pub(crate) fn interrupted(failure: &Failure, error: InstallError) -> Failure {
    let error = Failure::from(error);
    Failure {
        exit: Exit::NeedsPerson,
        code: "interrupted",
        message: format!(
            "{}; and undoing it failed: {}",
            failure.message, error.message
        ),
        help: "the old generation is live; run `cofferdam recover` when the cause is gone"
            .to_owned(),
        details: json!({ "code": failure.code, "undoing": error.code }),
    }
}

/// How a failure is written down in the journal.
fn ended(failure: &Failure) -> Ended {
    Ended::with(result_of(failure), failure.code, failure.message.clone())
}

/// Which way of ending a failure is.
pub(super) fn result_of(failure: &Failure) -> TxResult {
    match failure.exit {
        Exit::Deferred => TxResult::Deferred,
        Exit::Refused | Exit::StepFailed | Exit::PackageRefused => TxResult::Refused,
        Exit::Done
        | Exit::Internal
        | Exit::Usage
        | Exit::RolledBack
        | Exit::Busy
        | Exit::NeedsPerson
        | Exit::AuditFindings => TxResult::Failed,
    }
}

/// Fills the next tree, from the first linked file to the last migrated key.
fn fill(
    update: &mut Update<'_>,
    building: &mut Building,
    downtime: &mut Downtime<'_>,
) -> Result<Session, Failure> {
    update.stopwatch.begin("fetch");
    update.watch.stage("fetch");
    let watch = &mut *update.watch;
    building
        .stage()
        .fetch(update.package, &mut |progress| show(watch, progress))?;
    update.stopwatch.begin("link");
    building
        .stage()
        .link_unchanged(update.steps.has(Phase::Prepare))?;
    building.sync()?;

    downtime.begin(building, update.watch)?;
    if downtime.has_stopped() {
        super::run_checks(update, building.install())?;
    }

    update.stopwatch.begin("state");
    update.watch.stage("state");
    let writing = if downtime.is_plan() || update.request.live {
        Writing::Running
    } else {
        Writing::Stopped
    };
    let watch = &mut *update.watch;
    building
        .stage()
        .copy_state(writing, &mut |progress| show(watch, progress))?;

    update.stopwatch.begin("steps");
    update.watch.stage("steps");
    let manifest = update.package.manifest();
    let rules = TreeRules::new(
        manifest,
        &update.preflight.roles,
        update.preflight.hidden.clone(),
    )
    .with_managed(building.stage().managed_paths());
    let tree = building.tree()?;
    let mut session = update.preflight.config_files.open(&tree)?;
    run_phase(update, building, Phase::Prepare, &rules, &mut session)?;
    building.stage().place_payload()?;
    session.take_in_seeds(&tree)?;
    run_phase(update, building, Phase::Migrate, &rules, &mut session)?;
    run_phase(update, building, Phase::Finalize, &rules, &mut session)?;
    let managed_writes = update
        .preflight
        .chosen
        .iter()
        .any(|(_, grants)| grants.managed_writes);
    session.write_inside(
        &tree,
        &Writable {
            managed: &rules.managed,
            managed_writes,
            live: &building.install().settings()?.live,
        },
    )?;
    Ok(session)
}

fn run_phase(
    update: &mut Update<'_>,
    building: &mut Building,
    phase: Phase,
    rules: &TreeRules,
    session: &mut Session,
) -> Result<(), Failure> {
    if !update.steps.has(phase) {
        return Ok(());
    }
    let mut write = Vec::new();
    for grants in update.steps.grants(phase) {
        write.extend(globs_of(grants)?.iter().cloned());
    }
    if !write.is_empty() {
        building.stage().unshare(&GlobSet::new(write))?;
    }
    let tree = building.tree()?;
    let stage = building.stage();
    let mut ground = Ground {
        largest_file_bytes: stage.largest_file_bytes(),
        tree: &tree,
        rules,
        stage: Some(stage),
    };
    let keys = &mut session.keys;
    update.steps.run(phase, &mut ground, keys, "", update.watch)
}

/// What a sealed tree is to be told as, with its digests.
fn told(
    update: &Update<'_>,
    sealed: &Sealed,
    session: &Session,
    disk: Disk,
) -> Result<Facts, Failure> {
    let changes = sealed.changes().cloned().unwrap_or_default();
    let mut config = session.keys.changes();
    config.sort_by(|left, right| left.key.cmp(&right.key));
    let hidden = &update.preflight.hidden;
    let (mut state, mut data) = (BTreeMap::new(), BTreeMap::new());
    // A config file may hold secrets: its keys are covered, its content is in no digest.
    for change in changes
        .state
        .iter()
        .filter(|change| !hidden.matches(&change.path))
    {
        let how = match change.change {
            StateChangeKind::Added => "added",
            StateChangeKind::Changed => "changed",
            StateChangeKind::Removed => "removed",
        };
        state.insert(change.path.as_str(), how);
        let object = change.object.as_ref().map(ToString::to_string);
        data.insert(change.path.clone(), object);
    }
    let managed = managed_changes(&changes);
    let outcome = Outcome {
        cofferdam: Outcome::NAME,
        package: update.package.digest(),
        from_version: update
            .preflight
            .from_version
            .as_ref()
            .map(ToString::to_string),
        roles: &update.preflight.roles,
        grants: update.steps.all_grants(),
        managed: &managed,
        state,
        keys: &config,
    };
    let unwritable = |error: serde_json::Error| {
        Failure::new(
            Exit::Internal,
            "output",
            format!("computing the digests: {error}"),
            "report this as a bug",
        )
    };
    let outcome_digest = outcome.digest().map_err(unwritable)?;
    let data_digest = data_digest(&data).map_err(unwritable)?;
    for (what, expected, found) in [
        ("outcome", update.request.expect, outcome_digest),
        ("data", update.request.expect_data, data_digest),
    ] {
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            return Err(Failure::new(
                Exit::Refused,
                if what == "outcome" {
                    "outcome-differs"
                } else {
                    "data-differs"
                },
                format!("the {what} digest is {found}, expected {expected}"),
                "run `plan` again and review what is different now",
            )
            .with_details(json!({ "found": found, "expected": expected })));
        }
    }
    Ok(Facts {
        changes,
        config,
        outcome_digest,
        data_digest,
        disk,
    })
}

fn managed_changes(changes: &Changes) -> Vec<ManagedChange> {
    let one = |change: &'static str| {
        move |entry: &cofferdam_tree::stage::ManagedChange| ManagedChange {
            path: entry.path.clone(),
            change,
            content: Some(entry.object.to_string()),
        }
    };
    let mut managed: Vec<ManagedChange> = changes
        .added
        .iter()
        .map(one("added"))
        .chain(changes.changed.iter().map(one("changed")))
        .chain(changes.removed.iter().map(|path| ManagedChange {
            path: path.clone(),
            change: "removed",
            content: None,
        }))
        .collect();
    managed.sort_by(|left, right| left.path.cmp(&right.path));
    managed
}

fn show(watch: &mut dyn Watch, progress: Progress) {
    let (done, total) = if progress.bytes_total > 0 {
        (progress.bytes_done, progress.bytes_total)
    } else {
        (progress.files_done, progress.files_total)
    };
    watch.progress(
        &format!("{} of {} files", progress.files_done, progress.files_total),
        done,
        total,
    );
}
