// SPDX-License-Identifier: Apache-2.0
//! A step that breaks the rules by which components and hosts speak with each other is ended on the spot:
//! its handles, its texts and its calls are checked before anybody acts on them.

use super::attack::Attack;

#[track_caller]
fn is_trapped(guest: &'static str, words: &str) {
    let message = Attack::by(guest).fails("step-trapped").message();
    assert!(message.contains(words), "{message}");
}

#[test]
pub(super) fn calls_back() {
    is_trapped("calls_back", "cannot leave component instance");
}

#[test]
pub(super) fn dropped_handle() {
    is_trapped("dropped_handle", "unknown handle");
}

#[test]
pub(super) fn forged_handles() {
    is_trapped("forged_handles", "unknown handle");
}

#[test]
pub(super) fn huge_list() {
    is_trapped("huge_list", "store handle limit exceeded");
}

#[test]
pub(super) fn much_randomness() {
    is_trapped(
        "much_randomness",
        "asked for 18446744073709551615 random bytes at once",
    );
}

#[test]
pub(super) fn not_text() {
    is_trapped("not_text", "utf-8");
}
