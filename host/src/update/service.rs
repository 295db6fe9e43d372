// SPDX-License-Identifier: Apache-2.0
//! The operator's service: stopped late, started always, by the operator's own argument lists.
//!
//! Commands run without a shell, in a process group of their own, with a time limit. What they print
//! goes to a nameless temporary file, never to a pipe: a daemon that keeps its parent's output open
//! would otherwise keep us waiting for ever. This module never decides whether to stop or start.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::os::unix::net::UnixStream;
use std::process::ExitStatus;
use std::process::Stdio;
use std::time::Duration;

use cofferdam_install::Ready;
use cofferdam_install::settings::Service as Settings;
use rustix::io::Errno;
use rustix::process::Signal;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;

/// How much of what a service printed is kept for the health steps and for the failure's details.
const OUTPUT_KEPT_BYTES: usize = 64 * 1024;

/// How many characters of the last line stand in a message.
const LINE_SHOWN: usize = 200;

/// The `alive` command cannot be run, so nothing is known.
pub const ALIVE_UNUSABLE: &str = "service-alive-unusable";

/// How often `alive` is asked while the service settles.
const ALIVE_EVERY: Duration = Duration::from_millis(100);

/// The service of one install, as `[service]` in its `install.toml` describes it.
#[derive(Debug)]
pub struct Service<'a> {
    settings: &'a Settings,
    output: File,
}

impl<'a> Service<'a> {
    /// The service that the settings describe.
    ///
    /// # Errors
    /// There is no room for a temporary file.
    pub fn new(settings: &'a Settings) -> Result<Self, Failure> {
        let output = tempfile::tempfile()
            .map_err(|error| Failure::io("a temporary file for what the service prints", &error))?;
        Ok(Self { settings, output })
    }

    /// Whether the service runs now. Without an `alive` command it is taken to run.
    ///
    /// # Errors
    /// `service-alive-unusable`: there is no such command; an error of the machine.
    pub fn is_running(&self) -> Result<bool, Failure> {
        match &self.settings.alive {
            None => Ok(true),
            Some(alive) => match run(alive, self.settings.start_timeout, &self.output)? {
                Ended::Exited(status) => Ok(status.success()),
                Ended::TimedOut(_) => Ok(false),
                Ended::NotRun(error) => Err(Failure::new(
                    Exit::Refused,
                    ALIVE_UNUSABLE,
                    format!("`{}` cannot be run: {error}", alive.join(" ")),
                    "correct `alive` under [service] in install.toml: it exits with 0 while the service runs",
                )),
            },
        }
    }

    /// Whether there is an `alive` command.
    pub fn can_be_asked(&self) -> bool {
        self.settings.alive.is_some()
    }

    /// Stops the service and waits until its `stop` command has ended.
    ///
    /// # Errors
    /// `service-stop-failed`: the command could not be started, failed, or took longer than its limit.
    pub fn stop(&self) -> Result<(), Failure> {
        self.expect_success("stop", &self.settings.stop, self.settings.stop_timeout)
    }

    /// Starts the service and waits until its `start` command has ended.
    ///
    /// # Errors
    /// `service-start-failed`: the command could not be started, failed, or took longer than its limit.
    pub fn start(&self) -> Result<(), Failure> {
        self.expect_success("start", &self.settings.start, self.settings.start_timeout)
    }

    /// Waits until `alive` agrees, then asks again until it has agreed for the whole settle time.
    ///
    /// # Errors
    /// `service-not-alive`: it never agreed within the start limit, or stopped agreeing.
    pub fn settle(&self) -> Result<(), Failure> {
        let Some(alive) = &self.settings.alive else {
            return Ok(());
        };
        runtime()?.block_on(async {
            let started = tokio::time::Instant::now();
            let mut ticks = tokio::time::interval(ALIVE_EVERY);
            let mut agreed_since = None;
            loop {
                ticks.tick().await;
                let ended = run_within(alive, self.settings.start_timeout, &self.output).await?;
                let now = tokio::time::Instant::now();
                if matches!(ended, Ended::Exited(status) if status.success()) {
                    let since = *agreed_since.get_or_insert(now);
                    if now.duration_since(since) >= self.settings.settle {
                        return Ok(());
                    }
                } else if agreed_since.is_some()
                    || matches!(ended, Ended::NotRun(_))
                    || now.duration_since(started) >= self.settings.start_timeout
                {
                    return Err(self.not_alive(alive, &ended));
                }
            }
        })
    }

    /// Asks `ended` until it says yes, for as long as stopping may take; says whether it did.
    ///
    /// # Errors
    /// What `ended` answers.
    pub fn wait_for_the_end(
        &self,
        mut ended: impl FnMut() -> Result<bool, Failure>,
    ) -> Result<bool, Failure> {
        runtime()?.block_on(async {
            let started = tokio::time::Instant::now();
            let mut ticks = tokio::time::interval(ALIVE_EVERY);
            loop {
                ticks.tick().await;
                if ended()? {
                    return Ok(true);
                }
                if started.elapsed() >= self.settings.stop_timeout {
                    return Ok(false);
                }
            }
        })
    }

    /// The end of what the service's commands have printed so far.
    pub fn printed(&self) -> String {
        let length = self.output.metadata().map_or(0, |metadata| metadata.len());
        let mut bytes = vec![0; OUTPUT_KEPT_BYTES];
        // By position: the commands write at an offset that they share with us. What cannot be read is
        // not there: the text only helps a person or a health step.
        let from = length.saturating_sub(OUTPUT_KEPT_BYTES as u64);
        let read = self.output.read_at(&mut bytes, from).unwrap_or(0);
        bytes.truncate(read);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last line that was printed, for a message; empty where nothing was.
    fn last_line(&self) -> String {
        let printed = self.printed();
        match printed.lines().rfind(|line| !line.trim().is_empty()) {
            Some(line) => {
                let line: String = line.trim().chars().take(LINE_SHOWN).collect();
                format!("; the last that was printed is `{line}`")
            }
            None => String::new(),
        }
    }

    fn not_alive(&self, alive: &[String], ended: &Ended) -> Failure {
        Failure::new(
            Exit::RolledBack,
            "service-not-alive",
            format!(
                "`{}` {ended}, expected success for the whole settle time{}",
                alive.join(" "),
                self.last_line()
            ),
            "see the service's own log; --json has all that its commands printed",
        )
        .with_details(json!({ "output": self.printed() }))
    }

    fn expect_success(
        &self,
        verb: &'static str,
        command: &[String],
        limit: Duration,
    ) -> Result<(), Failure> {
        let code = if verb == "stop" {
            "service-stop-failed"
        } else {
            "service-start-failed"
        };
        let help = "run the command by hand to see why; `[service]` in install.toml names it";
        let ended = run(command, limit, &self.output)?;
        if matches!(ended, Ended::Exited(status) if status.success()) {
            return Ok(());
        }
        let failure = Failure::new(
            Exit::Refused,
            code,
            format!(
                "`{}` {ended}, expected success{}",
                command.join(" "),
                self.last_line()
            ),
            help,
        );
        Err(failure.with_details(json!({ "output": self.printed() })))
    }
}

#[derive(Debug)]
enum Ended {
    Exited(ExitStatus),
    TimedOut(Duration),
    /// There is no such program, or none that can be run: the fault of the settings, or of the version that stands
    /// there, and not of the machine.
    NotRun(std::io::Error),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "ended with {status}"),
            Self::TimedOut(limit) => {
                write!(f, "still ran after {} s and was ended", limit.as_secs())
            }
            Self::NotRun(error) => write!(f, "cannot be run: {error}"),
        }
    }
}

/// Descriptors that a runner and one command take.
const DESCRIPTORS: usize = 12;

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    // The runner cannot do without descriptors of its own, and panics.
    let refused = |error| Failure::io("descriptors for the service runner", &error);
    let pair = UnixStream::pair().map_err(refused)?;
    let more: Result<Vec<_>, _> = (0..DESCRIPTORS).map(|_| pair.0.try_clone()).collect();
    drop((more.map_err(refused)?, pair));
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::io("starting the service runner", &error))
}

fn run(command: &[String], limit: Duration, output: &File) -> Result<Ended, Failure> {
    runtime()?.block_on(run_within(command, limit, output))
}

async fn run_within(command: &[String], limit: Duration, output: &File) -> Result<Ended, Failure> {
    let (program, arguments) = command.split_first().ok_or_else(|| {
        Failure::new(
            Exit::Refused,
            "service-command-empty",
            "a command in `[service]` has no program",
            "give the command as a list: stop = [\"systemctl\", \"stop\", \"NAME\"]",
        )
    })?;
    let cannot =
        |error: std::io::Error| Failure::io(format!("service command `{program}`"), &error);
    let stdout = output.try_clone().map_err(cannot)?;
    let stderr = output.try_clone().map_err(cannot)?;
    let spawned = tokio::process::Command::new(program)
        .args(arguments)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(stdout)
        .stderr(stderr)
        .process_group(0)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) if is_no_program(&error) => return Ok(Ended::NotRun(error)),
        Err(error) => return Err(cannot(error)),
    };
    match tokio::time::timeout(limit, child.wait()).await {
        Ok(status) => Ok(Ended::Exited(status.map_err(cannot)?)),
        Err(_elapsed) => {
            let group = child.id().and_then(|id| i32::try_from(id).ok());
            if let Some(group) = group.and_then(rustix::process::Pid::from_raw) {
                // The group may have ended by itself in this instant.
                let _ = rustix::process::kill_process_group(group, Signal::KILL);
            }
            child.wait().await.map_err(cannot)?;
            Ok(Ended::TimedOut(limit))
        }
    }
}

fn is_no_program(error: &std::io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(
            Errno::NOENT
                | Errno::NOTDIR
                | Errno::ACCESS
                | Errno::NOEXEC
                | Errno::LOOP
                | Errno::NAMETOOLONG
        )
    )
}

/// Starts the service that an interrupted transaction stopped, and notes in the journal that it runs.
///
/// Before the start: owed. Between start and note: owed, and a second start does no harm.
///
/// # Errors
/// `service-start-failed`; the journal cannot be written.
pub fn start_owed(ready: &mut Ready) -> Result<(), Failure> {
    let is_new = !ready.journal().is_confirmed();
    if let Some(settings) = &ready.install().settings()?.service {
        let started = Service::new(settings).and_then(|service| service.start());
        started.map_err(|failure| {
            if !is_new {
                return failure;
            }
            // Any exit but this one would say that the old generation is live.
            Failure {
                exit: Exit::NeedsPerson,
                help: format!(
                    "{}; `cofferdam rollback` leaves this generation",
                    failure.help
                ),
                ..failure
            }
        })?;
    }
    ready.service_started()?;
    Ok(())
}
