// SPDX-License-Identifier: Apache-2.0
//! Promises that hold for any edit of any file, tried on many.
//!
//! The files are built from parts that operators write; the edits are drawn at random. What an edit answers may
//! be an error: then nothing may have changed.

mod common;
#[path = "common/edits.rs"]
mod edits;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Key;
use cofferdam_config::Scalar;
use cofferdam_config::Value;
use edits::Edit;
use edits::FORMATS;
use edits::aimed;
use edits::meaning;
use edits::sample;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

/// Names that meet those of the samples often enough.
fn part() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => select(vec!["name", "net", "port", "list", "big", "log", "level", "server", "PORT", "NAME", "Q", "i", "a", "b"])
            .prop_map(str::to_owned),
        1 => "[ -~é]{0,6}",
    ]
}

fn key() -> impl Strategy<Value = Key> {
    vec(part(), 1..4).prop_map(|parts| {
        let quoted =
            |part: &String| format!("\"{}\"", part.replace('\\', "\\\\").replace('"', "\\\""));
        Key::parse(&parts.iter().map(quoted).collect::<Vec<_>>().join(".")).expect("quoted parts")
    })
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        select(vec![
            "yes", "null", "1.0", "#", " x", "x\ny", "'", "\"", "'''", "${X}", "\\", "a: b", "- a",
            "\r\n", "\u{0}"
        ])
        .prop_map(str::to_owned),
    ]
}

fn scalar() -> impl Strategy<Value = Scalar> {
    prop_oneof![
        any::<bool>().prop_map(Scalar::Boolean),
        any::<i64>().prop_map(Scalar::Integer),
        any::<f64>().prop_map(Scalar::Decimal),
        text().prop_map(Scalar::Text),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => scalar().prop_map(Value::Scalar),
        1 => vec(scalar(), 0..4).prop_map(Value::List),
    ]
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        (key(), value()).prop_map(|(key, value)| Edit::Set(key, value)),
        key().prop_map(Edit::Remove),
        (key(), key()).prop_map(|(from, to)| Edit::Rename(from, to)),
    ]
}

proptest! {
    // The same cases on every machine: what fails here fails for whoever mends it.
    #![proptest_config(ProptestConfig {
        cases: 2000,
        rng_seed: RngSeed::Fixed(1),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn edit_then_parse_is_parse_then_edit(
        format in select(FORMATS),
        edits in vec((edit(), any::<usize>()), 1..5),
        crlf in any::<bool>(),
    ) {
        let mut text = sample(format).to_owned();
        if crlf {
            text = text.replace('\n', "\r\n");
        }
        let mut document = common::open(format, &text);
        for (edit, at) in edits {
            let edit = aimed(edit, &document, at);
            let _ = edits::edit(&mut document, &edit);
        }
        // Samples mark each comment with its own word.
        for comment in ["top", "about", "above"] {
            let now = String::from_utf8_lossy(document.bytes());
            prop_assert_eq!(now.contains(comment), text.contains(comment), "{}", comment);
        }
    }

    #[test]
    fn lines_of_other_keys_stay_byte_for_byte(format in select(FORMATS), edit in edit(), at in any::<usize>()) {
        let text = sample(format);
        let mut document = common::open(format, text);
        let edit = aimed(edit, &document, at);
        if edits::edit(&mut document, &edit) == Ok(true) {
            let now = String::from_utf8_lossy(document.bytes()).into_owned();
            let gone = text.lines().filter(|line| !now.contains(*line)).count();
            // The line of the key; for JSON also a comma before, for several lines those of the value.
            prop_assert!(gone <= 6, "{}\n{}", text, now);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(format in select(FORMATS), bytes in vec(any::<u8>(), 0..200)) {
        let _ = Document::parse(format, bytes);
    }

    #[test]
    fn any_changed_byte_is_read_or_refused_and_can_be_edited_or_not(
        format in select(FORMATS),
        changes in vec((any::<usize>(), select(b"\"'[]{}#=:.-,|>&*!?\n\r \tax1\\%<\x00".to_vec())), 1..6),
        edit in edit(),
        at in any::<usize>(),
    ) {
        let mut bytes = sample(format).as_bytes().to_vec();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        if let Ok(mut document) = Document::parse(format, bytes) {
            let edit = aimed(edit, &document, at);
            let _ = edits::edit(&mut document, &edit);
        }
    }
}

#[test]
fn every_truncation_is_read_or_refused_and_edits_never_panic() {
    for format in FORMATS {
        let text = sample(*format);
        for end in 0..=text.len() {
            let Ok(document) = Document::parse(*format, text.as_bytes()[..end].to_vec()) else {
                continue;
            };
            for key in document.list(None).expect("list") {
                let mut edited = document.clone();
                let _ = edited.get(&key);
                let _ = edited.set(&key, &"x".into());
                let _ = edited.clone().remove(&key);
                let _ = edited.rename(&key, &common::key("moved.away"));
            }
            let mut edited = document.clone();
            for new in ["new", "new.key", "net.key"] {
                let _ = edited.set(&common::key(new), &"x".into());
            }
        }
    }
}

#[test]
fn there_and_back_again_says_the_same() {
    for format in FORMATS.iter().filter(|format| **format != Format::Env) {
        let mut document = common::open(*format, sample(*format));
        let said = meaning(&document);
        common::rename(&mut document, "net.port", "server.port");
        common::rename(&mut document, "server.port", "net.port");
        assert_eq!(meaning(&document), said);
    }
}

#[test]
fn a_key_cannot_become_a_part_of_itself() {
    let mut document = common::open(Format::Yaml, "log:\n  name: a\n");
    let key = |text: &str| Key::parse(text).expect("a key");
    assert!(document.remove(&key("log.name")).expect("removed"));
    let before = document.bytes().to_vec();
    let refused = document
        .rename(&key("log"), &key("log.name"))
        .expect_err("refused");
    assert_eq!(refused.code(), "edit-refused");
    assert_eq!(document.bytes(), before);
}
