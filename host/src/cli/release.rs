// SPDX-License-Identifier: Apache-2.0
//! `cofferdam release`: stops caring for a directory.

use std::path::PathBuf;

use crate::care::release;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown_line;
use crate::failure::Failure;

/// Stop caring for a directory: the install stays as it is, DIR.cofferdam goes
///
/// With it go the old generations, so there is no way back afterwards.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    #[command(flatten)]
    registry: super::Registry,
}

/// Runs the command.
///
/// # Errors
/// The install is busy, or cannot be recovered first.
pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let now = crate::ambient::now_unix_s();
    let released = release::release(&arguments.dir, &arguments.registry.folder(), now)?;
    for warning in &released.warnings {
        screen.note("warning", warning);
    }
    let text = format!(
        "{} is no longer under care; its files stay",
        shown_line(&released.dir)
    );
    Ok(Reply::done(super::facts(&released)?, text))
}
