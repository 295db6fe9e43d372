// SPDX-License-Identifier: Apache-2.0
//! Makes directories in each other, ten thousand if it may, then moves another thousand into the deepest
//! one, which no path leads beyond; says how deep it came.
use cofferdam_sdk::prelude::*;
use std::fs;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let (deepest, depth) = dig("/data", 10_000);
    fs::create_dir("/data/graft")?;
    let (_, grafted) = dig("/data/graft", 1000);
    let moved = fs::rename("/data/graft", format!("{deepest}/d"));
    let moved = moved.map_err(|error| error.kind());
    info!("deep {depth} grafted {grafted} moved {moved:?}");
    Ok(Verdict::Ok)
}

/// Makes directories below a path; gives the deepest one, and how deep it lies.
fn dig(path: &str, most: u32) -> (String, u32) {
    let mut path = path.to_owned();
    let mut depth = 0;
    while depth < most && fs::create_dir(format!("{path}/d")).is_ok() {
        path.push_str("/d");
        depth += 1;
    }
    (path, depth)
}
