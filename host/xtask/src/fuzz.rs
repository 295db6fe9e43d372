// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask fuzz TARGET`: libFuzzer on one target of `tests/fuzz`, until somebody stops it.
//!
//! The ordinary tests run the same targets on stable, for some seconds. This needs nightly and cargo-fuzz,
//! and brings both. What it finds new goes below the target directory; what it finds wrong goes to
//! `tests/fuzz/artifacts`, from where it moves into the corpus under a name, with the mend.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::tool::Tool;
use crate::tree;
use std::fs;
use std::path::Path;

/// A hang is what takes longer; a bomb is what takes more.
const LIMITS: [&str; 3] = ["-timeout=20", "-rss_limit_mb=2048", "-max_len=16384"];

/// Runs the task: the target, and what libFuzzer is told besides, such as `-max_total_time=600`.
pub(crate) fn run(repo: &Repo, target: &str, options: &[&str]) -> Outcome {
    let folder = repo.root.join("tests/fuzz");
    let corpus = folder.join("corpus").join(target);
    if !corpus.is_dir() {
        let targets = targets(&folder.join("corpus"))?.join("`, `");
        return Err(format!("no target `{target}`, expected one of `{targets}`").into());
    }
    need::nightly()?;
    need::cargo_fuzz(repo)?;
    let found = repo.target.join("fuzz-found").join(target);
    tree::make(&found)?;
    let dictionary = folder.join("dictionaries").join(format!("{target}.dict"));
    // Nothing of ours is unsafe, so the address sanitizer would only cost half of the speed.
    let mut tool = Tool::new("rustup")
        .args(["run", "nightly", "cargo", "fuzz", "run", "--fuzz-dir"])
        .arg(&folder)
        .args([
            "--features",
            "libfuzzer",
            "--sanitizer",
            "none",
            "--target-dir",
        ])
        .arg(repo.target.join("fuzz"))
        .arg(target)
        .args([&found, &corpus])
        .arg("--")
        .args(LIMITS)
        .args(options)
        .within(&repo.root);
    if dictionary.is_file() {
        tool = tool.arg(format!("-dict={}", dictionary.display()));
    }
    tool.run()
}

/// Every target has a folder of that name.
fn targets(corpora: &Path) -> Outcome<Vec<String>> {
    let folders = fs::read_dir(corpora).map_err(|error| Failure::at(corpora, &error))?;
    let name = |folder: fs::DirEntry| folder.file_name().to_string_lossy().into_owned();
    let mut names: Vec<String> = folders.filter_map(Result::ok).map(name).collect();
    names.sort();
    Ok(names)
}
