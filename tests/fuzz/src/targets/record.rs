// SPDX-License-Identifier: Apache-2.0
//! What a step's run leaves behind: its record and its verdict, as JSON and as a line of the history.
//! Written and read back they are equal, and no larger than what they say.

use arbitrary::Unstructured;
use cofferdam_install::Record;
use cofferdam_install::RecordKind;
use cofferdam_install::history;
use cofferdam_package::digest::Digest;
use cofferdam_sandbox::Budget;
use cofferdam_sandbox::Content;
use cofferdam_sandbox::Denied;
use cofferdam_sandbox::Import;
use cofferdam_sandbox::Level;
use cofferdam_sandbox::LogLine;
use cofferdam_sandbox::StepRecord;
use cofferdam_sandbox::Totals;
use cofferdam_sandbox::Touched;
use cofferdam_sandbox::Usage;
use cofferdam_sandbox::Verdict;

use crate::check::below;
use crate::check::input;
use crate::check::one_of;
use crate::check::rarely;

/// JSON of a character: at most `\u0000`.
const BYTES_PER_BYTE: usize = 6;
/// Names, numbers and brackets of one entry.
const BYTES_PER_ENTRY: usize = 1024;

/// Takes the JSON of a record or of a verdict.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    if let Ok(record) = serde_json::from_slice::<StepRecord>(&data) {
        let written = serde_json::to_vec(&record).expect("a record can be written");
        let again: StepRecord = serde_json::from_slice(&written).expect("what was written is read");
        assert_eq!(again, record);
        assert!(
            written.len() <= most_bytes(&record),
            "{} bytes",
            written.len()
        );
        let body = serde_json::to_value(&record).expect("a record can be written");
        let read = through_history(body);
        assert_eq!(
            serde_json::from_value::<StepRecord>(read).expect("it is read"),
            record
        );
    }
    if let Ok(verdict) = serde_json::from_slice::<Verdict>(&data) {
        let body = serde_json::to_value(&verdict).expect("a verdict can be written");
        let read = through_history(body);
        assert_eq!(
            serde_json::from_value::<Verdict>(read).expect("it is read"),
            verdict
        );
    }
}

fn most_bytes(record: &StepRecord) -> usize {
    let mut text = 0;
    let mut entries = 2;
    for import in &record.imports {
        text += import.interface.len() + import.functions.iter().map(String::len).sum::<usize>();
        entries += 1 + import.functions.len();
    }
    for file in &record.files {
        let renamed = file.renamed_to.iter().chain(&file.renamed_from);
        text += file.path.len() + renamed.map(String::len).sum::<usize>();
        for content in [&file.before, &file.after] {
            if let Some(Content::Symlink { target }) = content {
                text += target.len();
            }
        }
        entries += 1;
    }
    for line in &record.log {
        text += line.line.len();
        entries += 1;
    }
    text * BYTES_PER_BYTE + entries * BYTES_PER_ENTRY
}

/// As the second line of a history, and back.
fn through_history(body: serde_json::Value) -> serde_json::Value {
    let record = |seq, prev, body| Record {
        seq,
        prev,
        at_unix_s: u64::MAX,
        txid: Some("t\n\u{1}".to_owned()),
        kind: RecordKind::Step,
        body,
    };
    let first = history::encode(&record(1, Digest::of(b""), serde_json::Value::Null));
    let prev = Digest::of(first.strip_suffix(b"\n").expect("a line has an end"));
    let second = history::encode(&record(2, prev, body));
    let read = history::verify(&[first, second].concat()).expect("the chain holds");
    assert_eq!((read.records.len(), read.torn_bytes), (2, 0));
    read.records.into_iter().next_back().expect("two").body
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let levels = [&Level::Debug, &Level::Info, &Level::Warn, &Level::Error];
    let budgets = [&Budget::WrittenBytes, &Budget::Files, &Budget::Handles];
    let denials = [
        &Denied::Create,
        &Denied::Link,
        &Denied::Open,
        &Denied::Read,
        &Denied::Remove,
        &Denied::Rename,
        &Denied::Resolve,
        &Denied::Write,
    ];
    let record = StepRecord {
        imports: (0..below(u, 4))
            .map(|_| Import {
                interface: text(u),
                functions: (0..below(u, 3)).map(|_| text(u)).collect(),
                offered: rarely(u, 2),
            })
            .collect(),
        files: (0..below(u, 12))
            .map(|_| Touched {
                path: text(u),
                read_bytes: number(u),
                written_bytes: number(u),
                read: rarely(u, 2),
                written: rarely(u, 2),
                created: rarely(u, 2),
                removed: rarely(u, 2),
                renamed_to: rarely(u, 3).then(|| text(u)),
                renamed_from: rarely(u, 3).then(|| text(u)),
                denied: (0..below(u, 4)).map(|_| *one_of(u, &denials)).collect(),
                before: content(u),
                after: content(u),
            })
            .collect(),
        files_not_listed: number(u),
        totals: Totals {
            paths: number(u),
            bytes_after: number(u),
            ..Totals::default()
        },
        lost: rarely(u, 2),
        log: (0..below(u, 6))
            .map(|_| LogLine {
                level: *one_of(u, &levels),
                line: text(u),
            })
            .collect(),
        log_dropped_bytes: number(u),
        spent: (0..below(u, 3)).map(|_| *one_of(u, &budgets)).collect(),
        usage: Usage {
            fuel: number(u),
            time_ms: number(u),
            ..Usage::default()
        },
    };
    serde_json::to_vec(&record).expect("a record can be written")
}

fn content(u: &mut Unstructured<'_>) -> Option<Content> {
    match below(u, 7) {
        0 => Some(Content::File {
            bytes: number(u),
            digest: Digest::of(text(u).as_bytes()),
        }),
        1 => Some(Content::Directory),
        2 => Some(Content::Symlink { target: text(u) }),
        3 => Some(Content::Other),
        4 => Some(Content::Withheld),
        5 => Some(Content::Unknown),
        _ => None,
    }
}

fn text(u: &mut Unstructured<'_>) -> String {
    let odd = [
        "",
        "\0",
        "\u{7f}",
        "\n",
        "\"",
        "\\",
        "/",
        "é",
        "\u{1f600}",
        "\u{2028}",
        "\u{feff}",
        "\u{202e}",
        "a",
    ];
    (0..below(u, 12)).map(|_| one_of(u, &odd)).collect()
}

fn number(u: &mut Unstructured<'_>) -> u64 {
    match below(u, 4) {
        0 => 0,
        1 => u64::MAX,
        2 => 1 << 53 | 1,
        _ => u.arbitrary().unwrap_or(0),
    }
}
