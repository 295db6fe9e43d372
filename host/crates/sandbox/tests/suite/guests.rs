// SPDX-License-Identifier: Apache-2.0
//! The guests: built once per run of the tests, compiled once each.

use cofferdam_sandbox::Component;
use cofferdam_sandbox::Engine;
use cofferdam_sandbox::Program;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;
use std::sync::Mutex;
use std::sync::PoisonError;

pub(crate) static ENGINE: LazyLock<Engine> = LazyLock::new(engine);

static BUILT: LazyLock<PathBuf> = LazyLock::new(build);

static COMPILED: LazyLock<Mutex<BTreeMap<&'static str, Component>>> = LazyLock::new(Mutex::default);

/// An engine whose children are processes of a program that is nothing else.
pub(crate) fn engine() -> Engine {
    Engine {
        program: Program::at(env!("CARGO_BIN_EXE_cofferdam-sandbox-child")),
        ..Engine::default()
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/guests")
}

/// Builds all guests; gives the folder with the components.
fn build() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("guests");
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--release",
            "--examples",
            "--target",
            "wasm32-wasip2",
        ])
        .current_dir(folder())
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the guests do not build");
    target.join("wasm32-wasip2/release/examples")
}

/// The bytes of a guest.
pub(crate) fn bytes(name: &str) -> Vec<u8> {
    fs::read(BUILT.join(format!("{name}.wasm"))).expect("a guest of this name")
}

/// A guest, ready to run.
pub(crate) fn guest(name: &'static str) -> Component {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    compiled
        .entry(name)
        .or_insert_with(|| {
            ENGINE
                .compile(&bytes(name))
                .expect("a component that passes the gate")
        })
        .clone()
}
