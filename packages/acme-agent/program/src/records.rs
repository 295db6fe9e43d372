// SPDX-License-Identifier: Apache-2.0
//! The agent's state: `data/records/NAME.json`, one file per device, and `data/schema-version`.
//!
//! | schema | a record |
//! |---|---|
//! | 1 | `{"schema":1,"name":"door-17","value":"21.5 C","time":"1700000000"}` |
//! | 2 | `{"schema":2,"name":"door-17","value":21.5,"unit":"C","time":1700000000}`; `note` instead of a `value` when the text is no number |
//! | 3 | `{"schema":3,"name":"door-17","unit":"C","samples":[{"time":1700000000,"value":21.5}]}` |
//!
//! Each release reads and writes exactly one schema.

use crate::journal::unix_seconds;
use crate::release::Release;
use serde_json::Value;
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::fs::File;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// The records on disk.
pub(crate) struct Records {
    folder: PathBuf,
    schema: u64,
    keep: usize,
}

impl Records {
    /// Opens the store at `root`, and marks a new one with this release's schema.
    pub(crate) fn open(root: &Path, release: &Release, keep: usize) -> io::Result<Self> {
        let folder = root.join("data/records");
        fs::create_dir_all(&folder)?;
        let mark = root.join("data/schema-version");
        if !mark.exists() {
            replace(&mark, format!("{}\n", release.schema).as_bytes())?;
        }
        Ok(Self {
            folder,
            schema: release.schema,
            keep,
        })
    }

    /// Every record by name.
    pub(crate) fn all(&self) -> io::Result<BTreeMap<String, Value>> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let is_record = path
                .extension()
                .is_some_and(|extension| extension == "json");
            if let (true, Some(name)) = (is_record, path.file_stem().and_then(|stem| stem.to_str()))
            {
                let value = serde_json::from_slice(&fs::read(&path)?).unwrap_or(Value::Null);
                all.insert(name.to_owned(), value);
            }
        }
        Ok(all)
    }

    /// The first record that this release cannot read, in words.
    pub(crate) fn trouble(&self) -> io::Result<Option<String>> {
        Ok(self.all()?.into_iter().find_map(|(name, record)| {
            let found = record.get("schema").and_then(Value::as_u64);
            (found != Some(self.schema)).then(|| {
                let found = found.map_or("no schema".to_owned(), |n| format!("schema {n}"));
                format!(
                    "data/records/{name}.json has {found}, expected schema {}",
                    self.schema
                )
            })
        }))
    }

    /// Stores what device `name` posted.
    pub(crate) fn post(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(format!("{name}.json"));
        let before = fs::read(&path)
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let record = self.updated(name, text.trim(), before, unix_seconds());
        replace(&path, format!("{record:#}\n").as_bytes())
    }

    fn updated(&self, name: &str, text: &str, before: Option<Value>, now: u64) -> Value {
        if self.schema == 1 {
            return json!({"schema": 1, "name": name, "value": text, "time": now.to_string()});
        }
        let (number, unit) = match text.split_once(' ') {
            Some((number, unit)) => (number, unit),
            None => (text, ""),
        };
        let number: Option<f64> = number.parse().ok();
        if self.schema == 2 {
            return match number {
                Some(value) => {
                    json!({"schema": 2, "name": name, "value": value, "unit": unit, "time": now})
                }
                None => json!({"schema": 2, "name": name, "note": text, "time": now}),
            };
        }
        let mut samples: Vec<Value> = before
            .as_ref()
            .and_then(|record| record.get("samples")?.as_array().cloned())
            .unwrap_or_default();
        samples.push(match number {
            Some(value) => json!({"time": now, "value": value}),
            None => json!({"time": now, "note": text}),
        });
        let surplus = samples.len().saturating_sub(self.keep);
        samples.drain(..surplus);
        json!({"schema": 3, "name": name, "unit": unit, "samples": samples})
    }
}

/// Whether `name` may name a record: it becomes a file name.
pub(crate) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('-')
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Writes a file so that a reader sees the old bytes or the new ones.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut file = File::create(&temporary)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(temporary, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(schema: u64) -> Records {
        Records {
            folder: PathBuf::new(),
            schema,
            keep: 2,
        }
    }

    #[test]
    fn each_release_writes_its_own_schema() {
        for schema in [1, 2, 3] {
            let record = store(schema).updated("a", "1.5 C", None, 7);
            assert_eq!(record["schema"], schema);
        }
    }

    #[test]
    fn text_that_is_no_number_is_kept() {
        assert_eq!(store(2).updated("a", "ajar", None, 7)["note"], "ajar");
    }

    #[test]
    fn history_is_bounded() {
        let store = store(3);
        let one = store.updated("a", "1", None, 1);
        let two = store.updated("a", "2", Some(one), 2);
        let three = store.updated("a", "3", Some(two), 3);
        assert_eq!(
            three["samples"],
            json!([{"time": 2, "value": 2.0}, {"time": 3, "value": 3.0}])
        );
    }

    #[test]
    fn a_name_cannot_leave_the_folder() {
        assert!(is_name("door-17"));
        assert!(!is_name("../door"));
        assert!(!is_name(""));
    }
}
