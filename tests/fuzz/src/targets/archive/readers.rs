// SPDX-License-Identifier: Apache-2.0
//! Two readers of zip files as others write them: each believes one half of the file.

use std::ops::Range;

/// The entries of an archive: names, and where their data is.
pub(super) type Entries = Vec<(Vec<u8>, Range<usize>)>;

/// Bytes of a local header, and of one in the directory, before the name.
pub(super) const LOCAL_BYTES: usize = 30;
pub(super) const CENTRAL_BYTES: usize = 46;

/// From the first byte on, one entry behind the other, until the directory begins.
pub(super) fn from_start(data: &[u8]) -> Option<Entries> {
    let mut entries = Entries::new();
    let mut at = 0;
    while data.get(at..at + 4)? == b"PK\x03\x04" {
        let name_at = at + LOCAL_BYTES;
        let name = data.get(name_at..name_at + field(data, at + 26, 2)?)?;
        let start = name_at + name.len() + field(data, at + 28, 2)?;
        let content = start..start.checked_add(field(data, at + 18, 4)?)?;
        at = content.end;
        entries.push((name.to_vec(), content));
    }
    let ends = [b"PK\x01\x02", b"PK\x05\x06"].contains(&data.get(at..at + 4)?.try_into().ok()?);
    ends.then_some(entries)
}

/// From the end record to the directory, and from there to each entry.
pub(super) fn from_end(data: &[u8]) -> Option<Entries> {
    let mut entries = Entries::new();
    for at in directory(data)? {
        let name_at = at + CENTRAL_BYTES;
        let name = data.get(name_at..name_at + field(data, at + 28, 2)?)?;
        let local = field(data, at + 42, 4)?;
        let start = local + LOCAL_BYTES + field(data, local + 26, 2)? + field(data, local + 28, 2)?;
        entries.push((name.to_vec(), start..start + field(data, at + 20, 4)?));
    }
    Some(entries)
}

/// Where the headers of the directory stand. Archives that need zip64 are larger than any input.
pub(super) fn directory(data: &[u8]) -> Option<Vec<usize>> {
    let end = (0..=data.len().checked_sub(22)?)
        .rev()
        .find(|at| data[*at..].starts_with(b"PK\x05\x06"))?;
    let count = field(data, end + 10, 2)?;
    let mut at = field(data, end + 16, 4)?;
    let mut headers = Vec::new();
    for _ in 0..count {
        if data.get(at..at + 4)? != b"PK\x01\x02" {
            return None;
        }
        headers.push(at);
        let tail = field(data, at + 28, 2)? + field(data, at + 30, 2)? + field(data, at + 32, 2)?;
        at = at.checked_add(CENTRAL_BYTES + tail)?;
    }
    Some(headers)
}

/// A number of some bytes, little end first.
pub(super) fn field(data: &[u8], at: usize, bytes: usize) -> Option<usize> {
    let bytes = data.get(at..at.checked_add(bytes)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | usize::from(*byte)),
    )
}
