// SPDX-License-Identifier: Apache-2.0
//! A step that does not end is ended when its time is up, wherever it spends it; waiting takes none.

use super::attack::ALL;
use super::attack::Attack;

const SHORT: &str = "read = [\"**\"]\nlimits = { time = \"300ms\" }";

#[track_caller]
fn is_stopped(attack: Attack) {
    let ended = attack.may(SHORT).fails("step-timed-out");
    let message = ended.message();
    let told = message.starts_with("step `step-0` failed: not done after its limit of 300ms");
    assert!(told, "{message}");
}

#[test]
pub(super) fn endless_loop() {
    for phase in ["check", "migrate"] {
        is_stopped(Attack::by("endless_loop").in_phase(phase));
    }
}

#[test]
pub(super) fn endless_calls() {
    is_stopped(Attack::by("endless_calls"));
}

#[test]
pub(super) fn endless_start() {
    is_stopped(Attack::by("endless_start"));
}

#[test]
pub(super) fn endless_allocation() {
    is_stopped(Attack::by("endless_allocation"));
}

#[test]
pub(super) fn endless_goodbye() {
    is_stopped(Attack::by("endless_goodbye"));
}

#[test]
pub(super) fn senses() {
    let log = Attack::by("senses").may(ALL).succeeds().log();
    assert_eq!(log[0], "now 1700000000 waited 0", "an hour of sleep");
    assert_eq!(log[1], "args [] env [] stdin \"\"");
}
