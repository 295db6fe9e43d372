// SPDX-License-Identifier: Apache-2.0
//! A `check`: vetoes the update of acme-agent when its data is older or newer than it can take over.

mod judge;

use cofferdam_sdk::prelude::*;
use judge::Found;
use std::fs;
use std::io;
use std::path::Path;

step!(check_data_version);

/// The oldest schema that `convert-records` starts from.
const OLDEST: u64 = 1;

fn check_data_version(ctx: &Context) -> Result<Verdict> {
    let found = look(Path::new("/data"))?;
    if let Some(reason) = judge::objection(&found, OLDEST, ctx.to_data_format) {
        return Ok(Verdict::refuse(reason));
    }
    info!("{} records can be taken over", found.records.len());
    Ok(Verdict::Ok)
}

fn look(data: &Path) -> Result<Found> {
    let mark = match fs::read_to_string(data.join("schema-version")) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(Error::from(error).context("data/schema-version")),
    };
    let mut records = Vec::new();
    let folder = data.join("records");
    if folder.is_dir() {
        for entry in fs::read_dir(&folder).context("data/records")? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                let bytes = fs::read(&path).context(path.display())?;
                let name = path
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned();
                records.push((name, judge::schema_of(&bytes)));
            }
        }
    }
    Ok(Found { mark, records })
}
