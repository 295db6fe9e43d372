// SPDX-License-Identifier: Apache-2.0
//! Where objects, members, commas and comments stand in a JSON file.
//!
//! `jsonc_parser` gives the ranges of names and values; commas and comments are found between them, in a copy of
//! the text whose comments are blank. Nothing here changes anything.

use std::ops::Range;

use jsonc_parser::CollectOptions;
use jsonc_parser::ParseOptions;
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::parse_to_ast;

use crate::text::Problem;
use crate::text::indentation;
use crate::text::line_end;
use crate::text::line_ending;
use crate::text::line_start;

/// One member of an object.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) path: Vec<String>,
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// One object that is reached through objects only, braces included in `range`.
#[derive(Debug, Clone)]
pub(super) struct Object {
    pub(super) path: Vec<String>,
    pub(super) range: Range<usize>,
    pub(super) members: Vec<Member>,
}

/// A JSON file by its objects.
pub(super) struct JsonLayout<'a> {
    pub(super) text: &'a str,
    /// The same bytes with comments blanked.
    pub(super) plain: String,
    pub(super) ending: &'static str,
    /// One level of indentation.
    pub(super) unit: String,
    pub(super) objects: Vec<Object>,
}

const ACCEPTED: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_loose_object_property_names: false,
    allow_trailing_commas: true,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

impl<'a> JsonLayout<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, Problem> {
        // Bounds the depth before the other parser recurses.
        super::strict(text)?;
        let parsed = parse_to_ast(text, &CollectOptions::default(), &ACCEPTED)
            .map_err(|error| Problem::at(text, error.range().start, "unexpected text"))?;
        let Some(ast::Value::Object(root)) = parsed.value else {
            return Err(Problem::Unsupported(
                "its top level is not an object".to_owned(),
            ));
        };
        let mut objects = Vec::new();
        collect(&root, &mut Vec::new(), &mut objects);
        let unit = objects
            .first()
            .and_then(|root: &Object| root.members.first())
            .filter(|member| starts_line(text, member.name.start))
            .map(|member| {
                indentation(
                    text.get(line_start(text, member.name.start)..)
                        .unwrap_or_default(),
                )
            })
            .filter(|indent| !indent.is_empty())
            .unwrap_or("  ");
        Ok(Self {
            text,
            plain: super::without_comments(text),
            ending: line_ending(text),
            unit: unit.to_owned(),
            objects,
        })
    }

    pub(super) fn bytes(&self, range: Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// The object and the index of the member at `path`.
    pub(super) fn member(&self, path: &[String]) -> Result<(&Object, usize), String> {
        self.objects
            .iter()
            .find_map(|object| {
                Some((
                    object,
                    object
                        .members
                        .iter()
                        .position(|member| member.path == path)?,
                ))
            })
            .ok_or_else(|| "its place in the file was not found".to_owned())
    }

    pub(super) fn object(&self, path: &[String]) -> Option<&Object> {
        self.objects.iter().find(|object| object.path == path)
    }

    /// The comma behind a value, comments skipped.
    pub(super) fn comma_after(&self, end: usize) -> Option<usize> {
        let rest = self.plain.get(end..)?;
        let blank = rest.len() - rest.trim_start().len();
        rest.trim_start().starts_with(',').then_some(end + blank)
    }

    /// Whether nothing but blanks stands before `offset` on its line.
    pub(super) fn starts_line(&self, offset: usize) -> bool {
        starts_line(self.text, offset)
    }

    /// The indentation of the line of `offset`.
    pub(super) fn indent_at(&self, offset: usize) -> &'a str {
        indentation(self.bytes(line_start(self.text, offset)..self.text.len()))
    }

    /// Whether nothing but a comma, blanks and comments stands on the line behind `offset`.
    pub(super) fn ends_line(&self, offset: usize) -> bool {
        let rest = self
            .plain
            .get(offset..line_end(self.text, offset))
            .unwrap_or_default();
        let rest = rest.trim_start();
        rest.strip_prefix(',').unwrap_or(rest).trim().is_empty()
    }

    /// The start of the comment lines directly above the line of `offset`.
    pub(super) fn comments_above(&self, offset: usize) -> usize {
        let mut start = line_start(self.text, offset);
        while start > 0 {
            let above = line_start(self.text, start - 1);
            let line = self.bytes(above..start).trim();
            let block =
                line.starts_with("/*") && line.ends_with("*/") && line.matches("*/").count() == 1;
            let blanked = self
                .plain
                .get(above..start)
                .is_some_and(|line| line.trim().is_empty());
            if !(blanked && (line.starts_with("//") || block)) {
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

fn starts_line(text: &str, offset: usize) -> bool {
    text.get(line_start(text, offset)..offset)
        .is_some_and(|before| before.trim().is_empty())
}

fn collect(object: &ast::Object<'_>, path: &mut Vec<String>, found: &mut Vec<Object>) {
    let index = found.len();
    found.push(Object {
        path: path.clone(),
        range: object.start()..object.end(),
        members: Vec::new(),
    });
    let mut members = Vec::new();
    for property in &object.properties {
        path.push(property.name.as_str().to_owned());
        members.push(Member {
            path: path.clone(),
            name: property.name.start()..property.name.end(),
            value: property.value.start()..property.value.end(),
        });
        if let ast::Value::Object(inner) = &property.value {
            collect(inner, path, found);
        }
        path.pop();
    }
    if let Some(object) = found.get_mut(index) {
        object.members = members;
    }
}
