// SPDX-License-Identifier: Apache-2.0
//! From a sealed tree to a confirmed generation, or back: the commit and what follows from it.
//!
//! Until the commit a failure is a failure: what was built goes, the service starts, the old generation
//! was live all the time. After the commit only two things can happen: the new generation proves
//! healthy and is confirmed, or the old one comes back by the same road. What cannot be written down
//! after the commit is a warning.

use cofferdam_install::ChangedState;
use cofferdam_install::Ended;
use cofferdam_install::Entry;
use cofferdam_install::Ready;
use cofferdam_install::RecordKind;
use cofferdam_install::Rollback;
use cofferdam_install::TxKind;
use cofferdam_install::TxResult;
use cofferdam_package::manifest::Phase;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::Request;
use crate::update::applied;
use crate::update::build;
use crate::update::build::Built;
use crate::update::build::Facts;
use crate::update::build::Stopped;
use crate::update::build::Update;
use crate::update::build::discard_sealed;
use crate::update::compare;
use crate::update::downtime::Downtime;
use crate::update::record;
use crate::update::report::Applied;
use crate::update::report::ApplyResult;
use crate::update::steps::Ground;
use crate::watch::Watch;

/// Commits a sealed tree, starts the service, and confirms or rolls back.
pub(super) fn finish(
    mut update: Update<'_>,
    built: Built,
    downtime: &mut Downtime<'_>,
) -> Result<(Applied, Option<Failure>), Failure> {
    let now = update.request.now;
    let Built { sealed, facts } = built;
    // Whatever was said to be stopped: what was written since it was copied would be lost.
    let unchanged = sealed
        .state_changed()
        .map_err(Failure::from)
        .and_then(|changed| refuse_changed_state(&changed));
    if let Err(failure) = unchanged {
        return stopped(update, discard_sealed(sealed, failure, now), downtime);
    }
    update.stopwatch.begin("commit");
    update.watch.stage("commit");
    let mut ready = match sealed.commit(now) {
        Ok(ready) => ready,
        Err(failure) => return stopped(update, failure.into(), downtime),
    };
    update.stopwatch.begin("health");
    match prove_healthy(&mut update, &mut ready, downtime) {
        Ok(()) => Ok((confirm(update, ready, &facts, downtime), None)),
        Err(failure) => roll_back(update, ready, &facts, failure, downtime),
    }
}

/// An update that ended before its commit: starts the service, writes down why, and answers.
pub(super) fn stopped(
    update: Update<'_>,
    stopped: Stopped,
    downtime: &mut Downtime<'_>,
) -> Result<(Applied, Option<Failure>), Failure> {
    let Stopped { ready, mut failure } = stopped;
    let Some(mut ready) = ready else {
        if let Some(unstarted) = downtime.end_anyway() {
            failure.message = format!("{}; and then: {unstarted}", failure.message);
        }
        return Err(failure);
    };
    if let Err(unstarted) = downtime.end(&mut ready, update.watch) {
        failure.message = format!("{}; and then: {unstarted}", failure.message);
    }
    let request = update.request;
    let package = Some(update.package);
    let reports = &update.steps.reports;
    let failure = record::refused(&mut ready, request, package, reports, failure);
    record::deferred_or(update, &ready, failure, downtime)
}

/// A generation that was committed and never proved healthy, because of a crash, is judged before
/// anything is built on it: the service must be alive, and the health steps that it kept must agree.
pub(super) fn judge_unconfirmed(
    ready: &mut Ready,
    downtime: &mut Downtime<'_>,
    request: &Request,
    watch: &mut dyn Watch,
) -> Result<(), Failure> {
    if ready.journal().is_confirmed() {
        return Ok(());
    }
    let generation = ready.journal().live;
    watch.note(&format!(
        "generation {generation} was never confirmed: asking whether it works"
    ));
    let healthy = match downtime.service() {
        Some(service) => service.settle(),
        None => Ok(()),
    };
    let healthy = healthy.and_then(|()| super::health_of_live(ready, watch));
    healthy.map_err(|failure| {
        Failure::new(
            Exit::Refused,
            "unconfirmed",
            format!("generation {generation} is live, was never confirmed, and is not healthy: {failure}"),
            "go back with `cofferdam rollback`, or accept it with `cofferdam confirm`",
        )
    })?;
    ready.confirm()?;
    let body = json!({ "generation": generation, "by": "health" });
    record::append(
        ready,
        vec![record::entry(request, RecordKind::Confirm, body)],
    )
}

/// Starts the service and asks whether the new generation works.
fn prove_healthy(
    update: &mut Update<'_>,
    ready: &mut Ready,
    downtime: &mut Downtime<'_>,
) -> Result<(), Failure> {
    let was_stopped = ready.journal().service_owed;
    downtime.end(ready, update.watch)?;
    update.watch.stage("health");
    if let Some(service) = downtime.service().filter(|_| was_stopped) {
        service.settle()?;
    }
    if !update.steps.has(Phase::Health) {
        return Ok(());
    }
    let tree = ready.install().live_tree()?;
    let rules = update.preflight.live_rules(Some(update.package.manifest()));
    let mut session = update.preflight.config_files.open(&tree)?;
    let printed = downtime.printed();
    update.steps.run(
        Phase::Health,
        &mut Ground::read_only(&tree, &rules),
        &mut session.keys,
        &printed,
        update.watch,
    )
}

/// The new generation works.
fn confirm(
    update: Update<'_>,
    mut ready: Ready,
    facts: &Facts,
    downtime: &Downtime<'_>,
) -> Applied {
    let mut warnings = Vec::new();
    let request = update.request;
    let mut try_to = |what: &str, result: Result<(), Failure>| {
        if let Err(failure) = result {
            warnings.push(format!("{what}: {failure}"));
        }
    };
    try_to("confirming", ready.confirm().map_err(Failure::from));
    // Where the journal was written and only its sync failed, a power cut may undo it.
    let is_confirmed = ready.journal().is_confirmed();
    let mut entries = record::steps(request, &update.steps.reports);
    let body = body(&update, &ready, facts, "committed", None);
    entries.push(record::entry(request, RecordKind::Transaction, body));
    if is_confirmed {
        let generation = json!({ "generation": ready.journal().live, "by": "health" });
        entries.push(record::entry(request, RecordKind::Confirm, generation));
    }
    try_to("history", record::append(&mut ready, entries));
    try_to("pruning", ready.prune().map(drop).map_err(Failure::from));
    warnings.extend(ready.take_left_over());
    let result = match update.preflight.kind {
        TxKind::Repair => ApplyResult::Repaired,
        TxKind::Plan | TxKind::Apply | TxKind::Rollback => ApplyResult::Committed,
    };
    let mut applied = applied(update, &ready, result, Some(facts), downtime);
    applied.warnings = warnings;
    applied
}

/// The new generation does not work: the old one comes back, with its state and configuration.
fn roll_back(
    mut update: Update<'_>,
    mut ready: Ready,
    facts: &Facts,
    failure: Failure,
    downtime: &mut Downtime<'_>,
) -> Result<(Applied, Option<Failure>), Failure> {
    update.stopwatch.begin("roll back");
    update.watch.stage("roll back");
    let request = update.request;
    let from = ready.journal().last.as_ref().map(|last| last.from);
    let unhealthy = ready.journal().live;
    // What the machine refuses says nothing about the package.
    let why = (!failure.is_of_the_machine())
        .then(|| format!("unhealthy after its commit: {}", failure.message));
    let rollback = Rollback {
        txid: back_txid(request),
        to: from,
        changed_state: ChangedState::LeaveBehind,
        condemn: why,
        now_unix_s: request.now,
    };
    let mut warnings = Vec::new();
    // Before the way back: should it fail, the history tells of the commit all the same.
    let mut entries = record::steps(request, &update.steps.reports);
    let body = body(&update, &ready, facts, "unhealthy", Some(&failure));
    entries.push(record::entry(request, RecordKind::Transaction, body));
    if let Err(unrecorded) = record::append(&mut ready, entries) {
        warnings.push(format!("history: {unrecorded}"));
    }
    let mut ready = match back(ready, rollback, downtime, update.watch) {
        Ok(ready) => ready,
        Err(second) => {
            return Err(Failure::new(
                Exit::NeedsPerson,
                "unhealthy-and-stuck",
                format!(
                    "generation {unhealthy} is unhealthy ({failure}), and going back failed: {second}"
                ),
                "run `cofferdam recover`, then `cofferdam rollback`",
            ));
        }
    };
    let failure = match downtime.end(&mut ready, update.watch) {
        Ok(()) => failure,
        Err(unstarted) => Failure {
            message: format!(
                "{}; the service of the old generation does not start: {unstarted}",
                failure.message
            ),
            ..failure
        },
    };
    let back = Entry {
        at_unix_s: crate::ambient::now_unix_s(),
        txid: Some(back_txid(request)),
        kind: RecordKind::Transaction,
        body: json!({
            "kind": "rollback",
            "result": "rolled-back",
            "from": { "version": update.package.manifest().version.to_string(), "generation": unhealthy },
            "generation": ready.journal().live,
            "by": "health",
            "code": failure.code,
            "message": record::message(&failure),
        }),
    };
    if let Err(unrecorded) = record::append(&mut ready, vec![back]) {
        warnings.push(format!("history: {unrecorded}"));
    }
    let from_view = super::left(&update, ready.journal().live);
    let failure = Failure {
        exit: Exit::RolledBack,
        ..failure
    };
    let mut applied = applied(
        update,
        &ready,
        ApplyResult::RolledBack,
        Some(facts),
        downtime,
    );
    applied.from = from_view;
    applied.warnings = warnings;
    Ok((applied, Some(failure)))
}

/// The name of the transaction that takes an update back.
fn back_txid(request: &Request) -> String {
    format!("{}-back", request.txid)
}

/// Goes back to a kept generation, the service stopped meanwhile.
///
/// # Errors
/// The old generation does not come back; what is live is in the message of [`crate::care::status`].
pub(crate) fn back(
    ready: Ready,
    rollback: Rollback,
    downtime: &mut Downtime<'_>,
    watch: &mut dyn Watch,
) -> Result<Ready, Failure> {
    let txid = rollback.txid.clone();
    downtime.go_back();
    way_back(ready, rollback, downtime, watch)
        .map_err(|stopped| give_up(stopped, &txid, downtime, watch))
}

fn way_back(
    ready: Ready,
    rollback: Rollback,
    downtime: &mut Downtime<'_>,
    watch: &mut dyn Watch,
) -> Result<Ready, Stopped> {
    let now = rollback.now_unix_s;
    if let Err(failure) = compare::refuse_unmovable(ready.install()) {
        return Err((ready, failure).into());
    }
    let mut returning = ready.begin_rollback(rollback)?;
    if let Err(failure) = downtime.begin(&mut returning, watch) {
        let ended = Ended::with(TxResult::Failed, failure.code, failure.message.clone());
        return Err(build::after_discard(returning.discard(ended, now), failure));
    }
    Ok(returning.seal(now)?.commit(now)?)
}

/// A rollback that did not happen: it is recorded, and the service that was stopped for it starts again.
pub(crate) fn give_up(
    stopped: Stopped,
    txid: &str,
    downtime: &mut Downtime<'_>,
    watch: &mut dyn Watch,
) -> Failure {
    let Stopped { ready, mut failure } = stopped;
    let Some(mut ready) = ready else {
        if let Some(unstarted) = downtime.end_anyway() {
            failure.message = format!("{}; and then: {unstarted}", failure.message);
        }
        return failure;
    };
    if let Err(unstarted) = downtime.end(&mut ready, watch) {
        failure.message = format!("{}; and then: {unstarted}", failure.message);
    }
    record::not_rolled_back(&mut ready, txid, failure)
}

fn body(
    update: &Update<'_>,
    ready: &Ready,
    facts: &Facts,
    result: &str,
    failure: Option<&Failure>,
) -> serde_json::Value {
    let journal = ready.journal();
    let from = journal.last.as_ref().map_or(journal.live, |last| last.from);
    let (config, cuts) = record::changed_keys(&facts.config);
    let body = json!({
        "kind": if update.preflight.kind == TxKind::Repair { "repair" } else { "apply" },
        "result": result,
        "from": super::left(update, from),
        "version": update.package.manifest().version.to_string(),
        "generation": ready.journal().live,
        "package": update.package.digest().to_string(),
        "signatures": update.package.signatures(),
        "outcome_digest": facts.outcome_digest,
        "data_digest": facts.data_digest,
        "files": {
            "added": facts.changes.added.len(),
            "changed": facts.changes.changed.len(),
            "removed": facts.changes.removed.len(),
        },
        "config": config,
        "code": failure.map(|failure| failure.code),
        "message": failure.map(record::message),
    });
    record::with_cuts(body, &cuts)
}

/// State that changed while an update or a rollback was built is a reason to give it up.
///
/// # Errors
/// `state-changed-meanwhile`, when there is any.
pub(crate) fn refuse_changed_state(paths: &[String]) -> Result<(), Failure> {
    let Some(first) = paths.first() else {
        return Ok(());
    };
    Err(Failure::new(
        Exit::Refused,
        "state-changed-meanwhile",
        format!(
            "{} state files changed while the next tree was built, the first is `{first}`",
            paths.len()
        ),
        "stop what writes there, or name its service under [service] in install.toml",
    )
    .with_details(json!({ "paths": paths })))
}
