// SPDX-License-Identifier: Apache-2.0
//! Copies one large file.
use cofferdam_sdk::prelude::*;
use std::path::Path;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let bytes = bench_steps::copy(Path::new("/data/large"), Path::new("/data/copy"))?;
    info!("{bytes} bytes copied");
    Ok(Verdict::Ok)
}
