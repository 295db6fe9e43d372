// SPDX-License-Identifier: Apache-2.0
//! `cofferdam rollback`: back to an earlier generation, files and configuration together.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use crate::care::rollback;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::watching::OnScreen;
use crate::failure::Exit;
use crate::failure::Failure;

/// Go back to an earlier generation: program, state and configuration together
///
/// Refused when state has changed since that generation was left, unless you say what to do with the
/// changes. The generation that is left stays, and its package will not be applied again until `allow`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam rollback /opt/acme-agent
  cofferdam rollback /opt/acme-agent --to 2 --discard-changes
  cofferdam rollback /opt/acme-agent --keep-state     # the old program with today's state")]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// The generation to go back to; without it, the newest older one with another package that proved healthy
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Give up what changed in the state since that generation was left
    #[arg(long, conflicts_with = "keep_state")]
    discard_changes: bool,
    /// Keep today's state and configuration, and go back with the program only
    #[arg(long)]
    keep_state: bool,
    /// Go on although processes use the install
    #[arg(long)]
    live: bool,
}

/// Runs the command.
///
/// # Errors
/// There is no such generation, state changed, the service does not stop, or the exchange fails.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let state = match (arguments.discard_changes, arguments.keep_state) {
        (_, true) => rollback::State::Keep,
        (true, false) => rollback::State::DiscardChanges,
        (false, false) => rollback::State::RefuseIfChanged,
    };
    let (rolled, failure) = rollback::rollback(
        &rollback::Request {
            dir: arguments.dir,
            to: arguments.to,
            state,
            live: arguments.live,
            now: crate::ambient::now_unix_s(),
            txid: crate::cli::transaction_id()?,
        },
        &mut OnScreen::new(screen),
    )?;
    for warning in &rolled.warnings {
        screen.note("warning", warning);
    }
    let mut text = format!(
        "rolled back from generation {} to {}: version {} is live",
        rolled.from.generation,
        rolled.generation,
        rolled.version.as_deref().unwrap_or("(none)"),
    );
    if rolled.downtime_seconds > 0.0 {
        let _ = write!(text, " (service down for {:.2} s)", rolled.downtime_seconds);
    }
    let mut facts = super::facts(&rolled)?;
    if let Some(members) = facts.as_object_mut() {
        members.insert("result".to_owned(), json!("rolled-back"));
    }
    let exit = failure.as_ref().map_or(Exit::Done, |failure| failure.exit);
    Ok(Reply {
        json: facts,
        text,
        exit,
        failure,
    })
}
