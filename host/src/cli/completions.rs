// SPDX-License-Identifier: Apache-2.0
//! `cofferdam completions`: completions for a shell.

use clap_complete::Shell;
use serde_json::json;

use crate::cli::reply::Reply;

/// Print completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  cofferdam completions bash > /etc/bash_completion.d/cofferdam")]
pub(super) struct Arguments {
    /// The shell
    shell: Shell,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments, mut command: clap::Command) -> Reply {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "cofferdam", &mut script);
    let script = String::from_utf8_lossy(&script).trim_end().to_owned();
    Reply::done(json!({ "script": script }), script)
}
