// SPDX-License-Identifier: Apache-2.0
//! A step that does not end, or takes all it can get, ends all the same.

use crate::bench::Bench;
use std::time::Duration;
use std::time::Instant;

#[test]
fn a_loop_without_end_is_stopped_when_its_time_is_up() {
    for guest in ["endless_loop", "endless_calls"] {
        let mut bench = Bench::writable();
        crate::guests::guest(guest);
        bench.limits.time = Duration::from_millis(300);
        let before = bench.snapshot();
        let started = Instant::now();
        let ran = bench.run(guest);
        assert_eq!(ran.code(), "step-timed-out", "{ran:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!(bench.snapshot(), before);
    }
}

#[test]
fn one_run_out_of_time_does_not_end_another() {
    let mut slow = Bench::writable();
    slow.limits.time = Duration::from_millis(200);
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| slow.run("endless_loop").code());
        let bench = Bench::writable();
        for _ in 0..30 {
            assert_eq!(
                bench.script(&["fill /data/x 100", "unlink /data/x"]),
                ["ok", "ok"]
            );
        }
        assert_eq!(stopped.join().unwrap(), "step-timed-out");
    });
}

#[test]
fn a_memory_bomb_meets_its_limit() {
    let ran = Bench::new().run("memory_bomb");
    assert_eq!(ran.code(), "step-out-of-memory");
    assert_eq!(ran.message(), "needs more memory than its limit of 64 MiB");
    assert!(ran.outcome.record.usage.memory_peak_bytes <= 64 << 20);
}

#[test]
fn recursion_without_end_is_told_as_such() {
    let ran = Bench::new().run("deep_recursion");
    assert_eq!(ran.code(), "step-trapped");
    assert!(
        ran.message().contains("recursion without end"),
        "{}",
        ran.message()
    );
    assert!(!backtrace(&ran).is_empty());
}

fn backtrace(ran: &crate::bench::Ran) -> Vec<String> {
    match &ran.outcome.verdict {
        cofferdam_sandbox::Verdict::Failed(failure) => failure.backtrace.clone(),
        other => panic!("not a failure: {other:?}"),
    }
}
