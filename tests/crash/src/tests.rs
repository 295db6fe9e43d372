// SPDX-License-Identifier: Apache-2.0
//! The tracer tried out on small programs whose calls are known.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;

use crate::calls::Operation;
use crate::filter::Openings;
use crate::oplog::Change;
use crate::oplog::Log;
use crate::recorder;
use crate::tracer;
use crate::tracer::Call;
use crate::tracer::Decision;
use crate::tracer::Director;
use crate::tracer::Ended;
use crate::tracer::Run;
use crate::tracer::Watched;

pub(crate) struct Bench {
    _temporary: tempfile::TempDir,
    roots: Vec<PathBuf>,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        fs::write(root.join("a"), "hello").unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/b"), "there").unwrap();
        Self {
            _temporary: temporary,
            roots: vec![root],
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.roots[0]
    }

    fn watched(&self) -> Watched<'_> {
        Watched {
            roots: &self.roots,
            product: Path::new("/none"),
            openings: Openings::Changing,
            limit: Duration::from_secs(20),
        }
    }

    fn shell(&self, script: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-euc", script])
            .current_dir(self.root())
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        command
    }

    pub(crate) fn log(&self, script: &str) -> Log {
        let log = recorder::record(&mut self.shell(script), &self.watched(), self.root()).unwrap();
        assert_eq!(log.ended, Ended::Exit(0));
        assert_eq!(log.gaps(), Vec::<String>::new());
        log
    }

    fn at(&self, script: &str, at: u64, decision: Decision) -> Run {
        let mut at = At { at, decision };
        tracer::run(&mut self.shell(script), &self.watched(), &mut at).unwrap()
    }

    fn text(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.root().join(name)).ok()
    }
}

/// One decision at one call.
struct At {
    at: u64,
    decision: Decision,
}

impl Director for At {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        Ok(if call.number == self.at {
            self.decision
        } else {
            Decision::Go
        })
    }
}

fn operations(log: &Log) -> Vec<Operation> {
    log.entries.iter().map(|entry| entry.operation).collect()
}

#[test]
fn a_log_replayed_gives_the_disk_that_was_found() {
    let bench = Bench::new();
    let log = bench.log(
        "echo one > new; echo two >> new; mv new d/moved; ln a d/hard; ln -s a soft; rm d/b; \
         chmod 600 a; mkdir e; rmdir e; cp -a d copy; truncate -s 2 a; mv copy/moved a",
    );
    assert!(log.entries.len() > 14, "{:?}", operations(&log));
    assert_eq!(bench.text("d/moved").unwrap(), "one\ntwo\n");
}

#[test]
fn a_change_that_the_log_misses_is_noticed() {
    let bench = Bench::new();
    let mut log = bench.log("echo one > new; chmod 600 a");
    let gone = log.entries.pop().unwrap();
    assert_eq!(gone.operation, Operation::Mode);
    assert_eq!(log.gaps().len(), 1);
}

#[test]
fn calls_of_children_and_their_children_are_numbered_by_one_counter() {
    let bench = Bench::new();
    let log = bench.log("(echo 1 > x); sh -c 'sh -c \"echo 2 > y\"; echo 3 > z'");
    let numbers: Vec<u64> = log.entries.iter().map(|entry| entry.number).collect();
    assert_eq!(numbers, (1..=6).collect::<Vec<_>>());
}

#[test]
fn a_kill_comes_before_the_call_and_nothing_comes_after_it() {
    let bench = Bench::new();
    let script = "echo one > x; (sleep 1; echo late > late) & echo two > y; wait";
    let run = bench.at(script, 4, Decision::Kill);
    assert_eq!((run.ended, run.calls), (Ended::Killed, 4));
    assert_eq!(bench.text("x").unwrap(), "one\n");
    assert_eq!(bench.text("y").unwrap(), "");
    assert_eq!(bench.text("late"), None);
}

#[test]
fn a_torn_write_leaves_its_first_half() {
    let bench = Bench::new();
    let run = bench.at("printf 12345678 > x; echo two > y", 2, Decision::Tear);
    assert_eq!(run.ended, Ended::Killed);
    assert_eq!(bench.text("x").unwrap(), "1234");
    assert_eq!(bench.text("y"), None);
}

#[test]
fn a_short_write_is_gone_on_with() {
    let bench = Bench::new();
    let run = bench.at("cat a d/b > x", 2, Decision::Shorten);
    assert_eq!(run.ended, Ended::Exit(0));
    assert_eq!(bench.text("x").unwrap(), "hellothere");
}

#[test]
fn a_failed_call_is_not_made() {
    let bench = Bench::new();
    let run = bench.at("mv a z", 1, Decision::Fail(libc::EIO));
    assert_eq!(run.ended, Ended::Exit(1));
    assert_eq!(bench.text("a").unwrap(), "hello");
    assert_eq!(bench.text("z"), None);
}

#[test]
fn a_run_that_hangs_is_ended() {
    let bench = Bench::new();
    let watched = Watched {
        limit: Duration::from_millis(200),
        ..bench.watched()
    };
    let mut nothing = At {
        at: 0,
        decision: Decision::Go,
    };
    let mut command = bench.shell("(sleep 1000) & sleep 1000");
    let run = tracer::run(&mut command, &watched, &mut nothing).unwrap();
    assert_eq!(run.ended, Ended::TimedOut);
}

#[test]
fn what_lies_elsewhere_does_not_count() {
    let bench = Bench::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let script = format!(
        "echo x > {}/x; echo y > /dev/null",
        elsewhere.path().display()
    );
    assert_eq!(bench.at(&script, 1, Decision::Kill).calls, 0);
}

#[test]
fn syncs_are_logged_with_what_they_make_durable() {
    let bench = Bench::new();
    let log = bench.log("sync d/b; sync d; sync -f d; sync -d a");
    let syncs: Vec<&Change> = log.changes().collect();
    let [
        Change::Sync {
            object: file,
            data_only: false,
        },
        Change::Sync {
            object: directory,
            data_only: false,
        },
        Change::SyncFileSystem { device },
        Change::Sync {
            data_only: true, ..
        },
    ] = syncs[..]
    else {
        panic!("{syncs:?}");
    };
    assert_eq!(log.start.nodes[file].device, *device);
    assert_ne!(file, directory);
}

#[test]
fn a_thread_that_is_killed_while_it_is_looked_at_has_simply_ended() {
    let bench = Bench::new();
    let script = "for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                  (while :; do echo x > a; done) & one=$!; \
                  (while :; do echo y > d/b; done) & two=$!; \
                  for wait in 1 2 3 4 5; do echo $round > e; done; \
                  kill -9 $one $two; done; wait";
    for _ in 0..10 {
        assert_eq!(bench.at(script, 0, Decision::Go).ended, Ended::Exit(0));
    }
}

#[test]
fn a_process_that_is_gone_before_it_was_looked_at_is_no_file() {
    let bench = Bench::new();
    let watched = Watched {
        openings: Openings::All,
        ..bench.watched()
    };
    // One end opens what belongs to processes that come and go, as a search for open files does.
    let script = "(for round in $(seq 300); do sleep 0 & done; wait) & \
                  for round in $(seq 40); do for exe in /proc/[0-9]*/exe /proc/[0-9]*/cwd/x; do \
                  read line < $exe || :; done 2> /dev/null; done; wait";
    let mut at = At {
        at: 0,
        decision: Decision::Go,
    };
    let run = tracer::run(&mut bench.shell(script), &watched, &mut at).unwrap();
    assert_eq!(run.ended, Ended::Exit(0));
}
