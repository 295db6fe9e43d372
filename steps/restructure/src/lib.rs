// SPDX-License-Identifier: Apache-2.0
//! The example in Rust: see `guest-sdk/example/README.md` for what it does.

mod record;

use cofferdam_sdk::prelude::*;
use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;

step!(restructure);

fn restructure(_ctx: &Context) -> Result<Verdict> {
    move_net_section()?;
    let paths = records(Path::new("/data/records")).context("data/records")?;
    let mut converted = 0;
    for (done, path) in (0..).zip(&paths) {
        let name = path.strip_prefix("/").unwrap_or(path).display();
        progress(done, paths.len() as u64, &name);
        if convert(path).context(name)? {
            converted += 1;
        }
    }
    match fs::remove_file("/data/index") {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    // The mark comes last: until then the old one is true of what was not converted yet.
    fs::write("/data/schema-version", "2\n").context("data/schema-version")?;
    info!(
        "{converted} of {} records converted to schema 2",
        paths.len()
    );
    Ok(Verdict::Ok)
}

fn move_net_section() -> Result<()> {
    for key in config::list("net")? {
        let new_key = key.replacen("net.", "server.", 1);
        config::rename(&key, &new_key)?;
        info!("{key} is now {new_key}");
    }
    // A secret is not listed, and can be moved without being seen.
    match config::rename("net.token", "server.token") {
        Err(error) if error.kind() != &config::ErrorKind::NoSuchKey => Err(error.into()),
        _ => Ok(()),
    }
}

fn records(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Converts one file; says whether it had to.
fn convert(path: &Path) -> Result<bool> {
    let old = serde_json::from_slice(&fs::read(path)?)?;
    let Some(new) = record::converted(&old).map_err(Error::new)? else {
        return Ok(false);
    };
    // Beside the old one, then over it, which keeps its mode and owner.
    let beside = path.with_added_extension("new");
    fs::write(
        &beside,
        format!("{}\n", serde_json::to_string_pretty(&new)?),
    )?;
    fs::rename(beside, path)?;
    Ok(true)
}
