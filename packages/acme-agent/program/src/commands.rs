// SPDX-License-Identifier: Apache-2.0
//! The command line: `serve` for the service, `ask` for scripts. People use `bin/acme-agentctl`.

use crate::config::Config;
use crate::http;
use crate::release::Release;
use crate::server;
use std::env;
use std::path::Path;
use std::process::ExitCode;

const USAGE: &str = "usage: acme-agent serve ROOT PID-FILE | ask ROOT PATH";

/// Runs the agent of `release` with the arguments of this process.
pub fn run(release: &'static Release) -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["serve", root, pid_file] => server::serve(Path::new(root), Path::new(pid_file), release),
        ["ask", root, path] => ask(Path::new(root), path, release),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("acme-agent {}: {reason}", release.version);
            ExitCode::FAILURE
        }
    }
}

/// Prints what the running agent answers; fails when none answers.
fn ask(root: &Path, path: &str, release: &Release) -> Result<(), String> {
    let config = Config::read(root, release)?;
    let address = config.listen[0];
    let body = http::ask(address, path).map_err(|e| format!("no answer from {address}: {e}"))?;
    print!("{body}");
    Ok(())
}
