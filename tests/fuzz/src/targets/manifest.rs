// SPDX-License-Identifier: Apache-2.0
//! The manifest of a package. What is accepted is written again, and that is accepted and equal.

use arbitrary::Unstructured;
use cofferdam_package::CODES;
use cofferdam_package::limits::Limits;
use cofferdam_package::manifest;

use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the bytes of a `manifest.json`.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let limits = Limits::default();
    match manifest::parse(&data, &limits) {
        Err(error) => {
            known(error.code(), CODES);
            assert!(error.to_string().len() < 16 << 10, "an endless message");
        }
        Ok(read) => {
            let written = read.to_bytes();
            let again = manifest::parse(&written, &limits).expect("what was accepted is accepted");
            assert_eq!(again, read);
            assert_eq!(again.to_bytes(), written);
        }
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [
        include_str!("../../corpus/manifest/sound.json"),
        include_str!("../../corpus/manifest/minimal.json"),
    ];
    text::json(u, &seeds)
}
