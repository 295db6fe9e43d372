// SPDX-License-Identifier: Apache-2.0
//! Everything about a machine at rest by which two states are told apart: files, kept generations,
//! configuration outside, what the product says, whether the service runs.
//!
//! What must differ from run to run is left out: times, names of transactions, and the words of a
//! condemnation. What only has to be right in itself (the chain of the history, the names in the state
//! directory) is judged here and is no part of the comparison.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;

use crate::disk::Disk;
use crate::disk::Kind;
use crate::disk::Node;
use crate::machine::Machine;
use crate::machine::Ran;
use crate::machine::state_of;

/// A machine at rest.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The install, by relative path.
    live: Tree,
    /// Kept trees, by generation.
    kept: BTreeMap<u64, Tree>,
    /// Everything else but the state directory.
    outside: Tree,
    /// `status --json`; none when the directory is not under care.
    status: Option<Value>,
    /// The documents of every generation, by relative path.
    documents: BTreeMap<u64, Members>,
    /// The operator's file.
    settings: Option<String>,
    /// Whether `recover --all` knows of it; none when it is not under care.
    registered: Option<bool>,
    /// Whether the service runs; none where there is no service.
    service: Option<bool>,
    /// Whether the last transaction has a short record in the history, written by a later command.
    short_record: bool,
}

type Tree = BTreeMap<PathBuf, Node>;

/// In what a state that was found may fall short of the one that it is compared with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Allowed {
    /// Its generation may be unconfirmed, with what follows from a confirmation not done yet: it has just
    /// been recovered.
    pub unconfirmed: bool,
    /// The machine's list of installs may not name it: the list could not be written, and the product
    /// said so.
    pub unlisted: bool,
    /// The last transaction may have a short record in the history: the command was cut off before it
    /// wrote its own.
    pub short_record: bool,
}

/// Nothing: what a command has promised when it has ended.
pub const PROMISED: Allowed = Allowed {
    unconfirmed: false,
    unlisted: false,
    short_record: false,
};

/// The two states are the same, however they came about.
pub const SAME: Allowed = Allowed {
    unconfirmed: false,
    unlisted: false,
    short_record: true,
};

/// What recovery leaves to the next command.
pub const RECOVERED: Allowed = Allowed {
    unconfirmed: true,
    unlisted: false,
    short_record: true,
};

/// What is wrong with a state, whatever it is compared with.
pub type Wrong = Vec<String>;

impl Facts {
    /// Reads the machine.
    ///
    /// # Errors
    /// The state is wrong in itself: something is left over, the history is broken, the product
    /// cannot tell where the install stands.
    pub fn of(machine: &Machine) -> Result<Self, Wrong> {
        let (disk, _) = Disk::read(&machine.roots()).map_err(|error| vec![error.to_string()])?;
        let install = machine.install();
        let status = status(machine).map_err(|wrong| vec![wrong])?;
        let (mut wrong, mut short_record) = (Wrong::new(), false);
        if let Some(status) = &status {
            wrong.extend(in_the_state_directory(&disk, &install, status));
            match history(machine, status) {
                Ok(is_short) => short_record = is_short,
                Err(what) => wrong.push(what),
            }
            if status["state"] != "idle" || status["service_owed"] != false {
                wrong.push(format!("not at rest: {status}"));
            }
        }
        wrong.extend(service_runs_what_is_live(&disk, machine));
        if !wrong.is_empty() {
            return Err(wrong);
        }
        Ok(Self {
            short_record,
            ..Self::assembled(machine, &disk, status)
        })
    }

    fn assembled(machine: &Machine, disk: &Disk, status: Option<Value>) -> Self {
        let install = machine.install();
        let state = state_of(&install);
        let live = status
            .as_ref()
            .and_then(|status| status["generation"].as_u64());
        let documents = kept_numbers(disk, &state).into_iter();
        let documents = documents
            .map(|number| (number, documents_of(machine, disk, number, live)))
            .collect();
        let kept = kept_numbers(disk, &state).into_iter().filter_map(|number| {
            let tree = state.join(format!("generations/{number}/tree"));
            Some((number, disk.at(&tree).map(|_| owned(disk.below(&tree)))?))
        });
        let kept = kept.collect();
        let service = disk.at(&machine.path("service.log")).is_some()
            || settings_name_a_service(disk, &state);
        Self {
            live: owned(disk.below(&install)),
            kept,
            outside: outside(machine, disk),
            documents,
            settings: disk
                .file(&state.join("install.toml"))
                .map(|text| machine.anywhere(text)),
            registered: status.is_some().then(|| is_registered(machine, disk)),
            service: service.then(|| disk.at(&machine.path("up")).is_some()),
            status: status.map(without_what_differs),
            short_record: false,
        }
    }

    /// Where another state differs from this one, which is as it should be; `found` is the other.
    pub fn differences(&self, found: &Self, allowed: Allowed) -> Vec<String> {
        let mut all = Vec::new();
        trees("the install", &self.live, &found.live, &mut all);
        trees("outside", &self.outside, &found.outside, &mut all);
        let unconfirmed = allowed.unconfirmed
            && found
                .status
                .as_ref()
                .is_some_and(|status| status["confirmed"] == false);
        for (number, tree) in &self.kept {
            match found.kept.get(number) {
                Some(other) => trees(&format!("generation {number}"), tree, other, &mut all),
                None => all.push(format!("generation {number} is gone")),
            }
        }
        let more = found
            .kept
            .keys()
            .filter(|number| !self.kept.contains_key(*number));
        if !unconfirmed {
            all.extend(more.map(|number| format!("generation {number} is there")));
        }
        let (mut expected, mut status) = (self.status.clone(), found.status.clone());
        if unconfirmed {
            for document in [&mut expected, &mut status].into_iter().flatten() {
                let members = [
                    "confirmed",
                    "generations",
                    "version_floor",
                    "data_format_floor",
                ];
                for member in members {
                    remove(document, member);
                }
            }
        }
        members("status", &object(expected), &object(status), &mut all);
        for (number, documents) in &self.documents {
            let what = format!("generation {number}");
            let other = found.documents.get(number).cloned().unwrap_or_default();
            members(&what, documents, &other, &mut all);
        }
        values("settings", &self.settings, &found.settings, &mut all);
        if !allowed.unlisted {
            let (ours, theirs) = (&self.registered, &found.registered);
            values("listed", ours, theirs, &mut all);
        }
        values("service", &self.service, &found.service, &mut all);
        if !allowed.short_record {
            let (ours, theirs) = (&self.short_record, &found.short_record);
            values("short record", ours, theirs, &mut all);
        }
        all
    }

    /// Whether the service runs; none where there is no service.
    pub fn service(&self) -> Option<bool> {
        self.service
    }

    /// Versions that were condemned.
    pub fn condemned(&self) -> Vec<String> {
        let condemned = self
            .status
            .as_ref()
            .and_then(|status| status["condemned"].as_array());
        let versions = condemned.into_iter().flatten();
        versions
            .filter_map(|entry| entry["version"].as_str().map(str::to_owned))
            .collect()
    }
}

fn owned(tree: BTreeMap<PathBuf, &Node>) -> Tree {
    tree.into_iter()
        .map(|(path, node)| (path, node.clone()))
        .collect()
}

fn trees(what: &str, expected: &Tree, found: &Tree, all: &mut Vec<String>) {
    for (path, node) in expected {
        match found.get(path) {
            Some(other) => {
                let difference = node.difference(other);
                all.extend(difference.map(|how| format!("{what}, `{}`: {how}", path.display())));
            }
            None => all.push(format!("{what}, `{}` is not there", path.display())),
        }
    }
    let more = found.keys().filter(|path| !expected.contains_key(*path));
    all.extend(more.map(|path| format!("{what}, `{}` is there", path.display())));
}

type Members = BTreeMap<String, Value>;

fn object(document: Option<Value>) -> Members {
    match document {
        Some(Value::Object(members)) => members.into_iter().collect(),
        Some(other) => Members::from([("all".to_owned(), other)]),
        None => Members::new(),
    }
}

fn members(what: &str, expected: &Members, found: &Members, all: &mut Vec<String>) {
    let names: BTreeSet<&String> = expected.keys().chain(found.keys()).collect();
    for name in names {
        let shown = |members: &Members| members.get(name).map(Value::to_string);
        values(
            &format!("{what}, {name}"),
            &shown(expected),
            &shown(found),
            all,
        );
    }
}

fn values<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &T,
    found: &T,
    all: &mut Vec<String>,
) {
    if expected != found {
        all.push(format!("{what}: expected {expected:?}, found {found:?}"));
    }
}

fn remove(document: &mut Value, member: &str) {
    if let Some(object) = document.as_object_mut() {
        object.remove(member);
    }
}

/// `status --json`, or none when the directory is not under care.
fn status(machine: &Machine) -> Result<Option<Value>, String> {
    let ran = machine.run([
        OsStr::new("status"),
        machine.install().as_os_str(),
        OsStr::new("--json"),
    ]);
    let answer: Value = serde_json::from_str(&ran.stdout).map_err(|error| told(&error, &ran))?;
    match ran.exit {
        Some(0) => Ok(Some(answer)),
        Some(4) if answer["error"]["code"] == "not-adopted" => Ok(None),
        _ => Err(told(&"status failed", &ran)),
    }
}

fn told(what: &dyn std::fmt::Display, ran: &Ran) -> String {
    format!("{what}: exit {:?}, {}{}", ran.exit, ran.stdout, ran.stderr)
}

/// The chain is whole, and the last transaction has its one record; answers whether that is a short one.
fn history(machine: &Machine, status: &Value) -> Result<bool, String> {
    let install = machine.install();
    let ran = machine.run([
        OsStr::new("history"),
        install.as_os_str(),
        OsStr::new("--verify"),
        OsStr::new("--json"),
    ]);
    let answer: Value =
        serde_json::from_str(&ran.stdout).map_err(|_| told(&"the history is no JSON", &ran))?;
    if ran.exit != Some(0) || answer["verified"] != true {
        return Err(told(&"the history is broken", &ran));
    }
    let last = &status["last"]["txid"];
    let records = answer["records"].as_array().into_iter().flatten();
    let of_last: Vec<&Value> = records
        .filter(|record| record["kind"] == "transaction" && record["txid"] == *last)
        .collect();
    match of_last[..] {
        [record] => Ok(record["body"]["caught_up"] == true),
        [] if !last.is_string() => Ok(false),
        _ => Err(told(
            &format!(
                "the last transaction ({last}) has {} records, expected one",
                of_last.len()
            ),
            &ran,
        )),
    }
}

fn without_what_differs(mut status: Value) -> Value {
    for member in ["dir", "last"] {
        remove(&mut status, member);
    }
    if let Some(condemned) = status["condemned"].as_array_mut() {
        for entry in condemned {
            remove(entry, "why");
        }
    }
    status
}

/// Names that may stand in a state directory at rest.
const NAMES: &[&str] = &[
    "install.toml",
    "transaction.json",
    "lock",
    "generations",
    "incoming",
    "history.jsonl",
    "refused.json",
    "cache",
];

/// Nothing is left over, and every generation that is named is there.
fn in_the_state_directory(disk: &Disk, install: &Path, status: &Value) -> Wrong {
    let state = state_of(install);
    let mut wrong = Wrong::new();
    for name in names(disk, &state) {
        if !NAMES.contains(&name.as_str()) {
            wrong.push(format!("`{name}` is left over"));
        }
    }
    for name in names(disk, &state.join("incoming")) {
        wrong.push(format!("`incoming/{name}` is left over"));
    }
    let generations = status["generations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let named: BTreeSet<String> = generations
        .iter()
        .map(|generation| generation["number"].to_string())
        .collect();
    let found = names(disk, &state.join("generations"));
    if named != found {
        wrong.push(format!(
            "generations {named:?} are named, {found:?} are there"
        ));
    }
    for number in &found {
        let folder = state.join("generations").join(number);
        let is_live = number.parse() == Ok(status["generation"].as_u64().unwrap_or(0));
        if disk.at(&folder.join("tree")).is_some() == is_live {
            wrong.push(format!(
                "generation {number}: its tree is where it should not be"
            ));
        }
    }
    wrong
}

fn names(disk: &Disk, directory: &Path) -> BTreeSet<String> {
    match disk.at(directory).map(|node| &node.kind) {
        Some(Kind::Directory(names)) => names
            .keys()
            .map(|name| name.to_string_lossy().into_owned())
            .collect(),
        Some(Kind::File(_) | Kind::Symlink(_) | Kind::Other) | None => BTreeSet::new(),
    }
}

fn kept_numbers(disk: &Disk, state: &Path) -> Vec<u64> {
    let numbers = names(disk, &state.join("generations"));
    numbers
        .iter()
        .filter_map(|name| name.parse().ok())
        .collect()
}

/// What is written down about a generation. What an interrupted update wrote about the live one, as if
/// it were left, stays there until it is left, and means nothing.
fn documents_of(machine: &Machine, disk: &Disk, number: u64, live: Option<u64>) -> Members {
    let folder = state_of(&machine.install()).join(format!("generations/{number}"));
    let documents = disk.below(&folder).into_iter();
    let documents = documents.filter_map(|(path, node)| {
        let Kind::File(bytes) = &node.kind else {
            return None;
        };
        let is_of_leaving = path == Path::new("left.json") || path.starts_with("config");
        if path.starts_with("tree") || (is_of_leaving && live == Some(number)) {
            return None;
        }
        let text = machine.anywhere(bytes);
        // What is no document is compared as text.
        let document = serde_json::from_str(&text).unwrap_or_else(|_| text.into());
        Some((path.display().to_string(), document))
    });
    documents.collect()
}

fn settings_name_a_service(disk: &Disk, state: &Path) -> bool {
    let settings = disk.file(&state.join("install.toml")).unwrap_or_default();
    String::from_utf8_lossy(settings).contains("\n[service]\n")
}

/// Everything on the machine but the install, its state, packages and scratch files. What `adopt` and
/// `release` may leave behind by their documents is no difference.
fn outside(machine: &Machine, disk: &Disk) -> Tree {
    let install = machine.install();
    let state = state_of(&install);
    let scratch = install.with_file_name(".agent.cofferdam-scratch");
    let trial = install.with_file_name(".cofferdam-trial-1");
    let inside = [
        install,
        state,
        scratch,
        trial,
        machine.path("tmp"),
        machine.registry(),
        machine.path("service.log"),
        machine.path("up"),
    ];
    let mut tree = Tree::new();
    for root in machine.roots() {
        for (path, node) in disk.below(&root) {
            let path = root.join(path);
            if !inside.iter().any(|inside| path.starts_with(inside)) {
                tree.insert(machine.shown(&path), node.clone());
            }
        }
    }
    tree
}

fn is_registered(machine: &Machine, disk: &Disk) -> bool {
    let folder = machine.registry();
    names(disk, &folder).iter().any(|name| {
        let entry = disk.file(&folder.join(name)).unwrap_or_default();
        let entry: Value = serde_json::from_slice(entry).unwrap_or_default();
        !name.starts_with('.') && entry["dir"].as_str().map(Path::new) == Some(&machine.install())
    })
}

/// A service that runs was last started with the version that is live.
fn service_runs_what_is_live(disk: &Disk, machine: &Machine) -> Wrong {
    let log = disk.file(&machine.path("service.log")).unwrap_or_default();
    let log = String::from_utf8_lossy(log);
    let Some(last) = log.lines().last() else {
        return Wrong::new();
    };
    let agent = disk
        .file(&machine.install().join("agent"))
        .unwrap_or_default();
    let wanted = format!("start {}", String::from_utf8_lossy(agent));
    // A line of the service's own may have been torn by the kill.
    if last.ends_with(&wanted) {
        Wrong::new()
    } else {
        vec![format!(
            "the service was told `{last}` last, expected `{wanted}`"
        )]
    }
}
