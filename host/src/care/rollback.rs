// SPDX-License-Identifier: Apache-2.0
//! Back to an earlier generation because a person says so.
//!
//! The whole generation comes back, files and configuration, by one exchange; or its program only, with
//! today's state, as a new generation. Either way the package that is left is condemned here.

use std::path::PathBuf;

use cofferdam_install::Begin;
use cofferdam_install::ChangedState;
use cofferdam_install::Entry;
use cofferdam_install::Install;
use cofferdam_install::Program;
use cofferdam_install::Ready;
use cofferdam_install::RecordKind;
use cofferdam_install::Rollback;
use cofferdam_install::TxKind;
use cofferdam_package::glob::GlobSet;
use cofferdam_tree::classify::Classified;
use cofferdam_tree::classify::carry_state;
use cofferdam_tree::preflight as tree_preflight;
use cofferdam_tree::preflight::Space;
use cofferdam_tree::stage::Service as Writing;
use cofferdam_tree::walk::LiveTree;
use serde::Serialize;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::build;
use crate::update::build::Stopped;
use crate::update::compare;
use crate::update::downtime::Downtime;
use crate::update::downtime::service_of;
use crate::update::finish;
use crate::update::preflight;
use crate::update::report::From;
use crate::update::service::Service;
use crate::watch::Watch;

/// Why the package that is left is condemned.
const WHY: &str = "rolled back by a person";

/// What a rollback is asked to do.
#[derive(Debug)]
pub struct Request {
    /// The install directory.
    pub dir: PathBuf,
    /// The generation; the newest older one without it.
    pub to: Option<u64>,
    /// What becomes of state that changed.
    pub state: State,
    /// Go on although processes use the install.
    pub live: bool,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// A fresh transaction id.
    pub txid: String,
}

/// What becomes of state that changed since the live generation was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is a reason not to go back.
    RefuseIfChanged,
    /// It stays behind in the generation that is left.
    DiscardChanges,
    /// It is carried into the old program.
    Keep,
}

/// How a rollback ended.
#[derive(Debug, Serialize)]
pub struct RolledBack {
    /// The generation that is live now.
    pub generation: u64,
    /// Its version.
    pub version: Option<String>,
    /// What was left.
    pub from: From,
    /// Whether the generation that is live now has proved healthy, then or now.
    pub confirmed: bool,
    /// Seconds between the stop of the service and its start.
    pub downtime_seconds: f64,
    /// What went wrong afterwards without undoing it.
    pub warnings: Vec<String>,
}

/// Rolls back.
///
/// # Errors
/// As [`super::at_rest`]; there is no such generation; state changed; the service does not stop.
///
/// With the facts comes a failure when the older generation is live and its service does not start.
pub fn rollback(
    request: &Request,
    watch: &mut dyn Watch,
) -> Result<(RolledBack, Option<Failure>), Failure> {
    let (ready, recovered) = super::at_rest(&request.dir, "rollback", request.now)?;
    for warning in &recovered.warnings {
        watch.note(warning);
    }
    let settings = service_of(ready.install())?;
    let service = settings.as_ref().map(Service::new).transpose()?;
    let mut downtime = Downtime::of(service, request.live);
    preflight::refuse_in_use(ready.install(), request.live)?;
    let from = From::of_live(&ready);
    watch.stage("roll back");
    let mut ready = match request.state {
        State::Keep => program_only(ready, request, &mut downtime, watch)?,
        State::RefuseIfChanged | State::DiscardChanges => {
            let free = tree_preflight::free(ready.install().place().state())?;
            Space::to_go_back().refuse_unless_within(&free)?;
            let rollback = Rollback {
                txid: request.txid.clone(),
                to: request.to,
                changed_state: match request.state {
                    State::DiscardChanges => ChangedState::LeaveBehind,
                    State::RefuseIfChanged | State::Keep => ChangedState::Refuse,
                },
                condemn: Some(WHY.to_owned()),
                now_unix_s: request.now,
            };
            finish::back(ready, rollback, &mut downtime, watch)?
        }
    };
    let mut warnings = differing(request, &ready);
    let mut service = None;
    if let Err(unstarted) = downtime.end(&mut ready, watch) {
        service = Some(Failure {
            exit: Exit::NeedsPerson,
            message: format!("the older generation is live, but {}", unstarted.message),
            ..unstarted
        });
    } else if request.state == State::Keep
        && let Err(unconfirmed) = settle(&mut ready, &downtime)
    {
        warnings.push(format!("not confirmed: {unconfirmed}"));
    }
    let body = json!({
        "kind": "rollback",
        "result": "committed",
        "from": from,
        "generation": ready.journal().live,
        "version": live_version(&ready),
        "confirmed": ready.journal().is_confirmed(),
        "state": match request.state {
            State::RefuseIfChanged => "unchanged",
            State::DiscardChanges => "discarded",
            State::Keep => "kept",
        },
    });
    let entry = Entry {
        at_unix_s: crate::ambient::now_unix_s(),
        txid: Some(request.txid.clone()),
        kind: RecordKind::Transaction,
        body,
    };
    if let Err(unrecorded) = ready.append_history(vec![entry]) {
        warnings.push(format!("history: {}", Failure::from(unrecorded)));
    }
    if request.state == State::Keep
        && let Err(kept) = ready.prune()
    {
        warnings.push(format!("pruning: {}", Failure::from(kept)));
    }
    let rolled = RolledBack {
        generation: ready.journal().live,
        version: live_version(&ready),
        from,
        confirmed: ready.journal().is_confirmed(),
        downtime_seconds: downtime.seconds(),
        warnings,
    };
    Ok((rolled, service))
}

/// What had been edited when the generation was left comes back as it was.
fn differing(request: &Request, ready: &Ready) -> Vec<String> {
    match (request.state, ready.install().left_with()) {
        (State::Keep, _) | (_, 0) => Vec::new(),
        (State::RefuseIfChanged | State::DiscardChanges, differing) => vec![format!(
            "not as it was installed, as when this generation was left: {differing} of its managed paths; see `verify`"
        )],
    }
}

fn live_version(ready: &Ready) -> Option<String> {
    let live = ready.journal().live_generation()?;
    live.version.as_ref().map(ToString::to_string)
}

/// The old program proves itself with today's state.
fn settle(ready: &mut Ready, downtime: &Downtime<'_>) -> Result<(), Failure> {
    if let Some(service) = downtime.service() {
        service.settle()?;
    }
    ready.confirm()?;
    Ok(())
}

/// Builds a new generation from an old program and today's state, and commits it.
fn program_only(
    ready: Ready,
    request: &Request,
    downtime: &mut Downtime<'_>,
    watch: &mut dyn Watch,
) -> Result<Ready, Failure> {
    downtime.go_back();
    built_from_older(ready, request, downtime, watch)
        .map_err(|stopped| finish::give_up(stopped, &request.txid, downtime, watch))
}

fn built_from_older(
    ready: Ready,
    request: &Request,
    downtime: &mut Downtime<'_>,
    watch: &mut dyn Watch,
) -> Result<Ready, Stopped> {
    let (older, classified) = match compare(ready.install(), request) {
        Ok(compared) => compared,
        Err(failure) => return Err((ready, failure).into()),
    };
    let mut building = ready.begin(Begin {
        kind: TxKind::Rollback,
        txid: request.txid.clone(),
        program: Program::Generation(older),
        classified,
        condemn: Some(WHY.to_owned()),
        now_unix_s: request.now,
    })?;
    let writing = if request.live {
        Writing::Running
    } else {
        Writing::Stopped
    };
    let filled = (|| -> Result<(), Failure> {
        building.stage().link_unchanged(false)?;
        building.sync()?;
        downtime.begin(&mut building, watch)?;
        building.stage().copy_state(writing, &mut |_| {})?;
        building.stage().place_payload()?;
        Ok(())
    })();
    if let Err(failure) = filled {
        return Err(build::discard_building(building, failure, request.now));
    }
    let sealed = building.seal(&[], request.now)?;
    let unchanged = sealed
        .state_changed()
        .map_err(Failure::from)
        .and_then(|changed| finish::refuse_changed_state(&changed));
    if let Err(failure) = unchanged {
        return Err(build::discard_sealed(sealed, failure, request.now));
    }
    Ok(sealed.commit(request.now)?)
}

/// Chooses the older generation, and decides what becomes of each path.
fn compare(install: &Install, request: &Request) -> Result<(u64, Classified), Failure> {
    compare::refuse_unmovable(install)?;
    let older = install.rollback_target(request.to)?;
    install.verify_kept(older)?;
    let patterns = &install.settings()?.live;
    let live = LiveTree::read(&install.live_tree()?, patterns)?;
    tree_preflight::refuse_odd(&live)?;
    tree_preflight::refuse_files_of_others(&live)?;
    let kept = LiveTree::read(&install.kept_tree(older)?, patterns)?;
    let classified = carry_state(
        &install.inventory(older)?,
        &kept,
        &install.live_inventory()?,
        &live,
        &[],
    )?;
    let needed = Space::of(&live, &classified, &GlobSet::default(), 0, 0);
    needed.refuse_unless_within(&tree_preflight::free(install.place().state())?)?;
    Ok((older, classified))
}
