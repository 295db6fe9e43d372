// SPDX-License-Identifier: Apache-2.0
//! Builds guests of `tests/guests`, as components.

#![expect(
    clippy::unwrap_used,
    reason = "a bench without its guests has nothing to say"
)]

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

/// The component of a guest that was built.
pub(super) fn component(built: &Path, name: &str) -> PathBuf {
    let component = built.join(format!("{name}.wasm"));
    assert!(component.is_file(), "there is no guest `{name}`");
    component
}

/// Builds guests below `target`, and says where they are. `root` is that of the repository, `which` says
/// to cargo which guests, `profile` are variables that change how they are built.
///
/// A lock on the folder keeps several processes from building at once: cargo waits for it.
pub(super) fn build(
    root: &Path,
    target: &Path,
    which: &[&str],
    profile: &[(&str, &str)],
) -> PathBuf {
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--release"])
        .args(["--target", "wasm32-wasip2"])
        .args(which)
        .current_dir(root.join("tests/guests"))
        .env("CARGO_TARGET_DIR", target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .envs(profile.iter().copied())
        .status()
        .unwrap();
    assert!(status.success(), "the guests do not build");
    target.join("wasm32-wasip2/release/examples")
}
