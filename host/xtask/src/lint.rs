// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask lint`: format, clippy and documentation of every workspace, warnings as errors.
//!
//! Every check is made, also when one before it failed.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// What is run in each workspace.
const CHECKS: [&str; 4] = [
    "metadata --locked --format-version 1",
    // Not `--all`: that follows path dependencies into other workspaces.
    "fmt --check",
    "clippy --workspace --all-targets -- -D warnings",
    "doc --workspace --no-deps",
];

/// What only tests build.
const SWITCHABLE: &str = "clippy --workspace --features \
     cofferdam-sandbox/test-switches,cofferdam-install/test-switches --all-targets -- -D warnings";

/// What steps, guests and the sample's program are allowed besides: `clippy.toml` bans for the product.
const ELSEWHERE: [&str; 2] = ["--allow", "clippy::disallowed_methods"];

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    let mut failed = Vec::new();
    check(repo, &repo.root, &repo.target, &mut failed);
    say::command(&format!("cargo {SWITCHABLE}"));
    let words: Vec<&str> = SWITCHABLE.split(' ').collect();
    if Tool::cargo().args(&words).within(&repo.root).run().is_err() {
        failed.push("cargo clippy (with the switches of the tests)".to_owned());
    }
    for (folder, target) in repo.side_workspaces() {
        check(repo, &folder, &target, &mut failed);
    }
    if Tool::cargo().args(["deny", "--version"]).succeeds() {
        say::heading("supply chain");
        let tool = Tool::cargo().args(["deny", "check", "bans", "licenses", "sources"]);
        if tool.within(&repo.root).run().is_err() {
            failed.push("cargo deny".to_owned());
        }
    } else {
        say::note("cargo-deny is not installed: deny.toml was not checked");
    }
    if failed.is_empty() {
        say::holds("nothing to complain about");
        return Ok(());
    }
    Err(format!("these checks failed: {}", failed.join("; ")).into())
}

fn check(repo: &Repo, folder: &Path, target: &Path, failed: &mut Vec<String>) {
    let is_product = folder == repo.root;
    let shown = match folder.strip_prefix(&repo.root) {
        Ok(below) if !is_product => below.display().to_string(),
        _ => "the product".to_owned(),
    };
    say::heading(&format!(
        "{shown}: lock file, format, clippy, documentation"
    ));
    for line in CHECKS {
        let mut words: Vec<&str> = line.split(' ').collect();
        if words[0] == "clippy" && !is_product {
            words.extend(ELSEWHERE);
        }
        // Guests may use what there is in WebAssembly alone.
        if words[0] == "clippy" && folder.ends_with("tests/guests") {
            words.splice(1..1, ["--target", need::WASM]);
        }
        say::command(&format!("cargo {}", words.join(" ")));
        let tool = Tool::cargo()
            .args(&words)
            .within(folder)
            .env("CARGO_TARGET_DIR", target)
            .env("RUSTDOCFLAGS", "-D warnings");
        // The metadata itself is of no interest: that it can be had with the lock file is.
        let done = if words[0] == "metadata" {
            tool.output().map(drop)
        } else {
            tool.run()
        };
        if done.is_err() {
            failed.push(format!("cargo {} ({shown})", words[0]));
        }
    }
}
