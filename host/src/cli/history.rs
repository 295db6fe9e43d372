// SPDX-License-Identifier: Apache-2.0
//! `cofferdam history`: what was done to an install.

use std::path::PathBuf;

use serde_json::json;

use crate::care::history;
use crate::cli::render;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::failure::Exit;
use crate::failure::Failure;

/// Show what was done to an install, transaction by transaction and step by step
///
/// Each record holds the hash of the one before it, and the journal knows the last one. `--verify` checks
/// the whole chain: a record that was changed, moved or taken out, at the end too, is told by its line or the next.
/// Root could write a new chain; note the digest of the last record elsewhere to notice that.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// Check the chain of hashes from the first record to the last
    #[arg(long)]
    verify: bool,
    /// Look at the records from this number on only: for a history that is known to be damaged before it
    #[arg(long, value_name = "N", default_value_t = 1)]
    from: u64,
}

/// Runs the command.
///
/// # Errors
/// The history cannot be read or, with `--verify`, is not whole.
pub(super) fn run(arguments: &Arguments, _screen: &Screen) -> Result<Reply, Failure> {
    let (history, failure) = history::history(&arguments.dir, arguments.from, arguments.verify)?;
    let text = render::history(&history);
    Ok(Reply {
        json: json!({
            "records": super::facts(&history.records)?,
            "end": history.end,
            "verified": history.verified,
        }),
        text,
        exit: failure.as_ref().map_or(Exit::Done, |failure| failure.exit),
        failure,
    })
}
