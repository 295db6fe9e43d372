// SPDX-License-Identifier: Apache-2.0
//! INI files: what an edit changes, and all that it leaves alone.

mod common;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Value;

use common::key;
use common::move_section;
use common::remove;
use common::rename;
use common::set;
use common::text;

fn open(text: &str) -> Document {
    common::open(Format::Ini, text)
}

#[track_caller]
fn becomes(before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    common::becomes(Format::Ini, before, edit, after);
}

const AGENT: &str = "\
; Acme agent
name=edge-7

; where it listens
[net] ; the network
# only this machine
listen = 127.0.0.1 ; IPv4
port   = 8080
title  = \"a ; b\"  # quoted

; seconds
timeout = 1.50
skip-networking
words = one
   two

[log]
level : info
";

#[test]
fn everything_is_text_and_scalars_are_written_as_text() {
    let mut document = open(AGENT);
    assert_eq!(
        document.get(&key("net.port")).expect("get"),
        Some("8080".into())
    );
    assert_eq!(
        document.get(&key("net.title")).expect("get"),
        Some("a ; b".into())
    );
    assert_eq!(
        document.get(&key("net.listen")).expect("get"),
        Some("127.0.0.1".into())
    );
    set(&mut document, "net.port", 9090);
    set(&mut document, "net.title", "c # d");
    set(&mut document, "log.level", "debug");
    let after = AGENT
        .replace("8080", "9090")
        .replace("a ; b", "c # d")
        .replace("info", "debug");
    assert_eq!(text(&document), after);
}

#[test]
fn a_section_moves_key_by_key() {
    becomes(
        AGENT,
        |document| move_section(document, "net", "server"),
        &AGENT.replace("[net]", "[server]"),
    );
}

#[test]
fn new_keys_and_sections_are_written_as_the_file_is() {
    becomes(
        AGENT,
        |d| set(d, "top", 1),
        &AGENT.replace("edge-7\n", "edge-7\ntop=1\n"),
    );
    becomes(
        AGENT,
        |d| set(d, "log.x", true),
        &format!("{AGENT}x=true\n"),
    );
    becomes(
        AGENT,
        |d| set(d, "new.x", true),
        &format!("{AGENT}\n[new]\nx=true\n"),
    );
    becomes(
        "[a]\r\nb = 1",
        |d| set(d, "a.c", 2),
        "[a]\r\nb = 1\r\nc = 2",
    );
    becomes("", |d| set(d, "\"a b\".c", 2), "[a b]\nc = 2\n");
}

#[test]
fn removing_takes_the_line_only() {
    becomes(
        AGENT,
        |d| remove(d, "net.listen"),
        &AGENT.replace("listen = 127.0.0.1 ; IPv4\n", ""),
    );
    becomes(
        AGENT,
        |d| remove(d, "net.words"),
        &AGENT.replace("words = one\n   two\n", ""),
    );
}

#[test]
fn names_without_a_value_and_values_over_lines_can_move_but_have_no_value() {
    let mut document = open(AGENT);
    for name in ["net.words", "net.skip-networking"] {
        assert_eq!(
            document.get(&key(name)).expect_err(name).code(),
            "unsupported-value"
        );
        assert_eq!(
            document.set(&key(name), &1.into()).expect_err(name).code(),
            "type-change"
        );
    }
    rename(&mut document, "net.words", "log.words");
    assert!(text(&document).ends_with("level : info\nwords = one\n   two\n"));
}

#[test]
fn a_text_that_could_be_read_differently_is_not_written() {
    let mut document = open(AGENT);
    for value in ["a ;b", " a", "'a'", "a\nb = c", "#a", "a\\", "\0"] {
        let error = document
            .set(&key("log.level"), &value.into())
            .expect_err(value);
        assert_eq!(error.code(), "edit-refused", "{value}");
    }
    for name in [
        "log.\"a=b\"",
        "log.\" a\"",
        "\"a]b\".c",
        "log.\"\"",
        "log.\"[a\"",
    ] {
        let error = document.set(&key(name), &Value::from("x")).expect_err(name);
        assert_eq!(error.code(), "edit-refused", "{name}");
    }
    assert_eq!(
        document
            .set(&key("a.b.c"), &1.into())
            .expect_err("deep")
            .code(),
        "bad-key"
    );
    let list = Value::List(Vec::new());
    assert_eq!(
        document.set(&key("a.b"), &list).expect_err("list").code(),
        "unsupported-value"
    );
    assert_eq!(text(&document), AGENT);
}

#[test]
fn duplicates_are_ambiguous_also_over_two_sections_of_one_name() {
    let mut document = open("[a]\nx = 1\n[b]\n[a]\nx = 2\ny = 3\n");
    assert_eq!(
        document.get(&key("a.x")).expect_err("twice").code(),
        "ambiguous-key"
    );
    set(&mut document, "a.y", 4);
    set(&mut document, "a.z", 5);
    assert_eq!(
        text(&document),
        "[a]\nx = 1\nz = 5\n[b]\n[a]\nx = 2\ny = 4\n"
    );
}

#[test]
fn what_is_not_ini_is_refused() {
    for text in ["[a", "[a] b", "= 1"] {
        let bytes = text.as_bytes().to_vec();
        assert_eq!(
            Document::parse(Format::Ini, bytes).expect_err(text).code(),
            "config-syntax"
        );
    }
}
