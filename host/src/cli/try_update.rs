// SPDX-License-Identifier: Apache-2.0
//! `cofferdam try`: a whole update in a scratch folder, for vendors.

use std::path::PathBuf;

use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::watching::OnScreen;
use crate::failure::Failure;
use crate::update::trial;

/// Try a whole update in a scratch folder: install the old package, update to the new one
///
/// No install, no service and no keys are needed: signatures are not part of what is tried. With
/// `--root` the old install is a copy of a real directory, with its data, instead of the bare package.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam try acme-agent-1.1.0.upd --from acme-agent-1.0.0.upd
  cofferdam try acme-agent-1.1.0.upd --from acme-agent-1.0.0.upd --root ./customer-copy")]
pub(super) struct Arguments {
    /// The package to update to
    new: PathBuf,
    /// The package to update from
    #[arg(long, value_name = "OLD.upd")]
    from: PathBuf,
    /// Start from a copy of this directory instead of the old package's payload
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// A role to try it with; give it again for more than one
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    /// Leave the updated tree here (a new directory) instead of removing it
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Runs the command.
///
/// # Errors
/// Whatever would keep the update from being applied.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let plan = trial::run(
        trial::Request {
            new: arguments.new,
            from: arguments.from,
            root: arguments.root,
            roles: arguments.role,
            keep: arguments.keep,
            now: crate::ambient::now_unix_s(),
            txid: super::transaction_id()?,
        },
        &mut OnScreen::new(screen),
    )?;
    Ok(Reply::done(super::facts(&plan)?, render::plan(&plan)))
}
