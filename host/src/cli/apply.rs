// SPDX-License-Identifier: Apache-2.0
//! `cofferdam apply`: carries out an update.

use std::path::PathBuf;

use cofferdam_package::digest::Digest;

use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::watching::OnScreen;
use crate::failure::Failure;
use crate::update;

/// Update an install: verify, run the steps on a copy, exchange, prove healthy
///
/// Until the exchange nothing live is touched, and any failure leaves the install as it was with its
/// service running. An unhealthy result is rolled back by itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam apply /opt/acme-agent acme-agent-1.1.0.upd
  cofferdam apply /opt/acme-agent acme-agent-1.1.0.upd --expect 3f1c...   # only what `plan` showed

Exit codes: 0 done, 3 package refused, 4 refused by policy, version or state, 5 a step failed or
refused, 6 deferred, 7 unhealthy and rolled back, 8 busy, 9 interrupted or needs a person. Any exit but
0 and 9 means that the old generation is live.")]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// The package
    package: PathBuf,
    /// Go on only if the outcome digest is this one
    #[arg(long, value_name = "DIGEST")]
    expect: Option<Digest>,
    /// Go on only if the data digest is this one (for tests and rehearsals)
    #[arg(long, value_name = "DIGEST")]
    expect_data: Option<Digest>,
    /// Go on although processes use the install; state that changes meanwhile aborts the update
    #[arg(long)]
    live: bool,
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
/// See the exit codes in the help.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let (applied, failure) = update::apply(
        &update::Request {
            dir: arguments.dir,
            package: arguments.package,
            expect: arguments.expect,
            expect_data: arguments.expect_data,
            live: arguments.live,
            replace: arguments.replace,
            finalize: arguments.finalize,
            now: crate::ambient::now_unix_s(),
            txid: crate::cli::transaction_id()?,
        },
        &mut OnScreen::new(screen),
    )?;
    for warning in &applied.warnings {
        screen.note("warning", warning);
    }
    let exit = failure
        .as_ref()
        .map_or(crate::failure::Exit::Done, |failure| failure.exit);
    Ok(Reply {
        json: super::facts(&applied)?,
        text: render::applied(&applied),
        exit,
        failure,
    })
}
