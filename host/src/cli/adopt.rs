// SPDX-License-Identifier: Apache-2.0
//! `cofferdam adopt`: puts a directory under care.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::care::adopt;
use crate::cli::reply::Reply;
use crate::cli::reply::Screen;
use crate::cli::reply::shown_line;
use crate::failure::Failure;

/// Put a directory under Cofferdam's care, as generation 1
///
/// Nothing in DIR changes. Beside it, DIR.cofferdam appears: the journal, the generations, and
/// install.toml, which is yours to edit (service, config files, policy, live files).
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  cofferdam adopt /opt/acme-agent --trust acme.pub --package acme-agent-1.0.0.upd
  cofferdam adopt /opt/acme-agent --trust acme.pub --id acme-agent --role server")]
pub(super) struct Arguments {
    /// The install directory
    dir: PathBuf,
    /// A vendor's public key; give it again for more than one
    #[arg(long, value_name = "PUB", required = true)]
    trust: Vec<PathBuf>,
    /// A reviewer's public key; give it again for more than one
    #[arg(long, value_name = "PUB")]
    trust_reviewer: Vec<PathBuf>,
    /// The package that DIR was installed from: what it lists is managed from now on
    #[arg(
        long,
        value_name = "OLD.upd",
        required_unless_present = "id",
        conflicts_with = "id"
    )]
    package: Option<PathBuf>,
    /// The package id, when there is no package yet: every existing file is state
    #[arg(long)]
    id: Option<String>,
    /// A role of this machine; give it again for more than one
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,
    #[command(flatten)]
    registry: super::Registry,
}

/// Runs the command.
///
/// # Errors
/// The package or a key was refused, or the directory cannot be taken into care.
pub(super) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    let adopted = adopt::adopt(&adopt::Request {
        dir: arguments.dir,
        vendors: arguments.trust,
        reviewers: arguments.trust_reviewer,
        package: arguments.package,
        id: arguments.id,
        roles: arguments.role,
        registry: arguments.registry.folder(),
        now: crate::ambient::now_unix_s(),
        txid: super::transaction_id()?,
    })?;
    for warning in &adopted.warnings {
        screen.note("warning", warning);
    }
    let mut text = format!(
        "{} is under care: {} {}, generation 1",
        shown_line(&adopted.dir),
        adopted.id,
        adopted.version.as_deref().unwrap_or("(no version yet)"),
    );
    if !adopted.drift.is_empty() {
        let _ = write!(
            text,
            "\n{} managed files differ from the package:",
            adopted.drift.len()
        );
        for path in adopted.drift.iter().take(20) {
            let _ = write!(text, "\n  {}", shown_line(path));
        }
    }
    let _ = write!(text, "\nsettings: {}", shown_line(&adopted.settings));
    Ok(Reply::done(super::facts(&adopted)?, text))
}
