// SPDX-License-Identifier: Apache-2.0
//! The one judge of all edits, whatever the format.
//!
//! | what could go wrong | what stops it |
//! |---|---|
//! | the layout misreads the file and edits another key | an independent parser reads the result: exactly one key may differ |
//! | the new value is spelled so that it means something else | the same |
//! | a splice eats a neighbour, a comment, a line end | the bytes that differ must lie within those of the key |
//! | an edit makes the file too big, too deep, or invalid | the result passes the checks of any file |
//!
//! It must never repair or retry: a refused edit leaves the document as it was.

use crate::edit::Edit;
use crate::node::Node;

/// The text after `edit` and what it means, or the reason why it may not be.
pub(crate) fn judge(
    before: &str,
    edit: &Edit,
    expected: &Node,
    path: &[String],
    read: impl Fn(&str) -> Result<Node, String>,
) -> Result<(String, Node), String> {
    let after = edit.apply(before).ok_or("the edit does not fit the text")?;
    differs_within(before.as_bytes(), after.as_bytes(), edit)?;
    let node = read(&after).map_err(|reason| format!("the result would not be valid: {reason}"))?;
    if !node.clone().prune(path).same(&expected.clone().prune(path)) {
        return Err("a second parser found more than this key changed".to_owned());
    }
    Ok((after, node))
}

/// Compares from both ends: all bytes outside of the key's own must be there, unmoved.
fn differs_within(before: &[u8], after: &[u8], edit: &Edit) -> Result<(), String> {
    let head = before.iter().zip(after).take_while(|(a, b)| a == b).count();
    let tail = before
        .iter()
        .rev()
        .zip(after.iter().rev())
        .take_while(|(a, b)| a == b)
        .count();
    let behind = before.len().checked_sub(edit.owned.end);
    if head >= edit.owned.start && behind.is_some_and(|behind| tail >= behind) {
        Ok(())
    } else {
        Err("bytes that do not belong to this key would change".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scalar;

    fn leaf(text: &str) -> Node {
        Node::Scalar(Scalar::Text(text.to_owned()))
    }

    /// A reader for the tests: `a=1;b=2`.
    fn read(text: &str) -> Result<Node, String> {
        text.split(';')
            .map(|pair| pair.split_once('=').map(|(k, v)| (k.to_owned(), leaf(v))))
            .collect::<Option<Vec<_>>>()
            .map(Node::Table)
            .ok_or_else(|| "no `=`".to_owned())
    }

    #[test]
    fn an_edit_of_one_key_passes() {
        let path = ["a".to_owned()];
        let expected = read("a=9;b=2").expect("valid");
        let (after, _) =
            judge("a=1;b=2", &Edit::one(2..3, "9"), &expected, &path, read).expect("ok");
        assert_eq!(after, "a=9;b=2");
    }

    #[test]
    fn an_edit_that_changes_a_neighbour_is_refused() {
        let path = ["a".to_owned()];
        let expected = read("a=9;b=2").expect("valid");
        assert!(judge("a=1;b=2", &Edit::one(6..7, "9"), &expected, &path, read).is_err());
        assert!(judge("a=1;b=2", &Edit::one(2..7, "9;b=3"), &expected, &path, read).is_err());
        assert!(judge("a=1;b=2", &Edit::one(2..7, "9"), &expected, &path, read).is_err());
        assert!(judge("a=1;b=2", &Edit::one(2..3, "9;c=1"), &expected, &path, read).is_err());
        assert!(judge("a=1;b=2", &Edit::one(5..99, "9"), &expected, &path, read).is_err());
    }

    #[test]
    fn bytes_outside_of_the_key_may_not_move() {
        let path = ["a".to_owned()];
        let edit = Edit {
            owned: 2..3,
            ..Edit::one(0..7, "b=2;a=9")
        };
        let expected = read("a=9;b=2").expect("valid");
        assert!(judge("a=1;b=2", &edit, &expected, &path, read).is_err());
    }
}
