// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask crash`: kills and breaks the product at every call that changes a disk.
//!
//! The bench is a program of its own, `tests/crash`; this builds it and the product, and hands the
//! words of the command line on.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::tool::Tool;

/// Runs the task.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Outcome {
    need::wasm_target(repo)?;
    if ["--full", "block"].iter().any(|word| words.contains(word)) {
        need::stock_tools()?;
    }
    // The workspace as a whole, for the reason that `Repo::build_cofferdam` has.
    Tool::cargo()
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "cofferdam", "--bin", "cofferdam-crash"])
        .within(&repo.root)
        .run()?;
    let built = repo.target.join("debug");
    Tool::new(built.join("cofferdam-crash"))
        .arg("--product")
        .arg(built.join("cofferdam"))
        .arg("--target")
        .arg(repo.target.join("crash"))
        .args(words)
        .run()
}
