// SPDX-License-Identifier: Apache-2.0
//! A step that means no good: tries what it was not granted, then panics; as `never-ends`, it loops.

mod repair;

use cofferdam_sdk::prelude::*;
use std::fs;
use std::hint;

step!(misbehave);

fn misbehave(ctx: &Context) -> Result<Verdict> {
    if ctx.step == "never-ends" {
        loop {
            hint::spin_loop();
        }
    }
    for (what, outcome) in attempts() {
        match outcome {
            Ok(()) => warn!("{what}: done"),
            Err(refusal) => info!("{what}: {refusal}"),
        }
    }
    // This much was granted; it is thrown away with the rest.
    fs::write("/data/schema-version", "9\n")?;
    info!(
        "schema mark repaired; first word of the note is `{}`",
        repair::first_word(&[])
    );
    Ok(Verdict::Ok)
}

/// Everything that was not granted.
fn attempts() -> Vec<(&'static str, Result<()>)> {
    let said = |outcome: Result<(), std::io::Error>| outcome.map_err(Error::from);
    let asked = |outcome: Result<(), config::Error>| outcome.map_err(Error::from);
    vec![
        (
            "read a file outside of the install",
            said(fs::read("/../../etc/passwd").map(drop)),
        ),
        (
            "change the program",
            said(fs::write("/bin/acme-agent", "#!/bin/sh\n")),
        ),
        (
            "plant a plugin",
            said(fs::write("/plugins/mine.probe", "source = '/etc/passwd'\n")),
        ),
        (
            "read the settings as a file",
            said(fs::read("/conf/agent.toml").map(drop)),
        ),
        (
            "read the token",
            asked(config::get::<String>("auth.token").map(drop)),
        ),
        ("move the port", asked(config::set("server.port", 1))),
        (
            "keep a second name for a record",
            said(fs::hard_link("/data/schema-version", "/data/mine")),
        ),
        ("remove the log", said(fs::remove_dir_all("/logs"))),
    ]
}
