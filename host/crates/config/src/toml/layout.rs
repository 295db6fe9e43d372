// SPDX-License-Identifier: Apache-2.0
//! Where keys, values, headers and comments stand in a TOML file.
//!
//! `toml_edit` says where each key and value is; every line that holds none of them is a header, a comment or
//! blank. Nothing here changes anything.

use std::ops::Range;

use toml_edit::Document;
use toml_edit::InlineTable;
use toml_edit::Item;
use toml_edit::Key;
use toml_edit::Table;
use toml_edit::Value;

use crate::text::Problem;
use crate::text::line_end;
use crate::text::line_ending;
use crate::text::line_start;

/// What stands on a line. A statement may span several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LineKind {
    Blank,
    Comment,
    /// `bracket` is where the `]` or `]]` ends.
    Header {
        path: Vec<String>,
        array: bool,
        bracket: usize,
    },
    /// An index into [`TomlLayout::slots`].
    Statement(usize),
}

#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) range: Range<usize>,
    pub(super) kind: LineKind,
}

/// One key with its value, on a line of its own or in an inline table.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) path: Vec<String>,
    /// The last part of the key.
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
    /// The slot of the inline table that this is a member of, and whether its key is dotted there.
    pub(super) within: Option<usize>,
    pub(super) dotted: bool,
    /// Whether the value is an inline table.
    pub(super) inline: bool,
    /// Below an array of tables: never edited.
    pub(super) numbered: bool,
}

/// A TOML file, line by line.
pub(super) struct TomlLayout<'a> {
    pub(super) text: &'a str,
    pub(super) ending: &'static str,
    pub(super) slots: Vec<Slot>,
    pub(super) lines: Vec<Line>,
}

/// Where the walk through the parsed tables is.
struct Walk {
    path: Vec<String>,
    within: Option<usize>,
    dotted: bool,
    numbered: bool,
}

impl<'a> TomlLayout<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        let document = Document::parse(text)
            .map_err(|error| super::problem(text, error.span(), error.message()))?;
        let mut slots = Vec::new();
        let mut walk = Walk {
            path: Vec::new(),
            within: None,
            dotted: false,
            numbered: false,
        };
        walk.table(document.as_table(), &mut slots);
        let lines = split(text, &slots)?;
        Ok(Self {
            text,
            ending: line_ending(text),
            slots,
            lines,
        })
    }

    pub(super) fn bytes(&self, range: &Range<usize>) -> &'a str {
        self.text.get(range.clone()).unwrap_or_default()
    }

    /// The slot of `path`, never one below an array of tables.
    pub(super) fn slot(&self, path: &[String]) -> Result<usize, String> {
        self.slots
            .iter()
            .position(|slot| slot.path == path && !slot.numbered)
            .ok_or_else(|| "its place in the file was not found".to_owned())
    }

    pub(super) fn line_of(&self, slot: usize) -> Option<usize> {
        self.lines
            .iter()
            .position(|line| line.kind == LineKind::Statement(slot))
    }

    /// The lines below a header (or from the top, for `None`) up to the next header.
    pub(super) fn body(&self, header: Option<usize>) -> Range<usize> {
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
    pub(super) fn section_of(&self, line: usize) -> Option<usize> {
        (0..line)
            .rev()
            .find(|index| matches!(self.kind(*index), Some(LineKind::Header { .. })))
    }

    pub(super) fn kind(&self, line: usize) -> Option<&LineKind> {
        self.lines.get(line).map(|line| &line.kind)
    }

    /// The only `[path]` of the file that is not below an array of tables.
    pub(super) fn header(&self, path: &[String]) -> Option<usize> {
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

    pub(super) fn header_path(&self, header: Option<usize>) -> &[String] {
        match header.and_then(|header| self.kind(header)) {
            Some(LineKind::Header { path, .. }) => path,
            _ => &[],
        }
    }

    /// The first line of the comment block directly above `line`, or `line`.
    pub(super) fn comments_above(&self, line: usize) -> usize {
        let mut first = line;
        while first > 0 && self.kind(first - 1) == Some(&LineKind::Comment) {
            first -= 1;
        }
        first
    }

    /// Where line `index` starts; the end of the text behind the last one.
    pub(super) fn start(&self, index: usize) -> usize {
        self.lines
            .get(index)
            .map_or(self.text.len(), |line| line.range.start)
    }
}

impl Walk {
    fn table(&mut self, table: &Table, slots: &mut Vec<Slot>) {
        for (name, item) in table {
            let Some((key, _)) = table.get_key_value(name) else {
                continue;
            };
            self.path.push(name.to_owned());
            match item {
                Item::None => {}
                Item::Value(value) => self.value(key, value, slots),
                Item::Table(table) => {
                    let outer = std::mem::replace(&mut self.dotted, table.is_dotted());
                    self.table(table, slots);
                    self.dotted = outer;
                }
                Item::ArrayOfTables(tables) => {
                    let outer = std::mem::replace(&mut self.numbered, true);
                    for (index, table) in tables.iter().enumerate() {
                        self.path.push(index.to_string());
                        self.table(table, slots);
                        self.path.pop();
                    }
                    self.numbered = outer;
                }
            }
            self.path.pop();
        }
    }

    fn inline(&mut self, table: &InlineTable, slots: &mut Vec<Slot>) {
        for (name, value) in table {
            let Some((key, _)) = table.get_key_value(name) else {
                continue;
            };
            self.path.push(name.to_owned());
            self.value(key, value, slots);
            self.path.pop();
        }
    }

    fn value(&mut self, key: &Key, value: &Value, slots: &mut Vec<Slot>) {
        if let Value::InlineTable(table) = value
            && table.is_dotted()
        {
            let outer = std::mem::replace(&mut self.dotted, true);
            self.inline(table, slots);
            self.dotted = outer;
            return;
        }
        let (Some(name), Some(range)) = (key.span(), value.span()) else {
            return;
        };
        slots.push(Slot {
            path: self.path.clone(),
            name,
            value: range,
            within: self.within,
            dotted: self.dotted,
            inline: matches!(value, Value::InlineTable(_)),
            numbered: self.numbered,
        });
        if let Value::InlineTable(table) = value {
            let within = self.within.replace(slots.len() - 1);
            let dotted = std::mem::replace(&mut self.dotted, false);
            self.inline(table, slots);
            self.within = within;
            self.dotted = dotted;
        }
    }
}

/// The lines of a text whose statements are known.
fn split(text: &str, slots: &[Slot]) -> Result<Vec<Line>, Problem> {
    let mut statements: Vec<_> = slots
        .iter()
        .enumerate()
        .filter(|(_, slot)| slot.within.is_none())
        .map(|(index, slot)| {
            (
                line_start(text, slot.name.start),
                line_end(text, slot.value.end),
                index,
            )
        })
        .collect();
    statements.sort_unstable();
    let mut statements = statements.into_iter().peekable();
    let mut lines = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let statement = statements.next_if(|statement| statement.0 == start);
        let (end, kind) = if let Some((_, end, index)) = statement {
            (end, LineKind::Statement(index))
        } else {
            let end = line_end(text, start);
            (end, other_line(text, start, end)?)
        };
        lines.push(Line {
            range: start..end,
            kind,
        });
        start = end;
    }
    match statements.next() {
        None => Ok(lines),
        Some((start, ..)) => Err(Problem::at(text, start, "two keys on one line")),
    }
}

fn other_line(text: &str, start: usize, end: usize) -> Result<LineKind, Problem> {
    let line = text.get(start..end).unwrap_or_default();
    let content = line.trim();
    if content.is_empty() {
        return Ok(LineKind::Blank);
    }
    if content.starts_with('#') {
        return Ok(LineKind::Comment);
    }
    let unknown = || Problem::at(text, start, "a line that is no key, header or comment");
    let array = content.starts_with("[[");
    let inner = content
        .strip_prefix(if array { "[[" } else { "[" })
        .ok_or_else(unknown)?;
    let close = closing_bracket(inner).ok_or_else(unknown)?;
    let path = Key::parse(inner.get(..close).unwrap_or_default()).map_err(|_| unknown())?;
    let opened = start + (line.len() - line.trim_start().len()) + (content.len() - inner.len());
    let bracket = opened + close + if array { 2 } else { 1 };
    let path = path.iter().map(|key| key.get().to_owned()).collect();
    Ok(LineKind::Header {
        path,
        array,
        bracket,
    })
}

/// The first `]` outside of quotes.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut escaped = false;
    for (index, byte) in text.bytes().enumerate() {
        match (byte, quote) {
            _ if escaped => escaped = false,
            (b'\\', Some(b'"')) => escaped = true,
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if byte == open => quote = None,
            (b']', None) => return Some(index),
            _ => {}
        }
    }
    None
}
