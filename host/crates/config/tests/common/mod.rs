// SPDX-License-Identifier: Apache-2.0
//! Words that the tests of all formats share.
#![allow(dead_code, reason = "each test binary uses a part of these")]

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Key;
use cofferdam_config::Value;

pub(crate) fn open(format: Format, text: &str) -> Document {
    Document::parse(format, text.as_bytes().to_vec()).expect("a valid file")
}

pub(crate) fn key(text: &str) -> Key {
    Key::parse(text).expect("a key")
}

pub(crate) fn text(document: &Document) -> &str {
    std::str::from_utf8(document.bytes()).expect("UTF-8")
}

/// `before` → edit → `after`.
#[track_caller]
pub(crate) fn becomes(format: Format, before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    let mut document = open(format, before);
    edit(&mut document);
    assert_eq!(text(&document), after);
}

#[track_caller]
pub(crate) fn set(document: &mut Document, name: &str, value: impl Into<Value>) {
    document.set(&key(name), &value.into()).expect("set");
}

#[track_caller]
pub(crate) fn remove(document: &mut Document, name: &str) {
    assert!(document.remove(&key(name)).expect("remove"));
}

#[track_caller]
pub(crate) fn rename(document: &mut Document, from: &str, to: &str) {
    document.rename(&key(from), &key(to)).expect("rename");
}

/// Moves all keys below `from` to the same names below `to`, as a step would.
#[track_caller]
pub(crate) fn move_section(document: &mut Document, from: &str, to: &str) {
    for old in document.list(Some(&key(from))).expect("list") {
        rename(
            document,
            &old.to_string(),
            &old.to_string().replacen(from, to, 1),
        );
    }
}
