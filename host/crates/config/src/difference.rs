// SPDX-License-Identifier: Apache-2.0
//! What is different between a file and what it was, key by key: also where a key has no value here, or
//! stands there twice, since an edit of another key is no reason to know less of these.

use std::collections::BTreeMap;

use crate::Document;
use crate::Key;
use crate::Value;
use crate::node::Node;

/// A key that is not as it was.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The key.
    pub key: Key,
    /// What stood there.
    pub old: Option<Found>,
    /// What stands there.
    pub new: Option<Found>,
}

/// What stands at a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// A value.
    Value(Value),
    /// Something that has no value here, such as a date; its kind.
    Other(&'static str),
}

impl Found {
    fn of(node: &Node) -> Self {
        node.value()
            .map_or_else(|| Self::Other(node.kind()), Self::Value)
    }
}

impl Document {
    /// Every key that is not as it was in `old`, sorted.
    pub fn differences(&self, old: &Self) -> Vec<Difference> {
        let (before, now) = (leaves(old.node()), leaves(self.node()));
        let mut paths: Vec<&Vec<String>> = before.keys().chain(now.keys()).collect();
        paths.sort();
        paths.dedup();
        let none = Vec::new();
        let differs = |path: &&Vec<String>| {
            let before = before.get(*path).unwrap_or(&none);
            let now = now.get(*path).unwrap_or(&none);
            before.len() != now.len() || before.iter().zip(now).any(|(a, b)| !a.same(b))
        };
        let first = |all: &BTreeMap<Vec<String>, Vec<&Node>>, path: &Vec<String>| {
            Some(Found::of(all.get(path)?.first()?))
        };
        let differences = paths.into_iter().filter(differs).map(|path| Difference {
            key: Key::from_parts(path.clone()),
            old: first(&before, path),
            new: first(&now, path),
        });
        differences.collect()
    }
}

/// What stands at each key, in the order of the file where it stands there more than once.
fn leaves(node: &Node) -> BTreeMap<Vec<String>, Vec<&Node>> {
    let mut found = Vec::new();
    node.leaves(&mut Vec::new(), &mut found);
    let mut leaves = BTreeMap::<_, Vec<_>>::new();
    for (path, node) in found.into_iter().filter(|(path, _)| !path.is_empty()) {
        leaves.entry(path).or_default().push(node);
    }
    leaves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

    fn edited(format: Format, text: &str, edit: impl FnOnce(&mut Document)) -> Vec<Difference> {
        let old = Document::parse(format, text.as_bytes().to_vec()).expect("a file");
        let mut new = old.clone();
        edit(&mut new);
        new.differences(&old)
    }

    fn key(text: &str) -> Key {
        Key::parse(text).expect("a key")
    }

    #[test]
    fn what_has_no_value_or_stands_there_twice_hides_no_difference() {
        let text = "{\"a\": null, \"b\": 1, \"c\": 1, \"c\": 2, \"d\": [[1]], \"e\": {}}\n";
        let differences = edited(Format::Json, text, |document| {
            document.set(&key("b"), &2.into()).expect("an edit");
        });
        let value = |number: i64| Some(Found::Value(number.into()));
        let expected = Difference {
            key: key("b"),
            old: value(1),
            new: value(2),
        };
        assert_eq!(differences, [expected]);
    }

    #[test]
    fn what_has_no_value_is_told_by_its_kind() {
        let differences = edited(Format::Toml, "day = 1979-05-27\n", |document| {
            document.rename(&key("day"), &key("born")).expect("a move");
        });
        let date = || Some(Found::Other("date or time"));
        let told: Vec<_> = differences
            .into_iter()
            .map(|it| (it.key.to_string(), it.old, it.new))
            .collect();
        assert_eq!(
            told,
            [
                ("born".to_owned(), None, date()),
                ("day".to_owned(), date(), None)
            ]
        );
    }

    #[test]
    fn a_number_that_is_none_equals_itself() {
        let differences = edited(Format::Toml, "a = nan\nb = 1\n", |document| {
            document.set(&key("b"), &1.into()).expect("an edit");
        });
        assert_eq!(differences, []);
    }
}
