// SPDX-License-Identifier: Apache-2.0
//! Plugins: each `plugins/NAME.probe` names a number to read from a file of the system.
//!
//! The operator may override a probe's threshold in `plugins/local/NAME.probe`. An override that names
//! no probe is reported: it is what happens when a probe is renamed and nobody moves the override.

use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// The probes in force, and the overrides that fit none.
pub(crate) struct Probes {
    probes: BTreeMap<String, Probe>,
    /// Overrides without a probe.
    pub(crate) orphans: Vec<String>,
}

#[derive(Deserialize)]
struct Probe {
    source: String,
    field: usize,
    warn_above: Option<f64>,
}

#[derive(Deserialize)]
struct Override {
    warn_above: f64,
}

/// One reading.
#[derive(Serialize)]
pub(crate) struct Reading {
    name: String,
    value: Option<f64>,
    warn_above: Option<f64>,
}

impl Probes {
    /// Loads what the package ships and what the operator changed.
    pub(crate) fn load(root: &Path) -> Result<Self, String> {
        let mut probes = BTreeMap::new();
        for (name, text) in files(&root.join("plugins"))? {
            let probe: Probe =
                toml::from_str(&text).map_err(|e| format!("plugins/{name}.probe: {e}"))?;
            probes.insert(name, probe);
        }
        let mut orphans = Vec::new();
        for (name, text) in files(&root.join("plugins/local"))? {
            let change: Override =
                toml::from_str(&text).map_err(|e| format!("plugins/local/{name}.probe: {e}"))?;
            match probes.get_mut(&name) {
                Some(probe) => probe.warn_above = Some(change.warn_above),
                None => orphans.push(name),
            }
        }
        Ok(Self { probes, orphans })
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.probes.len()
    }

    /// Reads every probe now.
    pub(crate) fn read(&self) -> Vec<Reading> {
        self.probes
            .iter()
            .map(|(name, probe)| Reading {
                name: name.clone(),
                value: probe.sample(),
                warn_above: probe.warn_above,
            })
            .collect()
    }
}

impl Probe {
    fn sample(&self) -> Option<f64> {
        let text = fs::read_to_string(&self.source).ok()?;
        text.split_whitespace().nth(self.field)?.parse().ok()
    }
}

/// Names and texts of the `.probe` files right in `folder`; none when there is no such folder.
fn files(folder: &Path) -> Result<Vec<(String, String)>, String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let is_probe = path
            .extension()
            .is_some_and(|extension| extension == "probe");
        if let (true, Some(name)) = (is_probe, path.file_stem().and_then(|stem| stem.to_str())) {
            let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            found.push((name.to_owned(), text));
        }
    }
    found.sort();
    Ok(found)
}
