// SPDX-License-Identifier: Apache-2.0
//! The care for an install beside updates: adopt, confirm, roll back, recover, look, release.
//!
//! Whatever writes comes through [`at_rest`]: the lock is taken, what was interrupted is finished or
//! undone, and a service that was stopped for it is started again. Whatever only looks opens the
//! install, takes no lock and writes nothing.

pub mod adopt;
pub mod allow;
pub mod confirm;
pub mod from_disk;
pub mod history;
pub mod recover;
pub mod release;
pub mod rollback;
pub mod status;
pub mod verify;

use std::path::Path;

use cofferdam_install::Install;
use cofferdam_install::Ready;
use cofferdam_install::Recovered;

use crate::failure::Failure;
use crate::update::service;

/// Takes the lock, recovers, and starts the service if it is owed.
///
/// A service that does not start is a warning beside what was recovered: it stays owed, and the command
/// may be the one that helps (a rollback, or an update to a version that works).
///
/// # Errors
/// The install is busy, or needs a person.
pub fn at_rest(dir: &Path, command: &str, now: u64) -> Result<(Ready, Recovered), Failure> {
    let (mut ready, mut recovered) = Install::open_locked(dir, command, now)?.recover(now)?;
    if recovered.service_owed
        && let Err(failure) = service::start_owed(&mut ready)
    {
        recovered.warnings.push(format!("the service: {failure}"));
    }
    Ok((ready, recovered))
}
