// SPDX-License-Identifier: Apache-2.0
//! Brings one install, or every install of this machine, to rest.

use std::path::Path;
use std::path::PathBuf;

use cofferdam_install::Install;
use cofferdam_install::Recovered;
use cofferdam_install::RecoveredAction;
use cofferdam_install::Registry;
use serde::Serialize;

use crate::failure::Failure;
use crate::update::service;

/// What to do about a service that was stopped for a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwedService {
    /// Start it.
    Start,
    /// Leave it to the service manager: at boot, before the services start.
    Leave,
}

/// What recovery found and did.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The install, by its real path.
    pub dir: String,
    /// The live generation.
    pub generation: u64,
    /// The live version.
    pub version: Option<String>,
    /// Whether the service was started.
    pub service_started: bool,
    /// What was done.
    pub recovered: Recovered,
}

impl Report {
    /// The report in a sentence.
    pub fn sentence(&self) -> String {
        let version = self.version.as_deref().unwrap_or("(no version)");
        let what = match self.recovered.action {
            RecoveredAction::Nothing => "nothing was interrupted",
            RecoveredAction::Undone => "an interrupted transaction was undone",
            RecoveredAction::Finished => "an interrupted commit was finished",
        };
        let started = if self.service_started {
            "; the service was started"
        } else {
            ""
        };
        format!(
            "{what}: generation {} ({version}) is live{started}",
            self.generation
        )
    }
}

/// Recovers one install.
///
/// # Errors
/// Busy; needs a person; the service does not start.
pub fn recover(dir: &Path, owed: OwedService, now: u64) -> Result<Report, Failure> {
    let (mut ready, recovered) = Install::open_locked(dir, "recover", now)?.recover(now)?;
    let mut service_started = false;
    if recovered.service_owed {
        match owed {
            OwedService::Start => {
                service::start_owed(&mut ready)?;
                service_started = true;
            }
            OwedService::Leave => ready.service_started()?,
        }
    }
    let live = ready.journal().live_generation();
    Ok(Report {
        dir: ready.install().place().path().display().to_string(),
        generation: ready.journal().live,
        version: live
            .and_then(|live| live.version.as_ref())
            .map(ToString::to_string),
        service_started,
        recovered,
    })
}

/// Codes that say that an entry of the machine's list leads to nothing under care.
const PASSED_OVER: &[&str] = &["not-adopted", "not-a-directory"];

/// One install of the machine, and how its recovery ended.
pub type Outcome = (PathBuf, Result<Report, Failure>);

/// Recovers every install that the machine's list names, each with its own result.
///
/// # Errors
/// The list itself cannot be read.
pub fn all(registry: &Path, owed: OwedService, now: u64) -> Result<Vec<Outcome>, Failure> {
    let mut results = Vec::new();
    for entry in Registry::new(registry).list()? {
        match entry {
            Ok(dir) => match recover(&dir, owed, now) {
                // Released, moved away, or a crash while it was adopted: there is nothing to care for.
                Err(failure) if PASSED_OVER.contains(&failure.code) => {
                    tracing::debug!(dir = %dir.display(), code = failure.code, "passed over");
                }
                result => results.push((dir, result)),
            },
            Err(error) => results.push((registry.to_owned(), Err(error.into()))),
        }
    }
    Ok(results)
}
