// SPDX-License-Identifier: Apache-2.0
//! JSON files, with and without comments: what an edit changes, and all that it leaves alone.

mod common;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Scalar;
use cofferdam_config::Value;

use common::key;
use common::move_section;
use common::remove;
use common::rename;
use common::set;
use common::text;

fn open(text: &str) -> Document {
    common::open(Format::Json, text)
}

#[track_caller]
fn becomes(before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    common::becomes(Format::Json, before, edit, after);
}

const STRICT: &str = r#"{
    "name": "edge-7",
    "net": {
        "listen": "127.0.0.1",
        "port": 8080,
        "peers": [
            "a",
            "b"
        ],
        "ratio": 1.10
    },
    "log": {"level": "info", "big": 123456789012345678901234567890}
}
"#;

const COMMENTED: &str = r#"// Acme
{
  // the network
  "net": {
    // only this machine
    "listen": "127.0.0.1", // IPv4
    /* not 80 */
    "port": 8080, /* really */

    // seconds
    "timeout": 1.50 // why
  },
  "log": {}, // empty
}
"#;

#[test]
fn a_value_changes_and_nothing_else() {
    becomes(
        STRICT,
        |document| {
            set(document, "net.port", 9090);
            set(document, "log.level", "say \"hi\"\n");
            set(document, "net.ratio", 1.1);
        },
        &STRICT
            .replace("8080", "9090")
            .replace("\"info\"", r#""say \"hi\"\n""#),
    );
    becomes(
        COMMENTED,
        |d| set(d, "net.port", 1),
        &COMMENTED.replace("8080", "1"),
    );
}

#[test]
fn an_object_moves_key_by_key() {
    becomes(
        STRICT,
        |d| move_section(d, "net", "server"),
        &STRICT.replace("\"net\"", "\"server\""),
    );
    becomes(
        COMMENTED,
        |document| move_section(document, "net", "server"),
        &COMMENTED.replace("\"net\"", "\"server\""),
    );
}

#[test]
fn new_members_bring_their_comma_and_their_objects() {
    becomes("{}", |d| set(d, "a", 1), "{\n  \"a\": 1\n}");
    becomes(
        "{}",
        |d| set(d, "a.b", 1),
        "{\n  \"a\": {\n    \"b\": 1\n  }\n}",
    );
    becomes(r#"{"a": 1}"#, |d| set(d, "b", 1), r#"{"a": 1, "b": 1}"#);
    becomes(
        r#"{"a": 1}"#,
        |d| set(d, "b.c", 1),
        r#"{"a": 1, "b": { "c": 1 }}"#,
    );
    becomes(
        "{\r\n\t\"a\": 1\r\n}",
        |d| set(d, "b.c", 1),
        "{\r\n\t\"a\": 1,\r\n\t\"b\": {\r\n\t\t\"c\": 1\r\n\t}\r\n}",
    );
    becomes(
        "{\n  \"a\": 1 // x\n}",
        |d| set(d, "b", 1),
        "{\n  \"a\": 1, // x\n  \"b\": 1\n}",
    );
    becomes(
        "{\n  \"a\": 1, // x\n}",
        |d| set(d, "b", 1),
        "{\n  \"a\": 1, // x\n  \"b\": 1,\n}",
    );
    becomes(
        "{\n  \"a\": 1}",
        |d| set(d, "b", 1),
        "{\n  \"a\": 1,\n  \"b\": 1}",
    );
    becomes(
        "{\n  // none yet\n}",
        |d| set(d, "b", 1),
        "{\n  // none yet\n  \"b\": 1\n}",
    );
}

#[test]
fn removing_takes_the_right_comma() {
    becomes(
        r#"{"a": 1, "b": 2, "c": 3}"#,
        |d| remove(d, "a"),
        r#"{"b": 2, "c": 3}"#,
    );
    becomes(
        r#"{"a": 1, "b": 2, "c": 3}"#,
        |d| remove(d, "b"),
        r#"{"a": 1, "c": 3}"#,
    );
    becomes(
        r#"{"a": 1, "b": 2, "c": 3}"#,
        |d| remove(d, "c"),
        r#"{"a": 1, "b": 2}"#,
    );
    becomes(r#"{"a": 1}"#, |d| remove(d, "a"), "{}");
    becomes(r#"{"a": 1,}"#, |d| remove(d, "a"), "{}");
    becomes(
        r#"{"a": 1, /* x */ "b": 2}"#,
        |d| remove(d, "b"),
        r#"{"a": 1 /* x */ }"#,
    );
    becomes(
        STRICT,
        |d| remove(d, "net.ratio"),
        &STRICT.replace("],\n        \"ratio\": 1.10", "]"),
    );
    becomes(
        COMMENTED,
        |document| remove(document, "net.timeout"),
        &COMMENTED
            .replace("8080, /*", "8080 /*")
            .replace("    \"timeout\": 1.50 // why\n", ""),
    );
}

#[test]
fn a_key_moves_with_its_comments_between_objects() {
    becomes(
        COMMENTED,
        |document| rename(document, "net.listen", "log.listen"),
        "// Acme\n{\n  // the network\n  \"net\": {\n    /* not 80 */\n    \"port\": 8080, /* really */\n\n    // seconds\n    \"timeout\": 1.50 // why\n  },\n  \"log\": {\n    // only this machine\n    \"listen\": \"127.0.0.1\" // IPv4\n  }, // empty\n}\n",
    );
}

#[test]
fn lists_keep_their_lines() {
    let list = Value::List(vec![
        Scalar::Text("c".to_owned()),
        Scalar::Text("d".to_owned()),
    ]);
    becomes(
        STRICT,
        |document| document.set(&key("net.peers"), &list).expect("set"),
        &STRICT.replace("\"a\"", "\"c\"").replace("\"b\"", "\"d\""),
    );
    let mut document = open("{\"a\": [1, // one\n 2]}");
    let error = document
        .set(&key("a"), &Value::List(vec![Scalar::Integer(3)]))
        .expect_err("comment");
    assert_eq!(error.code(), "edit-refused");
}

#[test]
fn duplicates_are_ambiguous_only_where_they_stand() {
    let before = r#"{"a": 1, "a": 2, "b": {"c": 1}}"#;
    let mut document = open(before);
    assert_eq!(
        document.get(&key("a")).expect_err("twice").code(),
        "ambiguous-key"
    );
    assert_eq!(
        document
            .set(&key("a"), &3.into())
            .expect_err("twice")
            .code(),
        "ambiguous-key"
    );
    assert_eq!(
        document.remove(&key("a")).expect_err("twice").code(),
        "ambiguous-key"
    );
    set(&mut document, "b.c", 2);
    assert_eq!(text(&document), before.replace("\"c\": 1", "\"c\": 2"));
}

#[test]
fn null_and_big_numbers_have_no_value_but_can_move() {
    let mut document = open(STRICT);
    assert_eq!(
        document.get(&key("log.big")).expect_err("big").code(),
        "unsupported-value"
    );
    rename(&mut document, "log.big", "big");
    assert!(text(&document).contains("\"big\": 123456789012345678901234567890\n}"));
    let mut document = open(r#"{"a": null}"#);
    assert_eq!(
        document.get(&key("a")).expect_err("null").code(),
        "unsupported-value"
    );
    assert_eq!(
        document.set(&key("a"), &1.into()).expect_err("null").code(),
        "type-change"
    );
    assert_eq!(
        document
            .set(&key("b"), &f64::NAN.into())
            .expect_err("NaN")
            .code(),
        "edit-refused"
    );
}

#[test]
fn what_is_not_json_is_refused() {
    let code = |text: &str| {
        Document::parse(Format::Json, text.as_bytes().to_vec())
            .expect_err(text)
            .code()
    };
    for text in [
        "",
        "{",
        "{'a': 1}",
        "{a: 1}",
        "{\"a\": 1 \"b\": 2}",
        "{\"a\": 0x1}",
        "{\"a\": 1,,}",
        "{,}",
        "{\"a\":,}",
        "{} {}",
        "{\"a\": 1} /*",
        "{\"a\": .5}",
        "{\"a\": NaN}",
        "{\"a\": [,]}",
    ] {
        assert_eq!(code(text), "config-syntax", "{text}");
    }
    assert_eq!(code("[]"), "unsupported-document");
    assert_eq!(
        code(&format!("{{\"a\": {}", "[".repeat(1_000_000))),
        "config-too-deep"
    );
    assert_eq!(code(&"{\"a\":".repeat(500_000)), "config-too-deep");
}
