// SPDX-License-Identifier: Apache-2.0
//! Where sections, names, values and comments stand in an INI file, and how new ones are written.
//!
//! Works on byte offsets, line by line. A text that could be read differently by some program (quotes, comment
//! signs, blanks at its ends) is not written where the old value had no quotes around it.

use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::renamed;
use crate::sections::Line;
use crate::sections::LineKind;
use crate::sections::Sections;
use crate::sections::Slot;
use crate::sections::Spelling;
use crate::text::Problem;
use crate::text::indentation;
use crate::text::line_end;
use crate::text::line_ending;

/// The first parser of INI.
pub(super) struct IniLayout<'a> {
    sections: Sections<'a>,
    separator: String,
}

impl<'a> IniLayout<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        let sections = sections(text)?;
        let separator = sections
            .slots
            .iter()
            .map(|slot| sections.bytes(&(slot.name.end..slot.value.start)))
            .find(|separator| !separator.is_empty())
            .map_or(" = ", usual_separator);
        Ok(Self {
            separator: separator.to_owned(),
            sections,
        })
    }
}

/// The way in which the file's first key is written, without the blanks of a column layout.
fn usual_separator(first: &str) -> &'static str {
    match (
        first.contains('='),
        first.starts_with([' ', '\t']),
        first.ends_with([' ', '\t']),
    ) {
        (true, false, false) => "=",
        (true, false, true) => "= ",
        (true, true, _) => " = ",
        (false, true, _) => " : ",
        (false, false, true) => ": ",
        (false, false, false) => ":",
    }
}

fn sections(text: &str) -> Result<Sections<'_>, Problem> {
    let mut slots: Vec<Slot> = Vec::new();
    let mut lines: Vec<Line> = Vec::new();
    let mut section: Vec<String> = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = line_end(text, start);
        let line = text.get(start..end).unwrap_or_default();
        let indent = indentation(line).len();
        let content = line.trim();
        let from = start + (line.len() - line.trim_start().len());
        let kind = match content.as_bytes().first() {
            None => LineKind::Blank,
            Some(b'#' | b';') => LineKind::Comment,
            Some(b'[') => {
                let close = content
                    .find(']')
                    .ok_or_else(|| Problem::at(text, from, "a `[` is not closed"))?;
                let name = content.get(1..close).unwrap_or_default().trim().to_owned();
                section = vec![name];
                LineKind::Header {
                    path: section.clone(),
                    array: false,
                    bracket: from + close + 1,
                }
            }
            Some(_) => {
                let delimiter = content.find(['=', ':']);
                let above = lines
                    .last_mut()
                    .filter(|_| delimiter.is_none() && indent > 0);
                if let Some(Line {
                    range,
                    kind: LineKind::Statement(slot),
                }) = above
                {
                    range.end = end;
                    if let Some(slot) = slots.get_mut(*slot) {
                        slot.value.end = from + content.len();
                    }
                    start = end;
                    continue;
                }
                slots.push(entry(&section, from, content, delimiter));
                LineKind::Statement(slots.len() - 1)
            }
        };
        lines.push(Line {
            range: start..end,
            kind,
        });
        start = end;
    }
    Ok(Sections {
        text,
        ending: line_ending(text),
        slots,
        lines,
    })
}

fn entry(section: &[String], from: usize, content: &str, delimiter: Option<usize>) -> Slot {
    let left = delimiter
        .or_else(|| content.find(['#', ';']))
        .and_then(|end| content.get(..end))
        .unwrap_or(content);
    let name = left.trim_end();
    let value = match delimiter {
        None => name.len()..name.len(),
        Some(delimiter) => {
            let right = content.get(delimiter + 1..).unwrap_or_default();
            let blanks = right.len() - right.trim_start().len();
            let at = delimiter + 1 + blanks;
            at..at + value_length(right.trim_start())
        }
    };
    let mut path = section.to_vec();
    path.push(name.to_owned());
    Slot {
        path,
        name: from..from + name.len(),
        value: from + value.start..from + value.end,
        within: None,
        dotted: false,
        inline: false,
        numbered: false,
    }
}

/// How many bytes of `right`, what stands behind the delimiter, are the value with its quotes.
fn value_length(right: &str) -> usize {
    let bytes = right.as_bytes();
    if let Some(quote @ (b'"' | b'\'')) = bytes.first() {
        let close = bytes
            .iter()
            .skip(1)
            .position(|byte| byte == quote)
            .map(|at| at + 2);
        let rest = close
            .and_then(|close| right.get(close..))
            .map(str::trim_start);
        if let (Some(close), Some(rest)) = (close, rest)
            && matches!(rest.as_bytes().first(), None | Some(b'#' | b';'))
        {
            return close;
        }
    }
    let comment = right
        .match_indices(['#', ';'])
        .map(|(at, _)| at)
        .find(|at| {
            right
                .get(..*at)
                .is_some_and(|before| before.ends_with(char::is_whitespace))
        });
    right
        .get(..comment.unwrap_or(right.len()))
        .unwrap_or(right)
        .trim_end()
        .len()
}

impl Layout for IniLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let slot = self.sections.slot(path)?;
        let range = self
            .sections
            .slots
            .get(slot)
            .map(|slot| slot.value.clone())
            .unwrap_or_default();
        let old = self.sections.bytes(&range);
        let text = text_of(value)?;
        let quote = old
            .chars()
            .next()
            .filter(|quote| matches!(quote, '"' | '\''));
        let spelled = match quote.filter(|quote| old.len() > 1 && old.ends_with(*quote)) {
            Some(quote) if !text.contains(quote) && is_one_line(text) => {
                format!("{quote}{text}{quote}")
            }
            Some(_) => return Err("INI has no sure way to quote this text".to_owned()),
            None => plain(text)?,
        };
        Ok(Edit::one(range, spelled))
    }

    fn spell(&self, value: &Value) -> Result<String, String> {
        plain(text_of(value)?)
    }

    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal {
        self.sections.insert(path, piece, near, self)
    }

    fn remove(&self, path: &[String], extent: Extent) -> Proposal {
        let slot = self.sections.slot(path)?;
        let line = self
            .sections
            .line_of(slot)
            .ok_or("its line was not found")?;
        Ok(self.sections.remove(line, extent))
    }

    fn piece(&self, path: &[String]) -> Result<Piece, String> {
        self.sections.piece(path)
    }

    fn rename(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let name = renamed(from, to)?;
        let slot = self.sections.slots.get(self.sections.slot(from).ok()?)?;
        Some(Edit::one(
            slot.name.clone(),
            self.name(std::slice::from_ref(name)).ok()?,
        ))
    }

    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
        self.sections.tidy(from, to)
    }
}

impl Spelling for IniLayout<'_> {
    fn header(&self, path: &[String]) -> Result<String, String> {
        let name = path.join(".");
        if name.is_empty()
            || name.trim() != name
            || name.contains([']', '['])
            || !is_one_line(&name)
        {
            return Err("INI cannot write such a section".to_owned());
        }
        Ok(format!("[{name}]"))
    }

    fn name(&self, names: &[String]) -> Result<String, String> {
        let name = names.join(".");
        let starts_oddly = name.starts_with(['[', '#', ';']);
        if name.is_empty()
            || name.trim() != name
            || name.contains(['=', ':', '#', ';'])
            || starts_oddly
            || !is_one_line(&name)
        {
            return Err("INI cannot write such a name".to_owned());
        }
        Ok(name)
    }

    fn separator(&self) -> &str {
        &self.separator
    }
}

fn text_of(value: &Value) -> Result<&str, String> {
    match value {
        Value::Scalar(crate::Scalar::Text(text)) => Ok(text),
        Value::Scalar(_) | Value::List(_) => Err("INI holds nothing but text".to_owned()),
    }
}

fn is_one_line(text: &str) -> bool {
    !text.contains(|character: char| character.is_control() && character != '\t')
}

fn plain(text: &str) -> Result<String, String> {
    let odd = text.trim() != text
        || text.starts_with(['"', '\'', '#', ';'])
        || text.ends_with('\\')
        || !is_one_line(text)
        || text.match_indices(['#', ';']).any(|(at, _)| {
            text.get(..at)
                .is_some_and(|before| before.ends_with(char::is_whitespace))
        });
    if odd {
        return Err("INI has no sure way to write this text without quotes".to_owned());
    }
    Ok(text.to_owned())
}
