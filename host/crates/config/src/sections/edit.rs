// SPDX-License-Identifier: Apache-2.0
//! Which lines change when a key of a file of sections does.
//!
//! New keys go below the last one of their table; a new table goes next to the one that the key comes from, else
//! behind its closest relative, else at the end. Nothing here spells a name or a value.

use super::layout::LineKind;
use super::layout::Sections;
use crate::edit::Edit;
use crate::edit::Extent;
use crate::edit::Piece;
use crate::edit::Proposal;
use crate::edit::Splice;
use crate::text::as_lines;
use crate::text::indentation;

/// How a format writes names.
pub(crate) trait Spelling {
    /// `[path]`.
    fn header(&self, path: &[String]) -> Result<String, String>;
    /// The name of a key, relative to its section.
    fn name(&self, names: &[String]) -> Result<String, String>;
    /// What stands between a new name and its value.
    fn separator(&self) -> &str;
}

impl Sections<'_> {
    /// A new key: below the last one of its table, or in a new table.
    pub(crate) fn insert(
        &self,
        path: &[String],
        piece: &Piece,
        near: Option<&[String]>,
        spelling: &dyn Spelling,
    ) -> Proposal {
        let (_, parent) = path.split_last().ok_or("it has no name")?;
        match self.place_in_table(parent) {
            Some((section, anchor)) => self.insert_line(section, anchor, path, piece, spelling),
            None => self.insert_table(parent, path, piece, near, spelling),
        }
    }

    /// The lines of a statement, without its neighbours.
    pub(crate) fn remove(&self, line: usize, extent: Extent) -> Edit {
        let mut first = line;
        if extent == Extent::WithComments {
            first = self.comments_above(line);
            let gap = self.is_blank_above(first);
            if gap && (self.ends_paragraph(line) || self.opens_section(first)) {
                first -= 1;
            }
        }
        Edit::one(self.start(first)..self.start(line + 1), "")
    }

    /// What moves with the key in `slot`.
    pub(crate) fn piece(&self, path: &[String]) -> Result<Piece, String> {
        let slot = self.slot(path)?;
        let Some(found) = self.slots.get(slot) else {
            return Err("it was not found".to_owned());
        };
        let mut piece = Piece {
            name: Some(self.bytes(&found.name).to_owned()),
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

    /// Away with the header of a table whose last key went to `to`, if no comment is lost by it or left without its
    /// subject: comments of the old header become those of the new one when that comes next.
    pub(crate) fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit> {
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

    /// Section and line below which a key of `parent` goes; `None` when the table has no place yet.
    pub(crate) fn place_in_table(
        &self,
        parent: &[String],
    ) -> Option<(Option<usize>, Option<usize>)> {
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
        spelling: &dyn Spelling,
    ) -> Proposal {
        let names = path
            .get(self.header_path(section).len()..)
            .unwrap_or_default();
        let statement =
            anchor.filter(|line| matches!(self.kind(*line), Some(LineKind::Statement(_))));
        let indent = statement.map_or("", |line| indentation(self.line_text(line)));
        let mut block = self.lines_of(indent, names, piece, spelling)?;
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
        Ok(Edit::one(
            offset..offset,
            as_lines(self.text, offset, &block, self.ending),
        ))
    }

    /// A new table with one key.
    fn insert_table(
        &self,
        parent: &[String],
        path: &[String],
        piece: &Piece,
        near: Option<&[String]>,
        spelling: &dyn Spelling,
    ) -> Proposal {
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
        let mut block = spelling.header(parent)? + self.ending;
        block.push_str(&self.lines_of("", names, piece, spelling)?);
        if last.is_some() {
            block.insert_str(0, self.ending);
        } else if !self.text.is_empty() {
            block.push_str(self.ending);
        }
        Ok(Edit::one(
            offset..offset,
            as_lines(self.text, offset, &block, self.ending),
        ))
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

    fn lines_of(
        &self,
        indent: &str,
        names: &[String],
        piece: &Piece,
        spelling: &dyn Spelling,
    ) -> Result<String, String> {
        let mut block = String::new();
        for comment in &piece.above {
            block.extend([indent, comment, self.ending]);
        }
        let separator = piece.separator.as_deref().unwrap_or(spelling.separator());
        let name = match (&piece.name, names) {
            (Some(name), [_]) => name.clone(),
            _ => spelling.name(names)?,
        };
        block.extend([indent, &name, separator, &piece.value]);
        block.extend([&piece.behind, self.ending]);
        Ok(block)
    }
}
