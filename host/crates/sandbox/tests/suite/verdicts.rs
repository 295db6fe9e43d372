// SPDX-License-Identifier: Apache-2.0
//! Answers reach the host as they are meant, failures as something a person can read.

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

#[test]
fn an_error_arrives_with_its_causes() {
    let ran = Bench::new().run("error_chain");
    assert_eq!(ran.code(), "step-error");
    assert_eq!(
        ran.message(),
        "moving [net]: `net.port` is not a port: invalid digit found in string"
    );
}

#[test]
fn a_panic_shows_its_message_and_the_steps_own_functions() {
    let ran = Bench::new().run("panics");
    assert_eq!(ran.code(), "step-panicked");
    assert!(
        ran.message().starts_with("panicked at examples/panics.rs:"),
        "{}",
        ran.message()
    );
    assert!(
        ran.message()
            .contains("index out of bounds: the len is 0 but the index is 7")
    );
    let Verdict::Failed(failure) = &ran.outcome.verdict else {
        unreachable!()
    };
    assert_eq!(
        failure.backtrace[..2],
        ["panics::pick", "panics::convert_records"],
        "{ran:?}"
    );
}

#[test]
fn ending_itself_is_not_an_answer() {
    let ran = Bench::new().run("exits");
    assert_eq!(ran.code(), "step-trapped");
    assert!(ran.message().contains("exit status 0"), "{}", ran.message());
}

#[test]
fn what_a_failed_step_had_done_is_recorded() {
    let bench = Bench::writable();
    let ran = bench.run("half_done");
    assert_eq!(ran.code(), "step-panicked");
    assert!(ran.touched("data/a").written);
    assert_eq!(ran.touched("data/a").written_bytes, 4);
}

#[test]
fn many_small_files_are_rewritten() {
    let mut bench = Bench::writable();
    std::fs::remove_file(bench.path("data/a")).unwrap();
    for n in 0..500 {
        bench = bench.file(&format!("data/{n}.json"), "{\"schema\":1}");
    }
    let ran = bench.run("rewrites");
    assert_eq!(ran.outcome.verdict, Verdict::Ok);
    assert_eq!(bench.text("data/499.json"), "{\"schema\":2}");
    assert_eq!(
        ran.outcome
            .record
            .files
            .iter()
            .filter(|t| t.is_change())
            .count(),
        500
    );
}
