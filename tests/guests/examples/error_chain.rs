// SPDX-License-Identifier: Apache-2.0
//! Fails with an error that has causes.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let port: u16 = "eighty"
        .parse()
        .context("`net.port` is not a port")
        .context("moving [net]")?;
    Ok(Verdict::refuse(port.to_string()))
}
