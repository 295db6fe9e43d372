// SPDX-License-Identifier: Apache-2.0
//! `cofferdam plan`: what an update would do, in full.

use std::path::PathBuf;

use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::watching::OnScreen;
use crate::failure::Failure;
use crate::update;

/// Show what an update would do, without doing it
///
/// Runs the whole update in a copy beside the install, up to the point where nothing is left to do but
/// the exchange, and then throws the copy away. The service is not stopped. The outcome digest can be
/// given to `apply --expect`, so that what is applied is what was shown.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam plan /opt/acme-agent acme-agent-1.1.0.upd
  cofferdam plan /opt/acme-agent acme-agent-1.1.0.upd --json | jq -r .outcome_digest")]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// The package
    package: PathBuf,
    /// A state file that the package may replace by a managed file; give it again for more than one
    #[arg(long, value_name = "PATH")]
    replace: Vec<String>,
    /// Run the steps of phase `finalize` too: this machine is the last of its fleet
    #[arg(long)]
    finalize: bool,
}

/// Runs the command.
///
/// # Errors
/// Whatever would keep `apply` from reaching the exchange.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let plan = update::plan(
        &update::Request {
            dir: arguments.dir,
            package: arguments.package,
            expect: None,
            expect_data: None,
            live: true,
            replace: arguments.replace,
            finalize: arguments.finalize,
            now: crate::ambient::now_unix_s(),
            txid: crate::cli::transaction_id()?,
        },
        &mut OnScreen::new(screen),
    )?;
    Ok(Reply::done(super::facts(&plan)?, render::plan(&plan)))
}
