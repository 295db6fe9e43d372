// SPDX-License-Identifier: Apache-2.0
//! Which bytes of a TOML file change when a key does.
//!
//! New keys go below the last one of their table; a new table goes next to the one that the key comes from, else
//! behind its closest relative, else at the end.

use std::fmt::Write as _;
use std::ops::Range;

use toml_edit::Key;
use toml_edit::Value as TomlValue;

use super::layout::LineKind;
use super::layout::TomlLayout;
use crate::Scalar;
use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::Splice;
use crate::text::as_lines;
use crate::text::indentation;

impl Layout for TomlLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let slot = self.slot(path)?;
        let range = self
            .slots
            .get(slot)
            .map(|slot| slot.value.clone())
            .unwrap_or_default();
        let old = self.bytes(&range);
        let spelled = match value {
            Value::Scalar(Scalar::Text(text)) if old.starts_with('\'') && fits_literal(text) => {
                format!("'{text}'")
            }
            Value::List(items) if old.contains('\n') => spell_lines(old, items, self.ending)?,
            Value::Scalar(_) | Value::List(_) => self.spell(value)?,
        };
        Ok(Edit::one(range, spelled))
    }

    fn spell(&self, value: &Value) -> Result<String, String> {
        Ok(match value {
            Value::Scalar(scalar) => spell_scalar(scalar),
            Value::List(items) => {
                let items: Vec<_> = items.iter().map(spell_scalar).collect();
                format!("[{}]", items.join(", "))
            }
        })
    }

    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal {
        let (_, parent) = path.split_last().ok_or("it has no name")?;
        if let Some(table) = self.inline_table(parent) {
            return self.insert_inline(table, path, piece);
        }
        if let Some((section, line)) = self.place_in_table(parent) {
            return Ok(self.insert_line(section, line, path, piece));
        }
        Ok(self.insert_table(parent, path, piece, near))
    }

    fn remove(&self, path: &[String], extent: Extent) -> Proposal {
        let slot = self.slot(path)?;
        let Some(line) = self.line_of(slot) else {
            return self.remove_inline(slot);
        };
        let mut first = line;
        if extent == Extent::WithComments {
            first = self.comments_above(line);
            let gap = self.is_blank_above(first);
            if gap && (self.ends_paragraph(line) || self.opens_section(first)) {
                first -= 1;
            }
        }
        Ok(Edit::one(self.start(first)..self.start(line + 1), ""))
    }

    fn piece(&self, path: &[String]) -> Result<Piece, String> {
        let slot = self.slot(path)?;
        let Some(found) = self.slots.get(slot) else {
            return Err("it was not found".to_owned());
        };
        let mut piece = Piece {
            separator: Some(self.bytes(&(found.name.end..found.value.start)).to_owned()),
            value: self.bytes(&found.value).to_owned(),
            ..Piece::default()
        };
        if let Some(line) = self.line_of(slot) {
            let first = self.comments_above(line);
            piece.gap = self.starts_paragraph(first, first < line);
            piece.above = (first..line)
                .map(|above| self.line_text(above).trim().to_owned())
                .collect();
            let behind = self.bytes(&(found.value.end..self.start(line + 1)));
            behind.trim_end().clone_into(&mut piece.behind);
        }
        Ok(piece)
    }

    fn rename(&self, path: &[String], name: &str) -> Option<Edit> {
        let slot = self.slots.get(self.slot(path).ok()?)?;
        Some(Edit::one(slot.name.clone(), spell_key(name)))
    }

    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let (_, table) = from.split_last()?;
        let (_, target) = to.split_last()?;
        let header = self.header(table)?;
        let body = self.body(Some(header));
        if table == target
            || !body
                .clone()
                .all(|line| self.kind(line) == Some(&LineKind::Blank))
        {
            return None;
        }
        let heir = body.end;
        let heir_is_target = matches!(self.kind(heir),
            Some(LineKind::Header { path, array: false, .. }) if path == target);
        let described = self.comments_above(header) < header;
        let behind = self.behind_header(header);
        if (described || !behind.is_empty()) && !heir_is_target {
            return None;
        }
        let start = self.start(header);
        if heir == self.lines.len() {
            let blank = header > 0 && self.kind(header - 1) == Some(&LineKind::Blank);
            return Some(Edit::one(
                self.start(header - usize::from(blank))..self.text.len(),
                "",
            ));
        }
        let mut edit = Edit::one(start..self.start(heir), "");
        if !behind.is_empty() {
            if !self.behind_header(heir).is_empty() {
                return None;
            }
            let Some(LineKind::Header { bracket, .. }) = self.kind(heir) else {
                return None;
            };
            edit.splices.push(Splice {
                range: *bracket..*bracket,
                text: behind.to_owned(),
            });
            edit.owned.end = *bracket;
        }
        Some(edit)
    }
}

impl TomlLayout<'_> {
    fn line_text(&self, line: usize) -> &str {
        self.lines
            .get(line)
            .map_or("", |line| self.bytes(&line.range))
    }

    /// Blanks and comment behind the bracket of a header.
    fn behind_header(&self, header: usize) -> &str {
        match self.kind(header) {
            Some(LineKind::Header { bracket, .. }) => {
                self.bytes(&(*bracket..self.start(header + 1))).trim_end()
            }
            _ => "",
        }
    }

    fn is_blank_above(&self, line: usize) -> bool {
        line > 0 && self.kind(line - 1) == Some(&LineKind::Blank)
    }

    /// Whether there is nothing but blank lines between `line` and the header of its section.
    fn opens_section(&self, line: usize) -> bool {
        let above = (0..line)
            .rev()
            .find(|above| self.kind(*above) != Some(&LineKind::Blank));
        matches!(
            above.map(|above| self.kind(above)),
            None | Some(Some(LineKind::Header { .. }))
        )
    }

    /// Whether a blank line sets the key whose comments start at `line` apart from the keys above. Those may have
    /// moved already; below a comment that stays, a key with a comment of its own starts a paragraph.
    fn starts_paragraph(&self, line: usize, commented: bool) -> bool {
        let above = (0..line)
            .rev()
            .find(|above| self.kind(*above) != Some(&LineKind::Blank));
        let after_comment = above.is_some_and(|above| self.kind(above) == Some(&LineKind::Comment));
        self.is_blank_above(line) && (commented || !after_comment)
    }

    /// Whether nothing follows directly below `line`.
    fn ends_paragraph(&self, line: usize) -> bool {
        matches!(self.kind(line + 1), None | Some(LineKind::Blank))
    }

    /// The inline table at `parent` or the closest one above it.
    fn inline_table(&self, parent: &[String]) -> Option<usize> {
        (1..=parent.len()).rev().find_map(|end| {
            let path = parent.get(..end)?;
            self.slots
                .iter()
                .position(|slot| slot.inline && !slot.numbered && slot.path == path)
        })
    }

    /// Section and line below which a key of `parent` goes; `None` when the table has no place yet.
    fn place_in_table(&self, parent: &[String]) -> Option<(Option<usize>, Option<usize>)> {
        if parent.is_empty() {
            return Some((None, self.last_statement(None, parent)));
        }
        if let Some(header) = self.header(parent) {
            let line = self.last_statement(Some(header), &[]).unwrap_or(header);
            return Some((Some(header), Some(line)));
        }
        // Written with dots: `server.port = 1` above, or in the section of a parent.
        let sections =
            std::iter::once(None).chain((0..self.lines.len()).map(Some).filter(|line| {
                line.and_then(|line| self.kind(line))
                    .is_some_and(|kind| matches!(kind, LineKind::Header { array: false, .. }))
            }));
        sections
            .filter(|section| parent.starts_with(self.header_path(*section)))
            .find_map(|section| Some((section, Some(self.last_statement(section, parent)?))))
    }

    /// The last statement of a section whose key lies below `prefix`.
    fn last_statement(&self, section: Option<usize>, prefix: &[String]) -> Option<usize> {
        self.body(section)
            .rev()
            .find(|line| match self.kind(*line) {
                Some(LineKind::Statement(slot)) => self
                    .slots
                    .get(*slot)
                    .is_some_and(|slot| slot.path.starts_with(prefix)),
                _ => false,
            })
    }

    /// A new line in an existing section, below `anchor`.
    fn insert_line(
        &self,
        section: Option<usize>,
        anchor: Option<usize>,
        path: &[String],
        piece: &Piece,
    ) -> Edit {
        let names = path
            .get(self.header_path(section).len()..)
            .unwrap_or_default();
        let statement =
            anchor.filter(|line| matches!(self.kind(*line), Some(LineKind::Statement(_))));
        let indent = statement.map_or("", |line| indentation(self.line_text(line)));
        let mut block = self.lines_of(indent, names, piece);
        if piece.gap && statement.is_some() {
            block.insert_str(0, self.ending);
        }
        let offset = if let Some(line) = anchor {
            self.start(line + 1)
        } else {
            // No key above the first table yet: stay below the comments that open the file.
            let first = self.body(None).end;
            if first < self.lines.len() {
                block.push_str(self.ending);
            }
            self.start(self.comments_above(first))
        };
        Edit::one(
            offset..offset,
            as_lines(self.text, offset, &block, self.ending),
        )
    }

    /// A new table with one key.
    fn insert_table(
        &self,
        parent: &[String],
        path: &[String],
        piece: &Piece,
        near: Option<&[String]>,
    ) -> Edit {
        let origin = near
            .and_then(|near| self.slot(near).ok())
            .and_then(|slot| self.line_of(slot))
            .map(|line| self.section_of(line));
        let section = origin.or_else(|| self.relative(parent).map(Some));
        let last = match section {
            Some(section) => self.section_end(section),
            None => (0..self.lines.len())
                .rev()
                .find(|l| self.kind(*l) != Some(&LineKind::Blank)),
        };
        let offset = last.map_or(0, |line| self.start(line + 1));
        let names = path.get(parent.len()..).unwrap_or_default();
        let header: Vec<_> = parent.iter().map(|part| spell_key(part)).collect();
        let mut block = format!("[{}]{}", header.join("."), self.ending);
        block.push_str(&self.lines_of("", names, piece));
        if last.is_some() {
            block.insert_str(0, self.ending);
        } else if !self.text.is_empty() {
            block.push_str(self.ending);
        }
        Edit::one(
            offset..offset,
            as_lines(self.text, offset, &block, self.ending),
        )
    }

    /// The last section that shares the first parts with `parent`, as many as possible.
    fn relative(&self, parent: &[String]) -> Option<usize> {
        (1..parent.len()).rev().find_map(|end| {
            let prefix = parent.get(..end)?;
            (0..self.lines.len())
                .rev()
                .find(|line| match self.kind(*line) {
                    Some(LineKind::Header { path, .. }) => path.starts_with(prefix),
                    _ => false,
                })
        })
    }

    /// The last line of a section: comments directly above the next header belong to that.
    fn section_end(&self, section: Option<usize>) -> Option<usize> {
        let body = self.body(section);
        let mut end = body.end;
        if end < self.lines.len() {
            let above = self.comments_above(end);
            if above > body.start && self.kind(above - 1) == Some(&LineKind::Blank) {
                end = above;
            }
        }
        (0..end)
            .rev()
            .find(|line| self.kind(*line) != Some(&LineKind::Blank))
    }

    fn lines_of(&self, indent: &str, names: &[String], piece: &Piece) -> String {
        let mut block = String::new();
        for comment in &piece.above {
            block.extend([indent, comment, self.ending]);
        }
        block.push_str(indent);
        block.push_str(&member(names, piece));
        block.push_str(&piece.behind);
        block.push_str(self.ending);
        block
    }

    fn insert_inline(&self, table: usize, path: &[String], piece: &Piece) -> Proposal {
        if piece.has_comments() {
            return Err("its comments have no place in an inline table".to_owned());
        }
        let Some(slot) = self.slots.get(table) else {
            return Err("it was not found".to_owned());
        };
        let names = path.get(slot.path.len()..).unwrap_or_default();
        let piece = Piece {
            separator: None,
            ..piece.clone()
        };
        let member = member(names, &piece);
        let last = self.members(table).map(|member| member.value.end).max();
        if let Some(end) = last {
            return Ok(Edit::one(end..end, format!(", {member}")));
        }
        let inner = slot.value.start + 1..slot.value.end.saturating_sub(1);
        if !self.bytes(&inner).trim().is_empty() {
            return Err("the inline table holds comments".to_owned());
        }
        Ok(Edit::one(inner, format!(" {member} ")))
    }

    fn members(&self, table: usize) -> impl Iterator<Item = &super::layout::Slot> {
        self.slots
            .iter()
            .filter(move |slot| slot.within == Some(table))
    }

    fn remove_inline(&self, slot: usize) -> Proposal {
        let gone = self.slots.get(slot).ok_or("it was not found")?;
        let table = gone.within.ok_or("its line was not found")?;
        let mut members: Vec<_> = self.members(table).collect();
        members.sort_by_key(|member| member.name.start);
        if members.iter().any(|member| member.dotted) {
            return Err("the inline table has dotted keys".to_owned());
        }
        let index = members
            .iter()
            .position(|member| member.name == gone.name)
            .ok_or("it was not found")?;
        let before = index.checked_sub(1).and_then(|index| members.get(index));
        let range: Range<usize> = match (before, members.get(index + 1)) {
            (_, Some(next)) => gone.name.start..next.name.start,
            (Some(before), None) => before.value.end..gone.value.end,
            (None, None) => gone.name.start..gone.value.end,
        };
        let between = self.bytes(&range).replacen(self.bytes(&gone.value), "", 1);
        if between.contains(['\n', '#']) {
            return Err("the inline table spans lines".to_owned());
        }
        Ok(Edit::one(range, ""))
    }
}

fn member(names: &[String], piece: &Piece) -> String {
    let names: Vec<_> = names.iter().map(|name| spell_key(name)).collect();
    let separator = piece.separator.as_deref().unwrap_or(" = ");
    format!("{}{separator}{}", names.join("."), piece.value)
}

fn spell_key(name: &str) -> String {
    Key::new(name).display_repr().into_owned()
}

fn spell_scalar(scalar: &Scalar) -> String {
    match scalar {
        Scalar::Boolean(value) => value.to_string(),
        Scalar::Integer(value) => value.to_string(),
        Scalar::Decimal(value) if value.is_nan() => "nan".to_owned(),
        Scalar::Decimal(value) => format!("{value:?}"),
        Scalar::Text(text) => spell_text(text),
    }
}

/// A basic string on one line, whatever the text.
fn spell_text(text: &str) -> String {
    let mut spelled = String::with_capacity(text.len() + 2);
    spelled.push('"');
    for character in text.chars() {
        match character {
            '"' => spelled.push_str("\\\""),
            '\\' => spelled.push_str("\\\\"),
            '\n' => spelled.push_str("\\n"),
            '\r' => spelled.push_str("\\r"),
            '\t' => spelled.push_str("\\t"),
            control if control.is_control() => {
                let _ = write!(spelled, "\\u{:04X}", u32::from(control));
            }
            other => spelled.push(other),
        }
    }
    spelled.push('"');
    spelled
}

fn fits_literal(text: &str) -> bool {
    !text.contains(|character: char| character == '\'' || character.is_control())
}

/// A list over several lines stays one: an element per line, indented as before.
fn spell_lines(old: &str, items: &[Scalar], ending: &str) -> Result<String, String> {
    let value: TomlValue = old
        .parse()
        .map_err(|_| "its list could not be read".to_owned())?;
    let Some(array) = value.as_array() else {
        return Err("its list could not be read".to_owned());
    };
    let decors = array
        .iter()
        .flat_map(|item| [item.decor().prefix(), item.decor().suffix()]);
    let around = decors.flatten().chain(std::iter::once(array.trailing()));
    if around
        .filter_map(|raw| raw.as_str())
        .any(|raw| raw.contains('#'))
    {
        return Err("its list holds comments, which would be lost".to_owned());
    }
    let lines: Vec<_> = old.lines().collect();
    let inner = lines.get(1).map_or("    ", |line| indentation(line));
    let outer = lines.last().map_or("", |line| indentation(line));
    let mut list = format!("[{ending}");
    for item in items {
        let _ = write!(list, "{inner}{},{ending}", spell_scalar(item));
    }
    Ok(list + outer + "]")
}
