// SPDX-License-Identifier: Apache-2.0
//! A step that takes all it can get of something gets what its limits say, and the host keeps going.

use super::attack::Attack;
use super::attack::DATA;

#[track_caller]
fn fails(guest: &'static str, code: &str, words: &str) {
    let ended = Attack::by(guest).may(DATA).fails(code);
    let message = ended.message();
    assert!(message.contains(words), "{message}");
}

#[test]
pub(super) fn memory_bomb() {
    let limit = "limits = { memory = \"32MiB\" }";
    let ended = Attack::by("memory_bomb")
        .may(limit)
        .fails("step-out-of-memory");
    let message = ended.message();
    let words = "needs more memory than its limit of 32 MiB";
    assert!(message.contains(words), "{message}");
    let usage = ended.steps()[0]["record"]["usage"].clone();
    let peak = usage["memory_peak_bytes"].as_u64().unwrap();
    assert!(peak > 16 << 20 && peak <= 32 << 20, "{usage}");
}

#[test]
pub(super) fn huge_memory() {
    fails(
        "huge_memory",
        "step-out-of-memory",
        "needs more memory than its limit of 64 MiB",
    );
}

#[test]
pub(super) fn table_bomb() {
    fails(
        "table_bomb",
        "step-out-of-memory",
        "needs tables of more than 100000 elements",
    );
}

#[test]
pub(super) fn huge_table() {
    fails(
        "huge_table",
        "step-out-of-memory",
        "needs tables of more than 100000 elements",
    );
}

#[test]
pub(super) fn instance_bomb() {
    fails(
        "instance_bomb",
        "step-not-started",
        "instance count too high",
    );
}

#[test]
pub(super) fn resource_bomb() {
    fails(
        "resource_bomb",
        "step-trapped",
        "store handle limit exceeded",
    );
}

#[test]
pub(super) fn deep_recursion() {
    fails("deep_recursion", "step-trapped", "recursion without end");
}

#[test]
pub(super) fn stack_bomb() {
    fails("stack_bomb", "step-trapped", "recursion without end");
}

#[test]
pub(super) fn hoards_handles() {
    fails("hoards_handles", "step-over-budget", "open handles");
}

#[test]
pub(super) fn hoards_listings() {
    let limit = format!("{DATA}limits = {{ files = 6000, time = \"60s\" }}");
    let ended = Attack::by("hoards_listings")
        .may(&limit)
        .fails("step-over-budget");
    let message = ended.message();
    assert!(message.contains("with 80 listings open"), "{message}");
    assert!(message.contains("open handles"), "{message}");
}
