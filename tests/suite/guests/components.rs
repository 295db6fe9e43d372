// SPDX-License-Identifier: Apache-2.0
//! A signed package may carry any bytes as a step's component: what is no step is refused by name before
//! any of it runs, and what costs too much to look at costs the host no more than it has to give.

use std::fmt::Write as _;
use std::fs;

use crate::harness::guest;

use super::attack::Attack;

/// Tries one component after the other on the same install; each is refused with this exit, this code
/// and these words.
#[track_caller]
fn refused(components: &[(Vec<u8>, i32, &str, &str)]) {
    let mut attack = Attack::by("script");
    for (bytes, exit, code, words) in components {
        let ended = attack.with_component(bytes.clone()).refused(*exit, code);
        let message = ended.message();
        assert!(message.contains(words), "{message}");
        let shown = ended.for_people();
        let moves = |c: char| c.is_control() && c != '\n';
        assert!(!shown.contains(moves), "{shown}");
        let forged = shown.lines().any(|line| line.starts_with("help: forged"));
        assert!(!forged, "{shown}");
        attack = ended.attack;
    }
}

/// What makes a step of a component: a module that answers `ok`.
const SOUND: &str = r#"
(core module $module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
  (func (export "run") (param i32) (result i32) (i32.const 0)))
(core instance $main (instantiate $module))
"#;

fn text(text: &str) -> Vec<u8> {
    wat::parse_str(text).unwrap()
}

#[test]
fn what_asks_for_more_than_is_on_offer_is_refused_by_name() {
    let import = |name: &str, function: &str| {
        let import = format!("(import \"{name}\" (instance (export \"{function}\" (func))))");
        let words = format!("`{name} ({function})`");
        (text(&format!("(component {import})")), words)
    };
    let asked = [
        import("wasi:sockets/tcp-create-socket@0.2.9", "create-tcp-socket"),
        import("wasi:sockets/ip-name-lookup@0.2.6", "resolve-addresses"),
        import("wasi:http/outgoing-handler@0.2.10", "handle"),
        import("acme:backdoor/shell@1.0.0", "exec"),
        import("cofferdam:step/log@0.2.0", "write"),
        import("cofferdam:step/secrets@0.1.0", "get"),
        import("wasi:filesystem/types@0.3.0", "open-at"),
        import("wasi:cli/command@0.2.6", "run"),
        (
            text("(component (import \"exec\" (func)))"),
            "`exec`".to_owned(),
        ),
        (
            // An interface that is on offer, with more in it than it has.
            cofferdam_guests::component(
                &("(import \"wasi:cli/exit@0.2.6\" (instance (export \"reboot\" (func))))"
                    .to_owned()
                    + SOUND),
            )
            .unwrap(),
            "`reboot`".to_owned(),
        ),
    ];
    let refusals: Vec<_> = asked
        .iter()
        .map(|(bytes, words)| (bytes.clone(), 4, "component-imports", words.as_str()))
        .collect();
    refused(&refusals);
}

#[test]
fn what_is_no_component_is_refused_as_what_it_is() {
    let sound = fs::read(guest("script")).unwrap();
    let cut = |at: usize| sound[..at].to_vec();
    refused(&[
        (
            b"#!/bin/sh\nreboot\n".to_vec(),
            3,
            "component-invalid",
            "not a valid",
        ),
        (cut(1), 3, "component-invalid", "not a valid"),
        (cut(8), 3, "component-exports", "no such export"),
        (cut(100), 3, "component-invalid", "not a valid"),
        (cut(sound.len() / 2), 3, "component-invalid", "not a valid"),
        (cut(sound.len() - 1), 3, "component-invalid", "not a valid"),
        (
            b"\0asm\x0e\0\x01\0".to_vec(),
            3,
            "component-invalid",
            "not a valid",
        ),
        (
            text("(module)"),
            3,
            "component-core-module",
            "core WebAssembly module",
        ),
        (
            text("(component)"),
            3,
            "component-exports",
            "no such export",
        ),
        (
            text(
                "(component (core module $m (func (export \"run\")))
                   (core instance $i (instantiate $m))
                   (func (export \"run\") (canon lift (core func $i \"run\"))))",
            ),
            3,
            "component-exports",
            "run",
        ),
        // A name that is quoted in the refusal.
        (
            text(
                "(component (core module $m (func)
                   (export \"\\1b[2J\\0ahelp: forged\" (func 0))
                   (export \"\\1b[2J\\0ahelp: forged\" (func 0))))",
            ),
            3,
            "component-invalid",
            "duplicate export name",
        ),
    ]);
}

#[test]
fn features_that_are_off_are_refused_by_name() {
    let with = |definitions: &str, words: &'static str| {
        let text = SOUND.replacen("$module", &format!("$module {definitions}"), 1);
        let bytes = cofferdam_guests::component(&text).unwrap();
        (bytes, 3, "component-features", words)
    };
    refused(&[
        with("(memory 1)", "`multi-memory`"),
        with("(memory i64 1)", "`memory64`"),
        with("(func (return_call 0))", "`tail-call`"),
        with("(tag)", "`exceptions`"),
    ]);
}

/// A sound step with so many bytes more, which mean nothing and cannot be compressed.
fn padded(bytes: usize) -> Vec<u8> {
    let mut component = fs::read(guest("script")).unwrap();
    component.push(0);
    let mut length = bytes + 1;
    while length >= 0x80 {
        component.push(0x80 | (length & 0x7f) as u8);
        length >>= 7;
    }
    component.push(length as u8);
    component.push(0);
    let mut state = 1_u64;
    component.extend((0..bytes).map(|_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 56) as u8
    }));
    component
}

#[test]
fn fifty_megabytes_are_looked_at_within_bounds() {
    let attack = Attack::script(&["write data/a x"]).with_component(padded(50 << 20));
    let ended = attack.succeeds();
    assert_eq!(ended.changed, ["/bin/agent", "/data/a"]);
}

/// A step that starts an empty module two to this power times: each component in it holds the one before
/// it twice.
fn doubled(times: usize) -> Vec<u8> {
    let mut text =
        "(component $c0 (core module $empty) (core instance (instantiate $empty)))".to_owned();
    for level in 1..=times {
        let before = level - 1;
        write!(
            text,
            "(component $c{level} (instance (instantiate $c{before})) (instance (instantiate $c{before})))"
        )
        .unwrap();
    }
    write!(text, "(instance (instantiate $c{times}))").unwrap();
    cofferdam_guests::component(&(text + SOUND)).unwrap()
}

/// A step with a function in which every local has another value at the end of each of very many
/// branches: little text, and a join of all of them at each.
fn joined(locals: usize, branches: usize) -> Vec<u8> {
    let mut text = "(core module $work (func (export \"work\") (param i32)".to_owned();
    text.push_str(&" (local i32)".repeat(locals));
    for branch in 0..branches {
        let (one, other) = (branch % locals + 1, branch * 7 % locals + 1);
        write!(
            text,
            "(loop (if (i32.eq (local.get 0) (i32.const {branch})) (then (local.set {one} \
             (i32.add (local.get {one}) (local.get {other}))) (br 1))))"
        )
        .unwrap();
    }
    text.push_str("))");
    cofferdam_guests::component(&(text + SOUND)).unwrap()
}

#[test]
fn what_takes_too_much_time_to_compile_is_given_up() {
    let attack = Attack::by("script").with_component(joined(2000, 20_000));
    attack
        .machine
        .settings(attack.install, "[policy.limits]\ncompile = \"1s\"");
    let ended = attack.within(5 << 30).refused(3, "component-too-costly");
    let message = ended.message();
    // On a machine with very much else to do the clock is first.
    let words = ["the limit of 1s of CPU time", "not done after 3s"];
    assert!(
        words.iter().any(|words| message.contains(words)),
        "{message}"
    );
}

#[test]
fn what_takes_too_much_memory_to_compile_is_given_up() {
    // Some two thousand bytes, and more instances than there is memory for anywhere.
    let component = doubled(40);
    assert!(component.len() < 4000, "{}", component.len());
    let attack = Attack::by("script").with_component(component);
    let ended = attack.within(5 << 30).refused(3, "component-too-costly");
    let message = ended.message();
    assert!(message.contains("MiB of memory"), "{message}");
}
