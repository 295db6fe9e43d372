// SPDX-License-Identifier: Apache-2.0
//! Whatever a step did, its record stays small, and says of what it keeps only a part.

use std::collections::BTreeSet;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::StepLimits;
use cofferdam_sandbox::Content;
use cofferdam_sandbox::Denied;
use cofferdam_sandbox::Import;
use cofferdam_sandbox::Level;
use cofferdam_sandbox::LogLine;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::Touched;
use serde_json::Value;
use serde_json::json;

use super::step;
use crate::config_session::TouchedKeys;
use crate::update::grants::EffectiveGrants;
use crate::update::report::StepReport;

/// What no record of a step may exceed.
const MOST_BYTES: usize = 512 << 10;

/// A report in which each list has `count` entries with names of `length` bytes that JSON writes longest.
fn report(count: usize, length: usize) -> StepReport {
    let name = |number: usize| format!("{number}{}", "\u{1}".repeat(length));
    let names = || (0..count).map(name);
    let keys = || names().collect::<BTreeSet<String>>();
    let mut record = StepRecord {
        imports: names()
            .map(|interface| Import {
                interface,
                functions: Vec::new(),
                offered: true,
            })
            .collect(),
        files: names()
            .map(|path| Touched {
                path,
                written: true,
                before: Some(Content::File {
                    bytes: 1,
                    digest: Digest::of(b"x"),
                }),
                ..Touched::default()
            })
            .collect(),
        log: names()
            .map(|line| LogLine {
                level: Level::Info,
                line,
            })
            .collect(),
        ..StepRecord::default()
    };
    record.sum_up();
    StepReport {
        name: "step".to_owned(),
        phase: "migrate".to_owned(),
        reason: "a test".to_owned(),
        verdict: "ok".to_owned(),
        message: Some("\"".repeat(count * length)),
        grants: EffectiveGrants {
            read: names().collect(),
            write: names().collect(),
            config_read: names().collect(),
            config_write: names().collect(),
            managed_writes: false,
            limits: StepLimits {
                time_ms: 1,
                memory_bytes: 1,
                written_bytes: 1,
                files: 1,
                log_bytes: 1,
            },
        },
        keys: TouchedKeys {
            read: keys(),
            written: keys(),
            denied: keys(),
            not_listed: 0,
        },
        record: Some(record),
        seconds: 0.5,
    }
}

#[test]
fn a_step_that_did_little_is_recorded_whole() {
    let report = report(50, 3);
    assert_eq!(step(&report), serde_json::to_value(&report).unwrap());
}

#[test]
fn no_record_of_a_step_takes_more_than_its_room() {
    for (count, length) in [(20_000, 0), (1000, 60), (200, 4000), (20, 100_000)] {
        let body = step(&report(count, length));
        let size = serde_json::to_vec(&body).unwrap().len();
        assert!(size <= MOST_BYTES, "{size} bytes for {count} of {length}");
        let cut = body["cut"].as_object().unwrap();
        for list in [
            "grants.read",
            "grants.config_write",
            "keys.denied",
            "record.imports",
            "record.files",
            "record.log",
        ] {
            assert_eq!(
                cut[list]["entries"], count,
                "{list} of {count} and {length}"
            );
        }
        assert_eq!(body["record"]["totals"]["paths"], count);
    }
}

/// As `docs/json.md` says it to whoever has the whole list.
#[test]
fn the_digest_of_a_cut_list_is_that_of_the_lines_of_the_whole() {
    let report = report(600, 1);
    let whole = serde_json::to_value(&report).unwrap();
    let cut = &step(&report)["cut"];
    for (list, pointer) in [
        ("record.files", "/record/files"),
        ("record.log", "/record/log"),
        ("keys.read", "/keys/read"),
        ("grants.write", "/grants/write"),
    ] {
        let entries = whole.pointer(pointer).and_then(Value::as_array).unwrap();
        let lines: Vec<String> = entries.iter().map(|entry| format!("{entry}\n")).collect();
        let digest = Digest::of(lines.concat().as_bytes());
        let expected = json!({ "entries": 600, "digest": digest });
        assert_eq!(cut[list], expected, "{list}");
    }
}

/// The paths that are kept of a step's record with these.
fn kept_of(files: Vec<Touched>) -> BTreeSet<String> {
    let mut report = report(0, 0);
    report.record.as_mut().unwrap().files = files;
    let body = step(&report);
    let files = body["record"]["files"].as_array().unwrap();
    let paths = files.iter().map(|file| file["path"].as_str().unwrap());
    paths.map(str::to_owned).collect()
}

fn looked(number: usize) -> Touched {
    Touched {
        path: format!("a/{number:06}"),
        read: true,
        ..Touched::default()
    }
}

fn denied(number: usize) -> Touched {
    Touched {
        path: format!("b/{number:06}"),
        denied: [Denied::Write].into(),
        ..Touched::default()
    }
}

fn removed(number: usize) -> Touched {
    Touched {
        path: format!("c/{number:06}"),
        removed: true,
        ..Touched::default()
    }
}

#[test]
fn of_too_many_paths_changes_are_kept_before_denials_and_those_before_looks() {
    let files = (0..10_000).map(looked).chain([denied(0), removed(0)]);
    let kept = kept_of(files.collect());
    assert_eq!(kept.len(), 500);
    assert!(kept.contains("b/000000") && kept.contains("c/000000"));
    assert!(kept.contains("a/000000") && !kept.contains("a/009999"));

    let kept = kept_of((0..600).map(denied).chain([removed(0)]).collect());
    assert!(kept.len() == 500 && kept.contains("c/000000"));
}

#[test]
fn no_number_of_changes_leaves_denials_without_room() {
    let kept = kept_of((0..600).map(removed).chain([denied(0)]).collect());
    assert!(kept.contains("b/000000") && kept.contains("c/000399"));
}
