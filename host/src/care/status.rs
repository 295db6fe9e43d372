// SPDX-License-Identifier: Apache-2.0
//! Where an install stands, without a lock and without a write.

use std::path::Path;

use cofferdam_install::Holder;
use cofferdam_install::Install;
use cofferdam_install::RecoveredAction;
use cofferdam_install::State;
use serde::Serialize;

use crate::failure::Failure;

/// Where an install stands.
#[derive(Debug, Serialize)]
pub struct Status {
    /// The directory, by its real path.
    pub dir: String,
    /// The package id; empty while install.toml has a mistake.
    pub id: String,
    /// The live version.
    pub version: Option<String>,
    /// The live generation.
    pub generation: u64,
    /// `idle`, `working`, `interrupted` or `needs-person`.
    pub state: &'static str,
    /// Who is at work, while `state` is `working`.
    pub holder: Option<Holder>,
    /// What recovery would do, or why it cannot, while `state` is `interrupted` or `needs-person`.
    pub recovery: Option<String>,
    /// Whether the live generation has proved healthy.
    pub confirmed: bool,
    /// Whether the service was stopped for a transaction and has not been started again.
    pub service_owed: bool,
    /// Every generation, oldest first.
    pub generations: Vec<Generation>,
    /// The roles of this machine.
    pub roles: Vec<String>,
    /// The lowest version that may be applied.
    pub version_floor: Option<String>,
    /// The lowest data format that may be applied.
    pub data_format_floor: u64,
    /// Packages that were condemned here.
    pub condemned: Vec<Condemned>,
    /// How the last transaction ended.
    pub last: Option<Last>,
    /// A mistake in install.toml, with its place.
    pub settings_error: Option<String>,
}

/// One generation.
#[derive(Debug, Serialize)]
pub struct Generation {
    /// Its number.
    pub number: u64,
    /// Its version.
    pub version: Option<String>,
    /// Whether it has proved healthy.
    pub confirmed: bool,
    /// Whether it is the live one.
    pub live: bool,
    /// Whether it can be rolled back to.
    pub kept: bool,
}

/// A package that was condemned here.
#[derive(Debug, Serialize)]
pub struct Condemned {
    /// The package digest.
    pub package: String,
    /// Its version.
    pub version: Option<String>,
    /// What it did.
    pub why: String,
}

/// How the last transaction ended.
#[derive(Debug, Serialize)]
pub struct Last {
    /// The transaction's id.
    pub txid: String,
    /// `plan`, `apply`, `repair` or `rollback`.
    pub kind: String,
    /// `committed`, `planned`, `refused`, `deferred`, `failed` or `interrupted`.
    pub result: String,
    /// The generation that was live when it began.
    pub from: u64,
    /// The generation that it made, or would have made.
    pub to: u64,
    /// The version of the package.
    pub version: Option<String>,
    /// The error's code.
    pub code: Option<String>,
    /// The error in words.
    pub message: Option<String>,
    /// When it ended, in seconds since 1970.
    pub at: u64,
}

/// Looks at an install.
///
/// # Errors
/// Not under care; the journal cannot be believed.
pub fn status(dir: &Path) -> Result<Status, Failure> {
    let view = Install::open(dir)?.status()?;
    let (state, holder, recovery) = match view.state {
        State::Idle => ("idle", None, None),
        State::Working { holder } => ("working", Some(holder), None),
        State::Interrupted {
            kind,
            stage,
            recovery,
        } => {
            let would = match recovery {
                RecoveredAction::Nothing => "would do nothing",
                RecoveredAction::Undone => "would undo it",
                RecoveredAction::Finished => "would finish it",
            };
            let text = format!(
                "{} was cut off while {stage}; `recover` {would}",
                word(&kind)?
            );
            ("interrupted", None, Some(text))
        }
        State::NeedsPerson { found } => ("needs-person", None, Some(found)),
    };
    let text = |version: Option<semver::Version>| version.map(|version| version.to_string());
    let last = match view.last {
        None => None,
        Some(last) => Some(Last {
            kind: word(&last.kind)?,
            result: word(&last.result)?,
            txid: last.txid,
            from: last.from,
            to: last.to,
            version: text(last.version),
            code: last.code,
            message: last.message,
            at: last.at_unix_s,
        }),
    };
    Ok(Status {
        dir: view.dir.display().to_string(),
        id: view.id.unwrap_or_default(),
        version: text(view.version),
        generation: view.generation,
        state,
        holder,
        recovery,
        confirmed: view.confirmed,
        service_owed: view.service_owed,
        generations: view
            .generations
            .into_iter()
            .map(|generation| Generation {
                number: generation.number,
                version: text(generation.version),
                confirmed: generation.confirmed,
                live: generation.live,
                kept: generation.kept,
            })
            .collect(),
        roles: view.roles,
        version_floor: text(view.floors.version),
        data_format_floor: view.floors.data_format,
        condemned: view
            .condemned
            .into_iter()
            .map(|condemned| Condemned {
                package: condemned.package.to_string(),
                version: text(condemned.version),
                why: condemned.why,
            })
            .collect(),
        last,
        settings_error: view.settings_error,
    })
}

/// The word that the documents use for a value of an enum.
fn word(value: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(value).ok();
    value
        .and_then(|value| value.as_str().map(str::to_owned))
        .ok_or_else(|| {
            Failure::new(
                crate::failure::Exit::Internal,
                "output",
                "a value of the journal has no word",
                "report this as a bug",
            )
        })
}
