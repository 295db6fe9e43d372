// SPDX-License-Identifier: Apache-2.0
//! A plan from entropy: few names, so that paths meet; many links, so that they lead astray.

use arbitrary::Unstructured;

use crate::check::below;
use crate::check::one_of;
use crate::check::rarely;

/// What paths are made of: four names, and all that is no name.
const TOKENS: [&str; 10] = ["a", "b", "ab", "A", "a", "b", ".", "..", "..", ""];

/// The same without what leads up.
const NAMES: [&str; 5] = ["a", "b", "ab", "A", "b"];

const PATTERNS: [&str; 18] = [
    "**", "**", "**", "a/**", "b/**", "a/*", "*", "*/b", "**/b", "a", "a/b", "a/b/**", "*/*",
    "A/**", "ab/?", "**/a/**", "?/ab/*", "A",
];

const FLAGS: [&str; 14] = [
    "r", "r", "rf", "w", "wf", "rw", "cw", "crw", "cxw", "tw", "twf", "dr", "drf", "ctwf",
];

/// The text of a plan.
pub(crate) fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let mut text = String::new();
    for _ in 0..3 + below(u, 12) {
        let kind = one_of(
            u,
            &[
                "dir", "dir", "file", "file", "link", "link", "program", "twin", "fifo", "odd",
            ],
        );
        let path = place(u);
        let target = if kind == "link" {
            format!(" {}", target(u))
        } else {
            String::new()
        };
        text.push_str(&format!("{kind} {path}{target}\n"));
    }
    for _ in 0..=below(u, 3) {
        text.push_str(&format!("write {}\n", one_of(u, &PATTERNS)));
    }
    for _ in 0..below(u, 3) {
        text.push_str(&format!("read {}\n", one_of(u, &PATTERNS)));
    }
    if rarely(u, 2) {
        text.push_str(&format!("hide {}\n", place(u)));
    }
    if rarely(u, 2) {
        text.push_str(&format!("protect {}\n", place(u)));
    }
    if rarely(u, 3) {
        text.push_str(&format!("closed {}\n", place(u)));
    }
    if rarely(u, 3) {
        text.push_str("executables\n");
    }
    if rarely(u, 12) {
        text.push_str("look-only\n");
    }
    for _ in 0..4 + below(u, 24) {
        text.push_str(&call(u));
        text.push('\n');
    }
    text.into_bytes()
}

fn call(u: &mut Unstructured<'_>) -> String {
    match below(u, 24) {
        0..=5 => format!("open {} {}", at(u), one_of(u, &FLAGS)),
        6 => format!("put {} {}", file(u), below(u, 20)),
        7 => format!("append {}", file(u)),
        8 => format!("cut {} {}", file(u), below(u, 40)),
        9 => format!("get {}", file(u)),
        10 => format!("list {}", handle(u)),
        11 => format!("statat {} {}", at(u), one_of(u, &["f", ""])),
        12 => format!("readlink {}", at(u)),
        13 => format!("mkdir {}", at(u)),
        14 => format!("rmdir {}", at(u)),
        15 => format!("rm {}", at(u)),
        16..=19 => format!("mv {} {}", at(u), at(u)),
        20 | 21 => format!("ln {} {}", at(u), target(u)),
        22 => format!("touchat {} {}", at(u), one_of(u, &["f", ""])),
        _ => {
            let word = one_of(u, &["close", "stat", "touch", "hard"]);
            if word == "hard" {
                format!("hard {} {}", at(u), at(u))
            } else {
                format!("{word} {}", file(u))
            }
        }
    }
}

/// Mostly the root, or a handle that was opened lately.
fn handle(u: &mut Unstructured<'_>) -> usize {
    if rarely(u, 3) { below(u, 8) } else { 0 }
}

/// For what only files have: mostly not the root.
fn file(u: &mut Unstructured<'_>) -> usize {
    if rarely(u, 8) { 0 } else { 1 + below(u, 7) }
}

fn at(u: &mut Unstructured<'_>) -> String {
    let handle = handle(u);
    // Half of them straight, so that calls get somewhere.
    let path = if rarely(u, 2) {
        place(u)
    } else {
        let tokens: Vec<&str> = (0..=below(u, 4)).map(|_| one_of(u, &TOKENS)).collect();
        tokens.join("/")
    };
    let path = if path.is_empty() { "\"\"" } else { &path };
    // An absolute path is refused by its text: seldom is often enough.
    let path = path.trim_start_matches('/');
    let slash = if rarely(u, 40) { "/" } else { "" };
    format!(
        "{handle} {slash}{}",
        if path.is_empty() { "." } else { path }
    )
}

/// A place in the tree, as its builder takes it.
fn place(u: &mut Unstructured<'_>) -> String {
    let names: Vec<&str> = (0..=below(u, 3)).map(|_| one_of(u, &NAMES)).collect();
    names.join("/")
}

/// Where a link leads: somewhere in the tree, out of it, in circles.
fn target(u: &mut Unstructured<'_>) -> String {
    let tokens: Vec<&str> = (0..=below(u, 4)).map(|_| one_of(u, &TOKENS)).collect();
    let target = tokens.join("/");
    match target.as_str() {
        "" => ".".to_owned(),
        // To the place outside of the tree, and back into it by its full path.
        target if rarely(u, 8) => format!("/{}{target}", one_of(u, &["", "tree/"])),
        target => target.trim_start_matches('/').to_owned(),
    }
}
