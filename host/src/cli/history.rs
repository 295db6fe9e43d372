// SPDX-License-Identifier: Apache-2.0
//! `cofferdam history`: what was done to an install.

use std::path::PathBuf;

use serde_json::json;

use crate::care::history;
use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::failure::Failure;

/// Show what was done to an install, transaction by transaction and step by step
///
/// Each record holds the hash of the one before it. `--verify` checks the whole chain: it shows damage
/// and edits by anyone but root, who could write a new chain.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// Check the chain of hashes from the first record to the last
    #[arg(long)]
    verify: bool,
}

/// Runs the command.
///
/// # Errors
/// The history cannot be read or, with `--verify`, is not whole.
pub(super) fn run(arguments: &Arguments, _screen: &Screen) -> Result<Reply, Failure> {
    let history = history::history(&arguments.dir, arguments.verify)?;
    let text = render::history(&history);
    Ok(Reply::done(
        json!({ "records": super::facts(&history.records)?, "verified": history.verified }),
        text,
    ))
}
