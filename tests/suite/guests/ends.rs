// SPDX-License-Identifier: Apache-2.0
//! However a step ends, what it had done counts only when it said so, and its last words are readable.

use std::fs;

use super::attack::Attack;
use super::attack::DATA;

#[test]
pub(super) fn panics() {
    let ended = Attack::by("panics").may(DATA).fails("step-panicked");
    let message = ended.message();
    assert!(message.contains("index out of bounds"), "{message}");
    let details = ended.ran.json()["error"]["details"].clone();
    let message = details["message"].as_str().unwrap();
    assert!(
        message.starts_with("panicked at examples/panics.rs:"),
        "{message}"
    );
    // The step's own functions come first, without the machinery of panicking.
    let frames = &details["backtrace"];
    assert_eq!(frames[0], "panics::pick", "{frames}");
    assert_eq!(frames[1], "panics::convert_records", "{frames}");
    let people = ended.for_people();
    assert!(people.contains("panics::pick"), "{people}");
}

#[test]
pub(super) fn half_done() {
    let ended = Attack::by("half_done").may(DATA).fails("step-panicked");
    let message = ended.message();
    assert!(message.contains("the second half is missing"), "{message}");
    let files = ended.steps()[0]["record"]["files"].clone();
    assert_eq!(files[0]["path"], "data/a", "{files}");
    assert_eq!(files[0]["written"], true, "{files}");
    assert_eq!(files[0]["written_bytes"], 4, "{files}");
}

#[test]
fn half_done_and_well_said_is_committed_and_can_be_undone() {
    let ended = Attack::script(&["write data/a half", "answer ok"]).succeeds();
    assert_eq!(ended.changed, ["/bin/agent", "/data/a"]);
    assert_eq!(ended.read("data/a"), "half");
    ended.undone();
}

#[test]
fn a_later_step_that_fails_takes_the_work_of_the_earlier_ones_with_it() {
    let attack = Attack::script(&["write data/a half", "unlink data/sub/b", "mkdir data/new"]);
    let ended = attack.then("panics").fails("step-panicked");
    assert_eq!(ended.went_well().len(), 3);
    assert_eq!(ended.steps().len(), 2);
}

#[test]
pub(super) fn exits() {
    for (status, words) in [("0", "exit status 0"), ("1", "exit status 1")] {
        let attack = Attack::by("exits").state("status", status);
        let ended = attack.may("read = [\"status\"]").fails("step-trapped");
        let message = ended.message();
        assert!(message.contains(words), "{message}");
        assert!(message.contains("instead of giving a verdict"), "{message}");
    }
}

#[test]
pub(super) fn error_chain() {
    let message = Attack::by("error_chain").fails("step-error").message();
    let chain = "moving [net]: `net.port` is not a port: invalid digit found in string";
    assert_eq!(message, format!("step `step-0` failed: {chain}"));
}

#[test]
pub(super) fn nonsense() {
    let message = Attack::by("nonsense").fails("step-trapped").message();
    assert!(message.contains("out of bounds"), "{message}");
}

#[test]
pub(super) fn huge_answer() {
    let message = Attack::by("huge_answer").fails("step-trapped").message();
    assert!(message.contains("out of bounds"), "{message}");
}

#[test]
pub(super) fn rewrites() {
    let mut attack = Attack::by("rewrites").may(DATA);
    for link in ["absolute", "out", "door", "linked"] {
        fs::remove_file(attack.path("data").join(link)).unwrap();
    }
    fs::remove_dir_all(attack.path("data/sub")).unwrap();
    for n in 0..100 {
        attack = attack.state(&format!("data/{n}"), "{\"schema\":1}");
    }
    let ended = attack.succeeds();
    assert_eq!(ended.log(), ["101 files rewritten"]);
    assert_eq!(ended.read("data/99"), "{\"schema\":2}");
    ended.undone();
}
