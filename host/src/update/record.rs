// SPDX-License-Identifier: Apache-2.0
//! What is written into the history about an update: a record for each step, then one for the whole.
//!
//! Before the commit a history that cannot be written is a failure like any other; after it, a warning:
//! the journal knows how the transaction ended, and the next command catches up a missing record.

use cofferdam_install::Entry;
use cofferdam_install::Ready;
use cofferdam_install::RecordKind;
use cofferdam_package::verify::VerifiedPackage;
use serde_json::Value;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::Request;
use crate::update::applied;
use crate::update::build::Update;
use crate::update::build::result_of;
use crate::update::downtime::Downtime;
use crate::update::report::Applied;
use crate::update::report::ApplyResult;
use crate::update::report::Plan;
use crate::update::report::StepReport;

/// A plan was made.
pub(super) fn planned(
    ready: &mut Ready,
    request: &Request,
    update: &Update<'_>,
    plan: &Plan,
) -> Result<(), Failure> {
    steps(ready, request, &update.steps.reports)?;
    let body = json!({
        "kind": "plan",
        "result": "planned",
        "from": plan.from,
        "version": plan.to.version,
        "package": plan.package_digest,
        "outcome_digest": plan.outcome_digest,
        "data_digest": plan.data_digest,
    });
    append(ready, request, RecordKind::Transaction, body)
}

/// An update ended before its commit; answers with the failure.
pub(super) fn refused(
    ready: &mut Ready,
    request: &Request,
    package: Option<&VerifiedPackage>,
    failure: Failure,
) -> Failure {
    let body = json!({
        "kind": "apply",
        "result": result_of(&failure),
        "from": super::report::From::of_live(ready),
        "version": package.map(|package| package.manifest().version.to_string()),
        "package": package.map(|package| package.digest().to_string()),
        "code": failure.code,
        "message": failure.message,
    });
    match append(ready, request, RecordKind::Transaction, body) {
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
    let request = update.request;
    steps(&mut ready, request, &update.steps.reports)?;
    let failure = refused(&mut ready, request, Some(update.package), failure);
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
pub(super) fn steps(
    ready: &mut Ready,
    request: &Request,
    reports: &[StepReport],
) -> Result<(), Failure> {
    for report in reports {
        let body = serde_json::to_value(report).unwrap_or(Value::Null);
        append(ready, request, RecordKind::Step, body)?;
    }
    Ok(())
}

/// One record of the transaction.
pub(super) fn append(
    ready: &mut Ready,
    request: &Request,
    kind: RecordKind,
    body: Value,
) -> Result<(), Failure> {
    ready.append_history(Entry {
        at_unix_s: crate::ambient::now_unix_s(),
        txid: Some(request.txid.clone()),
        kind,
        body,
    })?;
    Ok(())
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
