// SPDX-License-Identifier: Apache-2.0
//! Makes files, directories and links of every odd name that there can be, and says which it could.
use cofferdam_sdk::prelude::*;
use std::fs;

step!(run);

fn run(_ctx: &Context) -> Result<Verdict> {
    let long = "n".repeat(255);
    let too_long = "n".repeat(256);
    let wide = "数".repeat(85);
    let names = [
        long.as_str(),
        too_long.as_str(),
        wide.as_str(),
        "line\nfeed",
        "carriage\rreturn",
        "tab\tbed",
        "\u{1b}[2J",
        "\u{7f}",
        "\u{9b}31m",
        "nul\0",
        "\u{202e}gpj.exe",
        "...",
        " ",
        "-rf",
        "back\\slash",
        "quote\"'`$(reboot)",
        "e\u{301}",
        "{\"path\":\"forged\"}",
    ];
    for name in names {
        let shown = name.escape_debug().to_string();
        let shown: String = shown.chars().take(40).collect();
        let made = fs::create_dir(format!("/data/{name}"));
        info!("{shown}: {:?}", made.map_err(|error| error.kind()));
        let written = fs::write(format!("/data/{name}/{name}"), "odd");
        let moved = fs::write("/data/plain", "")
            .and_then(|()| fs::rename("/data/plain", format!("/data/moved-{name}")));
        let _ = (written, moved);
    }
    Ok(Verdict::Ok)
}
