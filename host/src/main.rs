// SPDX-License-Identifier: Apache-2.0
//! The `cofferdam` binary: hands the arguments to the command line and returns its exit code. Started as
//! a child of the sandbox, it is that and nothing else.

use std::process::ExitCode;

use cofferdam::ambient;

fn main() -> ExitCode {
    if let Some(exit) = cofferdam_sandbox::run_if_child(std::env::args_os()) {
        return exit;
    }
    ambient::keep_inherited_descriptors();
    cofferdam::cli::main(std::env::args_os())
}
