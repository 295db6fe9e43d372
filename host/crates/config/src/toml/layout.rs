// SPDX-License-Identifier: Apache-2.0
//! Where keys, values, headers and comments stand in a TOML file.
//!
//! `toml_edit` says where each key and value is; every line that holds none of them is a header, a comment or
//! blank. Nothing here changes anything.

use toml_edit::Document;
use toml_edit::InlineTable;
use toml_edit::Item;
use toml_edit::Key;
use toml_edit::Table;
use toml_edit::Value;

use crate::sections::Line;
use crate::sections::LineKind;
use crate::sections::Sections;
use crate::sections::Slot;
use crate::text::Problem;
use crate::text::line_end;
use crate::text::line_ending;
use crate::text::line_start;

/// A TOML file, line by line.
pub(super) fn sections(text: &str) -> Result<Sections<'_>, Problem> {
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
    Ok(Sections {
        text,
        ending: line_ending(text),
        slots,
        lines,
    })
}

/// Where the walk through the parsed tables is.
struct Walk {
    path: Vec<String>,
    within: Option<usize>,
    dotted: bool,
    numbered: bool,
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
