// SPDX-License-Identifier: Apache-2.0
//! Where the entries of block mappings stand in a YAML file.
//!
//! Reads lines and indentation, nothing else: what is not `name: value` in a block mapping has no entry here, so
//! it cannot be edited. Anchors, aliases and tags mark their entry as special. Nothing here changes anything.

use std::ops::Range;

use crate::text::line_end;
use crate::text::line_ending;
use crate::text::line_start;

/// What an entry's value is, as far as edits care.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A block mapping below.
    Mapping,
    /// Nothing at all.
    Empty,
    /// A scalar or flow collection that starts on the line of its name.
    Inline,
    /// `|` or `>` and the lines below.
    BlockText,
    /// A block sequence below.
    Sequence,
    /// Anchor, alias or tag: never edited.
    Special,
}

/// One `name: value` of a block mapping.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) path: Vec<String>,
    pub(super) indent: usize,
    pub(super) name: Range<usize>,
    /// For [`Form::Sequence`] from right behind the colon.
    pub(super) value: Range<usize>,
    /// From the start of its first line to the end of its last one, that of a nested mapping included.
    pub(super) lines: Range<usize>,
    pub(super) form: Form,
}

/// A YAML file by the entries of its block mappings, in the order of the file.
pub(super) struct YamlLayout<'a> {
    pub(super) text: &'a str,
    pub(super) ending: &'static str,
    pub(super) entries: Vec<Entry>,
    /// One level of indentation.
    pub(super) unit: usize,
}

/// A line that is not blank and no comment.
struct Line {
    range: Range<usize>,
    indent: usize,
    /// Without indentation and line end.
    content: Range<usize>,
}

struct Scan<'a> {
    text: &'a str,
    lines: Vec<Line>,
    next: usize,
    /// Where the block text that was read up to line `next` ends, with and without its line end: its last line may
    /// look like a comment.
    text_end: Option<(usize, usize, usize)>,
    entries: Vec<Entry>,
}

impl<'a> YamlLayout<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let mut scan = Scan {
            text,
            lines: lines(text),
            next: 0,
            text_end: None,
            entries: Vec::new(),
        };
        scan.document();
        let unit = scan
            .entries
            .iter()
            .find(|entry| entry.path.len() == 2)
            .map_or(2, |entry| entry.indent)
            .max(1);
        Self {
            text,
            ending: line_ending(text),
            entries: scan.entries,
            unit,
        }
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    pub(super) fn entry(&self, path: &[String]) -> Result<&Entry, String> {
        self.entries
            .iter()
            .find(|entry| entry.path == path)
            .ok_or_else(|| "it does not stand in a plain block mapping".to_owned())
    }

    /// The direct members of the mapping at `path`.
    pub(super) fn children(&self, path: &[String]) -> Vec<&Entry> {
        let depth = path.len() + 1;
        self.entries
            .iter()
            .filter(|entry| entry.path.len() == depth && entry.path.starts_with(path))
            .collect()
    }

    /// What follows the colon on the line of an entry with its value below, or none.
    pub(super) fn head_comment(&self, entry: &Entry) -> Range<usize> {
        let colon = self.colon_end(entry);
        let end = line_end(self.text, colon);
        colon..colon + self.bytes(colon..end).trim_end().len()
    }

    fn colon_end(&self, entry: &Entry) -> usize {
        let rest = self.bytes(entry.name.end..self.text.len());
        entry.name.end + rest.find(':').map_or(0, |colon| colon + 1)
    }

    /// The start of the comment lines directly above the line that starts at `start`.
    pub(super) fn comments_above(&self, mut start: usize) -> usize {
        while start > 0 {
            let above = line_start(self.text, start - 1);
            if !self.bytes(above..start).trim_start().starts_with('#') {
                break;
            }
            start = above;
        }
        start
    }

    /// The blank line directly above the line that starts at `start`.
    pub(super) fn blank_above(&self, start: usize) -> Option<usize> {
        let above = line_start(self.text, start.checked_sub(1)?);
        self.bytes(above..start).trim().is_empty().then_some(above)
    }
}

fn lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let end = line_end(text, start);
        let line = text.get(start..end).unwrap_or_default();
        let indent = line.len() - line.trim_start_matches(' ').len();
        let content = line.trim();
        if !content.is_empty() && !content.starts_with('#') {
            let content = start + indent..start + line.trim_end().len();
            lines.push(Line {
                range: start..end,
                indent,
                content,
            });
        }
        start = end;
    }
    lines
}

impl Scan<'_> {
    fn document(&mut self) {
        while let Some(line) = self.lines.get(self.next) {
            let content = self.content(line);
            if content == "---" || content.starts_with("--- #") || content.starts_with('%') {
                self.next += 1;
            } else {
                break;
            }
        }
        if let Some(line) = self.lines.get(self.next) {
            let indent = line.indent;
            self.mapping(indent, &mut Vec::new());
        }
    }

    fn content(&self, line: &Line) -> &str {
        self.text.get(line.content.clone()).unwrap_or_default()
    }

    /// The entries at `indent`, up to a line that stands further left. Nesting is bounded by what the other parser
    /// accepted: at most as deep as a file may be.
    fn mapping(&mut self, indent: usize, path: &mut Vec<String>) {
        if path.len() >= crate::MAX_DEPTH {
            self.skip_deeper(0);
            return;
        }
        while let Some(line) = self.lines.get(self.next) {
            let content = self.content(line);
            if line.indent < indent || content == "..." || content.starts_with("---") {
                return;
            }
            let (start, at) = (line.range.start, line.content.start);
            let named = if line.indent == indent {
                name(content)
            } else {
                None
            };
            self.next += 1;
            let Some((name, length, colon)) = named else {
                self.skip_deeper(indent);
                continue;
            };
            path.push(name);
            let index = self.entries.len();
            self.entries.push(Entry {
                path: path.clone(),
                indent,
                name: at..at + length,
                value: at + colon..at + colon,
                lines: start..start,
                form: Form::Empty,
            });
            let (value, form) = self.value(indent, at + colon, path);
            path.pop();
            let end = self.last_end();
            if let Some(entry) = self.entries.get_mut(index) {
                (entry.value, entry.form, entry.lines.end) = (value, form, end);
            }
        }
    }

    /// The ends of the last line that was read, with and without its line end.
    fn last_ends(&self) -> (usize, usize) {
        if let Some((_, end, content)) = self.text_end.filter(|(next, ..)| *next == self.next) {
            return (end, content);
        }
        let last = self
            .next
            .checked_sub(1)
            .and_then(|last| self.lines.get(last));
        last.map_or((0, 0), |line| (line.range.end, line.content.end))
    }

    fn last_end(&self) -> usize {
        self.last_ends().0
    }

    fn last_content_end(&self) -> usize {
        self.last_ends().1
    }

    fn skip_deeper(&mut self, indent: usize) {
        while self
            .lines
            .get(self.next)
            .is_some_and(|line| line.indent > indent)
        {
            self.next += 1;
        }
    }

    /// The value behind the colon that ends at `colon`.
    fn value(
        &mut self,
        indent: usize,
        colon: usize,
        path: &mut Vec<String>,
    ) -> (Range<usize>, Form) {
        let line_end = self.last_content_end();
        let rest = self.text.get(colon..line_end).unwrap_or_default();
        let start = colon + (rest.len() - rest.trim_start().len());
        let inline = rest.trim_start();
        match inline.as_bytes().first() {
            None | Some(b'#') => self.below(indent, colon, path),
            Some(b'&' | b'*' | b'!') => {
                self.skip_deeper(indent);
                (start..self.last_content_end(), Form::Special)
            }
            Some(b'|' | b'>') => {
                self.skip_text(indent, inline);
                (start..self.last_content_end(), Form::BlockText)
            }
            Some(_) => {
                self.skip_deeper(indent);
                let end = self.last_content_end();
                let whole = self.text.get(start..end).unwrap_or_default();
                (start..start + inline_length(whole), Form::Inline)
            }
        }
    }

    /// A value on the lines below its name.
    fn below(
        &mut self,
        indent: usize,
        colon: usize,
        path: &mut Vec<String>,
    ) -> (Range<usize>, Form) {
        let Some(line) = self.lines.get(self.next) else {
            return (colon..colon, Form::Empty);
        };
        let content = self.content(line);
        let dash = content == "-" || content.starts_with("- ");
        if dash && line.indent >= indent {
            let items = line.indent;
            while let Some(line) = self.lines.get(self.next) {
                let item = self.content(line).starts_with('-') && line.indent == items;
                if !item && line.indent <= items {
                    break;
                }
                self.next += 1;
            }
            return (colon..self.last_content_end(), Form::Sequence);
        }
        if line.indent <= indent {
            return (colon..colon, Form::Empty);
        }
        if name(content).is_none() {
            self.skip_deeper(indent);
            return (colon..self.last_content_end(), Form::Special);
        }
        let inner = line.indent;
        self.mapping(inner, path);
        (colon..colon, Form::Mapping)
    }

    /// The lines of a block text: from its first one on, as long as they stand as far right. Lines that look like
    /// comments belong to it there. `header` starts with `|` or `>`.
    fn skip_text(&mut self, indent: usize, header: &str) {
        let mut at = self.last_end();
        let column = |line: &str| line.len() - line.trim_start_matches(' ').len();
        let counted = header.bytes().take(3).any(|byte| byte.is_ascii_digit());
        let mut margin = counted.then_some(indent + 1);
        let mut last = None;
        while at < self.text.len() {
            let end = line_end(self.text, at);
            let line = self.text.get(at..end).unwrap_or_default();
            if !line.trim().is_empty() {
                let margin = *margin.get_or_insert(column(line));
                if column(line) < margin || margin <= indent {
                    break;
                }
                last = Some((end, at + line.trim_end().len()));
            }
            at = end;
        }
        let Some((end, content_end)) = last else {
            return;
        };
        while self
            .lines
            .get(self.next)
            .is_some_and(|line| line.range.start < end)
        {
            self.next += 1;
        }
        self.text_end = Some((self.next, end, content_end));
    }
}

/// The name that a line starts with: meaning, length as written, and where its colon ends.
fn name(content: &str) -> Option<(String, usize, usize)> {
    let first = content.chars().next()?;
    let (name, length) = match first {
        '"' => {
            let end = content.get(1..)?.find('"')? + 2;
            let inner = content.get(1..end - 1)?;
            (!inner.contains('\\')).then(|| (inner.to_owned(), end))?
        }
        '\'' => {
            let length = quoted_length(content)?;
            (content.get(1..length - 1)?.replace("''", "'"), length)
        }
        '&' | '*' | '!' | '|' | '>' | '[' | '{' | ']' | '}' | '%' | '@' | '`' | '#' | ',' => {
            return None;
        }
        '-' | '?' | ':' if content.get(1..)?.starts_with([' ', '\t']) || content.len() == 1 => {
            return None;
        }
        _ => {
            let length = content
                .match_indices(':')
                .map(|(at, _)| at)
                .find(|at| matches!(content.as_bytes().get(at + 1), None | Some(b' ' | b'\t')))?;
            let name = content.get(..length)?.trim_end();
            if name.contains(" #") {
                return None;
            }
            (name.to_owned(), name.len())
        }
    };
    let rest = content.get(length..)?;
    let colon = length + (rest.len() - rest.trim_start().len());
    let behind = content.get(colon..)?.strip_prefix(':')?;
    (behind.is_empty() || behind.starts_with([' ', '\t'])).then_some((name, length, colon + 1))
}

/// Where a single-quoted text ends, `''` being a quote in it.
fn quoted_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => at += 1,
            (b'\'', _) => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
    None
}

/// How much of `whole`, from a value's first byte to the end of its last line, is the value without a comment.
fn inline_length(whole: &str) -> usize {
    let bytes = whole.as_bytes();
    let (mut quote, mut at) = (None, 0);
    let flow = whole.starts_with(['[', '{']);
    while let Some(byte) = bytes.get(at) {
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        match (byte, quote) {
            (b'\\', Some(b'"')) => at += 1,
            (_, Some(open)) if *byte == open => quote = None,
            (b'"' | b'\'', None)
                if at == 0
                    || (*byte == b'\'' && before == Some(byte))
                    || (flow && before.is_some_and(|b| b" \t,[{:\n".contains(b))) =>
            {
                quote = Some(*byte);
            }
            (b'#', None) if before.is_some_and(u8::is_ascii_whitespace) => {
                let comment_line = whole.get(at..).is_some_and(|rest| !rest.contains('\n'));
                if comment_line {
                    return whole.get(..at).unwrap_or_default().trim_end().len();
                }
            }
            _ => {}
        }
        at += 1;
    }
    whole.trim_end().len()
}
