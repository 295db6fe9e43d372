// SPDX-License-Identifier: Apache-2.0
//! JSON and TOML that is nearly what it was: a value replaced, a member gone or there twice. What changes
//! bytes at random rarely gets behind the syntax.

use std::ops::Range;

use arbitrary::Unstructured;

use crate::check::below;
use crate::check::one_of;
use crate::check::rarely;

/// Values that are odd somewhere.
const ODD_JSON: [&str; 28] = [
    "null",
    "true",
    "false",
    "0",
    "1",
    "-1",
    "1.5",
    "1e2",
    "18446744073709551615",
    "18446744073709551616",
    "\"\"",
    "\"a\"",
    "\"*\"",
    "\"**\"",
    "\"a/b\"",
    "\"../a\"",
    "\"/a\"",
    "\"A\"",
    "\"1.0.0\"",
    "\">=1\"",
    "\"0644\"",
    "\"7777\"",
    "\"\\u0000\"",
    "\"\\u202e\"",
    "\"é\"",
    "[]",
    "{}",
    "[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]",
];

const ODD_TOML: [&str; 24] = [
    "true",
    "0",
    "-1",
    "1.5",
    "nan",
    "9223372036854775807",
    "9223372036854775808",
    "\"\"",
    "\"a\"",
    "\"*\"",
    "\"**\"",
    "\"a/b\"",
    "\"../a\"",
    "\"/a\"",
    "\"1.0.0\"",
    "\"10s\"",
    "\"64MiB\"",
    "\"0755\"",
    "\"\\u0000\"",
    "\"é\"",
    "[]",
    "[\"a\", \"a\"]",
    "{}",
    "1979-05-27",
];

/// One of these documents, changed a few times.
pub(crate) fn json(u: &mut Unstructured<'_>, seeds: &[&str]) -> Vec<u8> {
    let mut text = one_of(u, seeds).to_owned();
    for _ in 0..below(u, 5) {
        let all = Items::of(&text);
        let Some(item) = all.values.get(below(u, all.values.len().max(1))).cloned() else {
            continue;
        };
        let other = all.values[below(u, all.values.len())].clone();
        match below(u, 6) {
            0 | 1 => text.replace_range(item, one_of(u, &ODD_JSON)),
            2 => {
                let other = text[other].to_owned();
                text.replace_range(item, &other);
            }
            _ => {
                let Some(member) = all.members.get(below(u, all.members.len().max(1))).cloned()
                else {
                    continue;
                };
                let copy = format!("{},", &text[member.clone()]);
                if rarely(u, 2) {
                    text.insert_str(member.start, &copy);
                } else {
                    let rest = text[member.end..].trim_start();
                    let comma = usize::from(rest.starts_with(','));
                    let gone = member.start..text.len() - rest.len() + comma;
                    text.replace_range(gone, "");
                }
            }
        }
    }
    text.into_bytes()
}

/// One of these documents, changed a few times.
pub(crate) fn toml(u: &mut Unstructured<'_>, seeds: &[&str]) -> Vec<u8> {
    let text = one_of(u, seeds);
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..below(u, 5) {
        let (at, other) = (below(u, lines.len().max(1)), below(u, lines.len().max(1)));
        let Some(line) = lines.get(at).cloned() else {
            continue;
        };
        let name = line
            .split_once(" = ")
            .map_or(line.as_str(), |(name, _)| name);
        match below(u, 6) {
            0 | 1 => lines[at] = format!("{name} = {}", one_of(u, &ODD_TOML)),
            2 => {
                let value = lines[other]
                    .split_once(" = ")
                    .map_or("", |(_, value)| value);
                lines[at] = format!("{name} = {value}");
            }
            3 => drop(lines.remove(at)),
            4 => lines.insert(other, line),
            _ => lines.swap(at, other),
        }
    }
    let end = if rarely(u, 6) { "\r\n" } else { "\n" };
    (lines.join(end) + end).into_bytes()
}

/// Where the parts of a JSON document stand.
#[derive(Default)]
struct Items {
    values: Vec<Range<usize>>,
    /// Members of objects with their names, and elements of lists.
    members: Vec<Range<usize>>,
}

impl Items {
    fn of(text: &str) -> Self {
        let mut items = Self::default();
        // A document that is none any more has the items up to where it ends to be one.
        items.value(text.as_bytes(), 0);
        items
    }

    /// Reads a value; answers where it ends.
    fn value(&mut self, text: &[u8], start: usize) -> Option<usize> {
        let end = match text.get(start)? {
            b'"' => string(text, start)?,
            open @ (b'{' | b'[') => {
                let mut at = start + 1;
                while !matches!(text.get(at)?, b'}' | b']') {
                    let member = at;
                    if *open == b'{' {
                        at = string(text, at)? + 1;
                    }
                    at = self.value(text, at)?;
                    self.members.push(member..at);
                    at += usize::from(text.get(at) == Some(&b','));
                }
                at + 1
            }
            _ => {
                let rest = text.get(start..)?;
                let length = rest
                    .iter()
                    .position(|byte| matches!(byte, b',' | b'}' | b']' | b'\n'));
                start + length.filter(|length| *length > 0)?
            }
        };
        self.values.push(start..end);
        Some(end)
    }
}

/// Where a string ends.
fn string(text: &[u8], start: usize) -> Option<usize> {
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_members_are_found() {
        let text = r#"{"a":[1,"x\"]"],"b":{}}"#;
        let items = Items::of(text);
        let shown = |ranges: &[Range<usize>]| {
            ranges
                .iter()
                .map(|range| text[range.clone()].to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown(&items.values),
            ["1", "\"x\\\"]\"", "[1,\"x\\\"]\"]", "{}", text]
        );
        assert_eq!(
            shown(&items.members),
            ["1", "\"x\\\"]\"", "\"a\":[1,\"x\\\"]\"]", "\"b\":{}"]
        );
    }
}
