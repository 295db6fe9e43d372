// SPDX-License-Identifier: Apache-2.0
//! The command line of the crash bench; `cargo xtask crash` runs it.

use std::process::ExitCode;

fn main() -> ExitCode {
    cofferdam_crash::command::main(std::env::args().skip(1).collect())
}
