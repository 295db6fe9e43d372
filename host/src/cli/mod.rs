// SPDX-License-Identifier: Apache-2.0
//! The command line: one file per command, each an argument struct with a `run`.
//!
//! A command returns a [`Reply`] (facts as JSON, the same facts as text, an exit code) or a
//! [`Failure`]. Only this module prints: the reply to standard output, failures, warnings and
//! progress to standard error.

mod adopt;
mod allow;
mod apply;
mod attach;
mod completions;
mod confirm;
mod history;
mod inspect;
mod keygen;
mod pack;
mod plan;
mod recover;
mod release;
mod render;
pub mod reply;
mod rollback;
mod sign;
mod status;
mod step;
mod try_update;
mod verify;
mod watching;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::CommandFactory as _;
use clap::Parser;
use clap::Subcommand;
use serde::Serialize;
use serde_json::Value;

use crate::failure::Exit;
use crate::failure::Failure;
use reply::Purpose;
use reply::Reply;
use reply::Screen;

/// Sandboxed, atomic software updates
///
/// A vendor packs payload and steps (WebAssembly components) into one signed .upd file. The host
/// verifies it, runs the steps in a sandbox on a staged copy, and exchanges the whole install at once:
/// a crash at any instant leaves the old install or the new one, whole.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version, max_term_width = 100)]
#[command(after_help = "\
For vendors:    keygen, pack, sign, attach, inspect, step, try
For operators:  adopt, plan, apply, confirm, rollback, recover, status, verify, history, allow, release
For reviewers:  inspect, plan, history")]
struct Arguments {
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long, global = true)]
    json: bool,
    /// Log what happens inside to standard error; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Keygen(keygen::Arguments),
    Pack(pack::Arguments),
    Sign(sign::Arguments),
    Attach(attach::Arguments),
    Inspect(inspect::Arguments),
    Step(step::Arguments),
    #[command(name = "try")]
    Try(try_update::Arguments),
    Adopt(adopt::Arguments),
    Plan(plan::Arguments),
    Apply(apply::Arguments),
    Confirm(confirm::Arguments),
    Rollback(rollback::Arguments),
    Recover(recover::Arguments),
    Status(status::Arguments),
    Verify(verify::Arguments),
    History(history::Arguments),
    Allow(allow::Arguments),
    Release(release::Arguments),
    Completions(completions::Arguments),
}

impl Command {
    fn purpose(&self) -> Purpose {
        match self {
            Self::Inspect(_)
            | Self::Step(_)
            | Self::Try(_)
            | Self::Plan(_)
            | Self::Status(_)
            | Self::Verify(_)
            | Self::History(_)
            | Self::Completions(_) => Purpose::Tell,
            Self::Keygen(_)
            | Self::Pack(_)
            | Self::Sign(_)
            | Self::Attach(_)
            | Self::Adopt(_)
            | Self::Apply(_)
            | Self::Confirm(_)
            | Self::Rollback(_)
            | Self::Recover(_)
            | Self::Allow(_)
            | Self::Release(_) => Purpose::Change,
        }
    }
}

/// Where this machine's list of installs is kept, for `recover --all`.
#[derive(Debug, clap::Args)]
struct Registry {
    /// The folder that lists the installs of this machine
    #[arg(
        long,
        value_name = "DIR",
        env = "COFFERDAM_REGISTRY",
        default_value = "/var/lib/cofferdam/installs"
    )]
    registry: PathBuf,
}

impl Registry {
    fn folder(&self) -> PathBuf {
        self.registry.clone()
    }
}

/// Runs the command line and returns the exit code of the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let screen = Screen::new(json);
    let exit = match Arguments::try_parse_from(&arguments) {
        Ok(parsed) => {
            log_to_stderr(parsed.verbose);
            let purpose = parsed.command.purpose();
            match dispatch(parsed.command, &screen) {
                Ok(reply) => screen.print(reply, purpose),
                Err(failure) => screen.fail(&failure),
            }
        }
        Err(error) => screen.usage(&error),
    };
    ExitCode::from(exit.number())
}

fn dispatch(command: Command, screen: &Screen) -> Result<Reply, Failure> {
    match command {
        Command::Keygen(arguments) => keygen::run(arguments, screen),
        Command::Pack(arguments) => pack::run(arguments, screen),
        Command::Sign(arguments) => sign::run(arguments, screen),
        Command::Attach(arguments) => attach::run(arguments, screen),
        Command::Inspect(arguments) => inspect::run(arguments, screen),
        Command::Step(arguments) => step::run(arguments, screen),
        Command::Try(arguments) => try_update::run(arguments, screen),
        Command::Adopt(arguments) => adopt::run(arguments, screen),
        Command::Plan(arguments) => plan::run(arguments, screen),
        Command::Apply(arguments) => apply::run(arguments, screen),
        Command::Confirm(arguments) => confirm::run(&arguments, screen),
        Command::Rollback(arguments) => rollback::run(arguments, screen),
        Command::Recover(arguments) => recover::run(arguments, screen),
        Command::Status(arguments) => status::run(&arguments, screen),
        Command::Verify(arguments) => verify::run(&arguments, screen),
        Command::History(arguments) => history::run(&arguments, screen),
        Command::Allow(arguments) => allow::run(&arguments, screen),
        Command::Release(arguments) => release::run(&arguments, screen),
        Command::Completions(arguments) => Ok(completions::run(&arguments, Arguments::command())),
    }
}

fn log_to_stderr(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => "cofferdam=debug",
        _ => "trace,cranelift=info,regalloc2=info,wasmtime=info",
    };
    // A subscriber that is set already (in tests) stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(level)
        .with_writer(std::io::stderr)
        .try_init();
}

/// The facts of a command as JSON.
fn facts(facts: &impl Serialize) -> Result<Value, Failure> {
    serde_json::to_value(facts).map_err(|error| {
        Failure::new(
            Exit::Internal,
            "output",
            format!("writing the facts as JSON: {error}"),
            "report this as a bug",
        )
    })
}

fn transaction_id() -> Result<String, Failure> {
    crate::ambient::transaction_id().map_err(|error| {
        Failure::new(
            Exit::Internal,
            "no-randomness",
            format!("the kernel gave no random numbers: {error}"),
            "try again when the machine has finished starting",
        )
    })
}
