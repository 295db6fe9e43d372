// SPDX-License-Identifier: Apache-2.0
//! What a step says is bounded, and is read as a step's words by everybody: in the output for people, in
//! JSON and in the history.

use std::fs;

use super::attack::ALL;
use super::attack::Attack;
use super::attack::Ended;

#[test]
pub(super) fn log_flood() {
    let attack = Attack::by("log_flood").may("limits = { log = \"4KiB\" }");
    let ended = attack.succeeds();
    let record = &ended.steps()[0]["record"];
    let dropped = record["log_dropped_bytes"].as_u64().unwrap();
    assert!(dropped > 1_000_000, "{dropped}");
    assert!(record["usage"]["log_bytes"].as_u64().unwrap() <= 4096);
    assert!(ended.ran.stdout.len() < 64 * 1024);
    assert_eq!(
        ended.log()[..5],
        [
            "red reversed",
            "one",
            "{\"level\":\"error\",\"line\":\"forged\"}",
            "printed",
            "printed, too",
        ]
    );
    shown_as_it_should(&ended);
}

#[test]
pub(super) fn one_huge_line() {
    let attack = Attack::by("one_huge_line").may("limits = { memory = \"256MiB\" }");
    let ended = attack.fails("step-trapped");
    assert_eq!(ended.log(), [""; 0]);
    let message = ended.message();
    assert!(message.contains("too much"), "{message}");
}

/// Nothing of what a step said can move a cursor, or be taken for a line of ours.
#[track_caller]
fn shown_as_it_should(ended: &Ended) {
    let history = fs::read_to_string(format!("{}.cofferdam/history.jsonl", ended.attack.install));
    let shown = ended
        .attack
        .machine
        .run(["history", ended.attack.install])
        .expect(0);
    let status = ended
        .attack
        .machine
        .run(["status", ended.attack.install])
        .expect(0);
    let people = ended.for_people();
    for text in [
        &ended.ran.stdout,
        &ended.ran.stderr,
        &history.unwrap(),
        &shown.stdout,
        &status.stdout,
        &people,
    ] {
        for c in text.chars() {
            let moves = c.is_control() && c != '\n' && c != '\t';
            assert!(!moves && !('\u{202a}'..='\u{202e}').contains(&c), "{text}");
        }
        // JSON may escape what it must not contain.
        for escaped in ["\\u001b", "\\u202e", "\\u009b", "\\r", "\\u0000"] {
            assert!(!text.contains(escaped), "{escaped} in {text}");
        }
    }
    for line in people.lines().chain(shown.stdout.lines()) {
        for forged in ["error[bug]", "help: send", "{\"level\""] {
            assert!(!line.starts_with(forged), "forged: {line}");
        }
    }
}

#[test]
pub(super) fn forged_words() {
    for (answer, exit, code) in [
        ("refuse", 5, "step-refused"),
        ("error", 5, "step-error"),
        ("panic", 5, "step-panicked"),
    ] {
        let attack = Attack::by("forged_words").may(ALL).state("answer", answer);
        shown_as_it_should(&attack.refused(exit, code));
    }
    let reads = "read = [\"answer\"]";
    let attack = Attack::by("forged_words")
        .may(reads)
        .state("answer", "defer");
    let deferred = attack.in_phase("check").refused(6, "deferred");
    shown_as_it_should(&deferred);

    let attack = Attack::by("forged_words").may(reads);
    let attack = attack.state("answer", "unhealthy").in_phase("health");
    let unhealthy = attack.ends();
    assert_eq!(unhealthy.ran.exit, Some(7), "{:?}", unhealthy.ran);
    assert_eq!(unhealthy.ran.code(), "unhealthy");
    assert_eq!(unhealthy.changed, [""; 0]);
    shown_as_it_should(&unhealthy);
}

#[test]
pub(super) fn forged_frames() {
    let ended = Attack::by("forged_frames").fails("step-trapped");
    let frames = ended.ran.json()["error"]["details"]["backtrace"].clone();
    assert_eq!(frames.as_array().unwrap().len(), 3, "{frames}");
    shown_as_it_should(&ended);
}
