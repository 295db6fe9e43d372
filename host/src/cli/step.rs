// SPDX-License-Identifier: Apache-2.0
//! `cofferdam step`: the vendor's tools to write steps.

mod new;
mod rehearse;

use super::reply::Reply;
use super::reply::Screen;
use crate::failure::Failure;

/// Write and try out the steps of an update
///
/// A step is a WebAssembly component with one job: check, prepare, migrate, health or finalize. It sees
/// the files and configuration keys that its manifest asks for and the operator allows, and nothing else.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    New(new::Arguments),
    Run(Box<rehearse::Arguments>),
}

/// Runs the command.
///
/// # Errors
/// Those of `step new` and `step run`.
pub(crate) fn run(arguments: Arguments, screen: &Screen) -> Result<Reply, Failure> {
    match arguments.command {
        Command::New(arguments) => new::run(arguments),
        Command::Run(arguments) => rehearse::run(*arguments, screen),
    }
}
