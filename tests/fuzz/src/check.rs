// SPDX-License-Identifier: Apache-2.0
//! What every target checks, and how input is read.

use std::fs::File;
use std::io::Write as _;

use arbitrary::Unstructured;
use rustix::fs::MemfdFlags;

/// An error's code stands in the table that its crate publishes, with a line of help.
#[track_caller]
pub(crate) fn known(code: &str, table: &[(&str, &str)]) {
    let help = table.iter().find(|(known, _)| *known == code);
    assert!(
        help.is_some_and(|(_, help)| !help.is_empty()),
        "`{code}` is not in the table of codes"
    );
}

/// An open file with these bytes, on no disk.
pub(crate) fn file_of(bytes: &[u8]) -> File {
    let file = rustix::fs::memfd_create("input", MemfdFlags::CLOEXEC);
    let mut file = File::from(file.expect("Linux has files in memory"));
    file.write_all(bytes).expect("memory suffices");
    file
}

/// What marks an input that is not read as it stands: the bytes behind it draw one.
const DRAWN: u8 = 0xff;

/// The input itself, or what its bytes draw: so a file of the corpus can be read by people, and a
/// fuzzer need not find the form of sensible input by chance.
pub(crate) fn input(data: &[u8], draw: fn(&mut Unstructured<'_>) -> Vec<u8>) -> Vec<u8> {
    match data {
        [DRAWN, entropy @ ..] => draw(&mut Unstructured::new(entropy)),
        _ => data.to_vec(),
    }
}

/// Bytes that [`input`] draws from.
pub(crate) fn drawing(entropy: &[u8]) -> Vec<u8> {
    [&[DRAWN], entropy].concat()
}

/// One of these; the first when the entropy is used up.
pub(crate) fn one_of<'a, T: ?Sized>(u: &mut Unstructured<'_>, choices: &[&'a T]) -> &'a T {
    choices[below(u, choices.len())]
}

/// A number below `end`, which is above 0; 0 when the entropy is used up.
pub(crate) fn below(u: &mut Unstructured<'_>, end: usize) -> usize {
    u.int_in_range(0..=end.saturating_sub(1)).unwrap_or(0)
}

/// Whether something happens that happens once in `rarity` times.
pub(crate) fn rarely(u: &mut Unstructured<'_>, rarity: usize) -> bool {
    below(u, rarity) == rarity - 1
}
