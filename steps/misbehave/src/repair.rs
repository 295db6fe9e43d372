// SPDX-License-Identifier: Apache-2.0
//! The bug that the step ends with: it takes the first of nothing.

/// The first of `words`.
#[inline(never)]
pub(crate) fn first_word<'a>(words: &[&'a str]) -> &'a str {
    word_at(words, 0)
}

#[inline(never)]
fn word_at<'a>(words: &[&'a str], index: usize) -> &'a str {
    words[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "index out of bounds")]
    fn the_bug_is_there() {
        first_word(&[]);
    }
}
