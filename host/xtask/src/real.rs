// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask real`: two consecutive releases of real software, from the package registries.
//!
//! Each pair is packed and signed, the older adopted, the newer applied, and every byte and mode compared
//! with the real release; then the same for the way back. Sizes, times and peak memory are printed, and
//! more memory than [`MEMORY_CAP_BYTES`] is a failure.

mod disk;
mod fetch;
mod measure;

use crate::failure::Outcome;
use crate::repo::Profile;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use disk::Disk;
use measure::Measured;
use serde_json::Value;
use std::path::Path;
use std::path::PathBuf;

/// What the main process may use, whatever the size of the package.
const MEMORY_CAP_BYTES: u64 = 150 * 1024 * 1024;

/// Two releases of one program.
struct Pair {
    name: &'static str,
    registry: fetch::Registry,
    older: &'static str,
    newer: &'static str,
}

const PAIRS: [Pair; 2] = [
    Pair {
        name: "typescript",
        registry: fetch::Registry::Npm,
        older: "5.9.2",
        newer: "5.9.3",
    },
    Pair {
        name: "ziglang",
        registry: fetch::Registry::PyPi,
        older: "0.16.0",
        newer: "0.17.0",
    },
];

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    let cofferdam = repo.build_cofferdam(Profile::Release)?;
    let folder = repo.target.join("real");
    tree::make(&folder)?;
    let folder = folder.canonicalize().map_err(|error| error.to_string())?;
    let disk = Disk::prepare(&folder)?;
    let bench = Bench {
        cofferdam,
        folder,
        place: disk.folder().to_owned(),
    };
    for stale in ["vendor.key", "vendor.pub"] {
        tree::remove_file(&bench.folder.join(stale))?;
    }
    bench.run(&["keygen", "vendor", "--no-password"])?;
    for pair in &PAIRS {
        bench.compare(pair)?;
    }
    disk.release()?;
    say::holds("both updates and both roll backs gave the real releases, byte for byte, modes too");
    Ok(())
}

struct Bench {
    cofferdam: PathBuf,
    /// Downloads, trees, packages.
    folder: PathBuf,
    /// Where the installs are.
    place: PathBuf,
}

impl Bench {
    fn compare(&self, pair: &Pair) -> Outcome {
        say::heading(&format!("{} {} → {}", pair.name, pair.older, pair.newer));
        let older = self.packed(pair, pair.older, "*")?;
        let newer = self.packed(pair, pair.newer, &format!("={}", pair.older))?;

        let install = self.place.join(pair.name);
        let shown = install.display().to_string();
        tree::copy(&older.tree, &install)?;
        // What was just copied is not part of what is measured.
        Tool::new("sync").run()?;
        let key = "vendor.pub";
        self.facts(&["adopt", &shown, "--trust", key, "--package", &older.package])?;

        let (facts, apply) = self.facts(&["apply", &shown, &newer.package])?;
        expect(&facts["result"], "committed")?;
        same(&install, &newer.tree)?;
        report("apply", &facts, &apply)?;

        let (facts, rollback) = self.facts(&["rollback", &shown])?;
        same(&install, &older.tree)?;
        report("rollback", &facts, &rollback)
    }

    /// Fetches, unpacks, packs and signs one release.
    fn packed(&self, pair: &Pair, version: &str, from: &str) -> Outcome<Packed> {
        let name = pair.name;
        let tree = fetch::unpacked(&self.folder, &pair.registry, name, version)?;
        let source = self.folder.join(format!("{name}-{version}.toml"));
        let format = format!(
            "[package]\nid = \"{name}\"\nversion = \"{version}\"\ndata-format = 1\n\
             summary = \"{name} {version} as its registry has it\"\n\n\
             [requires]\nfrom = \"{from}\"\n\n[payload]\ndir = \"{name}-{version}\"\n"
        );
        tree::write(&source, &format)?;
        let package = format!("{name}-{version}.upd");
        let (_, pack) = self.facts(&["pack", &source.display().to_string(), "-o", &package])?;
        self.run(&["sign", &package, "--key", "vendor.key"])?;
        let (files, bytes) = tree::size(&tree)?;
        let packed = tree::file_size(&self.folder.join(&package))?;
        say::line(&format!(
            "{package}: {files} files, {} → {}, packed in {:.2} s, peak memory {}",
            megabytes(bytes),
            megabytes(packed),
            pack.elapsed.as_secs_f64(),
            mebibytes(pack.peak_bytes)
        ));
        enough_memory("pack", &pack)?;
        Ok(Packed { tree, package })
    }

    fn run(&self, words: &[&str]) -> Outcome {
        Tool::new(&self.cofferdam)
            .args(words)
            .within(&self.folder)
            .output()
            .map(drop)
    }

    fn facts(&self, words: &[&str]) -> Outcome<(Value, Measured)> {
        let tool = Tool::new(&self.cofferdam)
            .args(words)
            .arg("--json")
            .within(&self.folder)
            .env("COFFERDAM_REGISTRY", self.folder.join("registry"));
        let measured = measure::run(tool)?;
        let facts: Value = serde_json::from_str(&measured.printed)?;
        if measured.code != Some(0) {
            let error = &facts["error"];
            return Err(format!("`cofferdam {}`: {error}", words.join(" ")).into());
        }
        Ok((facts, measured))
    }
}

struct Packed {
    tree: PathBuf,
    package: String,
}

fn same(install: &Path, release: &Path) -> Outcome {
    let differences = tree::differences(release, install)?;
    if differences.is_empty() {
        return Ok(());
    }
    let count = differences.len();
    let first = differences
        .into_iter()
        .take(20)
        .collect::<Vec<_>>()
        .join("\n");
    Err(format!("{count} differences from the real release:\n{first}").into())
}

fn report(what: &str, facts: &Value, measured: &Measured) -> Outcome {
    say::line(&format!(
        "{what}: {:.2} s, peak memory {}, same as the real release",
        measured.elapsed.as_secs_f64(),
        mebibytes(measured.peak_bytes)
    ));
    let stages = facts["stages"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for stage in stages {
        let name = stage["name"].as_str().unwrap_or("?");
        let seconds = stage["seconds"].as_f64().unwrap_or_default();
        say::line(&format!("  {name:<32} {seconds:>8.3} s"));
    }
    enough_memory(what, measured)
}

fn enough_memory(what: &str, measured: &Measured) -> Outcome {
    if measured.peak_bytes == 0 {
        return Err(format!("{what}: its peak memory was not seen").into());
    }
    if measured.peak_bytes > MEMORY_CAP_BYTES {
        let (found, cap) = (mebibytes(measured.peak_bytes), mebibytes(MEMORY_CAP_BYTES));
        return Err(format!("{what} used {found}, more than {cap}").into());
    }
    Ok(())
}

fn expect(found: &Value, expected: &str) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("found {found}, expected {expected}").into())
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}

fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}
