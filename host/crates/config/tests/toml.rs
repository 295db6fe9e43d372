// SPDX-License-Identifier: Apache-2.0
//! TOML files as operators write them: what an edit changes, and all that it leaves alone.

mod common;

use cofferdam_config::Document;
use cofferdam_config::Format;
use cofferdam_config::Scalar;
use cofferdam_config::Value;

use common::key;
use common::rename;
use common::set;
use common::text;

fn open(text: &str) -> Document {
    common::open(Format::Toml, text)
}

#[track_caller]
fn becomes(before: &str, edit: impl FnOnce(&mut Document), after: &str) {
    common::becomes(Format::Toml, before, edit, after);
}

const AGENT: &str = "\
# Acme agent. Restart after changes.

name = 'edge-7'   # shown in the console

# Where the agent listens.
[net]  # see the manual
# Only this machine, please.
# (ticket 4711)
listen = '127.0.0.1'  # IPv4
port   = 8_080        # not 80!

# Seconds.
timeout = 1.50
peers = [
    \"a\",  # first
    \"b\",
]

[net.tls]
on = true

# Where it writes.
[log]
level = \"info\"
";

#[test]
fn a_section_moves_key_by_key_with_everything_that_the_operator_wrote() {
    let mut document = open(AGENT);
    for from in document.list(Some(&key("net"))).expect("list") {
        let to = key(&from.to_string().replacen("net", "server", 1));
        document.rename(&from, &to).expect("rename");
    }
    assert_eq!(
        text(&document),
        "\
# Acme agent. Restart after changes.

name = 'edge-7'   # shown in the console

# Where the agent listens.
[server]  # see the manual
# Only this machine, please.
# (ticket 4711)
listen = '127.0.0.1'  # IPv4
port   = 8_080        # not 80!

# Seconds.
timeout = 1.50
peers = [
    \"a\",  # first
    \"b\",
]

[server.tls]
on = true

# Where it writes.
[log]
level = \"info\"
"
    );
}

#[test]
fn a_header_stays_when_a_comment_is_left_in_its_section() {
    becomes(
        "[net]\n# timeout = 5\n\nport = 1\n\n[log]\n",
        |document| rename(document, "net.port", "server.port"),
        "[net]\n# timeout = 5\n\n[server]\nport = 1\n\n[log]\n",
    );
}

#[test]
fn a_header_stays_when_its_comment_would_lose_its_subject() {
    becomes(
        "[server]\na = 1\n\n[x]\n\n# the network\n[net]\nport = 1\n\n[log]\n",
        |document| rename(document, "net.port", "server.port"),
        "[server]\na = 1\nport = 1\n\n[x]\n\n# the network\n[net]\n\n[log]\n",
    );
}

#[test]
fn an_empty_header_without_comments_goes() {
    becomes(
        "[server]\na = 1\n\n[net]\nport = 1\n\n[log]\nb = 1\n",
        |document| rename(document, "net.port", "server.port"),
        "[server]\na = 1\nport = 1\n\n[log]\nb = 1\n",
    );
    becomes(
        "[server]\na = 1\n\n[net]\nport = 1\n",
        |document| rename(document, "net.port", "server.port"),
        "[server]\na = 1\nport = 1\n",
    );
}

#[test]
fn a_value_changes_and_nothing_else() {
    becomes(
        AGENT,
        |document| {
            set(document, "net.port", 9090);
            set(document, "name", "edge-8");
            set(document, "net.timeout", 1.5);
        },
        &AGENT.replace("8_080", "9090").replace("edge-7", "edge-8"),
    );
}

#[test]
fn setting_what_is_there_keeps_its_spelling() {
    let mut document = open("a = 0x1F\nb = 1_0.0\nc = '''x'''\n");
    set(&mut document, "a", 31);
    set(&mut document, "b", 10.0);
    set(&mut document, "c", "x");
    assert!(!document.is_changed());
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_a_missing_last_line_end_survive() {
    becomes(
        "\u{feff}a = 1\r\n\r\n[b]\r\nc = 'x' # y\r\nd = 2",
        |document| {
            set(document, "b.c", "z");
            set(document, "b.e", true);
            set(document, "f.g", 1);
            rename(document, "a", "h.i");
        },
        "\u{feff}\r\n[h]\r\ni = 1\r\n\r\n[b]\r\nc = 'z' # y\r\nd = 2\r\ne = true\r\n\r\n[f]\r\ng = 1",
    );
}

#[test]
fn new_keys_find_their_place() {
    becomes("", |document| set(document, "a", 1), "a = 1\n");
    becomes("", |document| set(document, "a.b", 1), "[a]\nb = 1\n");
    becomes(
        "# top\n",
        |document| set(document, "a.b", 1),
        "# top\n\n[a]\nb = 1\n",
    );
    becomes(
        "# banner\n\n# net\n[net]\na = 1\n",
        |document| set(document, "x", 1),
        "# banner\n\nx = 1\n\n# net\n[net]\na = 1\n",
    );
    becomes(
        "[a]\nx = 1\n[a.b]\nx = 1\n[c]\n",
        |document| set(document, "a.d.e", 1),
        "[a]\nx = 1\n[a.b]\nx = 1\n\n[a.d]\ne = 1\n[c]\n",
    );
    becomes(
        "a.b = 1\n\n[z]\n",
        |document| set(document, "a.\"c d\"", 1),
        "a.b = 1\na.\"c d\" = 1\n\n[z]\n",
    );
    becomes(
        "[a] # x\n",
        |document| set(document, "a.b", 1),
        "[a] # x\nb = 1\n",
    );
    becomes(
        "  [a]\n    b = 1\n",
        |document| set(document, "a.c", 1),
        "  [a]\n    b = 1\n    c = 1\n",
    );
}

#[test]
fn inline_tables_are_edited_inside() {
    let before = "a = { b = 1, c = 'x' } # why\n";
    becomes(
        before,
        |d| set(d, "a.b", 2),
        "a = { b = 2, c = 'x' } # why\n",
    );
    becomes(
        before,
        |d| set(d, "a.d", 2),
        "a = { b = 1, c = 'x', d = 2 } # why\n",
    );
    becomes(
        before,
        |d| rename(d, "a.c", "a.e"),
        "a = { b = 1, e = 'x' } # why\n",
    );
    becomes(
        before,
        |d| rename(d, "a.c", "c"),
        "a = { b = 1 } # why\nc = 'x'\n",
    );
    becomes("a = {}\n", |d| set(d, "a.b.c", 1), "a = { b.c = 1 }\n");
    becomes(
        before,
        |document| assert!(document.remove(&key("a.b")).expect("remove")),
        "a = { c = 'x' } # why\n",
    );
}

#[test]
fn dotted_keys_are_renamed_on_the_spot() {
    becomes(
        "net.a = 1 # x\nnet.b = 2\n\n[log]\nout.x = 1\n",
        |document| {
            rename(document, "net.a", "server.a");
            rename(document, "net.b", "server.c");
            rename(document, "log.out.x", "log.in.x");
        },
        "server.a = 1 # x\nserver.c = 2\n\n[log]\nin.x = 1\n",
    );
    becomes(
        "net.a = 1\n\n[server]\nb = 1\n",
        |document| rename(document, "net.a", "server.a"),
        "\n[server]\nb = 1\na = 1\n",
    );
}

#[test]
fn removing_takes_the_line_and_its_own_comment_only() {
    becomes(
        AGENT,
        |document| assert!(document.remove(&key("net.port")).expect("remove")),
        &AGENT.replace("port   = 8_080        # not 80!\n", ""),
    );
    becomes(
        "[a]\n# about b\nb = 1 # x\n[c]\n",
        |document| assert!(document.remove(&key("a.b")).expect("remove")),
        "[a]\n# about b\n[c]\n",
    );
    let mut document = open(AGENT);
    assert!(!document.remove(&key("net.none")).expect("remove"));
    assert!(!document.is_changed());
}

#[test]
fn lists_over_several_lines_stay_so() {
    let list = |items: &[&str]| {
        Value::List(
            items
                .iter()
                .map(|item| Scalar::Text((*item).to_owned()))
                .collect(),
        )
    };
    becomes(
        "a = [\n  'x',\n  'y'\n]\nb = ['x']\n",
        |document| {
            document.set(&key("a"), &list(&["p", "q"])).expect("set");
            document.set(&key("b"), &list(&["p", "q"])).expect("set");
        },
        "a = [\n  \"p\",\n  \"q\",\n]\nb = [\"p\", \"q\"]\n",
    );
    let error = open(AGENT)
        .set(&key("net.peers"), &list(&["c"]))
        .expect_err("comments in the list");
    assert_eq!(error.code(), "edit-refused");
}

#[test]
fn dates_and_big_numbers_move_as_they_are_spelled_but_have_no_value() {
    let before = "d = 1979-05-27T07:32:00Z\nl = [[1], [2]]\n";
    let document = open(before);
    assert_eq!(
        document.get(&key("d")).expect_err("a date").code(),
        "unsupported-value"
    );
    becomes(
        before,
        |d| rename(d, "d", "x.d"),
        "l = [[1], [2]]\n\n[x]\nd = 1979-05-27T07:32:00Z\n",
    );
    let mut document = open(before);
    assert_eq!(
        document
            .set(&key("d"), &"x".into())
            .expect_err("a date")
            .code(),
        "type-change"
    );
}

#[test]
fn arrays_of_tables_are_read_by_number_and_not_edited() {
    let before = "[[plugin]]\nname = 'a'\n[[plugin]]\nname = 'b'\n[plugin.sub]\nx = 1\n";
    let mut document = open(before);
    assert_eq!(
        document.get(&key("plugin.1.name")).expect("get"),
        Some("b".into())
    );
    let keys = document.list(None).expect("list");
    assert_eq!(
        keys,
        ["plugin.0.name", "plugin.1.name", "plugin.1.sub.x"].map(key)
    );
    for name in [
        "plugin.1.name",
        "plugin.0.new",
        "plugin.5.new",
        "plugin.name",
        "plugin.sub.x",
    ] {
        let error = document.set(&key(name), &"c".into()).expect_err(name);
        assert_eq!(error.code(), "edit-refused", "{name}");
    }
    assert_eq!(
        document
            .remove(&key("plugin.1.name"))
            .expect_err("list")
            .code(),
        "edit-refused"
    );
    assert_eq!(text(&document), before);
}

#[test]
fn what_must_not_happen_is_refused_by_name() {
    let mut document = open(AGENT);
    let code =
        |result: Result<(), cofferdam_config::ConfigError>| result.expect_err("refused").code();
    assert_eq!(
        code(document.set(&key("net.port"), &"8080".into())),
        "type-change"
    );
    assert_eq!(
        code(document.set(&key("net.port"), &8080.0.into())),
        "type-change"
    );
    assert_eq!(code(document.set(&key("net"), &1.into())), "not-a-value");
    assert_eq!(
        code(document.set(&key("net.port.x"), &1.into())),
        "not-a-value"
    );
    assert_eq!(
        code(document.rename(&key("net.none"), &key("x"))),
        "no-such-key"
    );
    assert_eq!(
        code(document.rename(&key("net.port"), &key("name"))),
        "key-exists"
    );
    assert_eq!(
        code(document.rename(&key("net.port"), &key("net"))),
        "key-exists"
    );
    assert_eq!(
        code(document.rename(&key("net.tls"), &key("x"))),
        "not-a-value"
    );
    assert_eq!(text(&document), AGENT);
}

#[test]
fn hostile_files_are_refused_before_they_cost_anything() {
    let code = |bytes: Vec<u8>| {
        Document::parse(Format::Toml, bytes)
            .expect_err("refused")
            .code()
    };
    assert_eq!(code(vec![b'#'; (4 << 20) + 1]), "config-too-large");
    assert_eq!(code(b"a = \xff".to_vec()), "config-not-utf8");
    assert_eq!(code(b"a = ".to_vec()), "config-syntax");
    assert_eq!(code(b"a = 1\na = 2".to_vec()), "config-syntax");
    let deep = "a.".repeat(1_000_000) + "a";
    assert_eq!(code(format!("{deep} = 1").into_bytes()), "config-too-deep");
    assert_eq!(code(format!("[{deep}]").into_bytes()), "config-too-deep");
    assert_eq!(
        code(format!("x = [\"\"\"\n\"\"\"\"\", {{ {deep} = 1 }}]").into_bytes()),
        "config-too-deep"
    );
    code(format!("a = {}", "[".repeat(1_000_000)).into_bytes());
    code(format!("a = {}{}", "[".repeat(100), "]".repeat(100)).into_bytes());
    code(format!("a = {}", "{a=".repeat(1_000_000)).into_bytes());
}
