// SPDX-License-Identifier: Apache-2.0
//! What is found of an install: on the disk, by eyes of our own, and in what the product says.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::machine::Machine;
use crate::machine::Service;
use crate::versions::File;

/// An install as it was found.
#[derive(Debug)]
pub(crate) struct Found {
    /// `status --json`.
    pub(crate) status: Value,
    /// `verify --json`.
    pub(crate) verified: Value,
    /// The records of the history.
    pub(crate) records: Vec<Value>,
    /// The files at `DIR`.
    pub(crate) tree: Files,
    /// The files of each tree in `generations`.
    pub(crate) kept: BTreeMap<u64, Files>,
    /// The config file outside.
    pub(crate) config: String,
    /// The names of everything that stands where only transactions put something.
    pub(crate) leftovers: BTreeSet<String>,
    /// Whether the service runs, and what it was told last.
    pub(crate) service: (bool, Option<String>),
}

/// Regular files by path.
pub(crate) type Files = BTreeMap<String, File>;

/// What the product answered.
pub(crate) fn answer(machine: &Machine, words: &[&str], exits: &[i32]) -> Result<Value, String> {
    let mut arguments = vec![words[0], machine.str("opt/agent"), "--json"];
    arguments.extend(&words[1..]);
    let ran = machine.run(arguments);
    let is_expected = ran.exit.is_some_and(|exit| exits.contains(&exit));
    let json: Option<Value> = serde_json::from_str(&ran.stdout).ok();
    json.filter(|_| is_expected)
        .ok_or_else(|| format!("`{}` answered {ran:?}", words.join(" ")))
}

impl Found {
    /// Looks at everything.
    ///
    /// # Errors
    /// Somebody who only looks is refused.
    pub(crate) fn of(machine: &Machine, service: &Service) -> Result<Self, String> {
        let status = answer(machine, &["status"], &[0])?;
        let verified = answer(machine, &["verify"], &[0, 4])?;
        let history = answer(machine, &["history", "--verify"], &[0])?;
        let records = history["records"].as_array().cloned().unwrap_or_default();
        Self::with(machine, service, status, verified, records).map_err(|error| error.to_string())
    }

    fn with(
        machine: &Machine,
        service: &Service,
        status: Value,
        verified: Value,
        records: Vec<Value>,
    ) -> io::Result<Self> {
        let state = machine.state();
        let mut kept = BTreeMap::new();
        for name in names(&state.join("generations"))? {
            let tree = state.join("generations").join(&name).join("tree");
            if let Ok(number) = name.parse()
                && tree.exists()
            {
                kept.insert(number, files(&tree)?);
            }
        }
        Ok(Self {
            status,
            verified,
            records,
            tree: files(&machine.install())?,
            kept,
            config: fs::read_to_string(machine.config())?,
            leftovers: leftovers(machine)?,
            service: (service.runs(), service.log().pop()),
        })
    }
}

/// Every regular file below a directory, live ones left out.
fn files(root: &Path) -> io::Result<Files> {
    let mut files = Files::new();
    walk(root, "", &mut files)?;
    Ok(files)
}

fn walk(directory: &Path, prefix: &str, files: &mut Files) -> io::Result<()> {
    for name in names(directory)? {
        let path = directory.join(&name);
        let shown = format!("{prefix}{name}");
        let metadata = path.symlink_metadata()?;
        if shown == "logs" {
            continue;
        }
        if metadata.is_dir() {
            walk(&path, &format!("{shown}/"), files)?;
        } else {
            let mode = metadata.permissions().mode() & 0o7777;
            let content = String::from_utf8_lossy(&fs::read(&path)?).into_owned();
            files.insert(shown, File { mode, content });
        }
    }
    Ok(())
}

fn names(directory: &Path) -> io::Result<BTreeSet<String>> {
    let name = |entry: io::Result<fs::DirEntry>| Ok(entry?.file_name().to_string_lossy().into());
    fs::read_dir(directory)?.map(name).collect()
}

/// Names that may stand in a state directory at rest.
const AT_REST: [&str; 8] = [
    "cache",
    "generations",
    "history.jsonl",
    "incoming",
    "install.toml",
    "lock",
    "refused.json",
    "transaction.json",
];

fn leftovers(machine: &Machine) -> io::Result<BTreeSet<String>> {
    let state = machine.state();
    let mut left = names(&state)?;
    left.retain(|name| !AT_REST.contains(&name.as_str()));
    left.extend(names(&state.join("incoming"))?);
    let mut beside = names(&machine.path("opt"))?;
    beside.retain(|name| !["agent", "agent.cofferdam"].contains(&name.as_str()));
    left.extend(beside);
    let mut outside = names(&machine.path("etc"))?;
    outside.remove("agent.toml");
    left.extend(outside);
    Ok(left)
}
