// SPDX-License-Identifier: Apache-2.0
//! Which lines of a YAML file change when a key does.
//!
//! Members go behind the last one of their mapping, at its indentation; a new mapping next to the one that the key
//! comes from. Values over several lines are indented anew where they move deeper or higher.

use super::layout::Entry;
use super::layout::Form;
use super::layout::YamlLayout;
use super::spell;
use crate::Scalar;
use crate::Value;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Layout;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::Splice;
use crate::edit::renamed;
use crate::text::as_lines;
use crate::text::indentation;
use crate::text::line_end;

impl Layout for YamlLayout<'_> {
    fn replace(&self, path: &[String], value: &Value) -> Proposal {
        let entry = self.editable(path)?;
        let old = self.bytes(entry.value.clone());
        let spelled = match (entry.form, value) {
            (Form::Inline, Value::Scalar(Scalar::Text(text))) => spell::text_like(text, old),
            (Form::Inline, _) if old.contains('#') && old.contains('\n') => {
                return Err("its list holds comments, which would be lost".to_owned());
            }
            (Form::BlockText, Value::Scalar(Scalar::Text(text))) => {
                spell_block(text, old, self.ending)
                    .unwrap_or_else(|| spell::scalar(&Scalar::Text(text.clone())))
            }
            (Form::Sequence, Value::List(items)) => self.spell_sequence(old, items)?,
            (Form::Inline, value) => spell::value(value),
            _ => return Err("its value is written in a way that is not edited".to_owned()),
        };
        Ok(Edit::one(entry.value.clone(), spelled))
    }

    fn spell(&self, value: &Value) -> Result<String, String> {
        Ok(spell::value(value))
    }

    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal {
        let depth = (0..path.len())
            .rev()
            .find(|depth| *depth == 0 || self.entry(path.get(..*depth).unwrap_or_default()).is_ok())
            .unwrap_or(0);
        let (parent, names) = path.split_at(depth);
        let children = self.children(parent);
        let holder = if parent.is_empty() {
            None
        } else {
            Some(self.entry(parent)?)
        };
        let indent = match (children.first(), holder) {
            (Some(child), _) => child.indent,
            (None, None) => 0,
            (None, Some(holder)) => holder.indent + self.unit,
        };
        let block = self.lines_of(names, piece, indent);
        if let Some(holder) = holder.filter(|_| children.is_empty()) {
            return self.insert_first(holder, &block);
        }
        let neighbour = near
            .filter(|_| names.len() > 1)
            .and_then(|near| children.iter().find(|child| near.starts_with(&child.path)));
        let offset = match (neighbour.or(children.last()), children.first()) {
            (Some(child), _) => child.lines.end,
            (None, _) => self.text.len(),
        };
        let first = children.is_empty();
        let spaced = neighbour.is_some_and(|child| {
            self.blank_above(self.comments_above(child.lines.start))
                .is_some()
                || self
                    .bytes(child.lines.end..line_end(self.text, child.lines.end))
                    .trim()
                    .is_empty()
                    && child.lines.end < self.text.len()
        });
        let gap = !first && ((piece.gap && names.len() == 1) || spaced);
        let block = if gap {
            format!("{}{block}", self.ending)
        } else {
            block
        };
        Ok(Edit::one(
            offset..offset,
            as_lines(self.text, offset, &block, self.ending),
        ))
    }

    fn remove(&self, path: &[String], extent: Extent) -> Proposal {
        let entry = self.editable(path)?;
        let mut range = entry.lines.clone();
        if extent == Extent::WithComments {
            range.start = self.comments_above(range.start);
            let next = self.bytes(range.end..line_end(self.text, range.end));
            let parent = path.split_last().map_or(&[][..], |(_, parent)| parent);
            let opens = self
                .children(parent)
                .first()
                .is_some_and(|first| first.path == path);
            let closes = next.trim().is_empty() || indentation(next).len() < entry.indent;
            let top = opens && !parent.is_empty();
            if let Some(blank) = self.blank_above(range.start)
                && (closes || top)
            {
                range.start = blank;
            }
        }
        Ok(Edit::one(range, ""))
    }

    fn piece(&self, path: &[String]) -> Result<Piece, String> {
        let entry = self.editable(path)?;
        let above = self.comments_above(entry.lines.start);
        let comments = self.bytes(above..entry.lines.start).lines();
        let value = self.bytes(entry.value.clone());
        Ok(Piece {
            name: Some(self.bytes(entry.name.clone()).to_owned()),
            gap: self.blank_above(above).is_some(),
            above: comments.map(|line| line.trim().to_owned()).collect(),
            separator: Some(self.bytes(entry.name.end..entry.value.start).to_owned()),
            // Relative to the name, so that it can be indented anew.
            value: reindent(value, entry.indent, 0)?,
            behind: self
                .bytes(entry.value.end..entry.lines.end)
                .trim_end()
                .to_owned(),
        })
    }

    fn rename(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let name = renamed(from, to)?;
        let entry = self.editable(from).ok()?;
        Some(Edit::one(entry.name.clone(), spell::key(name)))
    }

    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
        let (_, table) = from.split_last()?;
        let (_, target) = to.split_last()?;
        let emptied = self.entry(table).ok()?;
        if emptied.form != Form::Empty || table == target {
            return None;
        }
        let next = self
            .entries
            .iter()
            .find(|entry| entry.lines.start >= emptied.lines.end);
        let until = next.map_or(self.text.len(), |next| next.lines.start);
        let between = self.bytes(emptied.lines.end..until);
        let heir = next.filter(|next| next.path == target && between.trim().is_empty());
        let head = self.head_comment(emptied);
        let described = self.comments_above(emptied.lines.start) < emptied.lines.start;
        let comments_left = between
            .lines()
            .take_while(|line| !line.trim().is_empty())
            .any(|line| indentation(line).len() > emptied.indent);
        let Some(heir) = heir else {
            let lost = described || !head.is_empty() || comments_left;
            return (!lost).then(|| Edit::one(emptied.lines.clone(), ""));
        };
        let mut edit = Edit::one(emptied.lines.start..heir.lines.start, "");
        if !head.is_empty() {
            let theirs = self.head_comment(heir);
            if !theirs.is_empty() {
                return None;
            }
            let comment = self.bytes(head).to_owned();
            edit.splices.push(Splice {
                range: theirs.clone(),
                text: comment,
            });
            edit.owned.end = theirs.end;
        }
        Some(edit)
    }
}

impl YamlLayout<'_> {
    fn editable(&self, path: &[String]) -> Result<&Entry, String> {
        let entry = self.entry(path)?;
        match entry.form {
            Form::Special => Err("it has an anchor, an alias or a tag".to_owned()),
            _ => Ok(entry),
        }
    }

    /// The first member of a mapping that is empty: nothing, or `{}`.
    fn insert_first(&self, holder: &Entry, block: &str) -> Proposal {
        match holder.form {
            Form::Empty => {
                let offset = line_end(self.text, holder.value.end);
                Ok(Edit::one(
                    offset..offset,
                    as_lines(self.text, offset, block, self.ending),
                ))
            }
            Form::Inline if self.bytes(holder.value.clone()) == "{}" => {
                let rest = self.bytes(holder.value.end..line_end(self.text, holder.value.end));
                if !rest.trim().is_empty() {
                    return Err("a comment stands behind its empty mapping".to_owned());
                }
                let block = block.strip_suffix(self.ending).unwrap_or(block);
                let range = holder.value.clone();
                Ok(Edit::one(range, format!("{}{block}", self.ending)))
            }
            _ => Err("its mapping is not written in block style".to_owned()),
        }
    }

    fn lines_of(&self, names: &[String], piece: &Piece, indent: usize) -> String {
        let Some((name, rest)) = names.split_first() else {
            return String::new();
        };
        let blanks = " ".repeat(indent);
        let mut block = String::new();
        if rest.is_empty() {
            for comment in &piece.above {
                block.extend([&blanks, comment, self.ending]);
            }
            let separator = piece.separator.as_deref().unwrap_or(": ");
            let value = reindent(&piece.value, 0, indent).unwrap_or_default();
            let name = piece.name.clone().unwrap_or_else(|| spell::key(name));
            block.extend([&blanks, &name, separator, &value]);
            block.extend([&piece.behind, self.ending]);
        } else {
            block.extend([&blanks, &spell::key(name), ":", self.ending]);
            block.push_str(&self.lines_of(rest, piece, indent + self.unit));
        }
        block
    }

    fn spell_sequence(&self, old: &str, items: &[Scalar]) -> Result<String, String> {
        if old.contains('#') {
            return Err("its list may hold comments, which would be lost".to_owned());
        }
        if items.is_empty() {
            return Ok(" []".to_owned());
        }
        let indent = old.lines().nth(1).map_or("  ", indentation);
        let items: Vec<_> = items
            .iter()
            .map(|item| format!("{indent}- {}", spell::scalar(item)))
            .collect();
        Ok(format!("{}{}", self.ending, items.join(self.ending)))
    }
}

/// The lines behind the first one, from the indentation of one name to that of another.
fn reindent(value: &str, from: usize, to: usize) -> Result<String, String> {
    let mut lines = value.split_inclusive('\n');
    let mut moved = lines.next().unwrap_or_default().to_owned();
    for line in lines {
        if line.trim().is_empty() {
            moved.push_str(line);
            continue;
        }
        let (blanks, content) = line.split_at(line.len() - line.trim_start_matches(' ').len());
        let kept = blanks
            .len()
            .checked_sub(from)
            .ok_or("its lines stand further left")?;
        moved.push_str(&" ".repeat(kept + to));
        moved.push_str(content);
    }
    Ok(moved)
}

/// A text over lines in the block style of `old`, where that can hold it.
fn spell_block(text: &str, old: &str, ending: &str) -> Option<String> {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let simple = old.starts_with('|')
        && body.contains('\n')
        && !body.ends_with('\n')
        && !body.contains(|c: char| c.is_control() && c != '\n')
        && body
            .lines()
            .all(|line| line.trim() == line && !line.is_empty());
    let indent = old
        .lines()
        .nth(1)
        .map(indentation)
        .filter(|indent| !indent.is_empty());
    let (true, Some(indent)) = (simple, indent) else {
        return None;
    };
    let mut spelled = if body.len() == text.len() {
        "|-".to_owned()
    } else {
        "|".to_owned()
    };
    for line in body.lines() {
        spelled.extend([ending, indent, line]);
    }
    Some(spelled)
}
