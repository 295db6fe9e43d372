// SPDX-License-Identifier: Apache-2.0
//! Lines, line ends and places in a text: what all layouts count in.
//!
//! Offsets are bytes, always at character boundaries. Nothing here knows a format.

use crate::ConfigError;
use crate::Format;
use crate::MAX_DEPTH;

/// Why a text is not a document of its format.
#[derive(Debug)]
pub(crate) enum Problem {
    Syntax(String),
    TooDeep,
    Unsupported(String),
}

impl Problem {
    pub(crate) fn at(text: &str, offset: usize, what: &str) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        Self::Syntax(format!("{what} at line {line}, column {column}"))
    }

    pub(crate) fn into_error(self, format: Format) -> ConfigError {
        match self {
            Self::Syntax(reason) => ConfigError::Syntax { format, reason },
            Self::TooDeep => ConfigError::TooDeep { limit: MAX_DEPTH },
            Self::Unsupported(reason) => ConfigError::UnsupportedDocument { reason },
        }
    }
}

/// The line end of the file: that of its first line.
pub(crate) fn line_ending(text: &str) -> &'static str {
    match text.find('\n') {
        Some(end) if text.get(..end).is_some_and(|line| line.ends_with('\r')) => "\r\n",
        _ => "\n",
    }
}

/// Where the line of `offset` starts.
pub(crate) fn line_start(text: &str, offset: usize) -> usize {
    text.get(..offset)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |end| end + 1)
}

/// Where the line of `offset` ends, its line end included.
pub(crate) fn line_end(text: &str, offset: usize) -> usize {
    text.get(offset..)
        .and_then(|rest| rest.find('\n'))
        .map_or(text.len(), |end| offset + end + 1)
}

/// The blanks at the start of `line`.
pub(crate) fn indentation(line: &str) -> &str {
    let trimmed = line.trim_start_matches([' ', '\t']);
    line.get(..line.len() - trimmed.len()).unwrap_or_default()
}

/// Lines to add at `offset`, a start of a line or the end of the text. `block` ends with a line end; the last
/// line of a file keeps having none.
pub(crate) fn as_lines(text: &str, offset: usize, block: &str, ending: &str) -> String {
    let unfinished = offset == text.len() && offset > 0 && !text.ends_with('\n');
    if unfinished {
        format!("{ending}{}", block.strip_suffix(ending).unwrap_or(block))
    } else {
        block.to_owned()
    }
}
