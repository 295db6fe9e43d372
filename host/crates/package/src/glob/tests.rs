// SPDX-License-Identifier: Apache-2.0
//! What patterns stand for, and what they may not be.

use proptest::prelude::*;

use super::*;

fn glob(text: &str) -> Glob {
    Glob::parse(text).unwrap()
}

#[test]
fn the_directory_of_a_pattern_ends_before_its_first_wildcard() {
    for (text, directory) in [
        ("data/schema-version", "data"),
        ("data/**", "data"),
        ("data/*/b/c", "data"),
        ("a/b/c?", "a/b"),
        ("VERSION", ""),
        ("*.txt", ""),
        ("**/x", ""),
        ("**", ""),
    ] {
        assert_eq!(glob(text).directory(), directory, "{text}");
    }
}

#[test]
fn a_pattern_is_above_what_lies_below_its_directory() {
    for (pattern, path, expected) in [
        ("data/**", "data", false),
        ("data/**", "data/a", true),
        ("data/**", "data/a/b", true),
        ("data/**", "database/a", false),
        ("data/schema", "data/other", true),
        ("a/b/*/c", "a/b", false),
        ("a/b/*/c", "a/x", false),
        ("**", "", false),
        ("**", "a", true),
        ("VERSION", "a", true),
    ] {
        assert_eq!(glob(pattern).is_above(path), expected, "{pattern} {path:?}");
    }
}

#[test]
fn a_pattern_begins_in_its_directory_and_those_above() {
    for (pattern, directory, expected) in [
        ("a/b/c", "", true),
        ("a/b/c", "a", true),
        ("a/b/c", "a/b", true),
        ("a/b/c", "a/b/c", false),
        ("a/b/c", "a/x", false),
        ("a/*/c", "a", true),
        ("a/*/c", "a/b", false),
        ("**", "", true),
        ("**", "a", false),
    ] {
        let begins = glob(pattern).begins_in(directory);
        assert_eq!(begins, expected, "{pattern} {directory:?}");
    }
}

#[test]
fn a_path_of_any_depth_is_matched_by_itself_and_by_nothing_above_it() {
    for depth in [1, 59, 60, 61, 62, 63, crate::path::MAX_DEPTH] {
        let path = vec!["a"; depth].join("/");
        let literal = Glob::literal(&PayloadPath::parse(&path).unwrap());
        assert!(literal.matches(&path), "{depth}");
        assert!(literal.leads_to(&path), "{depth}");
        let above = path.rsplit_once('/').map_or("", |(above, _)| above);
        assert!(!literal.matches(above), "{depth}");
        assert!(literal.leads_to(above), "{depth}");
        assert!(!literal.matches(&format!("{path}/a")), "{depth}");
        assert!(!literal.leads_to(&format!("{path}/a")), "{depth}");
    }
}

#[test]
fn patterns_stand_for_what_they_say() {
    let table: [(&str, &[&str], &[&str]); 9] = [
        (
            "data/**",
            &["data", "data/a", "data/a/b"],
            &["", "dat", "other/data", "database"],
        ),
        ("data/*", &["data/a", "data/.x"], &["data", "data/a/b"]),
        ("**", &["", "a", "a/b/c"], &[]),
        ("**/x", &["x", "a/x", "a/b/x"], &["a/xx", "x/a", ""]),
        (
            "a/**/b",
            &["a/b", "a/x/b", "a/x/y/b", "a/b/b"],
            &["a", "b", "a/x", "ab"],
        ),
        ("*.json", &["a.json", ".json"], &["a/b.json", "a.jsonx"]),
        ("f?o", &["foo", "fäo"], &["fo", "fooo", "f/o"]),
        (
            "a*b*c",
            &["abc", "axxbyybzzc", "abbc"],
            &["ab", "acb", "abcd"],
        ),
        (
            "**/a/**/b/**",
            &["a/b", "x/a/y/b/z", "a/a/b"],
            &["a", "b/a"],
        ),
    ];
    for (pattern, yes, no) in table {
        for path in yes {
            assert!(
                glob(pattern).matches(path),
                "{pattern} should match {path:?}"
            );
        }
        for path in no {
            assert!(
                !glob(pattern).matches(path),
                "{pattern} should not match {path:?}"
            );
        }
    }
}

#[test]
fn a_directory_is_led_to_when_something_below_may_match() {
    for (pattern, directory, expected) in [
        ("data/schema", "", true),
        ("data/schema", "data", true),
        ("data/schema", "data/schema", true),
        ("data/schema", "data/schema/x", false),
        ("data/schema", "dat", false),
        ("**/x", "any/where", true),
        ("a/*/c", "a/b", true),
        ("a/*/c", "b", false),
        ("a/**", "a/b/c/d", true),
    ] {
        assert_eq!(
            glob(pattern).leads_to(directory),
            expected,
            "{pattern} {directory:?}"
        );
    }
}

#[test]
fn malformed_patterns_are_refused_by_their_own_code() {
    let long = "x".repeat(2_000);
    let deep = ["*"; 61].join("/");
    for (text, code) in [
        ("", "glob-empty"),
        ("/etc/**", "glob-absolute"),
        ("a//b", "glob-empty-part"),
        ("a/", "glob-empty-part"),
        ("../x", "glob-dot-part"),
        ("a/./b", "glob-dot-part"),
        ("a\\*", "glob-character"),
        ("a\nb", "glob-character"),
        ("{a,b}", "glob-unsupported"),
        ("[ab]", "glob-unsupported"),
        ("a**", "glob-double-star"),
        ("***", "glob-double-star"),
        (&long, "glob-too-long"),
        (&deep, "glob-too-long"),
    ] {
        assert_eq!(Glob::parse(text).unwrap_err().code(), code, "{text:?}");
    }
    let many = vec!["a".to_owned(); 257];
    assert_eq!(GlobSet::parse(&many).unwrap_err().code(), "glob-too-many");
    assert_eq!(
        KeyGlobSet::parse(&many).unwrap_err().code(),
        "glob-too-many"
    );
}

#[test]
fn the_deepest_pattern_still_matches() {
    let text = ["a"; MAX_GLOB_PARTS].join("/");
    assert!(glob(&text).matches(&text));
    assert!(!glob(&text).matches(&format!("{text}/a")));
}

#[test]
fn keys_match_by_part_and_by_file() {
    let key = |text| KeyGlob::parse(text).unwrap();
    assert!(key("server.*").matches("server.port"));
    assert!(key("server.*").matches("agent:server.port"));
    assert!(!key("server.*").matches("server.tls.cert"));
    assert!(key("server.**").matches("server.tls.cert"));
    assert!(key("agent:server.*").matches("agent:server.port"));
    assert!(!key("agent:server.*").matches("other:server.port"));
    assert!(!key("agent:server.*").matches("server.port"));
    assert!(key("PORT_*").matches("PORT_HTTP"));
    assert!(key("s.\"a.b\".*").matches("s.\"a.b\".c"));
    assert!(key("s.*.c").matches("s.\"a.b\".c"));
    assert!(!key("s.\"*\"").matches("s.x"));
    assert!(key("s.\"*\"").matches("s.\"*\""));
    assert!(key("\"a:b\".c").matches("\"a:b\".c"));
    assert!(!key("**").matches("broken.\"quote"));
}

#[test]
fn malformed_keys_are_refused_by_their_own_code() {
    for (text, code) in [
        ("", "glob-empty"),
        ("a..b", "glob-empty-part"),
        ("a.", "glob-empty-part"),
        ("agent:", "glob-empty-part"),
        ("Agent:x", "glob-name"),
        (":x", "glob-name"),
        ("a.\"b", "glob-quotes"),
        ("a.\"b\"c", "glob-quotes"),
        ("a.b\"c\"", "glob-quotes"),
        ("a\u{0}", "glob-character"),
        ("a.b**", "glob-double-star"),
        ("a.[b]", "glob-unsupported"),
    ] {
        assert_eq!(KeyGlob::parse(text).unwrap_err().code(), code, "{text:?}");
    }
}

#[test]
fn no_pattern_makes_matching_slow() {
    let pattern = ["**"; MAX_GLOB_PARTS - 1].join("/") + "/x";
    let path = ["a"; 500].join("/");
    assert!(!glob(&pattern).matches(&path));
    let stars = "*a".repeat(400);
    assert!(!glob(&stars).matches(&"a".repeat(399)));
}

/// The obvious definition, exponential and short.
fn by_definition(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => {
            by_definition(rest, path)
                || path
                    .split_first()
                    .is_some_and(|(_, tail)| by_definition(pattern, tail))
        }
        ([first, rest @ ..], [part, tail @ ..]) => {
            let first: Vec<char> = first.chars().collect();
            let part: Vec<char> = part.chars().collect();
            part_by_definition(&first, &part) && by_definition(rest, tail)
        }
        _ => false,
    }
}

fn part_by_definition(pattern: &[char], text: &[char]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        (['*', rest @ ..], _) => {
            part_by_definition(rest, text)
                || text
                    .split_first()
                    .is_some_and(|(_, tail)| part_by_definition(pattern, tail))
        }
        (['?', rest @ ..], [_, tail @ ..]) => part_by_definition(rest, tail),
        ([c, rest @ ..], [d, tail @ ..]) => c == d && part_by_definition(rest, tail),
        _ => false,
    }
}

proptest! {
    #[test]
    fn matching_agrees_with_its_definition(
        pattern in proptest::collection::vec("\\*\\*|[ab*?]{1,3}", 1..5),
        path in proptest::collection::vec("[ab]{1,3}", 0..5),
    ) {
        let text = pattern.join("/");
        if let Ok(glob) = Glob::parse(&text) {
            let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
            let parts: Vec<&str> = path.iter().map(String::as_str).collect();
            prop_assert_eq!(glob.matches(&path.join("/")), by_definition(&pattern, &parts));
            if glob.matches(&path.join("/")) {
                for end in 0..=path.len() {
                    prop_assert!(glob.leads_to(&path[..end].join("/")));
                }
            }
        }
    }
}
