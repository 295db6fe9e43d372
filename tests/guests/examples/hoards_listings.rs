// SPDX-License-Identifier: Apache-2.0
//! Lists one large directory again and again, and closes no listing.
use cofferdam_sdk::prelude::*;
use std::fs;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    fs::create_dir("/data/many")?;
    for file in 0..5000 {
        fs::write(format!("/data/many/{file}"), "")?;
    }
    let mut held = Vec::new();
    loop {
        let listing = fs::read_dir("/data/many");
        held.push(listing.context(format!("with {} listings open", held.len()))?);
    }
}
