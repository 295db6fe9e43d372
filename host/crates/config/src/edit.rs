// SPDX-License-Identifier: Apache-2.0
//! Edits as bytes: what a layout proposes and the guard judges.
//!
//! A layout is the *first* parser of a format: it knows where each key, value, comment and line stands, and
//! answers with the few bytes to replace. It never writes a document anew, so what it does not understand
//! stays as it is.

use std::ops::Range;

use crate::Value;

/// Replace the bytes of `range` by `text`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub(crate) range: Range<usize>,
    pub(crate) text: String,
}

/// Splices in order that together change one key, all of them within `owned`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edit {
    pub(crate) splices: Vec<Splice>,
    /// The bytes that belong to the key: its value, its line, or the empty place where it will stand.
    pub(crate) owned: Range<usize>,
}

impl Edit {
    /// One splice that may touch exactly what it replaces.
    pub(crate) fn one(range: Range<usize>, text: impl Into<String>) -> Self {
        Self {
            owned: range.clone(),
            splices: vec![Splice {
                range,
                text: text.into(),
            }],
        }
    }

    /// The text after the edit, or `None` when the ranges do not fit it.
    pub(crate) fn apply(&self, text: &str) -> Option<String> {
        let mut result = String::with_capacity(text.len() + 64);
        let mut done = 0;
        for splice in &self.splices {
            result.push_str(text.get(done..splice.range.start)?);
            text.get(splice.range.clone())?;
            result.push_str(&splice.text);
            done = splice.range.end;
        }
        result.push_str(text.get(done..)?);
        Some(result)
    }
}

/// A key on its way to another place: its value as spelled, with the comments that belong to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Piece {
    /// A blank line stood above.
    pub(crate) gap: bool,
    /// Comment lines directly above, without indentation and line end.
    pub(crate) above: Vec<String>,
    /// Its name as spelled, for a key that keeps the name.
    pub(crate) name: Option<String>,
    /// What stands between name and value, where it was kept.
    pub(crate) separator: Option<String>,
    /// The value, byte for byte.
    pub(crate) value: String,
    /// What follows on its last line: blanks and a comment.
    pub(crate) behind: String,
}

impl Piece {
    pub(crate) fn of(value: String) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    pub(crate) fn has_comments(&self) -> bool {
        !self.above.is_empty() || !self.behind.trim().is_empty()
    }
}

/// How much goes when a key goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Its line with the comment on it.
    Line,
    /// Also the comments directly above: they were moved.
    WithComments,
}

/// The last part of `to` when nothing but that differs from `from`.
pub(crate) fn renamed<'a>(from: &[String], to: &'a [String]) -> Option<&'a String> {
    let (name, parent) = to.split_last()?;
    (from.split_last()?.1 == parent).then_some(name)
}

/// A layout's answer; the error says why the place cannot be edited.
pub(crate) type Proposal = Result<Edit, String>;

/// Where things stand in one file. Paths given to it exist (or not) as its caller says.
pub(crate) trait Layout {
    /// Another value in the place of the one at `path`.
    fn replace(&self, path: &[String], value: &Value) -> Proposal;
    /// A value spelled for this format, for a key that is new.
    fn spell(&self, value: &Value) -> Result<String, String>;
    /// A new key. `near` is the key that it replaces, if any: new tables go next to that one's.
    fn insert(&self, path: &[String], piece: &Piece, near: Option<&[String]>) -> Proposal;
    /// The key without its neighbours.
    fn remove(&self, path: &[String], extent: Extent) -> Proposal;
    /// What `insert` takes to put the key elsewhere.
    fn piece(&self, path: &[String]) -> Result<Piece, String>;
    /// Another name for a key whose line stays where it is; `None` when it has to move.
    fn rename(&self, from: &[String], to: &[String]) -> Option<Edit>;
    /// Away with the header of a table whose last key went to `to`, if nothing is lost by it.
    fn tidy(&self, from: &[String], to: &[String]) -> Option<Edit>;
}
