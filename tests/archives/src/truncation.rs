// SPDX-License-Identifier: Apache-2.0
//! Archives that end too early: at every boundary, and with the end put back on.

use crate::Lie;
use crate::Sound;
use crate::raw::RawZip;

pub(crate) fn lies() -> Vec<Lie> {
    let mut lies: Vec<Lie> = ["manifest", "signature", "first_blob", "second_blob"]
        .into_iter()
        .enumerate()
        .flat_map(|(index, what)| entry(index, what))
        .collect();
    lies.extend(rest());
    lies
}

/// Where each part of an entry begins and ends: local header, name, data, central header, name.
fn bounds(zip: &RawZip, index: usize) -> [usize; 5] {
    let sizes = |index: usize| {
        let entry = &zip.entries[index];
        (entry.name.len(), entry.data.len())
    };
    let local: usize = (0..index)
        .map(|before| 30 + sizes(before).0 + sizes(before).1)
        .sum();
    let directory: usize = (0..zip.entries.len())
        .map(|any| 30 + sizes(any).0 + sizes(any).1)
        .sum();
    let central: usize = (0..index).map(|before| 46 + sizes(before).0).sum();
    let (name, data) = sizes(index);
    [
        local,
        local + 30,
        local + 30 + name,
        local + 30 + name + data,
        directory + central,
    ]
}

fn entry(index: usize, what: &'static str) -> Vec<Lie> {
    let cut = |name: String, at: fn([usize; 5]) -> usize| {
        Lie::new(name, "zip-end-missing", move |signers| {
            let zip = Sound::new().zip(signers);
            let mut bytes = zip.build();
            bytes.truncate(at(bounds(&zip, index)));
            bytes
        })
    };
    vec![
        cut(
            format!("cut_in_the_local_header_of_the_{what}"),
            |[start, ..]| start + 13,
        ),
        cut(
            format!("cut_before_the_name_of_the_{what}"),
            |[_, name, ..]| name,
        ),
        cut(
            format!("cut_before_the_data_of_the_{what}"),
            |[_, _, data, ..]| data,
        ),
        cut(
            format!("cut_in_the_data_of_the_{what}"),
            |[_, _, data, end, _]| usize::midpoint(data, end),
        ),
        cut(
            format!("cut_after_the_data_of_the_{what}"),
            |[_, _, _, end, _]| end,
        ),
        cut(
            format!("cut_in_the_central_header_of_the_{what}"),
            |[.., start]| start + 20,
        ),
        cut(
            format!("cut_before_the_central_name_of_the_{what}"),
            |[.., start]| start + 46,
        ),
    ]
}

fn rest() -> Vec<Lie> {
    const END: usize = 22;
    const MISSING: &str = "zip-end-missing";
    const MISPLACED: &str = "zip-directory-misplaced";
    let last = |name: &str, cut: usize| {
        Lie::bytes(name, MISSING, move |bytes| {
            bytes.truncate(bytes.len() - cut);
        })
    };
    vec![
        last("cut_before_the_end_record", END),
        last("cut_in_the_mark_of_the_end_record", END - 2),
        last("cut_in_the_counts_of_the_end_record", END - 9),
        last("cut_before_the_comment_of_the_end_record", 2),
        last("cut_before_the_last_byte", 1),
        Lie::bytes("cut_to_one_byte", MISSING, |bytes| bytes.truncate(1)),
        Lie::bytes("cut_to_the_first_mark", MISSING, |bytes| bytes.truncate(4)),
        Lie::bytes("without_its_first_byte", MISPLACED, |bytes| {
            bytes.remove(0);
        }),
        Lie::bytes("without_a_byte_of_the_manifest", MISPLACED, |bytes| {
            bytes.remove(100);
        }),
        Lie::bytes("without_a_byte_of_the_directory", MISPLACED, |bytes| {
            bytes.remove(bytes.len() - END - 1);
        }),
        Lie::bytes("without_its_first_half", MISPLACED, |bytes| {
            bytes.drain(..bytes.len() / 2);
        }),
        Lie::new(
            "cut_in_a_blob_with_the_directory_behind",
            "zip-overlap",
            |signers| {
                let mut zip = Sound::new().zip(signers);
                let last = zip.entries.len() - 1;
                let half = zip.entries[last].data.len() / 2;
                zip.entries[last].data.truncate(half);
                zip.build()
            },
        ),
        Lie::new(
            "cut_in_the_manifest_with_the_rest_behind",
            "zip-overlap",
            |signers| {
                let mut zip = Sound::new().zip(signers);
                zip.entries[0].data.truncate(100);
                zip.build()
            },
        ),
        Lie::new(
            "a_blob_cut_off_in_both_headers",
            "blob-size-mismatch",
            |signers| {
                let mut zip = Sound::new().zip(signers);
                let last = zip.entries.len() - 1;
                zip.entries[last].data.pop();
                zip.entries[last].both(|header| {
                    header.bytes -= 1;
                    header.compressed_bytes -= 1;
                });
                zip.build()
            },
        ),
        Lie::new(
            "the_manifest_cut_off_in_both_headers",
            "zip-checksum",
            |signers| {
                let mut zip = Sound::new().zip(signers);
                zip.entries[0].data.pop();
                zip.entries[0].both(|header| {
                    header.bytes -= 1;
                    header.compressed_bytes -= 1;
                });
                zip.build()
            },
        ),
    ]
}
