// SPDX-License-Identifier: Apache-2.0
//! `.env` files: what an edit changes, and all that it leaves alone.

mod common;

use cofferdam_config::Document;
use cofferdam_config::Format;

use common::key;
use common::remove;
use common::rename;
use common::set;
use common::text;

fn open(text: &str) -> Document {
    common::open(Format::Env, text)
}

#[track_caller]
fn becomes(before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    common::becomes(Format::Env, before, edit, after);
}

const AGENT: &str = "\
# Acme agent
export NAME=edge-7   # shown
PORT=8080
GREETING='hello # world'
QUOTED=\"say \\\"hi\\\" \\$x\"
KEY=\"line 1
line 2\" # over lines
EMPTY=
MIXED='a'b
OPEN='it
just text
SPACES=hello world
";

#[test]
fn values_are_read_without_quotes_and_comments() {
    let document = open(AGENT);
    let get = |name: &str| document.get(&key(name)).expect(name);
    assert_eq!(get("NAME"), Some("edge-7".into()));
    assert_eq!(get("GREETING"), Some("hello # world".into()));
    assert_eq!(get("QUOTED"), Some("say \"hi\" $x".into()));
    assert_eq!(get("KEY"), Some("line 1\nline 2".into()));
    assert_eq!(get("EMPTY"), Some("".into()));
    assert_eq!(get("SPACES"), Some("hello world".into()));
    assert_eq!(get("NONE"), None);
    for name in ["MIXED", "OPEN"] {
        assert_eq!(
            document.get(&key(name)).expect_err(name).code(),
            "unsupported-value"
        );
    }
    assert_eq!(
        document.get(&key("a.b")).expect_err("dotted").code(),
        "bad-key"
    );
}

#[test]
fn a_value_changes_and_keeps_its_quotes() {
    becomes(
        AGENT,
        |document| {
            set(document, "NAME", "edge-8");
            set(document, "PORT", 9090);
            set(document, "GREETING", "bye $all");
            set(document, "QUOTED", "a\\b$");
            set(document, "KEY", "one\ntwo");
            set(document, "EMPTY", "it's \"x\"");
            set(document, "SPACES", "bye world");
        },
        &AGENT
            .replace("edge-7", "edge-8")
            .replace("8080", "9090")
            .replace("hello # world", "bye $all")
            .replace("say \\\"hi\\\" \\$x", "a\\\\b\\$")
            .replace("line 1\nline 2", "one\\ntwo")
            .replace("EMPTY=", "EMPTY=\"it's \\\"x\\\"\"")
            .replace("hello world", "bye world"),
    );
}

#[test]
fn keys_are_added_removed_and_renamed_in_their_place() {
    becomes("", |d| set(d, "A", "x y"), "A='x y'\n");
    becomes("# top\n\n", |d| set(d, "A", 1), "# top\n\nA=1\n");
    becomes(
        "export A=1\r\n",
        |d| set(d, "B", 1),
        "export A=1\r\nexport B=1\r\n",
    );
    becomes("A=1\n\n# end", |d| set(d, "B", 1), "A=1\nB=1\n\n# end");
    becomes(
        AGENT,
        |d| rename(d, "NAME", "HOST"),
        &AGENT.replace("NAME", "HOST"),
    );
    becomes(
        AGENT,
        |d| rename(d, "MIXED", "M"),
        &AGENT.replace("MIXED", "M"),
    );
    becomes(
        AGENT,
        |d| remove(d, "KEY"),
        &AGENT.replace("KEY=\"line 1\nline 2\" # over lines\n", ""),
    );
}

#[test]
fn what_cannot_be_written_is_refused() {
    let mut document = open(AGENT);
    assert_eq!(
        document
            .set(&key("\"A B\""), &1.into())
            .expect_err("name")
            .code(),
        "edit-refused"
    );
    assert_eq!(
        document
            .set(&key("A"), &"\0".into())
            .expect_err("NUL")
            .code(),
        "edit-refused"
    );
    assert_eq!(
        document
            .rename(&key("PORT"), &key("1"))
            .expect_err("name")
            .code(),
        "edit-refused"
    );
    assert_eq!(
        document
            .set(&key("MIXED"), &"x".into())
            .expect_err("mixed")
            .code(),
        "type-change"
    );
    assert_eq!(text(&document), AGENT);
    let mut document = open("A=1\nA=2\n");
    assert_eq!(
        document
            .set(&key("A"), &"3".into())
            .expect_err("twice")
            .code(),
        "ambiguous-key"
    );
}
