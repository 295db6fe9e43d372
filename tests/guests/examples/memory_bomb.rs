// SPDX-License-Identifier: Apache-2.0
//! Takes memory until there is none.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(std::hint::black_box(vec![1; 1 << 20]));
    }
}
