// SPDX-License-Identifier: Apache-2.0
//! `cofferdam status`: where an install stands.

use std::path::PathBuf;

use crate::care::status;
use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::failure::Failure;

/// Show what is live, which generations there are, and how the last transaction ended
///
/// Takes no lock and writes nothing. An interrupted transaction is reported with what `recover` would
/// do about it.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// The directory is not under care, or its journal cannot be read.
pub(super) fn run(arguments: &Arguments, _screen: &Screen) -> Result<Reply, Failure> {
    let status = status::status(&arguments.dir)?;
    let text = render::status(&status);
    Ok(Reply::done(super::facts(&status)?, text))
}
