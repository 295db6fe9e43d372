// SPDX-License-Identifier: Apache-2.0
//! Opens files and never closes them.
use cofferdam_sdk::prelude::*;
use std::fs::File;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let mut held = Vec::new();
    loop {
        held.push(File::open("/data/a").context(format!("with {} open", held.len()))?);
    }
}
