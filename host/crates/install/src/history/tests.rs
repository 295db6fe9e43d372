// SPDX-License-Identifier: Apache-2.0
//! The chain shows every edit, and a torn line is never a reason to lose the whole ones.

use cap_std::fs::Dir;
use serde_json::json;

use super::Entry;
use super::RecordKind;
use super::append;
use super::read;
use super::verify;
use crate::layout::HISTORY;

fn with_records(count: u64) -> (tempfile::TempDir, Dir, Vec<u8>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
    for number in 0..count {
        append(&dir, entry(number)).unwrap();
    }
    let bytes = dir.read(HISTORY).unwrap_or_default();
    (temporary, dir, bytes)
}

fn entry(number: u64) -> Entry {
    Entry {
        at_unix_s: number,
        txid: Some(format!("t{number}")),
        kind: RecordKind::Step,
        body: json!({ "number": number, "text": "a\nb" }),
    }
}

#[test]
fn records_are_numbered_and_chained() {
    let (_temporary, dir, _) = with_records(3);
    let history = read(&dir).unwrap();
    let numbers: Vec<u64> = history.records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_ne!(history.records[1].prev, history.records[2].prev);
}

#[test]
fn an_empty_or_missing_history_has_no_records() {
    let (_temporary, dir, _) = with_records(0);
    assert!(read(&dir).unwrap().records.is_empty());
    dir.write(HISTORY, b"").unwrap();
    append(&dir, entry(1)).unwrap();
    assert_eq!(read(&dir).unwrap().records.len(), 1);
}

#[test]
fn any_changed_byte_of_a_whole_line_is_told() {
    let (_temporary, _dir, bytes) = with_records(3);
    let last_line = bytes[..bytes.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    for at in 0..=last_line {
        let mut edited = bytes.clone();
        edited[at] ^= 1;
        assert_eq!(
            verify(&edited).unwrap_err().code(),
            "history-unreadable",
            "byte {at}"
        );
    }
}

#[test]
fn a_missing_or_doubled_line_is_told() {
    let (_temporary, _dir, bytes) = with_records(3);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    for edited in [
        [lines[0], lines[2]].concat(),
        [lines[1], lines[2]].concat(),
        [lines[0], lines[0], lines[1]].concat(),
        [lines[0], b"\n", lines[1]].concat(),
    ] {
        verify(&edited).unwrap_err();
    }
}

#[test]
fn cut_anywhere_the_whole_lines_stay_and_the_next_record_follows_them() {
    let (_temporary, dir, bytes) = with_records(3);
    for length in 0..=bytes.len() {
        let whole = bytes[..length].split(|byte| *byte == b'\n').count() - 1;
        let torn = verify(&bytes[..length]).unwrap();
        assert_eq!(torn.records.len(), whole);
        dir.write(HISTORY, &bytes[..length]).unwrap();
        append(&dir, entry(9)).unwrap();
        let history = read(&dir).unwrap();
        assert_eq!((history.records.len(), history.torn_bytes), (whole + 1, 0));
    }
}

#[test]
fn a_record_longer_than_a_window_is_still_found_from_the_end() {
    let (_temporary, dir, _) = with_records(1);
    let long = Entry {
        body: json!("x".repeat(700_000)),
        ..entry(2)
    };
    append(&dir, long).unwrap();
    append(&dir, entry(3)).unwrap();
    assert_eq!(read(&dir).unwrap().records.len(), 3);
}

#[test]
fn a_last_record_of_which_any_part_was_not_written_is_torn() {
    let (_temporary, dir, bytes) = with_records(3);
    let before = with_records(2).2.len();
    for (from, to) in [(0, 1), (0, 40), (40, 41), (0, bytes.len() - before - 1)] {
        let mut torn = bytes.clone();
        torn[before + from..before + to].fill(0);
        let history = verify(&torn).unwrap();
        assert_eq!(history.records.len(), 2, "{from} to {to}");
        assert_eq!(history.torn_bytes, (bytes.len() - before) as u64);
        dir.write(HISTORY, &torn).unwrap();
        append(&dir, entry(9)).unwrap();
        assert_eq!(read(&dir).unwrap().records.len(), 3);
    }
}

#[test]
fn a_zero_byte_in_an_earlier_record_is_told() {
    let (_temporary, _dir, bytes) = with_records(3);
    let before = with_records(2).2.len();
    for at in [0, before - 2] {
        let mut edited = bytes.clone();
        edited[at] = 0;
        verify(&edited).unwrap_err();
    }
}
