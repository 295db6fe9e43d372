// SPDX-License-Identifier: Apache-2.0
//! Which bytes of a TOML file change when a key does.
//!
//! Lines and headers are the business of [`crate::sections`]; spelling and inline tables are dealt with here.

use std::fmt::Write as _;
use std::ops::Range;

use toml_edit::Key;
use toml_edit::Value as TomlValue;

use super::layout;
use crate::Scalar;
use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::renamed;
use crate::sections::Sections;
use crate::sections::Slot;
use crate::sections::Spelling;
use crate::text::Problem;
use crate::text::indentation;

/// The first parser of TOML.
pub(super) struct TomlLayout<'a>(Sections<'a>);

impl<'a> TomlLayout<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        layout::sections(text).map(Self)
    }
}

impl Layout for TomlLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let slot = self.0.slot(path)?;
        let range = self
            .0
            .slots
            .get(slot)
            .map(|slot| slot.value.clone())
            .unwrap_or_default();
        let old = self.0.bytes(&range);
        let spelled = match value {
            Value::Scalar(Scalar::Text(text)) if old.starts_with('\'') && fits_literal(text) => {
                format!("'{text}'")
            }
            Value::List(items) if old.contains('\n') => spell_lines(old, items, self.0.ending)?,
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
        match self.inline_table(parent) {
            Some(table) => self.insert_inline(table, path, piece),
            None => self.0.insert(path, piece, near, &TomlSpelling),
        }
    }

    fn remove(&self, path: &[String], extent: Extent) -> Proposal {
        let slot = self.0.slot(path)?;
        match self.0.line_of(slot) {
            Some(line) => Ok(self.0.remove(line, extent)),
            None => self.remove_inline(slot),
        }
    }

    fn piece(&self, path: &[String]) -> Result<Piece, String> {
        self.0.piece(path)
    }

    fn rename(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let slot = self.0.slot(from).ok()?;
        let found = self.0.slots.get(slot)?;
        match renamed(from, to) {
            Some(name) => Some(Edit::one(found.name.clone(), spell_key(name))),
            None => self.rename_dotted(slot, to),
        }
    }

    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
        self.0.tidy(from, to)
    }
}

impl TomlLayout<'_> {
    /// `net.port = 1` becomes `server.port = 1` on the spot, unless that table has a place of its own.
    fn rename_dotted(&self, slot: usize, to: &[String]) -> Option<Edit> {
        let found = self.0.slots.get(slot).filter(|slot| slot.dotted)?;
        let line = self.0.line_of(slot)?;
        let section = self.0.section_of(line);
        let names = to.strip_prefix(self.0.header_path(section))?;
        let (_, parent) = to.split_last()?;
        let elsewhere = self.inline_table(parent).is_some()
            || self
                .0
                .place_in_table(parent)
                .is_some_and(|(place, _)| place != section);
        if names.len() < 2 || elsewhere {
            return None;
        }
        let start = self.0.start(line);
        let start = start + indentation(self.0.bytes(&(start..found.name.end))).len();
        Some(Edit::one(
            start..found.name.end,
            TomlSpelling.name(names).ok()?,
        ))
    }

    /// The inline table at `parent` or the closest one above it.
    fn inline_table(&self, parent: &[String]) -> Option<usize> {
        (1..=parent.len()).rev().find_map(|end| {
            let path = parent.get(..end)?;
            self.0
                .slots
                .iter()
                .position(|slot| slot.inline && !slot.numbered && slot.path == path)
        })
    }

    fn insert_inline(&self, table: usize, path: &[String], piece: &Piece) -> Proposal {
        if piece.has_comments() {
            return Err("its comments have no place in an inline table".to_owned());
        }
        let Some(slot) = self.0.slots.get(table) else {
            return Err("it was not found".to_owned());
        };
        let names = path.get(slot.path.len()..).unwrap_or_default();
        let member = format!("{} = {}", TomlSpelling.name(names)?, piece.value);
        let last = self.members(table).map(|member| member.value.end).max();
        if let Some(end) = last {
            return Ok(Edit::one(end..end, format!(", {member}")));
        }
        let inner = slot.value.start + 1..slot.value.end.saturating_sub(1);
        if !self.0.bytes(&inner).trim().is_empty() {
            return Err("the inline table holds comments".to_owned());
        }
        Ok(Edit::one(inner, format!(" {member} ")))
    }

    fn members(&self, table: usize) -> impl Iterator<Item = &Slot> {
        self.0
            .slots
            .iter()
            .filter(move |slot| slot.within == Some(table))
    }

    fn remove_inline(&self, slot: usize) -> Proposal {
        let gone = self.0.slots.get(slot).ok_or("it was not found")?;
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
        let between = self
            .0
            .bytes(&range)
            .replacen(self.0.bytes(&gone.value), "", 1);
        if between.contains(['\n', '#']) {
            return Err("the inline table spans lines".to_owned());
        }
        Ok(Edit::one(range, ""))
    }
}

struct TomlSpelling;

impl Spelling for TomlSpelling {
    fn header(&self, path: &[String]) -> Result<String, String> {
        Ok(format!("[{}]", self.name(path)?))
    }

    fn name(&self, names: &[String]) -> Result<String, String> {
        let names: Vec<_> = names.iter().map(|name| spell_key(name)).collect();
        Ok(names.join("."))
    }

    fn separator(&self) -> &'static str {
        " = "
    }
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
