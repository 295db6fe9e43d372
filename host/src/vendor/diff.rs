// SPDX-License-Identifier: Apache-2.0
//! Small line differences between two texts, for people.
//!
//! Bounded: past [`CELLS`] comparisons a changed region is shown as a whole, and at most
//! [`LINES`] lines are shown.

/// Line pairs that are compared at most, which bounds time and memory.
const CELLS: usize = 1 << 20;
/// Lines that are shown at most.
const LINES: usize = 40;
/// Unchanged lines that are shown around a change.
const CONTEXT: usize = 2;

/// The differences of two texts, one line each, starting with `-`, `+` or a space. Unchanged
/// stretches are left out and marked with `…`.
pub(super) fn lines(old: &str, new: &str) -> Vec<String> {
    let old: Vec<&str> = old.split_inclusive('\n').collect();
    let new: Vec<&str> = new.split_inclusive('\n').collect();
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..]
        .iter()
        .rev()
        .zip(new[head..].iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let mut edits: Vec<(char, &str)> = old[..head].iter().map(|line| (' ', *line)).collect();
    edits.extend(middle(&old[head..old_end], &new[head..new_end]));
    edits.extend(old[old_end..].iter().map(|line| (' ', *line)));
    excerpt(&edits)
}

/// The shortest edits by longest common subsequence, or all-out-all-in when that costs too much.
fn middle<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<(char, &'a str)> {
    let width = new.len() + 1;
    if (old.len() + 1).saturating_mul(width) > CELLS {
        let gone = old.iter().map(|line| ('-', *line));
        return gone.chain(new.iter().map(|line| ('+', *line))).collect();
    }
    // common[i][j]: the longest common subsequence of old[i..] and new[j..].
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = if old[i] == new[j] {
                common[(i + 1) * width + j + 1] + 1
            } else {
                common[(i + 1) * width + j].max(common[i * width + j + 1])
            };
        }
    }
    let mut edits = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            edits.push((' ', old[i]));
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || (i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1])
        {
            edits.push(('-', old[i]));
            i += 1;
        } else {
            edits.push(('+', new[j]));
            j += 1;
        }
    }
    edits
}

fn excerpt(edits: &[(char, &str)]) -> Vec<String> {
    let mut shown = vec![false; edits.len()];
    for (at, (kind, _)) in edits.iter().enumerate() {
        if *kind != ' ' {
            let end = edits.len().min(at + CONTEXT + 1);
            shown[at.saturating_sub(CONTEXT)..end].fill(true);
        }
    }
    let mut lines = Vec::new();
    let mut skipping = false;
    for ((kind, line), shown) in edits.iter().zip(shown) {
        if lines.len() == LINES {
            lines.push("… (more)".to_owned());
            break;
        }
        if shown {
            lines.push(format!("{kind}{}", line.trim_end_matches(['\r', '\n'])));
        } else if !skipping {
            lines.push("…".to_owned());
        }
        skipping = !shown;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_line_is_shown_with_its_surroundings() {
        let old = "1\n2\n3\n4\n5\n6\n7\n";
        let new = "1\n2\n3\nfour\n5\n6\n7\n";
        assert_eq!(
            lines(old, new),
            ["…", " 2", " 3", "-4", "+four", " 5", " 6", "…"]
        );
    }

    #[test]
    fn equal_texts_differ_nowhere() {
        assert_eq!(lines("", ""), [""; 0]);
        assert_eq!(lines("a\n", "a\n"), ["…"]);
    }

    #[test]
    fn additions_and_removals_at_the_ends_are_shown() {
        assert_eq!(lines("", "a\nb"), ["+a", "+b"]);
        assert_eq!(lines("a\nb\n", "b\n"), ["-a", " b"]);
    }

    #[test]
    fn large_differences_are_cut() {
        let old = "old\n".repeat(3000);
        let new = "new\n".repeat(3000);
        assert_eq!(lines(&old, &new).len(), LINES + 1);
    }
}
