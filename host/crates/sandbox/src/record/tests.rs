// SPDX-License-Identifier: Apache-2.0
//! A record crosses a process boundary unchanged, but for what the other side cannot know.

use super::*;
use crate::step::Failure;
use crate::step::FailureKind;
use crate::step::Verdict;

/// A run happens in another process than the one that keeps its record.
#[test]
fn an_outcome_survives_the_way_through_json() {
    let record = StepRecord {
        imports: vec![Import {
            interface: "wasi:io/poll@0.2.6".to_owned(),
            functions: vec!["block".to_owned()],
            offered: true,
        }],
        files: vec![
            Touched {
                path: "data/\u{1f600}\n\"a\"".to_owned(),
                written: true,
                written_bytes: u64::MAX,
                renamed_to: Some("data/b".to_owned()),
                before: Some(Content::File {
                    bytes: u64::MAX,
                    digest: Digest::of(b""),
                }),
                after: Some(Content::Symlink {
                    target: "\n".to_owned(),
                }),
                denied: [Denied::Create, Denied::Link, Denied::Open, Denied::Read].into(),
                ..Touched::default()
            },
            Touched {
                path: "data/b".to_owned(),
                denied: [
                    Denied::Remove,
                    Denied::Rename,
                    Denied::Resolve,
                    Denied::Write,
                ]
                .into(),
                ..Touched::default()
            },
        ],
        files_not_listed: 7,
        totals: Totals {
            bytes_after: u64::MAX,
            ..Totals::default()
        },
        lost: true,
        log: vec![LogLine {
            level: Level::Warn,
            line: "two words".to_owned(),
        }],
        log_dropped_bytes: 3,
        spent: [Budget::Handles, Budget::Files, Budget::WrittenBytes].into(),
        usage: Usage {
            fuel: u64::MAX,
            ..Usage::default()
        },
    };
    let text = serde_json::to_string(&record).unwrap();
    assert_eq!(serde_json::from_str::<StepRecord>(&text).unwrap(), record);

    let failed = |kind| {
        Verdict::Failed(Failure {
            kind,
            message: "m".to_owned(),
            backtrace: vec!["f".to_owned()],
        })
    };
    for verdict in [
        Verdict::Ok,
        Verdict::Refuse("no".to_owned()),
        Verdict::Defer {
            reason: "later".to_owned(),
            retry_after_seconds: 5,
        },
        Verdict::Unhealthy("ill".to_owned()),
        failed(FailureKind::OverBudget(Budget::Handles)),
        failed(FailureKind::TimedOut),
    ] {
        let text = serde_json::to_string(&verdict).unwrap();
        assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
    }
}

#[test]
fn the_totals_count_each_path_once_for_each_thing_that_happened_there() {
    let file = |bytes| {
        Some(Content::File {
            bytes,
            digest: Digest::of(b""),
        })
    };
    let touched = Touched::default;
    let mut record = StepRecord {
        files: vec![
            Touched {
                read_bytes: 1,
                denied: [Denied::Write, Denied::Remove].into(),
                ..touched()
            },
            Touched {
                read: true,
                written: true,
                before: file(3),
                after: file(u64::MAX),
                ..touched()
            },
            Touched {
                created: true,
                renamed_to: Some("b".to_owned()),
                ..touched()
            },
            Touched {
                renamed_from: Some("a".to_owned()),
                removed: true,
                before: Some(Content::Withheld),
                after: file(1),
                ..touched()
            },
        ],
        ..StepRecord::default()
    };
    record.sum_up();
    let expected = Totals {
        paths: 4,
        read: 2,
        written: 1,
        created: 1,
        removed: 1,
        renamed: 1,
        denied: 1,
        bytes_before: 3,
        bytes_after: u64::MAX,
    };
    assert_eq!(record.totals, expected);
}

#[test]
fn what_a_runner_says_of_content_is_not_taken() {
    let claimed = Some(Content::Withheld);
    let record = StepRecord {
        files: vec![Touched {
            path: "a".to_owned(),
            before: claimed.clone(),
            after: claimed,
            ..Touched::default()
        }],
        lost: true,
        ..StepRecord::default()
    };
    let expected = StepRecord {
        files: vec![Touched {
            path: "a".to_owned(),
            ..Touched::default()
        }],
        ..StepRecord::default()
    };
    assert_eq!(record.without_claims(), expected);
}

#[test]
fn a_record_of_more_paths_than_a_runner_keeps_is_no_record() {
    let empty = serde_json::to_string(&StepRecord::default()).unwrap();
    let many = vec!["{\"path\":\"\"}"; RECORDED_PATHS + 1].join(",");
    let record = empty.replacen("\"files\":[]", &format!("\"files\":[{many}]"), 1);
    let error = serde_json::from_str::<StepRecord>(&record).unwrap_err();
    assert!(
        error.to_string().contains("at most 524289 paths"),
        "{error}"
    );
}

#[test]
fn a_denial_has_one_word_in_json_and_text() {
    for denied in [Denied::Create, Denied::Link, Denied::Open, Denied::Read]
        .into_iter()
        .chain([
            Denied::Remove,
            Denied::Rename,
            Denied::Resolve,
            Denied::Write,
        ])
    {
        let word = format!("\"{}\"", denied.word());
        assert_eq!(serde_json::to_string(&denied).unwrap(), word);
    }
}
