// SPDX-License-Identifier: Apache-2.0
//! TOML: what a file means, by the `toml` crate; where things stand, by `toml_edit` ([`mod@layout`]).
//!
//! Dates, integers beyond 64 bits and lists of tables are kept, moved and removed, but have no value. Arrays of
//! tables are read by number and never edited.

mod edit;
mod layout;

use std::ops::Range;

use ::toml::de::DeTable;
use ::toml::de::DeValue;

use crate::MAX_DEPTH;
use crate::Scalar;
use crate::edit::Layout;
use crate::node::Node;
use crate::text::Problem;
use crate::text::line_end;

pub(crate) fn layout(text: &str) -> Result<Box<dyn Layout + '_>, Problem> {
    Ok(Box::new(edit::TomlLayout::new(text)?))
}

pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    bound_dots(text)?;
    let table =
        DeTable::parse(text).map_err(|error| problem(text, error.span(), error.message()))?;
    Ok(table_node(table.get_ref()))
}

/// The parsers' message and the place, without the line that they would quote.
fn problem(text: &str, span: Option<Range<usize>>, message: &str) -> Problem {
    let message = message.lines().next().unwrap_or("invalid").trim();
    Problem::at(text, span.map_or(0, |span| span.start), message)
}

/// A dotted key nests a table per dot, and the parsers' own limit does not count those: so this counts the dots
/// of each row of key characters outside of strings and comments, before a parser sees the text.
fn bound_dots(text: &str) -> Result<(), Problem> {
    let bytes = text.as_bytes();
    let (mut at, mut dots) = (0, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'#' => at = line_end(text, at) - 1,
            b'"' | b'\'' => at = string_end(bytes, at, *byte) - 1,
            b'.' => dots += 1,
            b'=' | b',' | b'{' | b'[' | b'\n' => dots = 0,
            _ => {}
        }
        if dots > MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        at += 1;
    }
    Ok(())
}

/// Where the string that opens at `start` ends; a string of one line ends with its line at the latest.
fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let closes = |at: usize| bytes.get(at..at + 3) == Some(&[quote; 3]);
    let long = closes(start);
    let mut at = start + if long { 3 } else { 1 };
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' if quote == b'"' => at += 1,
            b'\n' if !long => return at,
            _ if *byte == quote && !long => return at + 1,
            _ if *byte == quote && closes(at) => {
                let extra = bytes
                    .iter()
                    .skip(at + 3)
                    .take(2)
                    .take_while(|b| **b == quote)
                    .count();
                return at + 3 + extra;
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn table_node(table: &DeTable<'_>) -> Node {
    let mut members: Vec<_> = table.iter().collect();
    members.sort_by_key(|(name, _)| name.span().start);
    Node::Table(
        members
            .into_iter()
            .map(|(name, value)| (name.get_ref().to_string(), node(value.get_ref())))
            .collect(),
    )
}

fn node(value: &DeValue<'_>) -> Node {
    match value {
        DeValue::String(text) => Node::Scalar(Scalar::Text(text.to_string())),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Node::Scalar(Scalar::Integer(number)),
            Err(_) => Node::Other {
                kind: "integer beyond 64 bits",
                text: number.to_string(),
            },
        },
        DeValue::Float(number) => match number.as_str().parse() {
            Ok(number) => Node::Scalar(Scalar::Decimal(number)),
            Err(_) => Node::Other {
                kind: "decimal",
                text: number.to_string(),
            },
        },
        DeValue::Boolean(value) => Node::Scalar(Scalar::Boolean(*value)),
        DeValue::Datetime(date) => Node::Other {
            kind: "date or time",
            text: date.to_string(),
        },
        DeValue::Array(items) => {
            Node::List(items.iter().map(|item| node(item.get_ref())).collect())
        }
        DeValue::Table(table) => table_node(table),
    }
}
