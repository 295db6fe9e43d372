// SPDX-License-Identifier: Apache-2.0
//! What the tests of this crate start as a child: nothing but a child.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam_sandbox::run_if_child(std::env::args_os()).unwrap_or(ExitCode::FAILURE)
}
