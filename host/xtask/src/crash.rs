// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask crash`: kills and breaks the product at every call that changes a disk.
//!
//! The bench is a program of its own, `tests/crash`; this builds it and the product, and hands the
//! words of the command line on.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::tool::Tool;
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;

/// Runs the task.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Outcome {
    need::wasm_target(repo)?;
    if ["--full", "block"].iter().any(|word| words.contains(word)) {
        need::stock_tools()?;
    }
    let is_whole = words.contains(&"--full") && !words.contains(&"--mode");
    let switched = if words.contains(&"--mutants") || is_whole {
        Some(build_switched(repo)?)
    } else {
        None
    };
    build(repo, &[])?;
    let built = repo.target.join("debug");
    Tool::new(built.join("cofferdam-crash"))
        .arg("--product")
        .arg(built.join("cofferdam"))
        .arg("--target")
        .arg(repo.target.join("crash"))
        .args(
            switched
                .iter()
                .flat_map(|path| [OsStr::new("--switched"), path.as_os_str()]),
        )
        .args(words)
        .run()
}

/// The workspace as a whole, for the reason that `Repo::build_cofferdam` has.
fn build(repo: &Repo, features: &[&str]) -> Outcome {
    Tool::cargo()
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "cofferdam", "--bin", "cofferdam-crash"])
        .args(features)
        .within(&repo.root)
        .run()
}

/// The product with switches for tests, kept beside the product as it is shipped: cargo has one place
/// for both.
fn build_switched(repo: &Repo) -> Outcome<PathBuf> {
    build(repo, &["--features", "cofferdam-install/test-switches"])?;
    let folder = repo.target.join("crash");
    let switched = folder.join("cofferdam");
    fs::create_dir_all(&folder).map_err(|error| Failure::at(&folder, &error))?;
    fs::copy(repo.target.join("debug/cofferdam"), &switched)
        .map_err(|error| Failure::at(&switched, &error))?;
    Ok(switched)
}
