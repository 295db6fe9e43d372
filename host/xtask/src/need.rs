// SPDX-License-Identifier: Apache-2.0
//! What a task needs beyond rustup and a C compiler, and how it gets there.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use std::path::Path;

/// What steps are built for.
pub(crate) const WASM: &str = "wasm32-wasip2";

/// Makes sure that steps can be built.
pub(crate) fn wasm_target(repo: &Repo) -> Outcome {
    let libraries = Tool::new("rustc")
        .args(["--print", "target-libdir", "--target", WASM])
        .within(&repo.root)
        .output()?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    say::note(&format!("the target {WASM} is missing: adding it"));
    Tool::new("rustup")
        .args(["target", "add", WASM])
        .within(&repo.root)
        .run()
}

/// Makes sure that the stock `minisign` is there: a test compares our signatures with its.
pub(crate) fn minisign() -> Outcome {
    if Tool::new("minisign").arg("-v").succeeds() {
        return Ok(());
    }
    if is_root() && Tool::new("apt-get").arg("--version").succeeds() {
        say::note("minisign is missing: installing it");
        if install("minisign").is_err() {
            Tool::new("apt-get").args(["-qq", "update"]).run()?;
            install("minisign")?;
        }
        return Ok(());
    }
    Err(Failure::from(
        "the tests need the stock `minisign` tool: install it (Debian and Ubuntu: `apt-get install \
         minisign`, Fedora: `dnf install minisign`) and run them again",
    ))
}

fn install(package: &str) -> Outcome {
    Tool::new("apt-get")
        .args([
            "install",
            "-qq",
            "--yes",
            "--no-install-recommends",
            package,
        ])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Whether we run as root.
pub(crate) fn is_root() -> bool {
    Tool::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|id| id.trim() == "0")
}
