// SPDX-License-Identifier: Apache-2.0
//! Decides by what is there which generation is live, when the journal cannot say: shown first, then asked, then done.

mod pause;

use std::path::Path;

use cofferdam_install::Comparison;
use cofferdam_install::Decision;
use cofferdam_install::Salvage;
use serde::Serialize;

use super::recover::OwedService;
use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::service;
use crate::update::service::Service;
use pause::Pause;

/// Nobody agreed, so nothing was done.
pub const NOT_AGREED: &str = "from-disk-not-agreed";

/// What is asked for.
#[derive(Debug)]
pub struct Request<'a> {
    /// The install directory.
    pub dir: &'a Path,
    /// The generation that is to be live, where the trees alone do not say.
    pub generation: Option<u64>,
    /// Names the decision.
    pub txid: String,
    /// What to do about a service that does not run.
    pub service: OwedService,
    /// Now, in seconds since 1970.
    pub now: u64,
}

/// What was found, what is to be done about it, and whether it was done.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts for programs, each a member of its own"
)]
#[derive(Debug, Serialize)]
pub struct Report {
    /// The install, by its real path.
    pub dir: String,
    /// It was agreed to and done.
    pub done: bool,
    /// Why the ordinary recovery does not do.
    pub found: String,
    /// A decision that was cut off is carried on.
    pub continues: bool,
    /// The generation that is live afterwards.
    pub generation: u64,
    /// Its version.
    pub version: Option<String>,
    /// Whether it counts as healthy.
    pub confirmed: bool,
    /// Every generation that is known afterwards.
    pub generations: Vec<u64>,
    /// The lowest version that may be applied afterwards.
    pub version_floor: Option<String>,
    /// The lowest data format that may be applied afterwards.
    pub data_format_floor: u64,
    /// What is moved, in this order.
    pub moves: Vec<Moved>,
    /// How far each tree agrees with each generation.
    pub compared: Vec<Comparison>,
    /// Generations whose folder cannot be believed.
    pub not_believed: Vec<NotBelieved>,
    /// Files that wait beside config files outside the install: for you to look at.
    pub waiting: Vec<String>,
    /// The service is stopped while another directory is put at `dir`, and started there.
    pub stops_service: bool,
    /// Whether the service was started.
    pub service_started: bool,
    /// What could not be recorded.
    pub warnings: Vec<String>,
}

/// One move.
#[derive(Debug, Serialize)]
pub struct Moved {
    /// Where it was.
    pub from: String,
    /// Where it goes.
    pub to: String,
    /// Why.
    pub why: String,
}

/// A generation whose folder cannot be believed.
#[derive(Debug, Serialize)]
pub struct NotBelieved {
    /// Its number.
    pub generation: u64,
    /// Why not.
    pub why: String,
}

impl Report {
    fn of(dir: &Path, decision: &Decision, stops_service: bool) -> Self {
        let path = dir.display().to_string();
        let text = |version: &Option<semver::Version>| version.as_ref().map(ToString::to_string);
        Self {
            done: false,
            found: decision.found.clone(),
            continues: decision.continues,
            generation: decision.live,
            version: text(&decision.version),
            confirmed: decision.confirmed,
            generations: decision.generations.clone(),
            version_floor: text(&decision.floors.version),
            data_format_floor: decision.floors.data_format,
            moves: decision
                .moves
                .iter()
                .map(|step| Moved {
                    from: step.from.shown(&path, &decision.txid),
                    to: step.to.shown(&path, &decision.txid),
                    why: step.why.clone(),
                })
                .collect(),
            compared: decision.compared.clone(),
            not_believed: decision
                .not_believed
                .iter()
                .map(|(generation, why)| NotBelieved {
                    generation: *generation,
                    why: why.clone(),
                })
                .collect(),
            waiting: decision.waiting.clone(),
            stops_service,
            service_started: false,
            warnings: Vec::new(),
            dir: path,
        }
    }

    /// What was found and what is to be done, in lines.
    pub fn text(&self) -> String {
        let version = self.version.as_deref().unwrap_or("no version");
        let confirmed = if self.confirmed {
            "confirmed"
        } else {
            "not confirmed"
        };
        let mut lines = vec![format!("found: {}", self.found)];
        lines.extend(self.compared.iter().map(|compared| format!("  {compared}")));
        lines.extend(self.not_believed.iter().map(|folder| {
            format!(
                "  generation {} is not believed: {}",
                folder.generation, folder.why
            )
        }));
        if self.continues {
            lines.push("  this was decided before, and cut off".to_owned());
        }
        lines.push(format!(
            "live: generation {} ({version}), {confirmed}",
            self.generation
        ));
        let known: Vec<String> = self.generations.iter().map(u64::to_string).collect();
        lines.push(format!("known: generations {}", known.join(", ")));
        lines.extend(
            self.moves
                .iter()
                .map(|step| format!("move: {} to {} ({})", step.from, step.to, step.why)),
        );
        lines.extend(
            self.waiting
                .iter()
                .map(|path| format!("waits, and stays for you to look at: {path}")),
        );
        if self.stops_service {
            lines.push("service: it is stopped before that, and started afterwards".to_owned());
        }
        lines.push("a new journal is written; nothing is removed".to_owned());
        lines.join("\n")
    }
}

/// Looks, asks `agree` with the report, and does it when that says yes. Answers with what stands in the way of the end:
/// the same command carries on then, or begins again.
///
/// # Errors
/// The ordinary recovery is possible; nothing can be decided; busy. Nothing changed then.
pub fn from_disk(
    request: &Request<'_>,
    agree: impl FnOnce(&Report) -> bool,
) -> Result<(Report, Option<Failure>), Failure> {
    let salvage = Salvage::look(request.dir, request.generation, &request.txid, request.now)?;
    let settings = salvage.settings().service.clone();
    let service = settings.as_ref().map(Service::new).transpose()?;
    let moves_under_service = service.is_some()
        && request.service == OwedService::Start
        && salvage.decision().moves_install();
    let mut report = Report::of(
        salvage.place().path(),
        salvage.decision(),
        moves_under_service,
    );
    if !agree(&report) {
        let failure = Failure::new(
            Exit::NeedsPerson,
            NOT_AGREED,
            "nothing was changed: nobody agreed to what would be done",
            "run it on a terminal and answer, or say --yes",
        );
        return Ok((report, Some(failure)));
    }
    let failure = carry_out(request, salvage, service.as_ref(), &mut report).err();
    // The install needed a person, and still does, whatever it was that failed.
    let failure = failure.map(|failure| Failure {
        exit: Exit::NeedsPerson,
        ..failure
    });
    Ok((report, failure))
}

/// Does what was agreed to. Where it fails, the report says whether it was done all the same.
fn carry_out(
    request: &Request<'_>,
    salvage: Salvage,
    service: Option<&Service<'_>>,
    report: &mut Report,
) -> Result<(), Failure> {
    let pause = match service.filter(|_| report.stops_service) {
        Some(service) => {
            let (directory, owed) = (salvage.place().path(), salvage.decision().service_owed());
            Some(Pause::begin(service, directory, owed)?)
        }
        None => None,
    };
    let is_down = match service {
        // One that only its own lost program could ask is started: twice does no harm.
        Some(service) => {
            pause.is_some() || (service.can_be_asked() && pause::runs(service)? != Some(true))
        }
        None => false,
    };
    let (mut ready, warnings) = match salvage.act(is_down, request.now).map_err(Failure::from) {
        Ok(done) => done,
        Err(failure) if failure.code == "interrupted" => {
            return Err(Failure {
                help: "run `recover DIR --from-disk` again when the cause is gone: it carries on, and until then there may \
                       be no install, and a service that was stopped stays so"
                    .to_owned(),
                ..failure
            });
        }
        Err(failure) => {
            return Err(match &pause {
                Some(pause) => pause.give_up(failure),
                None => failure,
            });
        }
    };
    report.done = true;
    report.warnings = warnings;
    report
        .warnings
        .extend(pause.and_then(|pause| pause.warning));
    if ready.journal().service_owed {
        match request.service {
            OwedService::Leave => ready.service_started()?,
            OwedService::Start => {
                service::start_owed(&mut ready)?;
                report.service_started = true;
            }
        }
    }
    Ok(())
}
