// SPDX-License-Identifier: Apache-2.0
//! What is written into the history about an update: a record for each step, then one for the whole.
//!
//! The records of one update are added together, and the journal then learns of the last; each is
//! bounded ([`bounds`]), whatever a step did.
//!
//! Before the commit a history that cannot be written is a failure like any other; after it, a warning:
//! the journal knows how the transaction ended, and the next command catches up a missing record.

mod bounds;

use cofferdam_install::Entry;
use cofferdam_install::Ready;
use cofferdam_install::RecordKind;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_sandbox::StepRecord;
use serde_json::Value;
use serde_json::json;

use crate::config_session::KeyChange;
use crate::config_session::TouchedKeys;
use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::Request;
use crate::update::applied;
use crate::update::build::Stopped;
use crate::update::build::Update;
use crate::update::build::result_of;
use crate::update::downtime::Downtime;
use crate::update::grants::EffectiveGrants;
use crate::update::report::Applied;
use crate::update::report::ApplyResult;
use crate::update::report::Plan;
use crate::update::report::StepReport;
use bounds::Cuts;
use bounds::Room;

/// Paths of a step's record: those that changed, those that were only denied, those only looked at. However
/// often a step is denied something costs it nothing, so that takes no room from what it did.
const FILES: [Room; 3] = [
    Room {
        entries: 400,
        bytes: 104 << 10,
    },
    Room {
        entries: 100,
        bytes: 24 << 10,
    },
    Room {
        entries: 0,
        bytes: 0,
    },
];
/// Lines of its log.
const LOG: Room = Room {
    entries: 500,
    bytes: 64 << 10,
};
/// Keys of one kind: read, written or denied.
const KEYS: Room = Room {
    entries: 200,
    bytes: 16 << 10,
};
/// Interfaces that its component imports.
const IMPORTS: Room = Room {
    entries: 100,
    bytes: 16 << 10,
};
/// Patterns of one kind in its grants.
const PATTERNS: Room = Room {
    entries: 100,
    bytes: 16 << 10,
};
/// Keys that an update changed, with their values.
const CHANGES: Room = Room {
    entries: 500,
    bytes: 64 << 10,
};
/// The words of a failure, with its backtrace.
const MESSAGE_BYTES: usize = 16 << 10;

/// A plan was made.
pub(super) fn planned(ready: &mut Ready, request: &Request, plan: &Plan) -> Result<(), Failure> {
    let body = json!({
        "kind": "plan",
        "result": "planned",
        "from": plan.from,
        "version": plan.to.version,
        "package": plan.package_digest,
        "outcome_digest": plan.outcome_digest,
        "data_digest": plan.data_digest,
    });
    let ran = plan.steps.iter().filter(|report| report.record.is_some());
    let mut entries = steps(request, ran);
    entries.push(entry(request, RecordKind::Transaction, body));
    append(ready, entries)
}

/// An update ended before its commit, after these steps; answers with the failure.
pub(super) fn refused(
    ready: &mut Ready,
    request: &Request,
    package: Option<&VerifiedPackage>,
    reports: &[StepReport],
    failure: Failure,
) -> Failure {
    ended_early("apply", ready, request, package, reports, failure)
}

/// A plan ended so.
pub(super) fn not_planned(update: &Update<'_>, stopped: Stopped) -> Failure {
    let Stopped { ready, failure } = stopped;
    let Some(mut ready) = ready else {
        return failure;
    };
    let (request, reports) = (update.request, &update.steps.reports);
    let package = Some(update.package);
    ended_early("plan", &mut ready, request, package, reports, failure)
}

fn ended_early(
    kind: &str,
    ready: &mut Ready,
    request: &Request,
    package: Option<&VerifiedPackage>,
    reports: &[StepReport],
    failure: Failure,
) -> Failure {
    let body = json!({
        "kind": kind,
        "result": result_of(&failure),
        "from": super::report::From::of_live(ready),
        "version": package.map(|package| package.manifest().version.to_string()),
        "package": package.map(|package| package.digest().to_string()),
        "code": failure.code,
        "message": message(&failure),
    });
    let mut entries = steps(request, reports);
    entries.push(entry(request, RecordKind::Transaction, body));
    recorded(ready, entries, failure)
}

/// A rollback did not happen; answers with the failure.
pub(crate) fn not_rolled_back(ready: &mut Ready, txid: &str, failure: Failure) -> Failure {
    let body = json!({
        "kind": "rollback",
        "result": result_of(&failure),
        "from": super::report::From::of_live(ready),
        "code": failure.code,
        "message": message(&failure),
    });
    let entry = Entry {
        at_unix_s: crate::ambient::now_unix_s(),
        txid: Some(txid.to_owned()),
        kind: RecordKind::Transaction,
        body,
    };
    recorded(ready, vec![entry], failure)
}

fn recorded(ready: &mut Ready, entries: Vec<Entry>, failure: Failure) -> Failure {
    match append(ready, entries) {
        Ok(()) => failure,
        Err(unrecorded) => Failure {
            message: format!(
                "{} (and it could not be recorded: {unrecorded})",
                failure.message
            ),
            ..failure
        },
    }
}

/// A check ended the update, or processes use the install: nothing was begun.
pub(super) fn not_begun(
    update: Update<'_>,
    mut ready: Ready,
    failure: Failure,
    downtime: &Downtime<'_>,
) -> Result<(Applied, Option<Failure>), Failure> {
    let (request, package) = (update.request, Some(update.package));
    let failure = refused(&mut ready, request, package, &update.steps.reports, failure);
    deferred_or(update, &ready, failure, downtime)
}

/// A deferral is an answer with facts; every other failure is just that.
pub(super) fn deferred_or(
    update: Update<'_>,
    ready: &Ready,
    failure: Failure,
    downtime: &Downtime<'_>,
) -> Result<(Applied, Option<Failure>), Failure> {
    if failure.exit == Exit::Deferred {
        return Ok((
            applied(update, ready, ApplyResult::Deferred, None, downtime),
            Some(failure),
        ));
    }
    let reports = &update.steps.reports;
    Err(with_steps(failure, reports))
}

/// The records of steps that ran.
pub(super) fn steps<'a>(
    request: &Request,
    reports: impl IntoIterator<Item = &'a StepReport>,
) -> Vec<Entry> {
    let entries = reports
        .into_iter()
        .map(|report| entry(request, RecordKind::Step, step(report)));
    entries.collect()
}

/// One record of the transaction.
pub(super) fn entry(request: &Request, kind: RecordKind, body: Value) -> Entry {
    Entry {
        at_unix_s: crate::ambient::now_unix_s(),
        txid: Some(request.txid.clone()),
        kind,
        body,
    }
}

/// Adds records to the history.
pub(super) fn append(ready: &mut Ready, entries: Vec<Entry>) -> Result<(), Failure> {
    Ok(ready.append_history(entries)?)
}

/// The words of a failure, as far as a record has room for them.
pub(super) fn message(failure: &Failure) -> String {
    bounds::text(&failure.message, MESSAGE_BYTES)
}

/// Keys that changed, as far as a record has room for them, and what is known of the rest.
pub(super) fn changed_keys(changes: &[KeyChange]) -> (Vec<&KeyChange>, Cuts) {
    let mut cuts = Cuts::default();
    let kept = cuts.keep("config", CHANGES, changes);
    (kept, cuts)
}

/// What the history says of a step: its report, with all lists bounded.
fn step(report: &StepReport) -> Value {
    let mut cuts = Cuts::default();
    let mut patterns = |list, patterns| owned(cuts.keep(list, PATTERNS, patterns));
    let grants = EffectiveGrants {
        read: patterns("grants.read", &report.grants.read),
        write: patterns("grants.write", &report.grants.write),
        config_read: patterns("grants.config_read", &report.grants.config_read),
        config_write: patterns("grants.config_write", &report.grants.config_write),
        managed_writes: report.grants.managed_writes,
        limits: report.grants.limits.clone(),
    };
    let mut keys = |list, keys| cuts.keep(list, KEYS, keys).into_iter().cloned();
    let keys = TouchedKeys {
        read: keys("keys.read", &report.keys.read).collect(),
        written: keys("keys.written", &report.keys.written).collect(),
        denied: keys("keys.denied", &report.keys.denied).collect(),
        not_listed: report.keys.not_listed,
    };
    let record = report.record.as_ref().map(|record| StepRecord {
        imports: owned(cuts.keep("record.imports", IMPORTS, &record.imports)),
        files: owned(
            cuts.keep_by_class("record.files", &FILES, &record.files, |touched| {
                match (touched.is_change(), touched.denied.is_empty()) {
                    (true, _) => 0,
                    (false, false) => 1,
                    (false, true) => 2,
                }
            }),
        ),
        files_not_listed: record.files_not_listed,
        totals: record.totals,
        log: owned(cuts.keep("record.log", LOG, &record.log)),
        log_dropped_bytes: record.log_dropped_bytes,
        spent: record.spent.clone(),
        usage: record.usage,
        lost: record.lost,
    });
    let kept = StepReport {
        name: report.name.clone(),
        phase: report.phase.clone(),
        reason: bounds::text(&report.reason, MESSAGE_BYTES),
        verdict: report.verdict.clone(),
        message: report
            .message
            .as_ref()
            .map(|text| bounds::text(text, MESSAGE_BYTES)),
        grants,
        keys,
        record,
        seconds: report.seconds,
    };
    with_cuts(serde_json::to_value(kept).unwrap_or_default(), &cuts)
}

/// A body that says which of its lists are not whole.
pub(super) fn with_cuts(mut body: Value, cuts: &Cuts) -> Value {
    if !cuts.is_empty() {
        body["cut"] = json!(cuts);
    }
    body
}

fn owned<T: Clone>(kept: Vec<&T>) -> Vec<T> {
    kept.into_iter().cloned().collect()
}

/// A failure with the steps that ran before it.
pub(super) fn with_steps(mut failure: Failure, reports: &[StepReport]) -> Failure {
    if let (Some(details), Ok(steps)) = (
        failure.details.as_object_mut(),
        serde_json::to_value(reports),
    ) {
        details.insert("steps".to_owned(), steps);
    }
    failure
}

#[cfg(test)]
mod tests;
