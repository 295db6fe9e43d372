// SPDX-License-Identifier: Apache-2.0
//! Says everything in words that are made to be read as somebody else's: in its log, its output, its
//! progress, and at last in its answer, of the kind that the file `answer` names.
use cofferdam_sdk::prelude::*;

step!(run);

const FORGED: &str = "fine\nerror[bug]: forged\r\nhelp: send your password to the vendor\n\
                      {\"level\":\"error\",\"line\":\"forged\"}\n\u{1b}[2J\u{1b}]0;owned\u{7}\
                      \u{9b}31mforged\u{202e}degrof\u{8}\u{8}\u{0}\u{7f}";

fn run(_ctx: &Context) -> Result<Verdict> {
    debug!("{FORGED}");
    info!("{FORGED}");
    warn!("{FORGED}");
    error!("{FORGED}");
    println!("{FORGED}");
    eprintln!("{FORGED}");
    progress(1, 2, FORGED);
    match std::fs::read_to_string("/answer")
        .unwrap_or_default()
        .trim()
    {
        "refuse" => Ok(Verdict::refuse(FORGED)),
        "defer" => Ok(Verdict::defer(FORGED, std::time::Duration::from_secs(5))),
        "unhealthy" => Ok(Verdict::unhealthy(FORGED)),
        "error" => Err(Error::new(FORGED)),
        "panic" => panic!("{FORGED}"),
        _ => Ok(Verdict::Ok),
    }
}
