// SPDX-License-Identifier: Apache-2.0
//! What a command answers, and the only code that prints.
//!
//! Text from packages, steps and the file system is shown with control characters escaped, so that
//! none of it can move the cursor, forge a line or recolour the screen.

use std::io::IsTerminal;
use std::io::Write;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use serde_json::Map;
use serde_json::Value;

use crate::failure::Exit;
use crate::failure::Failure;

/// The facts of a command that ran to its end, once for programs and once for people.
#[derive(Debug)]
pub struct Reply {
    /// One object; the `--json` output.
    pub json: Value,
    /// The same facts as text, without a final newline.
    pub text: String,
    /// The exit code that goes with them.
    pub exit: Exit,
    /// Set when the command ended in a way that scripts treat as an error (deferred, rolled back).
    pub failure: Option<Failure>,
}

impl Reply {
    /// A reply of a command that did what it was asked to.
    pub fn done(json: Value, text: impl Into<String>) -> Self {
        Self {
            json,
            text: text.into(),
            exit: Exit::Done,
            failure: None,
        }
    }
}

/// Standard output and standard error, in the form that the caller asked for.
#[derive(Debug)]
pub struct Screen {
    json: bool,
    terminal: bool,
    bar: ProgressBar,
}

/// What a command is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To answer: an answer that cannot be printed is a failure.
    Tell,
    /// To change something: what was done stands, whether that can be printed or not, and the exit code says so.
    Change,
}

impl Screen {
    /// A screen for people, or (with `json`) for programs. Progress is drawn only on a terminal.
    pub fn new(json: bool) -> Self {
        let terminal = std::io::stderr().is_terminal() && !json;
        let bar = if terminal {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        bar.set_style(
            ProgressStyle::with_template("{spinner} {msg} {wide_bar:.dim} {percent:>3}%")
                .unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self {
            json,
            terminal,
            bar,
        }
    }

    /// Shows how far a stage has come; nothing when standard error is not a terminal.
    pub fn progress(&self, what: &str, done: u64, total: u64) {
        if self.terminal {
            self.bar.enable_steady_tick(Duration::from_millis(120));
            self.bar.set_length(total.max(1));
            self.bar.set_position(done);
            self.bar.set_message(shown_line(what));
        }
    }

    /// A line to standard error for people: a warning or a note beside the reply.
    pub fn note(&self, label: &str, text: &str) {
        if !self.json {
            self.bar
                .suspend(|| to_stderr(&format!("{label}: {}\n", shown_indented(text))));
        }
    }

    /// Shows `text` and asks a person; nothing where there is none: without a terminal, or with `--json`.
    pub fn asks(&self, text: &str, question: &str) -> Option<bool> {
        if !self.terminal || !std::io::stdin().is_terminal() {
            return None;
        }
        // Nothing is drawn over the question.
        self.bar.finish_and_clear();
        to_stderr(&format!("{}\n{question} [y/N] ", shown(text)));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
    }

    /// Prints a reply and returns its exit code.
    pub fn print(&self, reply: Reply, purpose: Purpose) -> Exit {
        self.bar.finish_and_clear();
        if self.json {
            // The record of a step may be large: there is one of it.
            let mut object = reply.json;
            if let (Some(failure), Some(members)) = (&reply.failure, object.as_object_mut()) {
                members.insert("error".to_owned(), failure.to_json());
            }
            return to_stdout(&format!("{object:#}\n"), reply.exit, purpose);
        }
        let exit = if reply.text.is_empty() {
            reply.exit
        } else {
            to_stdout(&format!("{}\n", reply.text), reply.exit, purpose)
        };
        if let Some(failure) = &reply.failure {
            print_failure(failure);
        }
        exit
    }

    /// Prints a failure and returns its exit code.
    pub fn fail(&self, failure: &Failure) -> Exit {
        self.bar.finish_and_clear();
        if self.json {
            let mut object = Map::new();
            object.insert("error".to_owned(), failure.to_json());
            let text = format!("{:#}\n", Value::Object(object));
            return to_stdout(&text, failure.exit, Purpose::Tell);
        }
        print_failure(failure);
        failure.exit
    }

    /// Prints what the argument parser has to say: help and version, or a usage error.
    pub fn usage(&self, error: &clap::Error) -> Exit {
        let exit = if error.use_stderr() {
            Exit::Usage
        } else {
            Exit::Done
        };
        if self.json && exit == Exit::Usage {
            let text = error.render().to_string();
            let failure = Failure::new(
                Exit::Usage,
                "usage",
                text.trim().trim_start_matches("error: ").to_owned(),
                "see `cofferdam --help`",
            );
            return self.fail(&failure);
        }
        // A closed standard output is no reason to fail while printing help.
        let _ = error.print();
        exit
    }
}

/// Text from outside, safe to show: control characters (but newline and tab) are escaped.
pub fn shown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        let invisible = matches!(character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (character.is_control() && character != '\n' && character != '\t') || invisible {
            safe.extend(character.escape_unicode());
        } else {
            safe.push(character);
        }
    }
    safe
}

/// Text that must stay on one line (a path, a name): newlines and tabs are escaped too.
pub fn shown_line(text: &str) -> String {
    shown(text).replace('\n', "\\n").replace('\t', "\\t")
}

/// Text that may go on over several lines, the first of them behind a label of ours: the others are
/// indented, so that none of them can be taken for one of our own.
pub fn shown_indented(text: &str) -> String {
    shown(text).replace('\n', "\n    ")
}

fn print_failure(failure: &Failure) {
    let message = shown_indented(&failure.message);
    let mut text = format!("error[{}]: {message}\n", failure.code);
    if !failure.help.is_empty() {
        text.push_str("help: ");
        text.push_str(&shown_indented(&failure.help));
        text.push('\n');
    }
    to_stderr(&text);
}

fn to_stderr(text: &str) {
    // Nothing can be reported when standard error itself is closed.
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Writes to standard output; a reader that went away (a closed pipe) does not change the outcome.
fn to_stdout(text: &str, exit: Exit, purpose: Purpose) -> Exit {
    let mut stdout = anstream::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Ok(()) => exit,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => exit,
        Err(error) if purpose == Purpose::Tell && exit == Exit::Done => {
            to_stderr(&format!("error[io]: standard output: {error}\n"));
            Exit::Internal
        }
        Err(error) => {
            to_stderr(&format!(
                "warning: the answer cannot be printed, and holds all the same (see `status`): standard output: {error}\n"
            ));
            exit
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_of_a_text_from_outside_begins_where_ours_do() {
        assert_eq!(
            shown_indented("no\nhelp: forged\r\nerror[bug]: \u{1b}[2J"),
            "no\n    help: forged\\u{d}\n    error[bug]: \\u{1b}[2J"
        );
        assert_eq!(shown_line("a\nb\tc"), "a\\nb\\tc");
        assert_eq!(shown_line("a\u{61c}\u{202e}b"), "a\\u{61c}\\u{202e}b");
    }
}
