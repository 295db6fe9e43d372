// SPDX-License-Identifier: Apache-2.0
//! The vendor's `package.toml`. There is no writer for it; a comment behind it must change nothing.

use arbitrary::Unstructured;
use cofferdam_package::CODES;
use cofferdam_package::source;

use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the text of a `package.toml`.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    let Ok(text) = str::from_utf8(&data) else {
        return;
    };
    match source::parse(text) {
        Ok(read) => {
            let commented = format!("{text}\n# a comment");
            assert_eq!(source::parse(&commented).as_ref(), Ok(&read));
        }
        Err(error) => {
            known(error.code(), CODES);
            let lines = text.split('\n').count();
            assert!(
                (1..=lines).contains(&error.line),
                "line {} of {lines}",
                error.line
            );
            let shown = error.annotated("package.toml");
            assert!(
                !shown.chars().any(|c| c.is_control() && c != '\n'),
                "{shown:?}"
            );
        }
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [
        include_str!("../../corpus/source/whole.toml"),
        include_str!("../../corpus/source/minimal.toml"),
    ];
    text::toml(u, &seeds)
}
