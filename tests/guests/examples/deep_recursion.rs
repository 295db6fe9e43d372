// SPDX-License-Identifier: Apache-2.0
//! Calls itself without end.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    Ok(Verdict::refuse(dive(0).to_string()))
}

#[inline(never)]
fn dive(depth: u64) -> u64 {
    let here = std::hint::black_box([depth; 16]);
    if depth == u64::MAX {
        0
    } else {
        dive(depth + 1) + here[3]
    }
}
