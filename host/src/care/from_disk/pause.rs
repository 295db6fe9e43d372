// SPDX-License-Identifier: Apache-2.0
//! The service while a recovery from the disk puts another directory at `DIR`.
//!
//! `alive` may be a program of the install that was lost, and what it answers in a directory that is nobody's says
//! little. So the service is stopped in any case, and what counts in the end is that nothing of it is left there.

use std::path::Path;

use crate::failure::Failure;
use crate::update::preflight;
use crate::update::service::ALIVE_UNUSABLE;
use crate::update::service::Service;

/// A service that was stopped.
pub(super) struct Pause<'a> {
    service: &'a Service<'a>,
    /// As far as is known, it ran.
    ran: bool,
    /// How `stop` failed, of a service of which nobody knows that it ran.
    pub(super) warning: Option<String>,
}

impl<'a> Pause<'a> {
    /// Stops the service, and waits until nothing of it runs from the directory or writes there.
    ///
    /// `owed`: it was stopped before, and not started since.
    ///
    /// Crash before: as it was found. After: the service does not run, and the same command comes here again.
    ///
    /// # Errors
    /// It is known to run and does not stop; the directory is still used; the machine refused. It runs as before
    /// then, or the message says that it does not.
    pub(super) fn begin(
        service: &'a Service<'a>,
        directory: &Path,
        owed: bool,
    ) -> Result<Self, Failure> {
        let answer = runs(service)?;
        let warning = match service.stop() {
            Ok(()) => None,
            Err(failure) if failure.is_of_the_machine() || (answer == Some(true) && !owed) => {
                return Err(in_the_way(failure));
            }
            Err(failure) => Some(format!("the service may not have run: {}", failure.message)),
        };
        let pause = Self {
            service,
            ran: answer != Some(false) && !owed,
            warning,
        };
        match preflight::wait_until_unused(directory, service) {
            Ok(()) => Ok(pause),
            Err(failure) => Err(pause.give_up(in_the_way(failure))),
        }
    }

    /// Starts a service that ran again, since nothing was moved; the failure tells what came of it.
    pub(super) fn give_up(&self, failure: Failure) -> Failure {
        if !self.ran {
            return failure;
        }
        let told = match self.service.start() {
            Ok(()) => "the service was started again".to_owned(),
            Err(unstarted) => {
                format!("the service was stopped, and does not start: {unstarted}")
            }
        };
        Failure {
            message: format!("{}; {told}", failure.message),
            ..failure
        }
    }
}

/// Whether the service runs; nothing where nobody can be asked.
pub(super) fn runs(service: &Service<'_>) -> Result<Option<bool>, Failure> {
    match service.is_running() {
        Ok(runs) => Ok(service.can_be_asked().then_some(runs)),
        Err(failure) if failure.code == ALIVE_UNUSABLE => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// What helps against a service that stays; the machine has its own help.
fn in_the_way(failure: Failure) -> Failure {
    if failure.is_of_the_machine() {
        return failure;
    }
    Failure {
        help: "stop the service by other means, and run the same command again: it starts the service in the end"
            .to_owned(),
        ..failure
    }
}
