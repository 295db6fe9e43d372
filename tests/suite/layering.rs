// SPDX-License-Identifier: Apache-2.0
//! Who may know whom, read from the manifests: what an attacker gets hold of in one crate must not be
//! one call away from what another protects.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::Table;

/// What each crate of ours may use of ours. Anything else is forbidden.
const MAY_USE: &[(&str, &[&str])] = &[
    ("cofferdam-config", &[]),
    (
        "cofferdam-install",
        &["cofferdam-package", "cofferdam-tree"],
    ),
    ("cofferdam-package", &[]),
    (
        "cofferdam-sandbox",
        &["cofferdam-config", "cofferdam-package"],
    ),
    ("cofferdam-tree", &["cofferdam-package"]),
];

fn manifests() -> BTreeMap<String, Table> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("crates");
    let manifest = |folder: &Path| -> Table {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        toml::from_str(&text).unwrap()
    };
    fs::read_dir(crates)
        .unwrap()
        .map(|entry| manifest(&entry.unwrap().path()))
        .map(|table| (table["package"]["name"].as_str().unwrap().to_owned(), table))
        .collect()
}

/// The names of what a crate uses when it is built for use: not what its tests use.
fn uses(manifest: &Table) -> BTreeSet<&str> {
    let sections = ["dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|section| manifest.get(*section));
    tables
        .flat_map(|table| table.as_table().unwrap().keys())
        .map(String::as_str)
        .collect()
}

#[test]
fn crates_use_of_each_other_only_what_the_picture_shows() {
    let manifests = manifests();
    let known: Vec<&str> = MAY_USE.iter().map(|(name, _)| *name).collect();
    let found: Vec<&str> = manifests.keys().map(String::as_str).collect();
    assert_eq!(found, known, "a new crate needs a place in the picture");
    for (name, allowed) in MAY_USE {
        let ours: BTreeSet<&str> = uses(&manifests[*name])
            .into_iter()
            .filter(|used| used.starts_with("cofferdam"))
            .collect();
        assert_eq!(ours, allowed.iter().copied().collect(), "{name}");
    }
}

#[test]
fn only_the_sandbox_knows_the_engine() {
    for (name, manifest) in manifests() {
        let engine = uses(&manifest)
            .into_iter()
            .filter(|used| used.starts_with("wasm") || used.starts_with("cranelift"));
        if name != "cofferdam-sandbox" {
            assert_eq!(engine.count(), 0, "{name} uses the engine");
        }
    }
    let host = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    let host: Table = toml::from_str(&host.unwrap()).unwrap();
    assert!(!uses(&host).iter().any(|used| used.starts_with("wasm")));
}

#[test]
fn nothing_here_uses_the_network() {
    let network = [
        "reqwest",
        "hyper",
        "ureq",
        "curl",
        "rustls",
        "native-tls",
        "quinn",
    ];
    for (name, manifest) in manifests() {
        let used = uses(&manifest);
        assert!(network.iter().all(|name| !used.contains(name)), "{name}");
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let workspace: Table = toml::from_str(&text).unwrap();
    let tokio = &workspace["workspace"]["dependencies"]["tokio"]["features"];
    assert!(
        !tokio
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one.as_str() == Some("net"))
    );
}

#[test]
fn unsafe_code_is_denied_everywhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let workspace: Table = toml::from_str(&text).unwrap();
    let lint = &workspace["workspace"]["lints"]["rust"]["unsafe_code"];
    assert_eq!(lint.as_str(), Some("deny"));
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let folder = member.as_str().unwrap();
        // Written out for vendors as it stands, so it cannot inherit.
        if folder == "guest-sdk" {
            continue;
        }
        let text = fs::read_to_string(root.join(folder).join("Cargo.toml")).unwrap();
        let manifest: Table = toml::from_str(&text).unwrap();
        assert_eq!(
            manifest["lints"]["workspace"].as_bool(),
            Some(true),
            "{folder}"
        );
    }
}
