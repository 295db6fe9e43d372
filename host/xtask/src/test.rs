// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask test`: every test of the repository, each suite even when one before it failed.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Profile;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    need::minisign()?;
    repo.build_cofferdam(Profile::Dev)?;
    let nextest = Tool::cargo().args(["nextest", "--version"]).succeeds();
    let mut failed = Vec::new();
    let mut passed = 0;
    for suite in suites(repo, nextest) {
        say::heading(&suite.name);
        match suite.tool.run() {
            Ok(()) => passed += 1,
            Err(failure) => {
                say::error(&failure.to_string());
                failed.push(suite.name);
            }
        }
    }
    say::line(&format!(
        "\nsuites: {passed} passed, {} failed",
        failed.len()
    ));
    if failed.is_empty() {
        Ok(())
    } else {
        Err(format!("failed: {}", failed.join("; ")).into())
    }
}

struct Suite {
    name: String,
    tool: Tool,
}

fn suites(repo: &Repo, nextest: bool) -> Vec<Suite> {
    let cargo = || Tool::cargo().within(&repo.root);
    let workspace = if nextest {
        cargo().args(["nextest", "run", "--workspace", "--no-fail-fast"])
    } else {
        cargo().args([
            "test",
            "--workspace",
            "--lib",
            "--bins",
            "--tests",
            "--no-fail-fast",
        ])
    };
    let mut suites = vec![
        Suite {
            name: "the product".to_owned(),
            tool: workspace,
        },
        Suite {
            name: "examples in the documentation".to_owned(),
            tool: cargo().args(["test", "--workspace", "--doc"]),
        },
    ];
    // Guests are tests' material, not tests: they are built for wasm by the tests that run them.
    let tested = |folder: &Path| !folder.ends_with("tests/guests");
    for (folder, target) in repo
        .side_workspaces()
        .into_iter()
        .filter(|(folder, _)| tested(folder))
    {
        let shown = folder
            .strip_prefix(&repo.root)
            .unwrap_or(&folder)
            .display()
            .to_string();
        suites.push(Suite {
            name: format!("{shown}, natively"),
            tool: Tool::cargo()
                .args(["test", "--workspace", "--no-fail-fast"])
                .within(&folder)
                .env("CARGO_TARGET_DIR", target),
        });
    }
    suites
}
