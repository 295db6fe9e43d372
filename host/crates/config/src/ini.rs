// SPDX-License-Identifier: Apache-2.0
//! INI: what a file means, by this small reader; where things stand, by [`mod@layout`].
//!
//! Dialects differ, so only what all agree on is edited: `name = value` or `name: value` on one line, comments
//! that start a line or follow blanks with `;` or `#`, one pair of quotes around a value. An indented line without
//! `=` continues the value above; such a value, and a name without one, can be moved but not read or set.
//! The two parsers share no code on purpose: each checks the other.

mod layout;

use std::collections::HashMap;

use crate::Scalar;
use crate::edit::Layout;
use crate::node::Node;
use crate::text::Problem;

pub(crate) fn layout(text: &str) -> Result<Box<dyn Layout + '_>, Problem> {
    Ok(Box::new(layout::IniLayout::new(text)?))
}

pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let mut root: Vec<(String, Node)> = Vec::new();
    let mut sections: Vec<(String, Vec<(String, Node)>)> = Vec::new();
    let mut known: HashMap<String, usize> = HashMap::new();
    let mut current = None;
    let mut open = false;
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: &str| Problem::Syntax(format!("{what} at line {}", number + 1));
        let content = line.trim();
        let first = content.chars().next();
        if let None | Some('#' | ';') = first {
            open = false;
            continue;
        }
        if first == Some('[') {
            let (name, rest) = content[1..]
                .split_once(']')
                .ok_or_else(|| wrong("a `[` is not closed"))?;
            if !is_comment(rest.trim()) {
                return Err(wrong("text behind a section"));
            }
            let name = name.trim().to_owned();
            let index = *known.entry(name.clone()).or_insert_with(|| {
                sections.push((name, Vec::new()));
                sections.len() - 1
            });
            current = Some(index);
            open = false;
            continue;
        }
        let members = match current.and_then(|index| sections.get_mut(index)) {
            Some((_, members)) => members,
            None => &mut root,
        };
        let pair = content.split_once(['=', ':']);
        match (pair, members.last_mut()) {
            (Some((name, value)), _) => {
                let name = name.trim();
                if name.is_empty() {
                    return Err(wrong("a value without a name"));
                }
                members.push((
                    name.to_owned(),
                    Node::Scalar(Scalar::Text(meaning(value.trim()))),
                ));
            }
            (None, Some((_, last))) if open && line.starts_with([' ', '\t']) => {
                let mut text = match last {
                    Node::Other { text, .. } | Node::Scalar(Scalar::Text(text)) => text.clone(),
                    _ => String::new(),
                };
                text.push('\n');
                text.push_str(content);
                *last = Node::Other {
                    kind: "value over several lines",
                    text,
                };
            }
            (None, _) => {
                let kind = "name without a value";
                let name = content.split([';', '#']).next().unwrap_or_default().trim();
                members.push((
                    name.to_owned(),
                    Node::Other {
                        kind,
                        text: String::new(),
                    },
                ));
            }
        }
        open = true;
    }
    let tables = sections
        .into_iter()
        .map(|(name, members)| (name, Node::Table(members)));
    Ok(Node::Table(root.into_iter().chain(tables).collect()))
}

fn is_comment(text: &str) -> bool {
    text.is_empty() || text.starts_with(['#', ';'])
}

/// A value without its quotes and the comment behind it.
fn meaning(value: &str) -> String {
    for quote in ['"', '\''] {
        if let Some((inner, rest)) = value
            .strip_prefix(quote)
            .and_then(|value| value.split_once(quote))
            && is_comment(rest.trim())
        {
            return inner.to_owned();
        }
    }
    let mut blank = false;
    let comment = value.char_indices().find(|(at, character)| {
        let starts = *at > 0 && blank && matches!(character, '#' | ';');
        blank = character.is_whitespace();
        starts
    });
    let end = comment.map_or(value.len(), |(at, _)| at);
    value.get(..end).unwrap_or(value).trim().to_owned()
}
