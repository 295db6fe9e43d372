// SPDX-License-Identifier: Apache-2.0
//! The history, `history.jsonl`: as it is found, and with its lines chained anew, so that an input need
//! not guess a digest. What is accepted is written again, and that is accepted and equal.

use arbitrary::Unstructured;
use cofferdam_install::CODES;
use cofferdam_install::Record;
use cofferdam_install::history;
use cofferdam_package::digest::Digest;

use crate::check::below;
use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the bytes of a history.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    match history::verify(&data) {
        Err(error) => known(error.code(), CODES),
        Ok(read) => {
            let whole = &data[..data.len() - read.torn_bytes as usize];
            assert_eq!(
                whole.iter().filter(|byte| **byte == b'\n').count(),
                read.records.len()
            );
            chained(read.records);
        }
    }
    let lines = data.split(|byte| *byte == b'\n');
    chained(
        lines
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect(),
    );
}

/// Writes these records one behind the other, and reads them back.
fn chained(mut records: Vec<Record>) {
    let mut bytes = Vec::new();
    let mut prev = Digest::of(b"");
    for (record, seq) in records.iter_mut().zip(1..) {
        (record.seq, record.prev) = (seq, prev);
        let line = history::encode(record);
        let (end, text) = line.split_last().expect("a line has an end");
        assert!(
            *end == b'\n' && !text.contains(&b'\n'),
            "one record, one line"
        );
        prev = Digest::of(text);
        bytes.extend(line);
    }
    let read = history::verify(&bytes).expect("what was written is accepted");
    assert_eq!((&read.records, read.torn_bytes), (&records, 0));
    let end = read.end;
    for from in [1, records.len() / 2, records.len()] {
        let from = from.max(1);
        let part = history::verify_from(&bytes, from as u64).expect("it has such a record");
        assert_eq!(part.records, records[from - 1..]);
        part.reaching(end.as_ref()).expect("it has the end");
    }
    if let Some((_, but_one)) = records.split_last() {
        let bytes: Vec<u8> = but_one.iter().flat_map(history::encode).collect();
        let cut = history::verify(&bytes).expect("a part of a chain");
        let error = cut.reaching(end.as_ref()).expect_err("its end is missing");
        assert_eq!(error.code(), "history-cut");
    }
    // A torn line behind the whole ones takes nothing of them away.
    bytes.extend(b"{\"seq\":");
    let torn = history::verify(&bytes).expect("a torn line is left out");
    assert_eq!(torn.torn_bytes, 7);
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = include_str!("../../corpus/history/three-records.jsonl");
    let seeds: Vec<&str> = seeds.lines().collect();
    let lines: Vec<Vec<u8>> = (0..=below(u, 4)).map(|_| text::json(u, &seeds)).collect();
    lines.join(&b'\n')
}
