// SPDX-License-Identifier: Apache-2.0
//! A step cannot tell when, where and how often it runs.

use crate::bench::Bench;
use cofferdam_sandbox::Verdict;
use std::time::Duration;
use std::time::Instant;

#[test]
fn clocks_stand_still_sleeping_takes_no_time_and_the_environment_is_empty() {
    let started = Instant::now();
    let ran = Bench::writable().run("senses");
    assert_eq!(ran.outcome.verdict, Verdict::Ok, "{ran:?}");
    assert!(started.elapsed() < Duration::from_mins(1));
    let lines: Vec<&str> = ran
        .outcome
        .record
        .log
        .iter()
        .map(|l| l.line.as_str())
        .collect();
    assert_eq!(lines[0], "now 1700000000 waited 0");
    assert_eq!(lines[1], "args [] env [] stdin \"\"");
}

#[test]
fn two_runs_see_the_same_randomness_and_another_seed_another() {
    let bench = Bench::writable();
    let first = bench.run("senses");
    std::fs::write(bench.path("data/a"), "hello").unwrap();
    let second = bench.run("senses");
    assert_eq!(first.outcome.record.log, second.outcome.record.log);
    assert_eq!(
        first.outcome.record.usage.fuel,
        second.outcome.record.usage.fuel
    );
    let mut bench = bench;
    bench.seed = [8; 32];
    assert_ne!(
        bench.run("senses").outcome.record.log,
        first.outcome.record.log
    );
}
