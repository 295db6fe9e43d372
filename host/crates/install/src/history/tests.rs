// SPDX-License-Identifier: Apache-2.0
//! The chain shows every edit, and a torn line is never a reason to lose the whole ones.

use cap_std::fs::Dir;
use serde_json::json;

use super::Entry;
use super::RecordKind;
use super::append;
use super::read;
use super::verify;
use super::verify_from;
use crate::layout::HISTORY;

fn with_records(count: u64) -> (tempfile::TempDir, Dir, Vec<u8>) {
    let temporary = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(temporary.path(), cap_std::ambient_authority()).unwrap();
    for number in 0..count {
        append(&dir, None, vec![entry(number)]).unwrap();
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
    let history = read(&dir, 1).unwrap();
    let numbers: Vec<u64> = history.records.iter().map(|record| record.seq).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert_ne!(history.records[1].prev, history.records[2].prev);
}

#[test]
fn an_empty_or_missing_history_has_no_records() {
    let (_temporary, dir, _) = with_records(0);
    assert!(read(&dir, 1).unwrap().records.is_empty());
    dir.write(HISTORY, b"").unwrap();
    append(&dir, None, vec![entry(1)]).unwrap();
    assert_eq!(read(&dir, 1).unwrap().records.len(), 1);
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
        append(&dir, None, vec![entry(9)]).unwrap();
        let history = read(&dir, 1).unwrap();
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
    append(&dir, None, vec![long]).unwrap();
    append(&dir, None, vec![entry(3)]).unwrap();
    assert_eq!(read(&dir, 1).unwrap().records.len(), 3);
}

#[test]
fn the_end_is_read_as_far_back_as_it_is_asked_for_and_no_further() {
    let (_temporary, dir, bytes) = with_records(6);
    let whole = read(&dir, 1).unwrap();
    let known = verify(&bytes[..bytes.len() - 1]).unwrap().end;
    assert_eq!(known.map(|known| known.seq), Some(5));
    let first_of = |number: u64| {
        let txid = format!("t{number}");
        let end = super::read_end(&dir, known.as_ref(), |record| {
            record.txid.as_ref() == Some(&txid)
        });
        let end = end.unwrap().reaching(known.as_ref()).unwrap();
        assert_eq!(end.end, whole.end);
        let first = end.records[0].seq;
        assert_eq!(end.records, whole.records[first as usize - 1..]);
        first
    };
    // The record of `t0` has number 1.
    let firsts = [0, 3, 4, 5, 99].map(first_of);
    assert_eq!(firsts, [1, 4, 5, 5, 1]);
    let edited = String::from_utf8(bytes).unwrap();
    let edited = edited.replacen("\"number\":0", "\"number\":7", 1);
    dir.write(HISTORY, edited.replacen("\"number\":4", "\"number\":7", 1))
        .unwrap();
    for (wanted, line) in [("t3", Some(6)), ("t5", None)] {
        let end = super::read_end(&dir, whole.end.as_ref(), |record| {
            record.txid.as_deref() == Some(wanted)
        });
        match (end, line) {
            (Ok(end), None) => assert_eq!(end.records.len(), 1),
            (Err(super::HistoryError::Broken { line: found, .. }), Some(line)) => {
                assert_eq!(found, line);
            }
            (found, _) => panic!("{found:?}"),
        }
    }
}

#[test]
fn several_records_at_once_are_the_same_as_one_by_one() {
    let (_temporary, dir, one_by_one) = with_records(4);
    dir.remove_file(HISTORY).unwrap();
    let end = append(&dir, None, (0..4).map(entry).collect()).unwrap();
    assert_eq!(dir.read(HISTORY).unwrap(), one_by_one);
    assert_eq!(read(&dir, 1).unwrap().end, end);
}

/// The chain alone cannot tell: whoever knows the end can.
#[test]
fn records_missing_at_the_end_are_told_by_whoever_knows_the_end() {
    let (_temporary, _dir, bytes) = with_records(4);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let ends: Vec<_> = (0..=4)
        .map(|count| verify(&lines[..count].concat()).unwrap().end)
        .collect();
    for count in 0..=4 {
        for (known, end) in ends.iter().enumerate() {
            let found = verify(&lines[..count].concat()).unwrap();
            let told = found.reaching(end.as_ref()).map_err(|error| error.code());
            if count < known {
                assert_eq!(told.unwrap_err(), "history-cut", "{count} of {known}");
            } else {
                assert_eq!(told.unwrap().records.len(), count);
            }
        }
    }
}

#[test]
fn another_last_record_is_told_by_whoever_knows_the_end() {
    let (_temporary, dir, bytes) = with_records(3);
    let end = read(&dir, 1).unwrap().end;
    let start = verify(&bytes).unwrap().records[2].prev;
    let other = super::encode(&super::Record {
        prev: start,
        ..read(&dir, 1).unwrap().records[1].clone()
    });
    let text = String::from_utf8(other).unwrap();
    let other = text.replacen("\"seq\":2", "\"seq\":3", 1).into_bytes();
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let edited = [lines[0], lines[1], &other].concat();
    let history = verify(&edited).expect("the chain itself holds");
    let error = history.reaching(end.as_ref()).unwrap_err();
    assert_eq!(error.code(), "history-unreadable");
}

#[test]
fn after_a_cut_the_next_record_leaves_the_gap_to_be_seen() {
    let (_temporary, dir, bytes) = with_records(3);
    let end = read(&dir, 1).unwrap().end;
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let edited_last =
        String::from_utf8(bytes.clone())
            .unwrap()
            .replacen("\"number\":2", "\"number\":7", 1);
    let damaged: [&[u8]; 4] = [b"", lines[0], b"no record\n", edited_last.as_bytes()];
    for damage in damaged {
        dir.write(HISTORY, damage).unwrap();
        let after = append(&dir, end.as_ref(), vec![entry(3)]).unwrap().unwrap();
        assert_eq!(after.seq, 4);
        let text = String::from_utf8_lossy(damage);
        assert_eq!(
            read(&dir, 1).unwrap_err().code(),
            "history-unreadable",
            "{text}"
        );
        append(&dir, Some(&after), vec![entry(4)]).unwrap();
        let sound = read(&dir, 4).unwrap();
        let numbers: Vec<u64> = sound.records.iter().map(|record| record.seq).collect();
        assert_eq!(numbers, [4, 5], "{text}");
        assert_eq!(Some(sound.records[0].prev), end.map(|end| end.digest));
    }
}

#[test]
fn a_history_longer_than_what_is_known_is_believed_and_continued() {
    let (_temporary, dir, bytes) = with_records(3);
    let first = bytes.split_inclusive(|byte| *byte == b'\n').next().unwrap();
    let known = verify(first).unwrap().end;
    let end = append(&dir, known.as_ref(), vec![entry(3)])
        .unwrap()
        .unwrap();
    assert_eq!(end.seq, 4);
    let history = read(&dir, 1).unwrap().reaching(known.as_ref()).unwrap();
    assert_eq!(history.records.len(), 4);
}

#[test]
fn from_a_record_on_nothing_before_it_counts() {
    let (_temporary, _dir, bytes) = with_records(4);
    let whole = verify(&bytes).unwrap();
    for from in 1..=4 {
        let part = verify_from(&bytes, from).unwrap();
        assert_eq!(part.records, whole.records[from as usize - 1..]);
        assert_eq!(part.reaching(whole.end.as_ref()).unwrap().end, whole.end);
    }
    assert_eq!(verify_from(&bytes, 5).unwrap_err().code(), "history-cut");
    let text = String::from_utf8(bytes).unwrap();
    let edited = text.replacen("\"number\":0", "\"number\":7", 1);
    verify(edited.as_bytes()).unwrap_err();
    assert_eq!(verify_from(edited.as_bytes(), 2).unwrap().records.len(), 3);
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
        append(&dir, None, vec![entry(9)]).unwrap();
        assert_eq!(read(&dir, 1).unwrap().records.len(), 3);
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
