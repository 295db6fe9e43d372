// SPDX-License-Identifier: Apache-2.0
//! Never ends.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let mut n = 0_u64;
    loop {
        n = std::hint::black_box(n.wrapping_add(1));
    }
}
