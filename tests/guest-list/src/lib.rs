// SPDX-License-Identifier: Apache-2.0
//! The guests in `tests/guests`: small steps, one behaviour each, good and hostile.
//!
//! [`foreach_guest`] has their names at compile time: the suite expands it to a use of a test of each
//! name, so a guest that no test runs does not compile. [`build`] makes components of them, those in
//! `examples/` by cargo, those in `wat/` (what Rust cannot say) by the text format's own assembler.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

include!(concat!(env!("OUT_DIR"), "/list.rs"));

/// What a component in the text format begins with: the types of a step.
const HEAD: &str = include_str!("head.wat");

/// And ends with: `run`, as the core instance `$main` has it.
const TAIL: &str = include_str!("tail.wat");

/// The part of it that not every step has.
const AFTERWARDS: &str = "(post-return (core func $main \"cabi_post_run\"))";

/// Builds every guest below a folder of the caller's, and answers with where the components are.
///
/// Several processes may ask for it at once: cargo waits for its own lock, and what is written here
/// appears whole.
///
/// # Errors
/// A guest does not build; the file system refuses.
pub fn build(scratch: &Path) -> io::Result<PathBuf> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../guests");
    let target = scratch.join("guests");
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--locked", "--release", "--examples"])
        .args(["--target", "wasm32-wasip2"])
        .current_dir(&guests)
        .env("CARGO_TARGET_DIR", &target)
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .status()?;
    if !status.success() {
        return Err(io::Error::other("the guests in `examples` do not build"));
    }
    let built = target.join("wasm32-wasip2/release/examples");
    for entry in fs::read_dir(guests.join("wat"))? {
        let path = entry?.path();
        let component = component(&fs::read_to_string(&path)?)
            .map_err(|error| io::Error::other(format!("`{}`: {error}", path.display())))?;
        let name = path.with_extension("wasm");
        let name = built.join(name.file_name().unwrap_or_default());
        if fs::read(&name).is_ok_and(|old| old == component) {
            continue;
        }
        let fresh = name.with_extension(format!("{}", std::process::id()));
        fs::write(&fresh, component)?;
        fs::rename(fresh, name)?;
    }
    Ok(built)
}

/// A step from the text of what makes it one: definitions that end in a core instance `$main` with
/// `memory`, `cabi_realloc` and `run`, which takes and gives a pointer. Where they export `cabi_post_run`
/// it is called when the answer was taken.
///
/// # Errors
/// The text cannot be assembled; what it says is not checked.
pub fn component(definitions: &str) -> Result<Vec<u8>, wat::Error> {
    let tail = if definitions.contains("\"cabi_post_run\"") {
        TAIL
    } else {
        &TAIL.replace(AFTERWARDS, "")
    };
    wat::parse_str(format!("{HEAD}{definitions}{tail}"))
}
