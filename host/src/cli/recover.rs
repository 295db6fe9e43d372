// SPDX-License-Identifier: Apache-2.0
//! `cofferdam recover`: finishes or undoes what was interrupted.

use std::path::PathBuf;

use serde_json::json;

use crate::care::recover;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown_line;
use crate::failure::Exit;
use crate::failure::Failure;

/// Finish or undo an interrupted transaction, and start the service again
///
/// Safe to run at any time and any number of times; every command that writes does it first. At boot,
/// `recover --all` goes before the services (see the unit in the operator's guide).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam recover /opt/acme-agent
  cofferdam recover --all --no-service     # at boot, when the service manager starts the services")]
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
    registry: super::Registry,
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
    if let Some(dir) = arguments.dir {
        let recovered = recover::recover(&dir, service, now)?;
        let text = recovered.sentence();
        return Ok(Reply::done(super::facts(&recovered)?, text));
    }
    let (mut lines, mut facts, mut first) = (Vec::new(), Vec::new(), None);
    for (dir, result) in recover::all(&arguments.registry.folder(), service, now)? {
        let shown = shown_line(&dir.to_string_lossy());
        match result {
            Ok(recovered) => {
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
    let exit = first.as_ref().map_or(Exit::Done, |failure| failure.exit);
    Ok(Reply {
        json: json!({ "installs": facts }),
        text: lines.join("\n"),
        exit,
        failure: first,
    })
}
