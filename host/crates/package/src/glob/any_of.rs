// SPDX-License-Identifier: Apache-2.0
//! Patterns of which one must match, over paths and over keys alike.

use serde::Deserialize;
use serde::Serialize;

use super::GlobError;
use super::GlobRule;
use super::MAX_GLOBS;

/// A pattern, as a set of them needs it.
pub trait Pattern: Sized {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// Refuses a malformed one.
    fn parse(text: &str) -> Result<Self, GlobError>;

    /// Whether it stands for this path or key.
    fn matches(&self, text: &str) -> bool;

    /// The pattern as it was written.
    fn as_str(&self) -> &str;
}

/// Patterns of which one must match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnyOf<P>(Vec<P>);

impl<P> Default for AnyOf<P> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<P: Pattern> AnyOf<P> {
    /// A set of patterns that are already read. An empty set matches nothing.
    pub fn new(patterns: Vec<P>) -> Self {
        Self(patterns)
    }

    /// Reads a set of patterns.
    ///
    /// # Errors
    ///
    /// Refuses a malformed pattern, and more than [`MAX_GLOBS`].
    pub fn parse(patterns: &[String]) -> Result<Self, GlobError> {
        if let Some(pattern) = patterns.get(MAX_GLOBS) {
            return Err(GlobError::new(pattern, GlobRule::TooMany));
        }
        patterns
            .iter()
            .map(|pattern| P::parse(pattern))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Whether one of the patterns stands for this path or key.
    pub fn matches(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(text))
    }

    /// Whether there is no pattern.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns, as given.
    pub fn iter(&self) -> std::slice::Iter<'_, P> {
        self.0.iter()
    }

    /// The patterns' texts, as given.
    pub fn patterns(&self) -> Vec<String> {
        let texts = self.0.iter().map(P::as_str);
        texts.map(str::to_owned).collect()
    }
}

impl<'a, P: Pattern> IntoIterator for &'a AnyOf<P> {
    type Item = &'a P;
    type IntoIter = std::slice::Iter<'a, P>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
