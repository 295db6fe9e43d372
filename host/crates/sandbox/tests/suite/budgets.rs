// SPDX-License-Identifier: Apache-2.0
//! What is written and made is counted; a spent budget is an error that the step sees.

use crate::bench::Bench;
use cofferdam_sandbox::Budget;

const SPENT: &str = "QuotaExceeded";

/// The guest's C library says of every failed stream only that it failed.
const STREAM_SPENT: &str = "Uncategorized";

#[test]
fn bytes_beyond_the_budget_are_not_written() {
    let mut bench = Bench::writable();
    bench.limits.written_bytes = 64 << 10;
    let ran = bench.script_ran(&["fill /data/big 1000"]);
    assert_ne!(ran.answers(), ["ok"]);
    assert_eq!(ran.outcome.record.spent, [Budget::WrittenBytes].into());
    assert!(ran.outcome.record.usage.written_bytes <= 64 << 10);
    assert!(bench.text("data/big").len() <= 64 << 10);
}

#[test]
fn a_sparse_file_counts_as_what_it_could_become() {
    let mut bench = Bench::writable();
    bench.limits.written_bytes = 64 << 10;
    let ran = bench.script_ran(&["cut /data/a 1000000000", "cut /data/a 100"]);
    assert_eq!(ran.answers(), [SPENT, "ok"]);
    assert_eq!(bench.text("data/a").len(), 100);
}

#[test]
fn a_write_far_beyond_the_end_is_charged_for_all_of_it() {
    let mut bench = Bench::writable();
    bench.limits.written_bytes = 64 << 10;
    bench.refuses(&[
        ("writeat /data/a 1099511627776 x", STREAM_SPENT),
        ("writeat /data/a 9223372036854775807 x", STREAM_SPENT),
        ("writeat /data/a 65541 x", STREAM_SPENT),
    ]);
    // In small steps, and by growing what was cut before, it comes to the same.
    let ran = bench.script_ran(&[
        "writeat /data/a 40004 x",
        "cut /data/a 5",
        "writeat /data/a 40004 x",
        "writeat /data/a 20004 y",
        "writeat /data/a 6 z",
    ]);
    assert_eq!(ran.answers(), ["ok", "ok", STREAM_SPENT, "ok", "ok"]);
    assert_eq!(ran.outcome.record.spent, [Budget::WrittenBytes].into());
    assert_eq!(ran.outcome.record.usage.written_bytes, 40_000 + 20_000 + 1);
    assert_eq!(ran.touched("data/a").written_bytes, 40_000 + 20_000 + 1);
    assert_eq!(bench.text("data/a").len(), 20_005);
}

#[test]
fn files_directories_and_links_count_when_they_are_made() {
    let mut bench = Bench::writable();
    bench.limits.files = 3;
    let ran = bench.script_ran(&[
        "new /data/b",
        "mkdir /data/c",
        "symlink a /data/d",
        "new /data/e",
        "mkdir /data/f",
        "write /data/a still",
    ]);
    assert_eq!(ran.answers(), ["ok", "ok", "ok", SPENT, SPENT, "ok"]);
    assert_eq!(ran.outcome.record.spent, [Budget::Files].into());
    assert_eq!(bench.script(&["list /data"]), ["ok a,b,c,d"]);
}

#[test]
fn whoever_watches_sees_the_lines_that_are_kept_and_no_others() {
    let ran = Bench::new().run("log_flood");
    let record = &ran.outcome.record;
    assert!(record.log_dropped_bytes > 1 << 20);
    assert!(record.usage.log_bytes <= 64 << 10);
    let kept: Vec<_> = record
        .log
        .iter()
        .map(|line| (line.level, line.line.clone()))
        .collect();
    assert_eq!(ran.seen, kept);
}

#[test]
fn a_step_that_fails_for_want_of_budget_says_which() {
    let mut bench = Bench::writable();
    bench.limits.written_bytes = 2;
    let ran = bench.run("half_done");
    assert_eq!(ran.code(), "step-over-budget");
    assert!(
        ran.message()
            .starts_with("the budget of written bytes is spent"),
        "{ran:?}"
    );
    assert_eq!(bench.text("data/a"), "");
}

#[test]
fn what_is_written_to_a_tree_in_memory_is_not_taken_for_the_steps_own_memory() {
    // More than the process of a step may have; on a disk it is only a file.
    const BYTES: u64 = 640 << 20;
    let mut bench = Bench::writable_in("/dev/shm");
    bench.limits.written_bytes = BYTES;
    let bench = bench.file("data/a", "");
    let large = std::fs::File::options()
        .write(true)
        .open(bench.path("data/a"));
    large.unwrap().set_len(BYTES).unwrap();
    let ran = bench.script_ran(&["copy /data/a /data/copy"]);
    assert_eq!(ran.answers(), [format!("ok {BYTES}")]);
    assert_eq!(bench.path("data/copy").metadata().unwrap().len(), BYTES);
}
