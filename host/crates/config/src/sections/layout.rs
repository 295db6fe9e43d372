// SPDX-License-Identifier: Apache-2.0
//! Where keys, values, headers and comments stand in a file of sections: TOML, INI, and `.env` without any.
//!
//! The formats fill it in; the questions that edits ask are answered here. Nothing here changes anything.

use std::ops::Range;

/// What stands on a line. A statement may span several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LineKind {
    Blank,
    Comment,
    /// `bracket` is where the `]` or `]]` ends.
    Header {
        path: Vec<String>,
        array: bool,
        bracket: usize,
    },
    /// An index into [`Sections::slots`].
    Statement(usize),
}

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) range: Range<usize>,
    pub(crate) kind: LineKind,
}

/// One key with its value, on a line of its own or in an inline table.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) path: Vec<String>,
    /// The last part of the key.
    pub(crate) name: Range<usize>,
    pub(crate) value: Range<usize>,
    /// The slot of the inline table that this is a member of, and whether its key is dotted there.
    pub(crate) within: Option<usize>,
    pub(crate) dotted: bool,
    /// Whether the value is an inline table.
    pub(crate) inline: bool,
    /// Below an array of tables of TOML: never edited.
    pub(crate) numbered: bool,
}

/// A file of sections, line by line.
pub(crate) struct Sections<'a> {
    pub(crate) text: &'a str,
    pub(crate) ending: &'static str,
    pub(crate) slots: Vec<Slot>,
    pub(crate) lines: Vec<Line>,
}

impl<'a> Sections<'a> {
    pub(crate) fn bytes(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The slot of `path`, never one below an array of tables.
    pub(crate) fn slot(&self, path: &[String]) -> Result<usize, String> {
        self.slots
            .iter()
            .position(|slot| slot.path == path && !slot.numbered)
            .ok_or_else(|| "its place in the file was not found".to_owned())
    }

    pub(crate) fn line_of(&self, slot: usize) -> Option<usize> {
        self.lines
            .iter()
            .position(|line| line.kind == LineKind::Statement(slot))
    }

    /// The lines below a header (or from the top, for `None`) up to the next header.
    pub(crate) fn body(&self, header: Option<usize>) -> Range<usize> {
        let start = header.map_or(0, |header| header + 1);
        let end = self
            .lines
            .iter()
            .enumerate()
            .skip(start)
            .find(|(_, line)| matches!(line.kind, LineKind::Header { .. }))
            .map_or(self.lines.len(), |(index, _)| index);
        start..end
    }

    /// The header above `line`, `None` at the top.
    pub(crate) fn section_of(&self, line: usize) -> Option<usize> {
        (0..line)
            .rev()
            .find(|index| matches!(self.kind(*index), Some(LineKind::Header { .. })))
    }

    pub(crate) fn kind(&self, line: usize) -> Option<&LineKind> {
        self.lines.get(line).map(|line| &line.kind)
    }

    /// The only `[path]` of the file that is not below an array of tables.
    pub(crate) fn header(&self, path: &[String]) -> Option<usize> {
        let mut arrays: Vec<&[String]> = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            if let LineKind::Header {
                path: found, array, ..
            } = &line.kind
            {
                if *array {
                    arrays.push(found);
                } else if found == path && !arrays.iter().any(|array| path.starts_with(array)) {
                    return Some(index);
                }
            }
        }
        None
    }

    pub(crate) fn header_path(&self, header: Option<usize>) -> &[String] {
        match header.and_then(|header| self.kind(header)) {
            Some(LineKind::Header { path, .. }) => path,
            _ => &[],
        }
    }

    /// The first line of the comment block directly above `line`, or `line`.
    pub(crate) fn comments_above(&self, line: usize) -> usize {
        let mut first = line;
        while first > 0 && self.kind(first - 1) == Some(&LineKind::Comment) {
            first -= 1;
        }
        first
    }

    /// Where line `index` starts; the end of the text behind the last one.
    pub(crate) fn start(&self, index: usize) -> usize {
        self.lines
            .get(index)
            .map_or(self.text.len(), |line| line.range.start)
    }
}
