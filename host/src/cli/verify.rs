// SPDX-License-Identifier: Apache-2.0
//! `cofferdam verify`: the live tree against what was installed.

use std::path::PathBuf;

use serde_json::json;

use crate::care::verify;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown_line;
use crate::failure::Failure;

/// Compare the live tree with the live package: managed files that drifted
///
/// Reads every managed file. Writes nothing and takes no lock. `apply` of the live package puts drifted
/// files back.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// `drift` (exit 4) when a managed file is not as the package has it; the details list them.
pub(super) fn run(arguments: &Arguments, _screen: &Screen) -> Result<Reply, Failure> {
    let verified = verify::verify(&arguments.dir)?;
    let facts = super::facts(&verified)?;
    if verified.drift.is_empty() {
        let text = format!(
            "all {} managed paths are as version {} has them",
            verified.managed,
            verified.version.as_deref().unwrap_or("(none)"),
        );
        return Ok(Reply::done(facts, text));
    }
    let lines: Vec<String> = verified
        .drift
        .iter()
        .map(|drift| format!("  {}: {}", shown_line(&drift.path), drift.what))
        .collect();
    let failure = Failure::new(
        crate::failure::Exit::Refused,
        "drift",
        format!(
            "{} of {} managed paths are not as installed, expected none",
            verified.drift.len(),
            verified.managed,
        ),
        "`cofferdam apply` with the live package puts them back",
    )
    .with_details(json!({ "drift": verified.drift }));
    Ok(Reply {
        json: facts,
        text: lines.join("\n"),
        exit: failure.exit,
        failure: Some(failure),
    })
}
