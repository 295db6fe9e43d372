// SPDX-License-Identifier: Apache-2.0
//! Sound packages, and what a liar makes of them: one field, one header or one piece at a time.

use std::io::Cursor;

use arbitrary::Unstructured;
use cofferdam_package::digest::Digest;
use cofferdam_package::write::Compression;
use cofferdam_package::write::PackageWriter;

use super::readers::directory;
use super::readers::field;
use crate::check::below;
use crate::check::one_of;
use crate::check::rarely;

/// The fields of a header in the directory: place and size.
const CENTRAL: [(usize, usize); 16] = [
    (4, 2),
    (6, 2),
    (8, 2),
    (10, 2),
    (12, 4),
    (16, 4),
    (20, 4),
    (24, 4),
    (28, 2),
    (30, 2),
    (32, 2),
    (34, 2),
    (36, 2),
    (38, 4),
    (42, 4),
    (0, 4),
];

/// The fields of a local header that the directory has too: place there, place here, and size.
const SHARED: [(usize, usize, usize); 9] = [
    (6, 4, 2),
    (8, 6, 2),
    (10, 8, 2),
    (12, 10, 4),
    (16, 14, 4),
    (20, 18, 4),
    (24, 22, 4),
    (28, 26, 2),
    (30, 28, 2),
];

/// The fields of the end record.
const END: [(usize, usize); 7] = [(4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2)];

/// A package with some lies in it, or none.
pub(super) fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let mut data = sound(u);
    for _ in 0..below(u, 4) {
        let before = data.len();
        lie(u, &mut data);
        if before != data.len() && !rarely(u, 4) {
            repair(&mut data);
        }
    }
    data
}

/// A package of a few small blobs.
pub(super) fn sound(u: &mut Unstructured<'_>) -> Vec<u8> {
    let mut blobs: Vec<(Digest, Vec<u8>, Compression)> = (0..below(u, 4))
        .map(|_| {
            let pieces = [&b""[..], b"a", b"abcdefgh", b"port = 8080\n", b"PK\x01\x02"];
            let piece = one_of(u, &pieces);
            let content = piece.repeat(below(u, 2_000));
            let compression = *one_of(
                u,
                &[
                    &Compression::Zstd,
                    &Compression::Deflate,
                    &Compression::Stored,
                ],
            );
            (Digest::of(&content), content, compression)
        })
        .collect();
    blobs.sort_by_key(|(digest, ..)| *digest);
    blobs.dedup_by_key(|(digest, ..)| *digest);
    let entries: Vec<String> = blobs
        .iter()
        .enumerate()
        .map(|(at, (digest, content, _))| {
            let bytes = content.len();
            format!("{{\"path\":\"f{at}\",\"type\":\"file\",\"digest\":\"{digest}\",\"bytes\":{bytes},\"mode\":\"0644\"}}")
        })
        .collect();
    let sizes: Vec<String> = blobs
        .iter()
        .map(|(digest, content, _)| format!("\"{digest}\":{}", content.len()))
        .collect();
    let manifest = format!(
        "{{\"cofferdam\":\"package/1\",\"id\":\"a\",\"version\":\"1.0.0\",\"data_format\":0,\"created\":0,\
         \"summary\":\"\",\"requires\":{{\"from\":\"*\",\"host\":\"*\"}},\"entries\":[{}],\"config\":{{}},\
         \"steps\":[],\"blobs\":{{{}}},\"builds\":[]}}",
        entries.join(","),
        sizes.join(","),
    );
    let mut writer = PackageWriter::new(Cursor::new(Vec::new()));
    writer
        .manifest(manifest.as_bytes())
        .expect("a manifest is written");
    for (digest, content, compression) in &blobs {
        writer
            .blob(digest, &mut Cursor::new(content), *compression)
            .expect("a blob is written");
    }
    writer.finish().expect("a package is written").into_inner()
}

fn lie(u: &mut Unstructured<'_>, data: &mut Vec<u8>) {
    let headers = directory(data).unwrap_or_default();
    let end = data.len().saturating_sub(22);
    match below(u, 8) {
        0 => {
            let (at, bytes) = END[below(u, END.len())];
            overwrite(u, data, end + at, bytes);
        }
        1 | 2 if !headers.is_empty() => {
            let header = headers[below(u, headers.len())];
            let (at, bytes) = CENTRAL[below(u, CENTRAL.len())];
            overwrite(u, data, header + at, bytes);
        }
        // The same lie in both headers.
        3 | 4 if !headers.is_empty() => {
            let header = headers[below(u, headers.len())];
            let (there, here, bytes) = SHARED[below(u, SHARED.len())];
            overwrite(u, data, header + there, bytes);
            let (Some(local), Some(value)) = (
                field(data, header + 42, 4),
                field(data, header + there, bytes),
            ) else {
                return;
            };
            if rarely(u, 4) {
                overwrite(u, data, local + here, bytes);
            } else {
                write(data, local + here, bytes, value);
            }
        }
        5 => {
            let at = below(u, data.len() + 1);
            let pieces = [
                &b"PK\x03\x04"[..],
                b"PK\x05\x06",
                b"\0",
                b"PK\x06\x07",
                b"padding",
            ];
            let piece = one_of(u, &pieces).to_vec();
            data.splice(at..at, piece);
        }
        6 => {
            let start = below(u, data.len().max(1));
            let stop = (start + 1 + below(u, 64)).min(data.len());
            if rarely(u, 2) {
                let piece = data[start.min(stop)..stop].to_vec();
                data.splice(start..start, piece);
            } else {
                data.drain(start.min(stop)..stop);
            }
        }
        _ => {
            let at = below(u, data.len().max(1));
            overwrite(u, data, at, 1);
        }
    }
}

/// Lets the end point to the directory, and the directory to the entries, as they stand now: a liar who
/// put a piece in would.
fn repair(data: &mut [u8]) {
    let find = |data: &[u8], from: usize, mark: &[u8]| {
        let rest = data.get(from..)?;
        Some(from + rest.windows(mark.len()).position(|window| window == mark)?)
    };
    let Some(start) = find(data, 0, b"PK\x01\x02") else {
        return;
    };
    let Some(end) = find(data, start, b"PK\x05\x06") else {
        return;
    };
    write(data, end + 12, 4, end - start);
    write(data, end + 16, 4, start);
    let mut local = 0;
    let mut header = Some(start);
    while let (Some(at), Some(entry)) = (header, find(data, local, b"PK\x03\x04")) {
        write(data, at + 42, 4, entry);
        local = entry + 4;
        header = find(data, at + 4, b"PK\x01\x02").filter(|at| *at < end);
    }
}

fn overwrite(u: &mut Unstructured<'_>, data: &mut [u8], at: usize, bytes: usize) {
    let Some(old) = field(data, at, bytes) else {
        return;
    };
    let most = (1_usize << (8 * bytes)) - 1;
    let value = match below(u, 8) {
        0 => 0,
        1 => most,
        2 => old.wrapping_add(1),
        3 => old.wrapping_sub(1),
        4 => old ^ 1 << below(u, 8 * bytes),
        5 => data.len(),
        6 => most / 2 + 1,
        _ => u.arbitrary().unwrap_or(0),
    };
    write(data, at, bytes, value);
}

fn write(data: &mut [u8], at: usize, bytes: usize, value: usize) {
    if let Some(place) = data.get_mut(at..at.saturating_add(bytes)) {
        place.copy_from_slice(&value.to_le_bytes()[..bytes]);
    }
}
