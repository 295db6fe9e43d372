// SPDX-License-Identifier: Apache-2.0
//! Answers reach the host as they are meant, and count where the phase has them.

use crate::bench::Bench;
use cofferdam_sandbox::NoConfig;
use cofferdam_sandbox::Phase;
use cofferdam_sandbox::Verdict;

fn answer(phase: Phase, answer: &str) -> crate::bench::Ran {
    Bench::new()
        .phase(phase)
        .run_with("script", &format!("answer {answer}"), &mut NoConfig)
}

#[test]
fn each_phase_has_its_answers() {
    let told = || "told to".to_owned();
    assert_eq!(answer(Phase::Check, "ok").outcome.verdict, Verdict::Ok);
    assert_eq!(
        answer(Phase::Check, "refuse").outcome.verdict,
        Verdict::Refuse(told())
    );
    assert_eq!(
        answer(Phase::Check, "defer").outcome.verdict,
        Verdict::Defer {
            reason: told(),
            retry_after_seconds: 60
        }
    );
    assert_eq!(
        answer(Phase::Migrate, "refuse").outcome.verdict,
        Verdict::Refuse(told())
    );
    assert_eq!(
        answer(Phase::Health, "healthy").outcome.verdict,
        Verdict::Healthy
    );
    assert_eq!(
        answer(Phase::Health, "unhealthy").outcome.verdict,
        Verdict::Unhealthy(told())
    );
}

#[test]
fn an_answer_of_another_phase_is_a_failure() {
    for (phase, word) in [
        (Phase::Check, "healthy"),
        (Phase::Prepare, "defer"),
        (Phase::Migrate, "healthy"),
        (Phase::Migrate, "unhealthy"),
        (Phase::Finalize, "defer"),
        (Phase::Health, "ok"),
        (Phase::Health, "refuse"),
    ] {
        assert_eq!(
            answer(phase, word).code(),
            "step-wrong-verdict",
            "{phase} {word}"
        );
    }
    assert_eq!(
        answer(Phase::Migrate, "healthy").message(),
        "answered `healthy`, which the phase `migrate` does not have"
    );
}
