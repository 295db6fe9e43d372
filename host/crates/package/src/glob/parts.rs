// SPDX-License-Identifier: Apache-2.0
//! Matching of a list of pattern parts against a list of text parts.

use super::GlobRule;
use super::MAX_GLOB_PARTS;
use crate::path::MAX_DEPTH;

/// One part of a pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `**`: any number of parts, also none.
    AnyParts,
    /// A part with `*` or `?` in it.
    Pattern(Vec<char>),
    /// Exactly this part.
    Literal(String),
}

impl Part {
    pub(super) fn parse(text: &str) -> Result<Self, GlobRule> {
        if text.is_empty() {
            return Err(GlobRule::EmptyPart);
        }
        if text == "**" {
            return Ok(Self::AnyParts);
        }
        if text.contains("**") {
            return Err(GlobRule::DoubleStar);
        }
        if text.contains(['[', ']', '{', '}']) {
            return Err(GlobRule::Unsupported);
        }
        if text.contains(['*', '?']) {
            return Ok(Self::Pattern(text.chars().collect()));
        }
        Ok(Self::Literal(text.to_owned()))
    }

    fn accepts(&self, part: &str) -> bool {
        match self {
            Self::AnyParts => true,
            Self::Pattern(pattern) => wildcard(pattern, part),
            Self::Literal(literal) => literal == part,
        }
    }
}

/// Whether the pattern stands for exactly these parts.
pub(super) fn matches<'a>(pattern: &[Part], parts: impl Iterator<Item = &'a str>) -> bool {
    walk(pattern, parts) & position(pattern.len()) != 0
}

/// Whether the pattern may stand for these parts with any others after them.
pub(super) fn leads_to<'a>(pattern: &[Part], parts: impl Iterator<Item = &'a str>) -> bool {
    walk(pattern, parts) != 0
}

/// The positions in the pattern that can be reached by reading all parts: bit `n` stands for "the
/// first `n` parts of the pattern are used up".
fn walk<'a>(pattern: &[Part], parts: impl Iterator<Item = &'a str>) -> u128 {
    let mut reached = skip_empty(pattern, 1);
    for part in parts {
        let mut next = 0;
        for (used, expected) in pattern.iter().enumerate() {
            let here = position(used);
            if reached & here != 0 && expected.accepts(part) {
                next |= if *expected == Part::AnyParts {
                    here
                } else {
                    here << 1
                };
            }
        }
        reached = skip_empty(pattern, next);
        if reached == 0 {
            break;
        }
    }
    reached
}

/// The bit of a position. Patterns and paths have at most 64 parts, so there is one for each.
fn position(used: usize) -> u128 {
    const { assert!(MAX_GLOB_PARTS < 128 && MAX_DEPTH < 128) };
    1 << used
}

/// Adds the positions behind each `**` that is reached, since it may stand for nothing.
fn skip_empty(pattern: &[Part], mut reached: u128) -> u128 {
    for (used, part) in pattern.iter().enumerate() {
        let here = position(used);
        if reached & here != 0 && *part == Part::AnyParts {
            reached |= here << 1;
        }
    }
    reached
}

/// `*` and `?` within one part. On a mismatch only the last `*` is extended, which is enough.
fn wildcard(pattern: &[char], text: &str) -> bool {
    let mut wanted = pattern;
    let mut rest = text.chars();
    let mut last_star: Option<(&[char], std::str::Chars<'_>)> = None;
    loop {
        if let ['*', after @ ..] = wanted {
            wanted = after;
            last_star = Some((after, rest.clone()));
            continue;
        }
        match (wanted, rest.next()) {
            ([], None) => return true,
            ([first, after @ ..], Some(c)) if *first == '?' || *first == c => wanted = after,
            _ => {
                let Some((after, from)) = &mut last_star else {
                    return false;
                };
                if from.next().is_none() {
                    return false;
                }
                wanted = after;
                rest = from.clone();
            }
        }
    }
}
