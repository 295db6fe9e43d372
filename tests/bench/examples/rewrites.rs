// SPDX-License-Identifier: Apache-2.0
//! Rewrites all small files of a folder: the everyday migration.
use cofferdam_sdk::prelude::*;
use std::path::Path;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let count = bench_steps::rewrite_all(Path::new("/data"))?;
    info!("{count} files rewritten");
    Ok(Verdict::Ok)
}
