// SPDX-License-Identifier: Apache-2.0
//! A step cannot tell when, where and how often it runs.

use crate::bench::Bench;

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
