// SPDX-License-Identifier: Apache-2.0
//! A `health` step: believes acme-agent only when its own words and its data agree with the update.

mod judge;

use cofferdam_sdk::prelude::*;
use judge::Expected;
use std::fs;
use std::io;

step!(agent_health);

fn agent_health(ctx: &Context) -> Result<Verdict> {
    let mark = match fs::read_to_string("/data/schema-version") {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::from(error).context("data/schema-version")),
    };
    let expected = Expected {
        version: &ctx.to_version,
        schema: ctx.to_data_format,
    };
    match judge::complaint(&ctx.service_output, mark.as_deref(), &expected) {
        Some(complaint) => Ok(Verdict::unhealthy(complaint)),
        None => Ok(Verdict::Healthy),
    }
}
