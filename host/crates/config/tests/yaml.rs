// SPDX-License-Identifier: Apache-2.0
//! YAML files: what an edit changes, and all that it leaves alone.

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
    common::open(Format::Yaml, text)
}

#[track_caller]
fn becomes(before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    common::becomes(Format::Yaml, before, edit, after);
}

const AGENT: &str = "\
---
# Acme agent

name: edge-7   # shown

# where it listens
net:  # see the manual
  # only this machine
  listen: 127.0.0.1  # IPv4
  port: 8080 # not 80
  ratio: 1.10

  # friends
  peers:   # in order
    - a
    - \"b c\"
  tls:
    on: yes
    'cert file': '/etc/it''s.pem'
  text: |
    one
    # not a comment
    two

log:
    level: \"info\"
    flow: {a: 1, b: [2, 3]}
    list: [1, 2]  # two
";

#[test]
fn values_are_read_with_their_types() {
    let document = open(AGENT);
    let get = |name: &str| document.get(&key(name)).expect(name);
    assert_eq!(get("net.port"), Some(8080.into()));
    assert_eq!(get("net.ratio"), Some(1.1.into()));
    assert_eq!(get("net.tls.on"), Some("yes".into()));
    assert_eq!(get("net.tls.\"cert file\""), Some("/etc/it's.pem".into()));
    assert_eq!(get("net.text"), Some("one\n# not a comment\ntwo\n".into()));
    assert_eq!(get("log.flow.a"), Some(1.into()));
    assert_eq!(get("log.none"), None);
    let list = Value::List(vec![Scalar::Integer(1), Scalar::Integer(2)]);
    assert_eq!(get("log.list"), Some(list));
}

#[test]
fn a_value_changes_and_keeps_its_quotes() {
    becomes(
        AGENT,
        |document| {
            set(document, "name", "edge: 8");
            set(document, "net.listen", "0.0.0.0");
            set(document, "net.port", 9090);
            set(document, "net.tls.on", "no");
            set(document, "net.tls.\"cert file\"", "it's");
            set(document, "net.text", "a\nb\n");
            set(document, "log.level", "debug");
        },
        &AGENT
            .replace("edge-7", "\"edge: 8\"")
            .replace("127.0.0.1", "0.0.0.0")
            .replace("8080", "9090")
            .replace("yes", "no")
            .replace("/etc/it''s.pem", "it''s")
            .replace("    one\n    # not a comment\n    two\n", "    a\n    b\n")
            .replace("info", "debug"),
    );
}

#[test]
fn lists_keep_their_style() {
    let list = |items: &[&str]| {
        Value::List(
            items
                .iter()
                .map(|item| Scalar::Text((*item).to_owned()))
                .collect(),
        )
    };
    becomes(
        "a:\n  - x\n  - y\nb:\n- x\nc: [x]\n",
        |document| {
            document.set(&key("a"), &list(&["p"])).expect("set");
            document.set(&key("b"), &list(&["p", "1"])).expect("set");
            document.set(&key("c"), &list(&["p"])).expect("set");
        },
        "a:\n  - p\nb:\n- p\n- \"1\"\nc: [p]\n",
    );
    let error = open(AGENT)
        .set(&key("net.peers"), &list(&["c"]))
        .expect_err("comment");
    assert_eq!(error.code(), "edit-refused");
}

#[test]
fn a_mapping_moves_key_by_key() {
    let mut document = open(AGENT);
    move_section(&mut document, "net", "server");
    assert_eq!(text(&document), AGENT.replace("net:", "server:"));
}

#[test]
fn a_key_moves_deeper_and_higher_with_its_comments() {
    becomes(
        AGENT,
        |document| rename(document, "net.peers", "log.peers"),
        &(AGENT.replace(
            "  # friends\n  peers:   # in order\n    - a\n    - \"b c\"\n",
            "",
        ) + "\n    # friends\n    peers:   # in order\n      - a\n      - \"b c\"\n"),
    );
    becomes(
        "a:\n  t: |\n    x\n     y\n  b: 1\n",
        |document| rename(document, "a.t", "t"),
        "a:\n  b: 1\nt: |\n  x\n   y\n",
    );
}

#[test]
fn new_members_and_mappings_follow_the_indentation() {
    becomes("", |d| set(d, "a", 1), "a: 1\n");
    becomes("# top\n", |d| set(d, "a.b", 1), "# top\na:\n  b: 1\n");
    becomes(
        "a:\n    b: 1",
        |d| set(d, "a.c.d", 1),
        "a:\n    b: 1\n    c:\n        d: 1",
    );
    becomes(
        "a: {}\nb: 1\n",
        |d| set(d, "a.c", 1),
        "a:\n  c: 1\nb: 1\n".replace("a:", "a: ").as_str(),
    );
    becomes(
        "a:\r\n  b: x\r\nc:\r\n",
        |d| set(d, "c.d", "z"),
        "a:\r\n  b: x\r\nc:\r\n  d: z\r\n",
    );
    becomes("a: 1\n...\n", |d| set(d, "b", 1), "a: 1\nb: 1\n...\n");
    becomes(
        "a:\n- 1\n",
        |d| set(d, "\"8080\"", "null"),
        "a:\n- 1\n\"8080\": \"null\"\n",
    );
}

#[test]
fn removing_takes_the_lines_of_the_key_only() {
    becomes(
        AGENT,
        |d| remove(d, "net.port"),
        &AGENT.replace("  port: 8080 # not 80\n", ""),
    );
    becomes(
        AGENT,
        |document| remove(document, "net.text"),
        &AGENT.replace("  text: |\n    one\n    # not a comment\n    two\n", ""),
    );
    becomes("a:\n  b: 1\n", |d| remove(d, "a.b"), "a:\n");
}

#[test]
fn texts_that_another_yaml_would_read_differently_are_quoted() {
    for value in [
        "no",
        "012",
        "1:30",
        "2024-01-01",
        "null",
        "~",
        "",
        " a",
        "a: b",
        "a #b",
        "- a",
        "*a",
        "&a",
        "!a",
        "{a",
        "a,b",
        "1e3",
        "0x1F",
        "1_000",
        ".5",
        "true",
        "a\u{2028}b",
        "\u{7f}",
        "\"",
        "a\nb",
        "%",
        "@a",
        "`",
    ] {
        let mut document = open("k: v\n");
        set(&mut document, "k", value);
        assert_eq!(document.get(&key("k")).expect("get"), Some(value.into()));
        assert!(text(&document).starts_with("k: \""), "{value}");
    }
    for value in [
        1e16,
        1e-7,
        0.1,
        f64::INFINITY,
        f64::NEG_INFINITY,
        f64::MIN_POSITIVE,
    ] {
        let mut document = open("k: 1.5\n");
        set(&mut document, "k", value);
        assert_eq!(document.get(&key("k")).expect("get"), Some(value.into()));
    }
}

#[test]
fn anchors_aliases_tags_and_merges_are_read_but_not_edited() {
    let before = "\
base: &base
  port: 1
  host: &h h
copy: *base
merged:
  <<: *base
  own: 1
tagged: !x 1
name: *h
";
    let mut document = open(before);
    assert_eq!(
        document.get(&key("copy.port")).expect("get"),
        Some(1.into())
    );
    for (name, value) in [
        ("base.host", Value::from("x")),
        ("name", "x".into()),
        ("copy.port", 2.into()),
    ] {
        assert_eq!(
            document.set(&key(name), &value).expect_err(name).code(),
            "edit-refused"
        );
    }
    assert_eq!(
        document
            .remove(&key("base.host"))
            .expect_err("anchor")
            .code(),
        "edit-refused"
    );
    // Seen through two aliases: not one key would change.
    assert_eq!(
        document
            .set(&key("base.port"), &2.into())
            .expect_err("base")
            .code(),
        "edit-refused"
    );
    assert_eq!(
        document
            .get(&key("merged.port"))
            .expect_err("merged")
            .code(),
        "unsupported-value"
    );
    assert_eq!(
        document.get(&key("tagged")).expect_err("tag").code(),
        "unsupported-value"
    );
    assert_eq!(text(&document), before);
    set(&mut document, "merged.own", 2);
    assert_eq!(text(&document), before.replace("own: 1", "own: 2"));
}

#[test]
fn what_is_not_written_in_blocks_is_read_but_not_edited() {
    let mut document = open("a: {b: 1}\nc:\n  - d: 1\n? e\n: 1\n");
    assert_eq!(document.get(&key("c.0.d")).expect("get"), Some(1.into()));
    for name in ["a.b", "c.0.d", "e"] {
        assert_eq!(
            document.set(&key(name), &2.into()).expect_err(name).code(),
            "edit-refused"
        );
    }
}

#[test]
fn hostile_files_are_refused() {
    let code = |text: &str| match Document::parse(Format::Yaml, text.as_bytes().to_vec()) {
        Err(error) => error.code(),
        Ok(_) => "accepted",
    };
    assert_eq!(code("a: 1\n---\na: 2\n"), "unsupported-document");
    assert_eq!(code("- a\n"), "unsupported-document");
    assert_eq!(code("? [a]\n: 1\n"), "unsupported-document");
    assert_eq!(code("a: b: c\n"), "config-syntax");
    assert_eq!(code("a: [\n"), "config-syntax");
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let items = vec![format!("*a{}", level - 1); 9].join(", ");
        bomb.extend([format!("a{level}: &a{level} [{items}]\n")]);
    }
    assert_eq!(code(&bomb), "unsupported-document");
    assert_eq!(code("a: &a [*a]\n"), "unsupported-document");
    assert_ne!(code(&format!("a: {}", "[".repeat(1_000_000))), "accepted");
    assert_eq!(
        code(&format!("a:\n {}", "- ".repeat(1_000_000))),
        "config-too-deep"
    );
    assert_eq!(
        code(&format!("a: {}", "{b: ".repeat(100))),
        "config-too-deep"
    );
    assert_eq!(code(&"? ".repeat(1_000_000)), "unsupported-document");
    let steps: Vec<_> = (0..1000)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert_eq!(code(&steps.concat()), "config-too-deep");
}

#[test]
fn a_comment_below_a_text_is_no_part_of_it() {
    becomes(
        "a: |\n  x\n # c\nb: 1\n",
        |d| remove(d, "a"),
        " # c\nb: 1\n",
    );
    becomes("a: |\n  # x\nb: 1\n", |d| remove(d, "a"), "b: 1\n");
    becomes(
        "a: |1-\n   x\n  y\nb: 1\n",
        |d| set(d, "a", "z"),
        "a: z\nb: 1\n",
    );
    becomes("a: |\nb: 1\n", |d| set(d, "a", "z"), "a: z\nb: 1\n");
}

#[test]
fn quotes_hide_comment_signs() {
    becomes("a: 'it''s # b' # c\n", |d| set(d, "a", "x"), "a: 'x' # c\n");
    becomes(
        "a: \"it\\\" # b\" # c\n",
        |d| set(d, "a", "x"),
        "a: \"x\" # c\n",
    );
    becomes("a: it's #b # c\n", |d| set(d, "a", "x"), "a: x #b # c\n");
}

#[test]
fn a_key_twice_is_ambiguous() {
    let mut document = open("a: 1\na: 2\nb: 1\n");
    assert_eq!(
        document.get(&key("a")).expect_err("twice").code(),
        "ambiguous-key"
    );
    set(&mut document, "b", 2);
    assert_eq!(text(&document), "a: 1\na: 2\nb: 2\n");
}
