// SPDX-License-Identifier: Apache-2.0
//! `cofferdam recover`: finishes or undoes what was interrupted.

use std::path::Path;
use std::path::PathBuf;

use serde_json::json;

use crate::care::from_disk;
use crate::care::recover;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown;
use crate::cli::reply::shown_line;
use crate::failure::Exit;
use crate::failure::Failure;

/// Finish or undo an interrupted transaction, and start the service again
///
/// Safe to run at any time and any number of times; every command that writes does it first. At boot,
/// `recover --all` goes before the services (see the unit in the operator's guide).
///
/// When the journal is damaged, or contradicts the trees (exit 9, `journal-unreadable` or `needs-person`), nothing is
/// touched. `--from-disk` is the way out: it compares the tree at DIR and every kept tree with what each generation was
/// sealed with, checks the signatures of the manifests with the keys in install.toml, shows what it would do, and asks.
/// The tree at DIR must be one generation's, or be missing (or be somebody else's directory) while one kept tree is
/// whole. Nothing is removed: what no generation explains is moved to DIR.cofferdam/set-aside, and config files outside
/// the install are only named. The generation that is live then is unconfirmed, unless the old journal knew better.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam recover /opt/acme-agent
  cofferdam recover --all --no-service     # at boot, when the service manager starts the services
  cofferdam recover /opt/acme-agent --from-disk                    # shows what it would do, and asks
  cofferdam recover /opt/acme-agent --from-disk --generation 2     # where the trees alone do not say")]
pub(super) struct Arguments {
    /// The install directory
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    dir: Option<PathBuf>,
    /// Every install that was adopted on this machine
    #[arg(long)]
    all: bool,
    /// Do not start services that were stopped for a transaction
    #[arg(long)]
    no_service: bool,
    #[command(flatten)]
    decision: Decision,
    #[command(flatten)]
    registry: super::Registry,
}

#[derive(Debug, clap::Args)]
struct Decision {
    /// Decide by the trees and signed manifests that are there, when the journal cannot say
    #[arg(long, conflicts_with = "all")]
    from_disk: bool,
    /// With --from-disk: the generation that is to be live, where several fit or none fits in full
    #[arg(long, value_name = "N", requires = "from_disk")]
    generation: Option<u64>,
    /// With --from-disk: do it without asking
    #[arg(long, requires = "from_disk")]
    yes: bool,
}

/// Runs the command.
///
/// # Errors
/// One install: its failure. All: the first failure, after every install has had its turn.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let now = crate::ambient::now_unix_s();
    let service = if arguments.no_service {
        recover::OwedService::Leave
    } else {
        recover::OwedService::Start
    };
    if let Some(dir) = &arguments.dir
        && arguments.decision.from_disk
    {
        return decide(dir, &arguments.decision, service, screen);
    }
    if let Some(dir) = arguments.dir {
        let recovered = recover::recover(&dir, service, now)?;
        for warning in &recovered.recovered.warnings {
            screen.note("warning", warning);
        }
        let text = recovered.sentence();
        return Ok(Reply::done(super::facts(&recovered)?, text));
    }
    let (mut lines, mut facts, mut first) = (Vec::new(), Vec::new(), None);
    for (dir, result) in recover::all(&arguments.registry.folder(), service, now)? {
        let shown = shown_line(&dir.to_string_lossy());
        match result {
            Ok(recovered) => {
                for warning in &recovered.recovered.warnings {
                    screen.note("warning", &format!("{shown}: {warning}"));
                }
                lines.push(format!("{shown}: {}", recovered.sentence()));
                facts.push(super::facts(&recovered)?);
            }
            Err(failure) => {
                screen.note("error", &format!("{shown}: {failure}"));
                facts.push(json!({ "dir": dir.to_string_lossy(), "error": failure.to_json() }));
                first.get_or_insert(failure);
            }
        }
    }
    if facts.is_empty() {
        let folder = arguments.registry.folder();
        let folder = shown_line(&folder.to_string_lossy());
        lines.push(format!("no install is listed in {folder}"));
    }
    let exit = first.as_ref().map_or(Exit::Done, |failure| failure.exit);
    Ok(Reply {
        json: json!({ "installs": facts }),
        text: lines.join("\n"),
        exit,
        failure: first,
    })
}

fn decide(
    dir: &Path,
    arguments: &Decision,
    service: recover::OwedService,
    screen: &Screen,
) -> Result<Reply, Failure> {
    let request = from_disk::Request {
        dir,
        generation: arguments.generation,
        txid: super::transaction_id()?,
        service,
        now: crate::ambient::now_unix_s(),
    };
    let mut was_shown = false;
    let (report, failure) = from_disk::from_disk(&request, |report| {
        if arguments.yes {
            return true;
        }
        let answer = screen.asks(&report.text(), "Do this?");
        was_shown = answer.is_some();
        answer == Some(true)
    })?;
    for warning in &report.warnings {
        screen.note("warning", warning);
    }
    let outcome = match (&failure, report.done, report.service_started) {
        (Some(failure), false, _) if failure.code == from_disk::NOT_AGREED => "nothing was changed",
        (_, false, _) => "not done",
        (_, true, false) => "done",
        (_, true, true) => "done; the service was started",
    };
    Ok(Reply {
        json: super::facts(&report)?,
        text: if was_shown {
            outcome.to_owned()
        } else {
            shown(&format!("{}\n{outcome}", report.text()))
        },
        exit: failure.as_ref().map_or(Exit::Done, |failure| failure.exit),
        failure,
    })
}
