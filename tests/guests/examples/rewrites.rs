// SPDX-License-Identifier: Apache-2.0
//! Rewrites all small files of a folder: the everyday migration, used to measure.
use cofferdam_sdk::prelude::*;
use std::fs;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let mut count = 0;
    for entry in fs::read_dir("/data")? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        fs::write(&path, text.replace("\"schema\":1", "\"schema\":2"))?;
        count += 1;
    }
    info!("{count} files rewritten");
    Ok(Verdict::Ok)
}
