// SPDX-License-Identifier: Apache-2.0
//! `cofferdam allow`: lets a condemned package be applied again.

use std::path::PathBuf;

use semver::Version;
use serde_json::json;

use crate::care::allow;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::failure::Failure;

/// Let a version be applied again that was condemned here
///
/// A package is condemned when it was unhealthy after its commit, when it crashed the machine twice
/// while the service was stopped, or when a person rolled it back.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// The version that was condemned
    version: Version,
}

/// Runs the command.
///
/// # Errors
/// `not-condemned` when there is no such entry.
pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let allowed = allow::allow(
        &arguments.dir,
        &arguments.version,
        crate::ambient::now_unix_s(),
    )?;
    for warning in &allowed.warnings {
        screen.note("warning", warning);
    }
    let text = format!("version {} may be applied again", arguments.version);
    Ok(Reply::done(
        json!({
            "version": arguments.version.to_string(),
            "packages": super::facts(&allowed.lifted)?,
            "warnings": allowed.warnings,
        }),
        text,
    ))
}
