// SPDX-License-Identifier: Apache-2.0
//! The only code of the bench that prints.

#![expect(clippy::print_stdout, reason = "this is where lines are printed")]

use std::io::Write as _;

/// Prints a line at once, so that it is seen while the bench goes on.
pub(crate) fn line(text: &str) {
    println!("{text}");
    let _closed = std::io::stdout().flush();
}
