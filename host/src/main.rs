// SPDX-License-Identifier: Apache-2.0
//! The `cofferdam` binary: hands the arguments to the command line and returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam::cli::main(std::env::args_os())
}
