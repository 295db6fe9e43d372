// SPDX-License-Identifier: Apache-2.0
//! What a path may be, and every trick that it may not.

use super::*;

fn code(text: &str) -> &'static str {
    PayloadPath::parse(text).map_or_else(|error| error.code(), |_| "accepted")
}

#[test]
fn ordinary_paths_are_accepted_unchanged() {
    for text in [
        "a",
        "bin/agent",
        "lib/ä/ö.so",
        ".hidden/..x",
        "a b/c",
        "café",
        "console",
        "COM10",
        "x/nul_",
    ] {
        assert_eq!(
            PayloadPath::parse(text).map(|path| path.to_string()),
            Ok(text.to_owned())
        );
    }
}

#[test]
fn every_trick_is_refused_by_its_own_code() {
    let long_part = "x".repeat(256);
    let long_path = vec!["y".repeat(200); 6].join("/");
    let deep = ["d"; 65].join("/");
    let tricks = [
        ("", "path-empty"),
        ("/etc/passwd", "path-absolute"),
        ("a//b", "path-empty-part"),
        ("a/", "path-empty-part"),
        ("./a", "path-dot-part"),
        ("a/../b", "path-dot-part"),
        ("..", "path-dot-part"),
        ("a\\b", "path-backslash"),
        ("..\\x", "path-backslash"),
        ("a\0b", "path-control"),
        ("a\nb", "path-control"),
        ("a\u{1b}[2Jb", "path-control"),
        ("a\u{7f}", "path-control"),
        ("a\u{85}b", "path-control"),
        ("txt.\u{202e}exe", "path-control"),
        ("C:/x", "path-reserved-character"),
        ("a/file:stream", "path-reserved-character"),
        ("what?", "path-reserved-character"),
        ("a*b", "path-reserved-character"),
        ("con", "path-reserved-name"),
        ("a/NUL.txt", "path-reserved-name"),
        ("nul .txt", "path-reserved-name"),
        ("Com1", "path-reserved-name"),
        ("lpt².log", "path-reserved-name"),
        ("CONIN$", "path-reserved-name"),
        ("aux/x", "path-reserved-name"),
        ("a.", "path-trailing-dot"),
        ("a /b", "path-trailing-dot"),
        ("...", "path-trailing-dot"),
        (&long_part, "path-too-long"),
        (&long_path, "path-too-long"),
        (&deep, "path-too-deep"),
    ];
    for (text, expected) in tricks {
        assert_eq!(code(text), expected, "{text:?}");
    }
}

#[test]
fn refusals_show_no_control_characters() {
    let message = PayloadPath::parse("a\u{1b}[2J\n").unwrap_err().to_string();
    assert!(!message.chars().any(char::is_control), "{message}");
}

#[test]
fn paths_that_a_file_system_would_merge_have_one_key() {
    let key = |text| PayloadPath::parse(text).unwrap().fold_key();
    assert_eq!(key("Lib/README"), key("lib/readme"));
    assert_eq!(key("caf\u{e9}"), key("cafe\u{301}"));
    assert_eq!(key("stra\u{df}e"), key("STRASSE"));
    assert_eq!(key("\u{212b}"), key("\u{e5}"));
    assert_ne!(key("a"), key("b"));
}

#[test]
fn symlinks_that_stay_inside_are_accepted() {
    for (link, target) in [
        ("bin/tool", "../lib/tool.js"),
        ("a/b/c", "../../x"),
        ("lib/libx.so", "libx.so.1"),
        ("a/b", ".."),
        ("here", "./there"),
    ] {
        assert!(
            check_symlink_target(&PayloadPath::parse(link).unwrap(), target).is_ok(),
            "{target}"
        );
    }
}

#[test]
fn symlinks_that_lead_out_are_refused() {
    for (link, target, code) in [
        ("a", "..", "symlink-leads-out"),
        ("a/b", "../../x", "symlink-leads-out"),
        ("a/b/c", "other/../../../x", "symlink-leads-out"),
        ("a/b/c", "link/../x", "symlink-leads-out"),
        ("a", "/etc/passwd", "path-absolute"),
        ("a", "", "path-empty"),
        ("a", "b//c", "path-empty-part"),
        ("a", "b\\c", "path-backslash"),
        ("a", "b\nc", "path-control"),
        ("a", "nul", "path-reserved-name"),
        ("a", "x/".repeat(64).as_str(), "path-empty-part"),
        ("a", ["x"; 65].join("/").as_str(), "path-too-deep"),
    ] {
        let error = check_symlink_target(&PayloadPath::parse(link).unwrap(), target).unwrap_err();
        assert_eq!(error.code(), code, "{target:?}");
    }
}

#[test]
fn parents_and_parts_are_those_of_the_text() {
    let path = PayloadPath::parse("a/b/c").unwrap();
    assert_eq!(path.parent(), Some("a/b"));
    assert_eq!(path.file_name(), "c");
    assert_eq!(path.components().collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(path.ancestors().collect::<Vec<_>>(), ["a", "a/b"]);
    assert_eq!(PayloadPath::parse("a").unwrap().parent(), None);
}
