// SPDX-License-Identifier: Apache-2.0
//! Which bytes of a JSON file change when a key does.
//!
//! Commas are the difficulty: a member that becomes the last one takes the comma before it away, unless the file
//! uses trailing commas; one that is added behind the last one brings one.

use std::ops::Range;

use super::layout::JsonLayout;
use super::layout::Object;
use crate::Scalar;
use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::Splice;
use crate::edit::renamed;
use crate::text::indentation;
use crate::text::line_end;
use crate::text::line_start;

impl Layout for JsonLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let (object, index) = self.member(path)?;
        let range = object
            .members
            .get(index)
            .map(|member| member.value.clone())
            .unwrap_or_default();
        let old = self.bytes(range.clone());
        let spelled = match value {
            Value::List(items) if old.contains('\n') => {
                if super::without_comments(old) != old {
                    return Err("its list holds comments, which would be lost".to_owned());
                }
                self.spell_lines(old, items)?
            }
            Value::Scalar(_) | Value::List(_) => self.spell(value)?,
        };
        Ok(Edit::one(range, spelled))
    }

    fn spell(&self, value: &Value) -> Result<String, String> {
        match value {
            Value::Scalar(scalar) => spell_scalar(scalar),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(spell_scalar).collect::<Result<_, _>>()?;
                Ok(format!("[{}]", items.join(", ")))
            }
        }
    }

    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal {
        let existing = (0..path.len())
            .rev()
            .find_map(|end| self.object(path.get(..end)?))
            .ok_or("its place in the file was not found")?;
        let names = path.get(existing.path.len()..).unwrap_or_default();
        let neighbour = near.filter(|_| names.len() > 1).and_then(|near| {
            existing
                .members
                .iter()
                .position(|member| near.starts_with(&member.path))
        });
        let after = neighbour.or_else(|| existing.members.len().checked_sub(1));
        match after {
            Some(index) => self.insert_after(existing, index, names, piece),
            None => self.insert_first(existing, names, piece),
        }
    }

    fn remove(&self, path: &[String], extent: Extent) -> Proposal {
        let (object, index) = self.member(path)?;
        self.remove_member(object, index, extent)
    }

    fn piece(&self, path: &[String]) -> Result<Piece, String> {
        let (object, index) = self.member(path)?;
        let member = object.members.get(index).ok_or("it was not found")?;
        let mut piece = Piece {
            name: Some(self.bytes(member.name.clone()).to_owned()),
            separator: Some(self.bytes(member.name.end..member.value.start).to_owned()),
            value: self.bytes(member.value.clone()).to_owned(),
            ..Piece::default()
        };
        if self.starts_line(member.name.start) && self.ends_line(member.value.end) {
            let start = line_start(self.text, member.name.start);
            let above = self.comments_above(member.name.start);
            piece.gap = self.blank_above(above).is_some();
            piece.above = self
                .bytes(above..start)
                .lines()
                .map(|line| line.trim().to_owned())
                .collect();
            let end = line_end(self.text, member.value.end);
            let comma = self
                .comma_after(member.value.end)
                .filter(|comma| *comma < end);
            let before = self.bytes(member.value.end..comma.unwrap_or(member.value.end));
            let behind = self.bytes(comma.map_or(member.value.end, |comma| comma + 1)..end);
            piece.behind = format!("{}{}", before.trim_end(), behind.trim_end());
        }
        // Lines of the value move with it, so they are kept relative to its indentation.
        let indent = self.indent_at(member.name.start);
        piece.value = reindent(&piece.value, indent, "");
        Ok(piece)
    }

    fn rename(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let name = renamed(from, to)?;
        let (object, index) = self.member(from).ok()?;
        Some(Edit::one(
            object.members.get(index)?.name.clone(),
            quoted(name),
        ))
    }

    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let (_, table) = from.split_last()?;
        let (_, target) = to.split_last()?;
        let emptied = self.object(table)?;
        let inner = emptied.range.start + 1..emptied.range.end.saturating_sub(1);
        if table == target || !self.bytes(inner).trim().is_empty() {
            return None;
        }
        let (parent, index) = self.member(table).ok()?;
        let member = parent.members.get(index)?;
        let commented = self.piece(table).ok()?;
        if !commented.behind.trim().is_empty() {
            return None;
        }
        let above = self.comments_above(member.name.start);
        let heir = parent.members.get(index + 1).is_some_and(|next| {
            next.path == target
                && self.comments_above(next.name.start) == line_start(self.text, next.name.start)
        });
        if above != line_start(self.text, member.name.start) && !heir {
            return None;
        }
        self.remove_member(parent, index, Extent::Line).ok()
    }
}

impl JsonLayout<'_> {
    fn remove_member(&self, object: &Object, index: usize, extent: Extent) -> Proposal {
        let member = object.members.get(index).ok_or("it was not found")?;
        let last = index + 1 == object.members.len();
        let comma = self.comma_after(member.value.end);
        // The comma that has to go with the last member.
        let before = index
            .checked_sub(1)
            .and_then(|index| object.members.get(index))
            .filter(|_| last && comma.is_none())
            .and_then(|before| self.comma_after(before.value.end));
        let own = self.own_range(object, index, extent);
        let mut splices = Vec::new();
        let mut start = own.start;
        if let Some(before) = before {
            if self.bytes(before + 1..own.start).trim().is_empty()
                && !self.starts_line(member.name.start)
            {
                let edit = Edit::one(before..member.value.end, "");
                return Ok(edit);
            }
            splices.push(Splice {
                range: before..before + 1,
                text: String::new(),
            });
            start = before;
        }
        splices.push(Splice {
            range: own.clone(),
            text: String::new(),
        });
        Ok(Edit {
            splices,
            owned: start..own.end,
        })
    }

    /// The bytes of a member: its lines where it has them to itself, else up to the next one.
    fn own_range(&self, object: &Object, index: usize, extent: Extent) -> Range<usize> {
        let Some(member) = object.members.get(index) else {
            return 0..0;
        };
        let comma = self.comma_after(member.value.end);
        let end = line_end(self.text, member.value.end);
        if self.starts_line(member.name.start)
            && self.ends_line(member.value.end)
            && comma.is_none_or(|comma| comma < end)
        {
            let mut start = line_start(self.text, member.name.start);
            if extent == Extent::WithComments {
                start = self.comments_above(member.name.start);
                let next = self.bytes(end..line_end(self.text, end)).trim();
                if let Some(blank) = self.blank_above(start)
                    && (index == 0 || next.is_empty() || next.starts_with('}'))
                {
                    start = blank;
                }
            }
            return start..end;
        }
        let end = comma.map_or(member.value.end, |comma| comma + 1);
        let rest = self.bytes(end..self.text.len());
        let blanks = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        let blanks = if comma.is_some() && index + 1 < object.members.len() {
            blanks
        } else {
            0
        };
        member.name.start..end + blanks
    }

    /// A member behind another one.
    fn insert_after(
        &self,
        object: &Object,
        index: usize,
        names: &[String],
        piece: &Piece,
    ) -> Proposal {
        let anchor = object.members.get(index).ok_or("it was not found")?;
        let end = anchor.value.end;
        let comma = self.comma_after(end);
        if !self.starts_line(anchor.name.start) {
            if piece.has_comments() {
                return Err("its comments have no place in an object on one line".to_owned());
            }
            let member = self.member_text(names, piece, None);
            return Ok(Edit::one(end..end, format!(", {member}")));
        }
        let indent = self.indent_at(anchor.name.start);
        let line = line_end(self.text, end);
        if !self.ends_line(end) || comma.is_some_and(|comma| comma >= line) {
            // The closing brace (or a comma) stands oddly: the new line starts right behind the value.
            if piece.has_comments() {
                return Err("its comments have no place here".to_owned());
            }
            let member = self.member_text(names, piece, Some(indent));
            return Ok(Edit::one(
                end..end,
                format!(",{}{indent}{member}", self.ending),
            ));
        }
        let separator = if comma.is_some() { "," } else { "" };
        let mut block = self.lines_of(names, piece, indent, separator);
        if piece.gap && names.len() == 1 {
            block.insert_str(0, self.ending);
        }
        let mut edit = Edit::one(line..line, block);
        if comma.is_none() {
            edit.splices.insert(
                0,
                Splice {
                    range: end..end,
                    text: ",".to_owned(),
                },
            );
            edit.owned.start = end;
        }
        Ok(edit)
    }

    /// The first member of an object.
    fn insert_first(&self, object: &Object, names: &[String], piece: &Piece) -> Proposal {
        let inner = object.range.start + 1..object.range.end.saturating_sub(1);
        let outer = self.indent_at(object.range.start);
        let indent = format!("{outer}{}", self.unit);
        let block = self.lines_of(names, piece, &indent, "");
        let content = self.bytes(inner.clone());
        if content.trim().is_empty() {
            return Ok(Edit::one(inner, format!("{}{block}{outer}", self.ending)));
        }
        let close = line_start(self.text, inner.end);
        if close <= inner.start || !self.starts_line(inner.end) {
            return Err("the object holds a comment on one line".to_owned());
        }
        Ok(Edit::one(close..close, block))
    }

    /// The lines of a new member with its comments, with an object around it for each further name.
    fn lines_of(&self, names: &[String], piece: &Piece, indent: &str, separator: &str) -> String {
        let mut block = String::new();
        match names.split_first() {
            Some((name, rest)) if !rest.is_empty() => {
                let inner = self.lines_of(rest, piece, &format!("{indent}{}", self.unit), "");
                block.extend([
                    indent,
                    &quoted(name),
                    ": {",
                    self.ending,
                    &inner,
                    indent,
                    "}",
                ]);
                block.extend([separator, self.ending]);
            }
            _ => {
                for comment in &piece.above {
                    block.extend([indent, comment, self.ending]);
                }
                let member = self.member_text(names, piece, Some(indent));
                block.extend([indent, &member, separator, &piece.behind, self.ending]);
            }
        }
        block
    }

    /// `"name": value`, with an object around it for each further name; over lines when `indent` is given.
    fn member_text(&self, names: &[String], piece: &Piece, indent: Option<&str>) -> String {
        let Some((name, rest)) = names.split_first() else {
            return String::new();
        };
        if rest.is_empty() {
            let name = piece.name.clone().unwrap_or_else(|| quoted(name));
            let separator = piece.separator.as_deref().unwrap_or(": ");
            let value = match indent {
                Some(indent) => reindent(&piece.value, "", indent),
                None => piece.value.clone(),
            };
            return format!("{name}{separator}{value}");
        }
        let name = quoted(name);
        match indent {
            Some(indent) => {
                let inner = format!("{indent}{}", self.unit);
                let member = self.member_text(rest, piece, Some(&inner));
                let ending = self.ending;
                format!("{name}: {{{ending}{inner}{member}{ending}{indent}}}")
            }
            None => format!("{name}: {{ {} }}", self.member_text(rest, piece, None)),
        }
    }

    fn spell_lines(&self, old: &str, items: &[Scalar]) -> Result<String, String> {
        let lines: Vec<_> = old.lines().collect();
        let inner = lines
            .get(1)
            .map_or(self.unit.as_str(), |line| indentation(line));
        let outer = lines.last().map_or("", |line| indentation(line));
        let items: Vec<_> = items
            .iter()
            .map(|item| Ok(format!("{inner}{}", spell_scalar(item)?)))
            .collect::<Result<_, String>>()?;
        let ending = self.ending;
        Ok(format!(
            "[{ending}{}{ending}{outer}]",
            items.join(&format!(",{ending}"))
        ))
    }
}

/// The lines of a value behind its first one, moved from one indentation to another. JSON strings hold no raw line
/// ends, so this cannot change a value.
fn reindent(value: &str, from: &str, to: &str) -> String {
    let mut lines = value.split_inclusive('\n');
    let mut moved = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        moved.push_str(to);
        moved.push_str(line.strip_prefix(from).unwrap_or(line));
    }
    moved
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn spell_scalar(scalar: &Scalar) -> Result<String, String> {
    Ok(match scalar {
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Decimal(value) if value.abs() < super::TOO_BIG => {
            serde_json::Value::from(*value).to_string()
        }
        Scalar::Decimal(_) => return Err("JSON has no sure way to write this number".to_owned()),
        Scalar::Text(text) => quoted(text),
    })
}
