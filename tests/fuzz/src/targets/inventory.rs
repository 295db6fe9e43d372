// SPDX-License-Identifier: Apache-2.0
//! The inventory of a kept generation. What is accepted is written again, and that is accepted and equal.

use arbitrary::Unstructured;
use cofferdam_tree::CODES;
use cofferdam_tree::inventory::Inventory;

use crate::check::input;
use crate::check::known;
use crate::text;

/// Takes the bytes of an inventory.
pub fn target(data: &[u8]) {
    let data = input(data, draw);
    match Inventory::parse(&data) {
        Err(error) => known(error.code(), CODES),
        Ok(read) => {
            for path in read.entries.keys() {
                let climbs = path.split('/').any(|name| matches!(name, "" | "." | ".."));
                assert!(!climbs && !path.contains('\0'), "{path:?}");
            }
            let written = read.to_json().expect("an inventory can be written");
            assert_eq!(
                Inventory::parse(&written).expect("what was accepted is accepted"),
                read
            );
        }
    }
}

fn draw(u: &mut Unstructured<'_>) -> Vec<u8> {
    let seeds = [include_str!("../../corpus/inventory/sound.json")];
    text::json(u, &seeds)
}
