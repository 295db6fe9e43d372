// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask lint`: format, clippy and documentation of every workspace, warnings as errors.

use crate::failure::Outcome;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    let mut workspaces = vec![(repo.root.clone(), repo.target.clone())];
    workspaces.extend(repo.side_workspaces());
    for (folder, target) in &workspaces {
        let shown = folder.strip_prefix(&repo.root).unwrap_or(folder);
        let shown = if shown == Path::new("") {
            Path::new(".")
        } else {
            shown
        };
        say::heading(&format!(
            "{}: lock file, format, clippy, documentation",
            shown.display()
        ));
        for words in [
            &["metadata", "--locked", "--format-version", "1"][..],
            // Not `--all`: that follows path dependencies into other workspaces.
            &["fmt", "--check"],
            &[
                "clippy",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ],
            &[
                "doc",
                "--workspace",
                "--no-deps",
                "--document-private-items",
            ],
        ] {
            say::command(&format!("cargo {}", words.join(" ")));
            let tool = Tool::cargo()
                .args(words)
                .within(folder)
                .env("CARGO_TARGET_DIR", target)
                .env("RUSTDOCFLAGS", "-D warnings");
            if words[0] == "metadata" {
                tool.output()?;
            } else {
                tool.run()?;
            }
        }
    }
    if Tool::cargo().args(["deny", "--version"]).succeeds() {
        say::heading("supply chain");
        Tool::cargo()
            .args(["deny", "check", "bans", "licenses", "sources"])
            .within(&repo.root)
            .run()?;
    } else {
        say::note("cargo-deny is not installed: deny.toml was not checked");
    }
    say::holds("nothing to complain about");
    Ok(())
}
