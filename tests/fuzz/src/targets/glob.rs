// SPDX-License-Identifier: Apache-2.0
//! Patterns over paths and over keys, against a matcher that is too short to be wrong.
//!
//! The input is a pattern, and a line for each path. Patterns that would take for ever if matching
//! explored alternatives are in the corpus: they end like all others.

use arbitrary::Unstructured;
use cofferdam_package::CODES;
use cofferdam_package::glob::Glob;
use cofferdam_package::glob::KeyGlob;

use crate::check::below;
use crate::check::input;
use crate::check::known;
use crate::check::one_of;
use crate::naive;

/// More than this only makes the naive matcher slow.
const MOST_LINES: usize = 16;

/// Takes a pattern and paths.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let Ok(text) = str::from_utf8(&data) else {
        return;
    };
    let mut lines = text.split('\n');
    let pattern = lines.next().unwrap_or_default();
    let lines: Vec<&str> = lines.take(MOST_LINES).collect();
    match Glob::parse(pattern) {
        Err(error) => known(error.code(), CODES),
        Ok(glob) => {
            assert_eq!(Glob::parse(glob.as_str()).as_ref(), Ok(&glob));
            for path in &lines {
                assert_path(&glob, path);
            }
        }
    }
    match KeyGlob::parse(pattern) {
        Err(error) => known(error.code(), CODES),
        Ok(glob) => {
            assert_eq!(KeyGlob::parse(glob.as_str()).as_ref(), Ok(&glob));
            for key in &lines {
                assert_key(&glob, key);
            }
        }
    }
}

fn assert_path(glob: &Glob, path: &str) {
    let pattern = glob.as_str();
    assert_eq!(
        glob.matches(path),
        naive::glob_matches(pattern, path),
        "`{pattern}` and `{path}`"
    );
    assert_eq!(
        glob.leads_to(path),
        naive::glob_leads_to(pattern, path),
        "`{pattern}` to `{path}`"
    );
    if glob.matches(path) {
        for (end, _) in path.match_indices('/') {
            assert!(glob.leads_to(&path[..end]), "`{pattern}` above `{path}`");
        }
    }
}

fn assert_key(glob: &KeyGlob, key: &str) {
    let pattern = split_key(glob.as_str()).expect("an accepted pattern is a key");
    let expected = split_key(key).is_some_and(|found| {
        let texts: Vec<String> = found.1.into_iter().map(|(text, _)| text).collect();
        pattern
            .0
            .as_ref()
            .is_none_or(|file| Some(file) == found.0.as_ref())
            && naive::parts_match(&pattern.1, &texts)
    });
    assert_eq!(glob.matches(key), expected, "`{glob}` and `{key}`");
}

/// The file that a key names, and its parts with whether each is quoted.
type Key = (Option<String>, Vec<(String, bool)>);

/// By the definition in `glob/key.rs`, with regard to nothing but quotes: which file names and which
/// characters are allowed is no question of matching.
fn split_key(text: &str) -> Option<Key> {
    let first = text.find([':', '"']);
    let (file, mut rest) = match first {
        Some(at) if text[at..].starts_with(':') => (Some(text[..at].to_owned()), &text[at + 1..]),
        _ => (None, text),
    };
    let mut parts = Vec::new();
    loop {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut part = String::new();
            let mut chars = quoted.chars();
            loop {
                match chars.next()? {
                    '"' => break,
                    '\\' => part.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
                    c => part.push(c),
                }
            }
            parts.push((part, true));
            rest = chars.as_str();
        } else {
            let end = rest.find('.').unwrap_or(rest.len());
            let part = &rest[..end];
            if part.is_empty() || part.contains(['"', '\\']) {
                return None;
            }
            parts.push((part.to_owned(), false));
            rest = &rest[end..];
        }
        if rest.is_empty() {
            return Some((file, parts));
        }
        rest = rest.strip_prefix('.')?;
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let pattern = [
        "**", "*", "?", "a", "b", "a*", "*b", "a?b*", "*a*b", "é", "ab", "a.b", "\"*\"", "f:a",
    ];
    let path = [
        "a", "b", "ab", "aab", "abb", "é", "aéb", ".", "", "a.b", "\"*\"", "f:a", "**", "\"a.b\"",
    ];
    let mut text = String::new();
    let joint = one_of(u, &["/", "/", "."]);
    for line in 0..5 {
        if line > 0 {
            text.push('\n');
        }
        let parts = if line == 0 { &pattern } else { &path };
        for part in 0..=below(u, 6) {
            if part > 0 {
                text.push_str(joint);
            }
            text.push_str(one_of(u, parts));
        }
    }
    text.into_bytes()
}
