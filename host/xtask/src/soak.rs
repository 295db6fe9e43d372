// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask soak`: random sequences of updates, crashes, full disks and accidents, against a model.
//!
//! The soak is a program of its own, `tests/model`; this builds it and the product, and hands the words of
//! the command line on.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::tool::Tool;

/// Runs the task.
pub(crate) fn run(repo: &Repo, words: &[&str]) -> Outcome {
    need::wasm_target(repo)?;
    // The workspace as a whole, for the reason that `Repo::build_cofferdam` has.
    Tool::cargo()
        .args(["build", "--quiet", "--workspace"])
        .args(["--bin", "cofferdam", "--bin", "cofferdam-model"])
        .within(&repo.root)
        .run()?;
    let built = repo.target.join("debug");
    Tool::new(built.join("cofferdam-model"))
        .arg("--product")
        .arg(built.join("cofferdam"))
        .arg("--target")
        .arg(repo.target.join("crash"))
        .args(words)
        .run()
}
