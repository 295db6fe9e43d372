// SPDX-License-Identifier: Apache-2.0
//! Changes one file, then panics before the other.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    std::fs::write("/data/a", "half")?;
    panic!("the second half is missing");
}
