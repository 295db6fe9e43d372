// SPDX-License-Identifier: Apache-2.0
//! The time in which the service does not run: begun late, ended always, measured.
//!
//! A plan has none. An install without a service has none either, but everything that uses the install
//! must have gone by the time that it would begin.

use std::path::PathBuf;
use std::time::Instant;

use cofferdam_install::Building;
use cofferdam_install::Install;
use cofferdam_install::InstallError;
use cofferdam_install::Ready;
use cofferdam_install::RecoveredAction;
use cofferdam_install::Returning;
use cofferdam_install::State;

use crate::failure::Failure;
use crate::update::preflight;
use crate::update::service::Service;
use crate::watch::Watch;

/// The service of an update, and whether it was stopped for it.
#[derive(Debug)]
pub(crate) struct Downtime<'a> {
    mode: Mode<'a>,
    /// It ran when the update came: it is to run afterwards, whatever a new version makes of it.
    ran: bool,
    /// The last start failed: there may be nothing to stop.
    start_failed: bool,
    /// On the way back a version that works is owed, whatever the one that is left answers.
    going_back: bool,
    stopped_at: Option<Instant>,
    /// The install that it was stopped for.
    stopped_in: Option<PathBuf>,
    seconds: f64,
}

#[derive(Debug)]
enum Mode<'a> {
    Plan,
    Apply {
        service: Option<Service<'a>>,
        live: bool,
    },
}

impl<'a> Downtime<'a> {
    /// A plan: nothing is stopped.
    pub(crate) fn of_a_plan() -> Self {
        Self {
            mode: Mode::Plan,
            ran: false,
            start_failed: false,
            going_back: false,
            stopped_at: None,
            stopped_in: None,
            seconds: 0.0,
        }
    }

    /// An update of this service; `live`: go on although processes use the install.
    pub(crate) fn of(service: Option<Service<'a>>, live: bool) -> Self {
        Self {
            mode: Mode::Apply { service, live },
            ran: false,
            start_failed: false,
            going_back: false,
            stopped_at: None,
            stopped_in: None,
            seconds: 0.0,
        }
    }

    /// Whether this is a plan.
    pub(crate) fn is_plan(&self) -> bool {
        matches!(self.mode, Mode::Plan)
    }

    /// Whether the service ran and was stopped.
    pub(crate) fn has_stopped(&self) -> bool {
        self.stopped_at.is_some()
    }

    /// From here on the way leads back to an older generation.
    pub(crate) fn go_back(&mut self) {
        self.going_back = true;
    }

    /// How long the service was down so far, in seconds.
    pub(crate) fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Stops the service if it runs; the journal says so first, so that it is started again whatever
    /// happens.
    ///
    /// # Errors
    /// It does not stop; without a service: processes use the install.
    pub(crate) fn begin(
        &mut self,
        transaction: &mut dyn Stoppable,
        watch: &mut dyn Watch,
    ) -> Result<(), Failure> {
        let Mode::Apply { service, live } = &self.mode else {
            return Ok(());
        };
        let Some(service) = service else {
            preflight::refuse_in_use(transaction.install(), *live)?;
            return Ok(transaction.service_stopping(false)?);
        };
        let (runs, known) = match service.is_running() {
            Ok(runs) => (runs, true),
            // The version that is left may not even have the command that is to be asked.
            Err(failure) if self.going_back => {
                tracing::debug!(%failure, "asking whether the service runs");
                (true, false)
            }
            Err(failure) => return Err(failure),
        };
        self.stopped_in = Some(transaction.install().place().path().to_owned());
        // Owed from before: it was stopped, or did not start, and nobody has started it since.
        let owed = transaction.install().journal().service_owed;
        self.ran |= runs || owed;
        transaction.service_stopping(self.ran)?;
        if self.ran {
            watch.stage("stop");
            self.stopped_at = Some(Instant::now());
            match service.stop() {
                // It was not alive any more: there may be nothing to stop.
                Err(failure) if !runs || !known || owed || self.start_failed => {
                    tracing::debug!(%failure, "stopping what may not run");
                }
                stopped => stopped?,
            }
        }
        if *live {
            return Ok(());
        }
        match preflight::wait_until_unused(transaction.install().place().path(), service) {
            Err(failure) if self.going_back => {
                watch.note(&format!("going back all the same: {}", failure.message));
                Ok(())
            }
            unused => unused,
        }
    }

    /// Starts the service if the journal says that it is owed, and notes that it runs. Where that cannot be
    /// noted, it stays owed, and one more start does no harm: a disk that is full is no reason to take a
    /// version that works back.
    ///
    /// # Errors
    /// It does not start.
    pub(crate) fn end(&mut self, ready: &mut Ready, watch: &mut dyn Watch) -> Result<(), Failure> {
        tell_left_over(ready, watch);
        let Mode::Apply { service, .. } = &self.mode else {
            return Ok(());
        };
        if let Some(service) = service.as_ref().filter(|_| ready.journal().service_owed) {
            watch.stage("start");
            self.start_failed = true;
            service.start()?;
            self.start_failed = false;
            if let Some(since) = self.stopped_at.take() {
                self.seconds += since.elapsed().as_secs_f64();
            }
        }
        if let Err(unnoted) = ready.service_started() {
            watch.note(&format!(
                "that the service runs is not noted: {}",
                Failure::from(unnoted)
            ));
        }
        Ok(())
    }

    /// Starts a service that was stopped, although the journal cannot be written any more: it stays owed,
    /// and a second start does no harm. But where a commit is half done it stays stopped, since it would
    /// run with configuration of the old version. Answers with what is wrong about it, in words.
    pub(crate) fn end_anyway(&self) -> Option<String> {
        let stopped = self.stopped_at.is_some();
        let stopped_in = self.stopped_in.as_ref().filter(|_| stopped)?;
        let service = self.service()?;
        let status = Install::open(stopped_in).and_then(|install| install.status());
        let is_half_done = status.is_ok_and(|status| {
            let finished = RecoveredAction::Finished;
            matches!(status.state, State::Interrupted { recovery, .. } if recovery == finished)
        });
        if is_half_done {
            return Some("the service stays stopped until the commit is finished".to_owned());
        }
        service.start().err().map(|unstarted| unstarted.to_string())
    }

    /// What the service printed, for the health steps; empty without one.
    pub(crate) fn printed(&self) -> String {
        match &self.mode {
            Mode::Apply {
                service: Some(service),
                ..
            } => service.printed(),
            Mode::Plan | Mode::Apply { service: None, .. } => String::new(),
        }
    }

    /// The service, when there is one and this is not a plan.
    pub(crate) fn service(&self) -> Option<&Service<'a>> {
        match &self.mode {
            Mode::Apply { service, .. } => service.as_ref(),
            Mode::Plan => None,
        }
    }
}

/// Says what takes room until the next command that writes.
pub(crate) fn tell_left_over(ready: &mut Ready, watch: &mut dyn Watch) {
    for left in ready.take_left_over() {
        watch.note(&format!("left for the next command: {left}"));
    }
}

/// A transaction that notes in its journal that the service is about to be stopped.
pub(crate) trait Stoppable {
    /// The install, for reading.
    fn install(&self) -> &Install;
    /// The note; see [`Building::service_stopping`].
    fn service_stopping(&mut self, was_running: bool) -> Result<(), InstallError>;
}

impl Stoppable for Building {
    fn install(&self) -> &Install {
        self.install()
    }

    fn service_stopping(&mut self, was_running: bool) -> Result<(), InstallError> {
        self.service_stopping(was_running)
    }
}

impl Stoppable for Returning {
    fn install(&self) -> &Install {
        self.install()
    }

    fn service_stopping(&mut self, was_running: bool) -> Result<(), InstallError> {
        self.service_stopping(was_running)
    }
}

/// The service that the settings describe, if any.
///
/// # Errors
/// The settings cannot be read; there is no room for a temporary file.
pub(crate) fn service_of(
    install: &Install,
) -> Result<Option<cofferdam_install::settings::Service>, Failure> {
    Ok(install.settings()?.service.clone())
}
