// SPDX-License-Identifier: Apache-2.0
//! All printing. Colours on a terminal only, and not when `NO_COLOR` is set.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this module is where xtask prints"
)]

use std::env;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;

/// A line as it is.
pub(crate) fn line(text: &str) {
    println!("{text}");
    flush();
}

/// The title of a chapter.
pub(crate) fn heading(text: &str) {
    line(&format!(
        "\n{}\n",
        style("1", &format!("── {text} "), &"─".repeat(rest(text)))
    ));
}

/// What a reader should know, in a sentence or two.
pub(crate) fn note(text: &str) {
    for part in text.lines() {
        line(&style("2", &format!("# {part}"), ""));
    }
}

/// A command as typed.
pub(crate) fn command(text: &str) {
    line(&style("36", &format!("$ {text}"), ""));
}

/// Something that was checked and holds.
pub(crate) fn holds(text: &str) {
    line(&style("32", &format!("✓ {text}"), ""));
}

/// Why the task failed.
pub(crate) fn error(text: &str) {
    flush();
    eprintln!("error: {text}");
}

fn style(code: &str, text: &str, tail: &str) -> String {
    if io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none() {
        format!("\u{1b}[{code}m{text}{tail}\u{1b}[0m")
    } else {
        format!("{text}{tail}")
    }
}

fn rest(text: &str) -> usize {
    74usize.saturating_sub(text.chars().count())
}

/// What we print and what the commands print must appear in order.
fn flush() {
    // A closed pipe ends the task at the next command, not here.
    let _ = io::stdout().flush();
}
