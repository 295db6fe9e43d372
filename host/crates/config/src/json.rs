// SPDX-License-Identifier: Apache-2.0
//! JSON: what a file means, by `serde_json`; where things stand, by `jsonc_parser` ([`mod@layout`]).
//!
//! Comments and trailing commas, as many tools accept them, are blanked before `serde_json` reads the text; no
//! other extension is accepted, and none is ever added to a file that does without.

mod edit;
mod layout;

use std::fmt;

use serde::Deserialize;
use serde::Deserializer;
use serde::de::MapAccess;
use serde::de::SeqAccess;
use serde::de::Visitor;

use crate::MAX_DEPTH;
use crate::Scalar;
use crate::edit::Layout;
use crate::node::Node;
use crate::text::Problem;

/// Integers from here on reach this crate rounded, so no number of this size has a value.
const TOO_BIG: f64 = 9_223_372_036_854_775_808.0;

pub(crate) fn layout(text: &str) -> Result<Box<dyn Layout + '_>, Problem> {
    Ok(Box::new(layout::JsonLayout::new(text)?))
}

pub(crate) fn read(text: &str) -> Result<Node, Problem> {
    let plain = strict(text)?;
    let parsed: JsonNode = serde_json::from_str(&plain).map_err(|error| {
        let what = if error.is_eof() {
            "the file ends too early"
        } else {
            "unexpected text"
        };
        Problem::Syntax(format!(
            "{what} at line {}, column {}",
            error.line(),
            error.column()
        ))
    })?;
    match parsed.0 {
        node @ Node::Table(_) => Ok(node),
        Node::List(_) | Node::Scalar(_) | Node::Other { .. } => Err(Problem::Unsupported(
            "its top level is not an object".to_owned(),
        )),
    }
}

/// The text with comments and trailing commas blanked, byte for byte in place; bounded in depth before any
/// parser recurses.
fn strict(text: &str) -> Result<String, Problem> {
    let mut plain = without_comments(text).into_bytes();
    let (mut at, mut depth) = (0, 0_usize);
    let mut comma = None;
    while let Some(byte) = plain.get(at).copied() {
        match byte {
            b'"' => at = string_end(&plain, at) - 1,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if let Some(blank) = comma.and_then(|comma: usize| plain.get_mut(comma)) {
                    *blank = b' ';
                }
            }
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(Problem::TooDeep);
        }
        match byte {
            // A comma may trail a value, not an opening bracket or another comma.
            b',' => {
                let before = plain
                    .iter()
                    .take(at)
                    .rfind(|byte| !byte.is_ascii_whitespace());
                comma = (!matches!(before, None | Some(b'{' | b'[' | b',' | b':'))).then_some(at);
            }
            blank if blank.is_ascii_whitespace() => {}
            _ => comma = None,
        }
        at += 1;
    }
    String::from_utf8(plain)
        .map_err(|error| Problem::at(text, error.utf8_error().valid_up_to(), "no text"))
}

/// The text with comments blanked; line ends and offsets stay.
fn without_comments(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut plain = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let (end, comment) = match (byte, bytes.get(at + 1)) {
            (b'"', _) => (string_end(bytes, at), false),
            (b'/', Some(b'/')) => {
                let rest = text.get(at..).unwrap_or_default();
                (at + rest.find(['\n', '\r']).unwrap_or(rest.len()), true)
            }
            (b'/', Some(b'*')) => match text.get(at + 2..).and_then(|rest| rest.find("*/")) {
                Some(length) => (at + 2 + length + 2, true),
                // Not closed: left for the parsers to refuse.
                None => (text.len(), false),
            },
            _ => (next_special(bytes, at + 1), false),
        };
        let part = text.get(at..end).unwrap_or_default();
        if comment {
            plain.extend(
                part.bytes()
                    .map(|byte| if byte == b'\n' { '\n' } else { ' ' }),
            );
        } else {
            plain.push_str(part);
        }
        at = end;
    }
    plain
}

fn next_special(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest
        .iter()
        .position(|byte| matches!(byte, b'"' | b'/'))
        .unwrap_or(rest.len())
}

/// Where the string that opens at `start` ends.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'\\' => at += 1,
            b'"' => return at + 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// A node that keeps duplicate members, which `serde_json`'s own value would hide.
struct JsonNode(Node);

impl<'de> Deserialize<'de> for JsonNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor).map(Self)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Boolean(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Integer(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(match i64::try_from(value) {
            Ok(value) => Node::Scalar(Scalar::Integer(value)),
            Err(_) => beyond(value.to_string()),
        })
    }

    /// Integers beyond 64 bits come here rounded: no such number has a value.
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(if value.abs() < TOO_BIG {
            Node::Scalar(Scalar::Decimal(value))
        } else {
            beyond(format!("{value:?}"))
        })
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Scalar::Text(value.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::null())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(JsonNode(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut table = Vec::new();
        while let Some((name, JsonNode(node))) = members.next_entry::<String, _>()? {
            table.push((name, node));
        }
        Ok(Node::Table(table))
    }
}

fn beyond(text: String) -> Node {
    Node::Other {
        kind: "number beyond 64 bits",
        text,
    }
}
