// SPDX-License-Identifier: Apache-2.0
//! Logs and prints far more than anybody reads, with tricks for terminals in it.
use cofferdam_sdk::prelude::*;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    info!("\u{1b}[2J\u{1b}[31mred\u{1b}[0m \u{202e}reversed\r");
    warn!("one\n{{\"level\":\"error\",\"line\":\"forged\"}}");
    println!("printed");
    eprintln!("printed, too");
    for n in 0..20_000 {
        info!("{n} {}", "x".repeat(100));
    }
    Ok(Verdict::Ok)
}
