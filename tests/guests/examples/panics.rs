// SPDX-License-Identifier: Apache-2.0
//! Panics some calls deep.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(ctx: &Context) -> Result<Verdict> {
    convert_records(ctx.roles.len())
}

#[inline(never)]
fn convert_records(count: usize) -> Result<Verdict> {
    let records: Vec<u32> = std::hint::black_box((0..count as u32).collect());
    Ok(Verdict::refuse(pick(&records).to_string()))
}

#[inline(never)]
fn pick(records: &[u32]) -> u32 {
    records[std::hint::black_box(7)]
}
