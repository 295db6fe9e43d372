// SPDX-License-Identifier: Apache-2.0
//! Logs one line of 64 MiB.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    info!("{}", "x".repeat(64 << 20));
    Ok(Verdict::Ok)
}
