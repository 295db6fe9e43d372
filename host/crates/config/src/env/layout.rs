// SPDX-License-Identifier: Apache-2.0
//! Where names, values and comments stand in a `.env` file, and how new ones are written.
//!
//! A value keeps its kind of quotes where they can hold the new text; one that had none gets them only when it
//! needs them. A file whose keys are all exported exports new ones too.

use crate::Scalar;
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
use crate::text::line_end;
use crate::text::line_ending;

/// The first parser of `.env`.
pub(super) struct EnvLayout<'a> {
    sections: Sections<'a>,
    exports: bool,
}

impl<'a> EnvLayout<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        let mut lines = Vec::new();
        let mut start = 0;
        let mut exports = true;
        while start < text.len() {
            let mut end = line_end(text, start);
            let kind = if let Some((slot, exported)) = assignment(text, start, end) {
                exports &= exported;
                end = line_end(text, slot.value.end);
                slots.push(slot);
                LineKind::Statement(slots.len() - 1)
            } else if text
                .get(start..end)
                .is_some_and(|line| line.trim().is_empty())
            {
                LineKind::Blank
            } else {
                LineKind::Comment
            };
            lines.push(Line {
                range: start..end,
                kind,
            });
            start = end;
        }
        let exports = exports && !slots.is_empty();
        Self {
            exports,
            sections: Sections {
                text,
                ending: line_ending(text),
                slots,
                lines,
            },
        }
    }
}

/// The assignment on the line from `start` to `end`, and whether it is exported.
fn assignment(text: &str, start: usize, end: usize) -> Option<(Slot, bool)> {
    let line = text.get(start..end)?;
    let bytes = line.as_bytes();
    let blank = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t'));
    let skip = |mut at: usize| {
        while blank(at) {
            at += 1;
        }
        at
    };
    let mut at = line.len() - line.trim_start().len();
    let exported = line
        .get(at..)
        .is_some_and(|rest| rest.starts_with("export"))
        && blank(at + 6);
    if exported {
        at = skip(at + 6);
    }
    let name = at;
    while bytes
        .get(at)
        .is_some_and(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b))
    {
        at += 1;
    }
    let name_end = at;
    if !bytes
        .get(name)
        .is_some_and(|first| first.is_ascii_alphabetic() || *first == b'_')
    {
        return None;
    }
    at = skip(at);
    if bytes.get(at) != Some(&b'=') {
        return None;
    }
    let value = start + skip(at + 1);
    let slot = Slot {
        path: vec![line.get(name..name_end)?.to_owned()],
        name: start + name..start + name_end,
        value: value..value_end(text, value, end),
        within: None,
        dotted: false,
        inline: false,
        numbered: false,
    };
    Some((slot, exported))
}

/// Where the value that starts at `start` on a line up to `end` ends, quotes included.
fn value_end(text: &str, start: usize, end: usize) -> usize {
    let bytes = text.as_bytes();
    let line = text.get(start..end).unwrap_or_default();
    let whole_line = start + line.trim_end().len();
    if let Some(quote @ (b'"' | b'\'')) = bytes.get(start) {
        let mut at = start + 1;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' if *quote == b'"' => at += 1,
                _ if byte == quote => {
                    let rest = text.get(at + 1..line_end(text, at + 1)).unwrap_or_default();
                    let comment = rest.trim_start().starts_with('#') && !rest.starts_with('#');
                    let closed = rest.trim().is_empty() || comment;
                    return if closed { at + 1 } else { whole_line };
                }
                _ => {}
            }
            at += 1;
        }
        return whole_line;
    }
    let bytes = line.as_bytes();
    let comment = (0..bytes.len()).find(|at| {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        bytes.get(*at) == Some(&b'#') && matches!(before, None | Some(b' ' | b'\t'))
    });
    start
        + line
            .get(..comment.unwrap_or(line.len()))
            .unwrap_or_default()
            .trim_end()
            .len()
}

impl Layout for EnvLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let slot = self.sections.slot(path)?;
        let range = self
            .sections
            .slots
            .get(slot)
            .map(|slot| slot.value.clone())
            .unwrap_or_default();
        let old = self.sections.bytes(&range);
        Ok(Edit::one(range.clone(), spell(text_of(value)?, old)?))
    }

    fn spell(&self, value: &Value) -> Result<String, String> {
        spell(text_of(value)?, "")
    }

    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal {
        if self.sections.slots.is_empty() {
            let end = self.sections.text.len();
            let line = format!(
                "{}={}{}",
                self.name(path)?,
                piece.value,
                self.sections.ending
            );
            let line = crate::text::as_lines(self.sections.text, end, &line, self.sections.ending);
            return Ok(Edit::one(end..end, line));
        }
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
        super::is_name(name).then(|| Edit::one(slot.name.clone(), name.clone()))
    }

    fn tidy(&self, _from: &[String], _to: &[String]) -> Option<Edit> {
        None
    }
}

impl Spelling for EnvLayout<'_> {
    fn header(&self, _path: &[String]) -> Result<String, String> {
        Err("`.env` has no sections".to_owned())
    }

    fn name(&self, names: &[String]) -> Result<String, String> {
        let name = names.concat();
        if !super::is_name(&name) {
            return Err("expected a name of letters, digits and `_`".to_owned());
        }
        Ok(if self.exports {
            format!("export {name}")
        } else {
            name
        })
    }

    fn separator(&self) -> &'static str {
        "="
    }
}

fn text_of(value: &Value) -> Result<&str, String> {
    match value {
        Value::Scalar(Scalar::Text(text)) => Ok(text),
        Value::Scalar(_) | Value::List(_) => Err("`.env` holds nothing but text".to_owned()),
    }
}

/// A text with quotes like those of `old` where they can hold it.
fn spell(text: &str, old: &str) -> Result<String, String> {
    if text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err("`.env` cannot write control characters".to_owned());
    }
    let safe = |c: char| c.is_alphanumeric() || "_./:@%+,=-".contains(c);
    let had_blanks = old.contains(' ') && text.trim() == text;
    let unquoted = !old.starts_with(['"', '\'']);
    if unquoted && text.chars().all(|c| safe(c) || (had_blanks && c == ' ')) {
        return Ok(text.to_owned());
    }
    if !old.starts_with('"') && !text.contains(['\'', '\n', '\r']) {
        return Ok(format!("'{text}'"));
    }
    let mut spelled = String::from("\"");
    for character in text.chars() {
        match character {
            '\n' => spelled.push_str("\\n"),
            '\r' => spelled.push_str("\\r"),
            '\t' => spelled.push_str("\\t"),
            '"' | '\\' | '$' | '`' => spelled.extend(['\\', character]),
            other => spelled.push(other),
        }
    }
    spelled.push('"');
    Ok(spelled)
}
