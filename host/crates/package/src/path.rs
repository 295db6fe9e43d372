// SPDX-License-Identifier: Apache-2.0
//! Paths inside an install, as a manifest names them.
//!
//! | trick | defence |
//! |---|---|
//! | absolute path, drive letter, `..`, `.`, empty part | refused, never rewritten |
//! | backslash that is a separator elsewhere | refused |
//! | NUL, line end, terminal escape, text direction marks | control and direction characters refused |
//! | `CON`, `nul.txt`, `name.`, `name `, `a:b`, `a*b` | names that Windows reserves refused everywhere |
//! | very long or very deep paths | caps below |
//! | two names that one file system folds into one | [`PayloadPath::fold_key`], compared by the manifest |
//! | symlink that leads out of the tree | [`check_symlink_target`] |
//!
//! A path is never repaired here: what is not in normal form does not exist.

use std::fmt;

use caseless::Caseless as _;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::de::Error as _;
use unicode_normalization::UnicodeNormalization as _;

/// Bytes of a whole path. Stops paths that system calls refuse half-way through an update
/// (`PATH_MAX` is 4,096 including the install's own place).
pub const MAX_PATH_BYTES: usize = 1_024;

/// Bytes of one part of a path: what ext4, xfs, btrfs and NTFS hold.
pub const MAX_PART_BYTES: usize = 255;

/// Number of parts. Stops walks that hold thousands of open directories.
pub const MAX_DEPTH: usize = 64;

/// A relative, `/`-separated path in normal form that is safe on every file system that we know.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PayloadPath(String);

/// A path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("path `{path}` {rule}")]
pub struct PathError {
    /// The path, with control characters escaped and shortened.
    pub path: String,
    /// The rule that it breaks.
    pub rule: PathRule,
}

/// The rules that a path can break.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each rule's text is its description")]
pub enum PathRule {
    #[error("is empty")]
    Empty,
    #[error("is absolute; expected a path relative to the install")]
    Absolute,
    #[error("has an empty part (`//`, or `/` at the end)")]
    EmptyPart,
    #[error("has a `.` or `..` part")]
    DotPart,
    #[error("has a backslash; parts are separated by `/`")]
    Backslash,
    #[error("has a control or text-direction character")]
    Control,
    #[error("has one of the characters `< > : \" | ? *`, which Windows reserves")]
    ReservedCharacter,
    #[error("has a part that Windows reserves for a device")]
    ReservedName,
    #[error("has a part that ends in a dot or a space, which Windows drops")]
    TrailingDotOrSpace,
    #[error("is longer than {MAX_PATH_BYTES} bytes, or a part than {MAX_PART_BYTES}")]
    TooLong,
    #[error("has more than {MAX_DEPTH} parts")]
    TooDeep,
    #[error("leads out of the tree when it is followed from its link")]
    LeadsOut,
}

impl PathError {
    fn new(path: &str, rule: PathRule) -> Self {
        Self {
            path: shown(path),
            rule,
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self.rule {
            PathRule::Empty => "path-empty",
            PathRule::Absolute => "path-absolute",
            PathRule::EmptyPart => "path-empty-part",
            PathRule::DotPart => "path-dot-part",
            PathRule::Backslash => "path-backslash",
            PathRule::Control => "path-control",
            PathRule::ReservedCharacter => "path-reserved-character",
            PathRule::ReservedName => "path-reserved-name",
            PathRule::TrailingDotOrSpace => "path-trailing-dot",
            PathRule::TooLong => "path-too-long",
            PathRule::TooDeep => "path-too-deep",
            PathRule::LeadsOut => "symlink-leads-out",
        }
    }
}

/// A text from outside as it may appear in a message: escaped, and shortened to 120 characters.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == 120 {
            out.push('…');
            break;
        }
        if is_control(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

impl PayloadPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// Refuses what breaks one of [`PathRule`].
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let refuse = |rule| Err(PathError::new(text, rule));
        if text.is_empty() {
            return refuse(PathRule::Empty);
        }
        if text.starts_with('/') {
            return refuse(PathRule::Absolute);
        }
        if text.len() > MAX_PATH_BYTES {
            return refuse(PathRule::TooLong);
        }
        if text.split('/').count() > MAX_DEPTH {
            return refuse(PathRule::TooDeep);
        }
        for part in text.split('/') {
            if let Err(rule) = check_part(part) {
                return refuse(rule);
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory that the path lies in; `None` at the top of the tree.
    pub fn parent(&self) -> Option<&str> {
        self.0.rsplit_once('/').map(|(parent, _)| parent)
    }

    /// The last part.
    pub fn file_name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The parts, outermost first.
    pub fn components(&self) -> impl Iterator<Item = &str> {
        self.0.split('/')
    }

    /// Every directory above the path, outermost first.
    pub fn ancestors(&self) -> impl Iterator<Item = &str> {
        self.0
            .match_indices('/')
            .map(|(end, _)| self.0.get(..end).unwrap_or_default())
    }

    /// A key that is equal for paths which a case-folding or normalising file system takes for one.
    pub fn fold_key(&self) -> String {
        fold_key(&self.0)
    }
}

/// The folded form of any path text; see [`PayloadPath::fold_key`].
pub fn fold_key(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    text.chars().nfd().default_case_fold().nfc().collect()
}

/// Checks that a symlink at `link` with this target stays inside the tree.
///
/// The target is relative; `..` may stand only at its start. The directory that a link lies in is a
/// real one (a manifest refuses entries below a symlink), so leading `..` mean what they say, while a
/// later `..` could turn back from wherever another link leads.
///
/// # Errors
///
/// Refuses targets that are malformed, absolute, or climb above the root.
pub fn check_symlink_target(link: &PayloadPath, target: &str) -> Result<(), PathError> {
    let refuse = |rule| Err(PathError::new(target, rule));
    if target.is_empty() {
        return refuse(PathRule::Empty);
    }
    if target.starts_with('/') {
        return refuse(PathRule::Absolute);
    }
    if target.len() > MAX_PATH_BYTES {
        return refuse(PathRule::TooLong);
    }
    let mut above = link.ancestors().count();
    let mut descended = false;
    for part in target.split('/') {
        match part {
            ".." if descended || above == 0 => return refuse(PathRule::LeadsOut),
            ".." => above = above.saturating_sub(1),
            "." => {}
            _ => {
                if let Err(rule) = check_part(part) {
                    return refuse(rule);
                }
                descended = true;
            }
        }
    }
    if target.split('/').count() > MAX_DEPTH {
        return refuse(PathRule::TooDeep);
    }
    Ok(())
}

fn check_part(part: &str) -> Result<(), PathRule> {
    if part.is_empty() {
        return Err(PathRule::EmptyPart);
    }
    if part == "." || part == ".." {
        return Err(PathRule::DotPart);
    }
    if part.len() > MAX_PART_BYTES {
        return Err(PathRule::TooLong);
    }
    for c in part.chars() {
        if is_control(c) {
            return Err(PathRule::Control);
        }
        match c {
            '\\' => return Err(PathRule::Backslash),
            '<' | '>' | ':' | '"' | '|' | '?' | '*' => return Err(PathRule::ReservedCharacter),
            _ => {}
        }
    }
    if part.ends_with(['.', ' ']) {
        return Err(PathRule::TrailingDotOrSpace);
    }
    if is_device(part) {
        return Err(PathRule::ReservedName);
    }
    Ok(())
}

/// Characters that change what a person sees instead of being seen.
pub(crate) fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{180e}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Windows opens a device for these names, whatever the extension.
fn is_device(part: &str) -> bool {
    let stem = part
        .split('.')
        .next()
        .unwrap_or(part)
        .trim_end()
        .to_ascii_uppercase();
    let numbered = |prefix: &str| {
        stem.strip_prefix(prefix).is_some_and(|rest| {
            let mut chars = rest.chars();
            matches!(
                (chars.next(), chars.next()),
                (Some('0'..='9' | '¹' | '²' | '³'), None)
            )
        })
    };
    matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) || numbered("COM")
        || numbered("LPT")
}

impl fmt::Display for PayloadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for PayloadPath {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl std::borrow::Borrow<str> for PayloadPath {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for PayloadPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests;
