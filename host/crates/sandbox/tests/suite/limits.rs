// SPDX-License-Identifier: Apache-2.0
//! Limits belong to one run. That each of them holds is shown on whole updates, in `tests/suite/guests`.

use crate::bench::Bench;
use std::time::Duration;

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
