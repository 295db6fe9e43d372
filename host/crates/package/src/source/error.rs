// SPDX-License-Identifier: Apache-2.0
//! Where in `package.toml` something is wrong, and how that is shown.

use std::fmt::Write as _;
use std::ops::Range;

use crate::path::is_control;

/// A `package.toml` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct SourceError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub message: String,
    /// The text of the line; control characters are replaced.
    pub excerpt: String,
    /// Number of characters of the line that are meant.
    pub width: usize,
    code: &'static str,
}

impl SourceError {
    pub(super) fn new(text: &str, span: &Range<usize>, code: &'static str, message: &str) -> Self {
        let start = text.floor_char_boundary(span.start.min(text.len()));
        let end = text.floor_char_boundary(span.end.clamp(start, text.len()));
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at.saturating_add(1));
        let line_text = text.get(line_start..).and_then(|rest| rest.lines().next());
        let meant = text.get(start..end).and_then(|meant| meant.lines().next());
        let column = before.get(line_start..).unwrap_or_default().chars().count();
        Self {
            line: before.matches('\n').count().saturating_add(1),
            column: column.saturating_add(1),
            message: message.replace(is_control, " "),
            excerpt: line_text.unwrap_or_default().replace(is_control, " "),
            width: meant.map_or(0, |meant| meant.chars().count()).max(1),
            code,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// The error with its place and the line that it speaks of, over several lines.
    pub fn annotated(&self, file: &str) -> String {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let mut out = format!("{file}:{}:{}: {}\n", self.line, self.column, self.message);
        let indent = " ".repeat(self.column.saturating_sub(1));
        // Writing to a string does not fail.
        let _ = writeln!(out, "{margin} |");
        let _ = writeln!(out, "{number} | {}", self.excerpt);
        let _ = write!(out, "{margin} | {indent}{}", "^".repeat(self.width));
        out
    }
}
