// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask test`: every test of the repository, each suite even when one before it failed.

use crate::crash;
use crate::failure::Outcome;
use crate::need;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    need::stock_tools()?;
    let nextest = Tool::cargo().args(["nextest", "--version"]).succeeds();
    let mut failed = Vec::new();
    let mut passed = 0;
    let scratch = scratch_in_memory();
    for suite in suites(repo, nextest) {
        say::heading(&suite.name);
        let outcome = match suite.work {
            Work::Tool(tool) => match scratch {
                Some(folder) => tool.env("TMPDIR", folder).run(),
                None => tool.run(),
            },
            Work::Crash => crash::run(repo, &[]),
        };
        match outcome {
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

/// Where tests put what they make: thousands of small trees, each synced many times. In memory that
/// takes a tenth of the time, and what a sync promises is not what these tests are about.
fn scratch_in_memory() -> Option<&'static str> {
    const MEMORY: &str = "/dev/shm";
    const ENOUGH_KIB: u64 = 1 << 20;
    let free = Tool::new("df").args(["--output=avail", "--block-size=1K", MEMORY]);
    let free = free.output().ok()?;
    let free_kib: u64 = free.lines().last()?.trim().parse().ok()?;
    (free_kib >= ENOUGH_KIB).then_some(MEMORY)
}

struct Suite {
    name: String,
    work: Work,
}

enum Work {
    /// A command of cargo.
    Tool(Tool),
    /// The short form of the crash bench.
    Crash,
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
    // The small ones first; guests are tests' material, and are built by the tests that run them.
    let mut suites = Vec::new();
    for (folder, target) in repo.side_workspaces() {
        if folder.ends_with("tests/guests") {
            continue;
        }
        let shown = folder.strip_prefix(&repo.root).unwrap_or(&folder);
        // What can be tested natively: libraries, and the tool, which is a program alone.
        let targets = if folder.ends_with("guest-sdk/tool") {
            "--bins"
        } else {
            "--lib"
        };
        suites.push(Suite {
            name: format!("{}, natively", shown.display()),
            work: Work::Tool(
                Tool::cargo()
                    .args(["test", "--workspace", targets, "--no-fail-fast"])
                    .within(&folder)
                    .env("CARGO_TARGET_DIR", target),
            ),
        });
    }
    suites.push(Suite {
        name: "examples in the documentation".to_owned(),
        work: Work::Tool(cargo().args(["test", "--workspace", "--doc"])),
    });
    suites.push(Suite {
        name: "the product".to_owned(),
        work: Work::Tool(workspace),
    });
    suites.push(Suite {
        name: "crashes and power cuts, the short form".to_owned(),
        work: Work::Crash,
    });
    // In a run of its own, so that what the tests above run has no switch in it; of the whole workspace
    // all the same, since a smaller selection would build its dependencies once more.
    suites.push(Suite {
        name: "each wall of the sandbox alone".to_owned(),
        work: Work::Tool(cargo().args([
            "test",
            "--workspace",
            "--features",
            "cofferdam-sandbox/test-switches",
            "--test",
            "suite",
            "walls::",
        ])),
    });
    suites
}
