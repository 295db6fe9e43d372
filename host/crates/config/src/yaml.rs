// SPDX-License-Identifier: Apache-2.0
//! YAML 1.2: what a file means, by the events of `saphyr-parser`; where things stand, by a scanner of block
//! mappings ([`mod@layout`]).
//!
//! | trick | answer |
//! |---|---|
//! | nesting that exhausts a stack | depth is counted as events come in; nothing here recurses before that |
//! | aliases that expand without end | a budget of nodes and bytes for the whole file |
//! | an alias, anchor, tag or merge key on a key | read where it is plain, never edited |
//! | several documents, a list at the top, keys that are no scalars | refused |
//!
//! The scanner knows only a plain subset and leaves everything else alone; the two share no code.

mod edit;
mod layout;
mod spell;

use std::collections::HashMap;

use saphyr_parser::Event;
use saphyr_parser::Parser;
use saphyr_parser::ScalarStyle;

use crate::MAX_DEPTH;
use crate::Scalar;
use crate::edit::Layout;
use crate::node::Node;
use crate::text::Problem;

/// What all aliases of a file may expand to, in nodes and bytes of text: stops files that are small until read.
const ALIAS_BUDGET: usize = 1 << 20;

pub(crate) fn layout(text: &str) -> Box<dyn Layout + '_> {
    Box::new(layout::YamlLayout::new(text))
}

pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let mut builder = Builder {
        budget: ALIAS_BUDGET,
        ..Builder::default()
    };
    let mut documents = 0;
    for event in Parser::new_from_str(text) {
        // The parser's own message may quote the file.
        let (event, _) = event.map_err(|error| {
            let (line, column) = (error.marker().line(), error.marker().col() + 1);
            Problem::Syntax(format!("unexpected text at line {line}, column {column}"))
        })?;
        if let Event::DocumentStart(_) = event {
            documents += 1;
            if documents > 1 {
                return Err(Problem::Unsupported(
                    "it holds more than one document".to_owned(),
                ));
            }
        }
        builder.take(event)?;
    }
    match builder.root {
        None => Ok(Node::Table(Vec::new())),
        Some(node @ Node::Table(_)) => Ok(node),
        Some(node) if node.is_null() => Ok(Node::Table(Vec::new())),
        Some(_) => Err(Problem::Unsupported(
            "its top level is not a mapping".to_owned(),
        )),
    }
}

/// A collection whose end has not come yet.
enum Open {
    /// Members so far, and the key that waits for its value.
    Table(Vec<(String, Node)>, Option<String>),
    List(Vec<Node>),
}

/// Builds a node from events, on a stack of its own.
#[derive(Default)]
struct Builder {
    open: Vec<(Open, usize)>,
    /// By anchor; `None` for what is too big to be repeated.
    anchors: HashMap<usize, Option<Node>>,
    budget: usize,
    root: Option<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>) -> Result<(), Problem> {
        match event {
            Event::SequenceStart(anchor, tag) => {
                self.plain(tag.is_some())?;
                self.push(Open::List(Vec::new()), anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.plain(tag.is_some())?;
                self.push(Open::Table(Vec::new(), None), anchor)
            }
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some((Open::Table(members, _), anchor)) => self.add(Node::Table(members), anchor),
                Some((Open::List(items), anchor)) => self.add(Node::List(items), anchor),
                None => Ok(()),
            },
            Event::Scalar(text, style, anchor, tag) => {
                if let Some((Open::Table(_, key @ None), _)) = self.open.last_mut() {
                    *key = Some(text.into_owned());
                    self.remember(anchor, &Node::null());
                    return Ok(());
                }
                let text = text.into_owned();
                let node = match (tag, style) {
                    (Some(_), _) => Node::Other {
                        kind: "tagged value",
                        text,
                    },
                    (None, ScalarStyle::Plain) => resolve(text),
                    (None, _) => Node::Scalar(Scalar::Text(text)),
                };
                self.add(node, anchor)
            }
            Event::Alias(anchor) => {
                let node = self.anchors.get(&anchor).cloned().flatten();
                let node = node
                    .filter(|node| node.is_within(MAX_DEPTH))
                    .ok_or_else(expands)?;
                self.budget = self.budget.checked_sub(weight(&node)).ok_or_else(expands)?;
                self.add(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    /// A tagged collection has no meaning here that could be checked.
    fn plain(&self, tagged: bool) -> Result<(), Problem> {
        if tagged {
            return Err(Problem::Unsupported(
                "it holds a tagged collection".to_owned(),
            ));
        }
        match self.open.last() {
            Some((Open::Table(_, None), _)) => Err(complex_key()),
            _ => Ok(()),
        }
    }

    fn push(&mut self, open: Open, anchor: usize) -> Result<(), Problem> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        self.open.push((open, anchor));
        Ok(())
    }

    fn add(&mut self, node: Node, anchor: usize) -> Result<(), Problem> {
        if !node.is_within(MAX_DEPTH.saturating_sub(self.open.len())) {
            return Err(Problem::TooDeep);
        }
        self.remember(anchor, &node);
        match self.open.last_mut() {
            None => self.root = Some(node),
            Some((Open::List(items), _)) => items.push(node),
            Some((Open::Table(members, key), _)) => {
                members.push((key.take().ok_or_else(complex_key)?, node));
            }
        }
        Ok(())
    }

    fn remember(&mut self, anchor: usize, node: &Node) {
        if anchor == 0 {
            return;
        }
        let weight = weight(node);
        let kept = weight <= self.budget;
        if kept {
            self.budget -= weight;
        }
        self.anchors.insert(anchor, kept.then(|| node.clone()));
    }
}

fn complex_key() -> Problem {
    Problem::Unsupported("it has a key that is not a scalar".to_owned())
}

fn expands() -> Problem {
    Problem::Unsupported("its aliases expand to more than 1 MiB, or to themselves".to_owned())
}

/// Nodes and bytes of text.
fn weight(node: &Node) -> usize {
    1 + match node {
        Node::Table(members) => members
            .iter()
            .map(|(name, node)| name.len() + weight(node))
            .sum::<usize>(),
        Node::List(items) => items.iter().map(weight).sum(),
        Node::Scalar(Scalar::Text(text)) | Node::Other { text, .. } => text.len(),
        Node::Scalar(_) => 0,
    }
}

/// A plain scalar by the core schema of YAML 1.2.
fn resolve(text: String) -> Node {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(&text);
    let digits = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let radix = |prefix: &str, radix| {
        text.strip_prefix(prefix)
            .and_then(|digits| i64::from_str_radix(digits, radix).ok())
    };
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => return Node::null(),
        "true" | "True" | "TRUE" => return Node::Scalar(Scalar::Boolean(true)),
        "false" | "False" | "FALSE" => return Node::Scalar(Scalar::Boolean(false)),
        ".nan" | ".NaN" | ".NAN" => return Node::Scalar(Scalar::Decimal(f64::NAN)),
        _ => {}
    }
    if let ".inf" | ".Inf" | ".INF" = unsigned {
        let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
        return Node::Scalar(Scalar::Decimal(sign * f64::INFINITY));
    }
    if digits(unsigned) {
        return match text.parse() {
            Ok(number) => Node::Scalar(Scalar::Integer(number)),
            Err(_) => Node::Other {
                kind: "integer beyond 64 bits",
                text,
            },
        };
    }
    if let Some(number) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Node::Scalar(Scalar::Integer(number));
    }
    let numeric = unsigned
        .bytes()
        .all(|b| b.is_ascii_digit() || b".eE+-".contains(&b))
        && unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    match text.parse() {
        Ok(number) if numeric => Node::Scalar(Scalar::Decimal(number)),
        _ => Node::Scalar(Scalar::Text(text)),
    }
}
