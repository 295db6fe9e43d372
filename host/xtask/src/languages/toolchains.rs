// SPDX-License-Identifier: Apache-2.0
//! The tools of each language: pinned, below the target directory, through the registries' own clients.
//!
//! What is pinned where lies beside the guides: `guest-sdk/*/requirements.txt` with digests for pip, and
//! `package-lock.json` for npm. A folder is made again when its pins change.

use super::Language;
use crate::failure::Outcome;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use std::path::Path;
use std::path::PathBuf;

/// Where the tools are. Those of a language that was not asked for may be missing.
pub(super) struct Toolchains {
    /// `zig`, a C compiler with a libc for WASI.
    pub(super) zig: PathBuf,
    /// `componentize-py`.
    pub(super) componentize_py: PathBuf,
    /// A folder with `node_modules` and everything in `guest-sdk/javascript`.
    pub(super) javascript: PathBuf,
}

/// Makes sure that the tools of the languages are there, and says what it installs.
pub(super) fn install(repo: &Repo, languages: &[Language]) -> Outcome<Toolchains> {
    let folder = repo.target.join("languages");
    tree::make(&folder)?;
    let sdk = repo.root.join("guest-sdk");
    let (c, python) = (folder.join("c"), folder.join("python"));
    let javascript = folder.join("javascript");
    if languages.contains(&Language::C) {
        virtual_environment(&c, &sdk.join("c/requirements.txt"))?;
    }
    if languages.contains(&Language::Python) {
        virtual_environment(&python, &sdk.join("python/requirements.txt"))?;
    }
    if languages.contains(&Language::JavaScript) {
        node_modules(&javascript, &sdk.join("javascript"))?;
    }
    Ok(Toolchains {
        zig: c.join("bin/python-zig"),
        componentize_py: python.join("bin/componentize-py"),
        javascript,
    })
}

/// A virtual environment with exactly what the file of requirements names.
fn virtual_environment(folder: &Path, requirements: &Path) -> Outcome {
    let pins = tree::read(requirements)?;
    if is_made(folder, &pins) {
        return Ok(());
    }
    present("python3", "Python 3.9 or later")?;
    say_what(folder, &named(&pins), "PyPI, with pip");
    tree::remove(folder)?;
    let made = Tool::new("python3").args(["-m", "venv"]).arg(folder).run();
    made.map_err(|failure| {
        format!("{failure}: is the module `venv` there (Debian and Ubuntu: `python3-venv`)?")
    })?;
    Tool::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--disable-pip-version-check", "--only-binary", ":all:"])
        .args(["--require-hashes", "--requirement"])
        .arg(requirements)
        .run()?;
    mark_made(folder, &pins)
}

/// The lock file's packages, beside a copy of the SDK: Node looks for modules from the script's folder up.
fn node_modules(folder: &Path, sdk: &Path) -> Outcome {
    let pins = tree::read(&sdk.join("package-lock.json"))?;
    if !is_made(folder, &pins) {
        present("npm", "Node.js 20 or later with npm")?;
        let wanted = tree::read(&sdk.join("package.json"))?;
        let wanted: serde_json::Value = serde_json::from_str(&wanted)?;
        let wanted = wanted["dependencies"].as_object().into_iter().flatten();
        let wanted: Vec<String> = wanted
            .map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()))
            .collect();
        say_what(folder, &wanted, "the npm registry, with npm");
        tree::remove(folder)?;
        tree::copy(sdk, folder)?;
        Tool::new("npm")
            .args([
                "ci",
                "--silent",
                "--no-audit",
                "--no-fund",
                "--ignore-scripts",
            ])
            .within(folder)
            .run()?;
        mark_made(folder, &pins)?;
    }
    Ok(())
}

fn say_what(folder: &Path, packages: &[String], source: &str) {
    say::note(&format!(
        "installing {} from {source}, into {}",
        packages.join(", "),
        folder.display()
    ));
}

fn present(program: &str, words: &str) -> Outcome {
    if Tool::new(program).arg("--version").succeeds() {
        return Ok(());
    }
    Err(format!("`{program}` was not found: this task needs {words}").into())
}

/// The names and versions in a file of requirements.
fn named(pins: &str) -> Vec<String> {
    let lines = pins.lines().filter_map(|line| line.split_once("=="));
    lines
        .map(|(name, rest)| {
            let version = rest.split_whitespace().next().unwrap_or_default();
            format!("{name} {version}")
        })
        .collect()
}

/// The pins that a folder was made from; written last, so that a folder that has them is whole.
const MADE_FROM: &str = "made-from";

fn is_made(folder: &Path, pins: &str) -> bool {
    tree::read(&folder.join(MADE_FROM)).is_ok_and(|found| found == pins)
}

fn mark_made(folder: &Path, pins: &str) -> Outcome {
    tree::write(&folder.join(MADE_FROM), pins)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_of_the_guides_is_exact_and_has_digests() {
        let sdk = Repo::find().unwrap().root.join("guest-sdk");
        for file in ["c/requirements.txt", "python/requirements.txt"] {
            let pins = tree::read(&sdk.join(file)).unwrap();
            assert_eq!(named(&pins).len(), 1, "{file}");
            assert!(pins.contains("--hash=sha256:"), "{file}");
        }
        let lock = tree::read(&sdk.join("javascript/package-lock.json")).unwrap();
        assert!(lock.contains("\"integrity\": \"sha512-"));
    }
}
