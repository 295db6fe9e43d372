// SPDX-License-Identifier: Apache-2.0
//! Never ends, and spends its time in calls of the host.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    loop {
        progress(1, 2, "still here");
        std::hint::black_box(std::fs::metadata("/data")).ok();
    }
}
