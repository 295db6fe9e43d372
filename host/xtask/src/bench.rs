// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask bench sandbox`: what the sandbox costs, against the same work without it.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// Runs the task.
pub(crate) fn sandbox(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    say::heading("building the product and the steps that are measured");
    let cargo = || Tool::cargo().within(&repo.root);
    cargo()
        .args(["build", "--release", "--package", "cofferdam"])
        .run()?;
    let steps = repo.target.join("bench-steps");
    let built = ["build", "--release", "--examples", "--target", need::WASM];
    Tool::cargo()
        .args(built)
        .within(&repo.root.join("tests/bench"))
        .env("CARGO_TARGET_DIR", &steps)
        .run()?;
    say::heading("measuring, in turns");
    let folder = if Path::new("/dev/shm").is_dir() {
        Path::new("/dev/shm")
    } else {
        Path::new("/tmp")
    };
    cargo()
        // Both packages, so that what they share is built once and not twice.
        .args([
            "bench",
            "--package",
            "cofferdam",
            "--package",
            "cofferdam-sandbox",
        ])
        .args(["--bench", "cost"])
        .arg("--")
        .arg(repo.target.join("release/cofferdam"))
        .arg(steps.join(need::WASM).join("release/examples"))
        .arg(folder)
        .run()
}
