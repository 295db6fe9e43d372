// SPDX-License-Identifier: Apache-2.0
//! Paths and link targets of a payload: a first line with a path, and a second with a target from there.

use arbitrary::Unstructured;
use cofferdam_package::CODES;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::path::check_symlink_target;

use crate::check::input;
use crate::check::known;
use crate::check::one_of;

/// Takes a path and a link's target.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let Ok(text) = str::from_utf8(&data) else {
        return;
    };
    let (path, target) = text.split_once('\n').unwrap_or((text, ""));
    let path = match PayloadPath::parse(path) {
        Ok(path) => path,
        Err(error) => return known(error.code(), CODES),
    };
    assert_eq!(
        inside(path.as_str(), ""),
        Some(path.as_str().split('/').map(str::to_owned).collect())
    );
    assert!(!path.as_str().chars().any(char::is_control), "{path:?}");
    assert_eq!(PayloadPath::parse(path.as_str()).as_ref(), Ok(&path));
    let folded = path.fold_key();
    assert_eq!(
        cofferdam_package::path::fold_key(&folded),
        folded,
        "folding twice is folding once"
    );
    if let Err(error) = check_symlink_target(&path, target) {
        known(error.code(), CODES);
    } else {
        let directory = path.parent().unwrap_or_default();
        assert!(
            inside(target, directory).is_some(),
            "`{target}` at `{path}` leads out"
        );
        // A `..` behind a name would lead up from wherever a link of that name leads to.
        let names: Vec<&str> = target
            .split('/')
            .skip_while(|n| *n == ".." || *n == ".")
            .collect();
        assert!(!names.contains(&".."), "`{target}` turns back");
    }
}

/// Where a path leads from a directory, or none when it leaves the tree at any point.
fn inside(path: &str, directory: &str) -> Option<Vec<String>> {
    if path.starts_with('/') {
        return None;
    }
    let mut place: Vec<String> = directory
        .split('/')
        .filter(|n| !n.is_empty())
        .map(Into::into)
        .collect();
    for name in path.split('/') {
        match name {
            "" | "." => {}
            ".." => drop(place.pop()?),
            name => place.push(name.to_owned()),
        }
    }
    Some(place)
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let names = [
        "a", "b", "ab", "A", ".", "..", "", "CON", "nul.txt", "a.", "a ", "é", "e\u{301}", "ß",
        "ﬁ", "İ", "\\", "\u{202e}", "a:b", "COM¹",
    ];
    let mut text = String::new();
    for count in [3, 5] {
        for _ in 0..=u.int_in_range(0..=count).unwrap_or(0) {
            text.push_str(one_of(u, &names));
            text.push_str(one_of(u, &["/", "/", "/", "", "//"]));
        }
        text.push('\n');
    }
    text.truncate(text.trim_end_matches(['/', '\n']).len());
    text.replace("/\n", "\n").into_bytes()
}
