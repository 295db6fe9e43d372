// SPDX-License-Identifier: Apache-2.0
//! `.env`: what a file means, by this small reader; where things stand, by [`mod@layout`].
//!
//! `NAME=value`, blanks around `=` allowed, `export` before it kept. Single quotes hold text as it is, double
//! quotes know `\n \r \t \" \\ \$` and the backtick; both may span lines. Nothing is expanded: `$HOME` is text. Lines that
//! assign nothing are left alone like comments. The two parsers share no code on purpose: each checks the other.

mod layout;

use std::iter::Peekable;
use std::str::CharIndices;

use crate::Scalar;
use crate::edit::Layout;
use crate::node::Node;
use crate::text::Problem;

pub(crate) fn layout(text: &str) -> Box<dyn Layout + '_> {
    Box::new(layout::EnvLayout::new(text))
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "all formats are read by one signature"
)]
pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let mut members = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let line = rest.split('\n').next().unwrap_or_default();
        let line_end = at + line.len();
        at = line_end + 1;
        let Some((left, right)) = line.split_once('=') else {
            continue;
        };
        let left = left.trim();
        let exported = left
            .strip_prefix("export")
            .filter(|name| name.starts_with([' ', '\t']));
        let name = exported.unwrap_or(left).trim();
        if !is_name(name) {
            continue;
        }
        let value = right.trim_start_matches([' ', '\t']);
        let quote = value
            .chars()
            .next()
            .filter(|first| matches!(first, '"' | '\''));
        let node = match quote {
            None => text_node(unquoted(value).to_owned()),
            Some(quote) => {
                let inner = text.get(line_end - value.len() + 1..).unwrap_or_default();
                match quoted(inner, quote) {
                    Some((value, below)) => {
                        at = text.len() - below.len();
                        text_node(value)
                    }
                    None => Node::Other {
                        kind: "text that is quoted in part",
                        text: value.trim_end().to_owned(),
                    },
                }
            }
        };
        members.push((name.to_owned(), node));
    }
    Ok(Node::Table(members))
}

fn text_node(text: String) -> Node {
    Node::Scalar(Scalar::Text(text))
}

fn is_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|next| next.is_ascii_alphanumeric() || matches!(next, '_' | '.' | '-'))
}

fn unquoted(value: &str) -> &str {
    if value.starts_with('#') {
        return "";
    }
    let comment = [" #", "\t#"]
        .iter()
        .filter_map(|sign| value.find(sign))
        .min();
    comment
        .and_then(|end| value.get(..end))
        .unwrap_or(value)
        .trim()
}

/// The text up to the closing quote, and what follows on the lines below; `None` when the quote is not closed or
/// more than a comment follows on its line.
fn quoted(whole: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = whole.char_indices().peekable();
    let close = loop {
        match characters.next()? {
            (at, end) if end == quote => break at + 1,
            (_, '\\') if quote == '"' => value.push_str(&escaped(&mut characters)),
            (_, other) => value.push(other),
        }
    };
    let after = whole.get(close..)?;
    let (line, below) = after.split_once('\n').unwrap_or((after, ""));
    let blank = line.trim();
    (blank.is_empty() || (blank.starts_with('#') && line.starts_with([' ', '\t'])))
        .then_some((value, below))
}

fn escaped(characters: &mut Peekable<CharIndices<'_>>) -> String {
    let meaning = match characters.peek().map(|(_, next)| next) {
        Some('n') => "\n",
        Some('r') => "\r",
        Some('t') => "\t",
        Some('"') => "\"",
        Some('\\') => "\\",
        Some('$') => "$",
        Some('`') => "`",
        _ => return "\\".to_owned(),
    };
    characters.next();
    meaning.to_owned()
}
