// SPDX-License-Identifier: Apache-2.0
//! Makes a hundred thousand files and directories, and says at which it had to stop.
use cofferdam_sdk::prelude::*;
use std::fs;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    for folder in 0..100 {
        let folder = format!("/data/{folder}");
        fs::create_dir(&folder).context(format!("making `{folder}`"))?;
        for file in 0..999 {
            let path = format!("{folder}/{file}");
            fs::write(&path, &path).context(format!("making `{path}`"))?;
        }
    }
    Ok(Verdict::Ok)
}
