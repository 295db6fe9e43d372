// SPDX-License-Identifier: Apache-2.0
//! Patterns by their definition: slow, and too short to be wrong.

/// Whether a pattern over paths stands for this path; `""` is the root.
pub(crate) fn glob_matches(pattern: &str, path: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let path = parts(path);
    reach(&pattern, &path, |part| *part == "**", part_accepts)[pattern.len()][path.len()]
}

/// Whether a pattern over paths stands for this directory or for anything below it.
pub(crate) fn glob_leads_to(pattern: &str, directory: &str) -> bool {
    let pattern: Vec<&str> = pattern.split('/').collect();
    let directory = parts(directory);
    reach(&pattern, &directory, |part| *part == "**", part_accepts)
        .iter()
        .any(|row| row[directory.len()])
}

/// Whether parts of a pattern stand for these parts. A quoted part is taken as it stands.
pub(crate) fn parts_match(pattern: &[(String, bool)], text: &[String]) -> bool {
    let any = |part: &(String, bool)| part.0 == "**" && !part.1;
    let accepts = |(part, quoted): &(String, bool), text: &String| {
        if *quoted {
            part == text
        } else {
            part_accepts(&part.as_str(), &text.as_str())
        }
    };
    reach(pattern, text, any, accepts)[pattern.len()][text.len()]
}

/// `*` and `?` within one part.
fn part_accepts(pattern: &&str, text: &&str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    reach(&pattern, &text, |c| *c == '*', |p, t| *p == '?' || p == t)[pattern.len()][text.len()]
}

/// `reach[i][j]`: the first `i` parts of the pattern can stand for the first `j` parts of the text.
fn reach<P, T>(
    pattern: &[P],
    text: &[T],
    is_any: impl Fn(&P) -> bool,
    accepts: impl Fn(&P, &T) -> bool,
) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; text.len() + 1]; pattern.len() + 1];
    reach[0][0] = true;
    for i in 0..=pattern.len() {
        for j in 0..=text.len() {
            let reached = match i.checked_sub(1).map(|i| (i, &pattern[i])) {
                None => i == 0 && j == 0,
                Some((before, part)) if is_any(part) => {
                    reach[before][j] || (j > 0 && reach[i][j - 1])
                }
                Some((before, part)) => {
                    j > 0 && reach[before][j - 1] && accepts(part, &text[j - 1])
                }
            };
            reach[i][j] = reached;
        }
    }
    reach
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_naive_matcher_itself_is_right() {
        for (pattern, path, expected) in [
            ("**", "", true),
            ("data/**", "data", true),
            ("data/**", "data/a/b", true),
            ("data/**", "database", false),
            ("a/**/b", "a/x/y/b", true),
            ("a/**/b", "a/x/y", false),
            ("f?o*", "foobar", true),
            ("*", "a/b", false),
            ("a*b*c", "abcbc", true),
        ] {
            assert_eq!(glob_matches(pattern, path), expected, "{pattern} {path}");
        }
        assert!(glob_leads_to("a/*/c", "a/b"));
        assert!(!glob_leads_to("a/*/c", "b"));
        assert!(glob_leads_to("a/b", ""));
    }
}
