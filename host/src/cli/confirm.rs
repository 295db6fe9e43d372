// SPDX-License-Identifier: Apache-2.0
//! `cofferdam confirm`: accepts the live generation.

use std::path::PathBuf;

use crate::care::confirm;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::failure::Failure;

/// Say that the live generation is good
///
/// `apply` confirms by itself when the service is alive and every health step agrees. After a crash in
/// between, the new generation stays live and unconfirmed until you confirm it or the next `apply` asks
/// the health steps again.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The install cannot be recovered, or its journal cannot be written.
pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let confirmed = confirm::confirm(&arguments.dir, crate::ambient::now_unix_s())?;
    for warning in &confirmed.warnings {
        screen.note("warning", warning);
    }
    let text = if confirmed.already {
        format!("generation {} was confirmed already", confirmed.generation)
    } else {
        format!("generation {} is confirmed", confirmed.generation)
    };
    Ok(Reply::done(super::facts(&confirmed)?, text))
}
