// SPDX-License-Identifier: Apache-2.0
//! Builds the guests in `tests/guests` once per run, as components.

use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

static BUILT: LazyLock<PathBuf> = LazyLock::new(build);

/// The component of a guest, built.
pub(crate) fn guest(name: &str) -> PathBuf {
    let component = BUILT.join(format!("{name}.wasm"));
    assert!(component.is_file(), "there is no guest `{name}`");
    component
}

/// A lock on the folder keeps several test processes from building at once: cargo waits for it.
fn build() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--release", "--examples"])
        .args(["--target", "wasm32-wasip2"])
        .current_dir(root.join("tests/guests"))
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .unwrap();
    assert!(status.success(), "the guests do not build");
    target.join("wasm32-wasip2/release/examples")
}
