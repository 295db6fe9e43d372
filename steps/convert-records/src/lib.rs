// SPDX-License-Identifier: Apache-2.0
//! A `migrate`: brings acme-agent's records to the schema of the package.

mod record;

use cofferdam_sdk::prelude::*;
use serde_json::Map;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

step!(convert_records);

fn convert_records(ctx: &Context) -> Result<Verdict> {
    let to = ctx.to_data_format;
    if to > record::NEWEST {
        return Err(Error::new(format!(
            "cannot make schema {to}, only up to {}",
            record::NEWEST
        )));
    }
    let paths = records(Path::new("/data/records"))?;
    let mut changed = 0;
    for (done, path) in (0..).zip(&paths) {
        let name = path.strip_prefix("/").unwrap_or(path).display();
        progress(done, paths.len() as u64, &name);
        if convert(path, to).context(name)? {
            changed += 1;
        }
    }
    // The mark comes last: until then the old one is true of what was not converted yet.
    if Path::new("/data").is_dir() {
        fs::write("/data/schema-version", format!("{to}\n")).context("data/schema-version")?;
    }
    info!(
        "{changed} of {} records converted to schema {to}",
        paths.len()
    );
    Ok(Verdict::Ok)
}

fn records(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let entries = entries.context("data/records")?;
    let mut paths: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "json")
    });
    paths.sort();
    Ok(paths)
}

/// Converts one file; says whether it had to.
fn convert(path: &Path, to: u64) -> Result<bool> {
    let mut found: Map<String, Value> = serde_json::from_slice(&fs::read(path)?)?;
    if !record::convert(&mut found, to).map_err(Error::new)? {
        return Ok(false);
    }
    let text = serde_json::to_string_pretty(&found)?;
    // In place: nobody sees this tree before the whole update is done.
    fs::write(path, format!("{text}\n"))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_converted_file_is_not_written_again() {
        let folder = std::env::temp_dir().join(format!("convert-records-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("door.json");
        fs::write(
            &path,
            r#"{"schema":1,"name":"door","value":"21.5 C","time":"17"}"#,
        )
        .unwrap();
        assert!(convert(&path, 3).unwrap());
        let first = fs::metadata(&path).unwrap().modified().unwrap();
        assert!(!convert(&path, 3).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().modified().unwrap(), first);
        assert_eq!(records(&folder).unwrap(), [path]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_that_is_no_record_is_an_error() {
        let path = std::env::temp_dir().join(format!("no-record-{}.json", std::process::id()));
        fs::write(&path, "[]").unwrap();
        assert!(convert(&path, 3).is_err());
        fs::remove_file(path).unwrap();
    }
}
