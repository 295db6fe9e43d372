// SPDX-License-Identifier: Apache-2.0
//! The example as an update: packed with one language's step, applied to an install with the operator's
//! data, and held against the others.

use super::Component;
use super::Language;
use super::product;
use super::product::Product;
use crate::failure::Outcome;
use crate::say;
use crate::tree;
use serde_json::Value;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// A file whose mode must survive: the step writes it anew.
const PRIVATE: (&str, u32) = ("data/records/tank.json", 0o600);

/// What an update left and took.
pub(super) struct Update {
    install: PathBuf,
    log: Vec<String>,
    keys: Value,
    /// The component's size.
    pub(super) component_bytes: u64,
    /// How long it took to make.
    pub(super) built: Duration,
    /// How long the host compiled.
    pub(super) compile_seconds: f64,
    /// How long the step ran.
    pub(super) run_ms: u64,
    /// The step's memory.
    pub(super) memory_bytes: u64,
    /// How many interfaces it imports.
    pub(super) imports: usize,
}

/// Packs and signs the example with a component, adopts an install of the version before, and applies.
pub(super) fn apply(
    product: &Product,
    example: &Path,
    language: Language,
    component: &Component,
) -> Outcome<Update> {
    let folder = product.folder.join(language.name());
    let old = packed(product, &example.join("1.0.0"), &folder.join("1.0.0"), None)?;
    let new = example.join("2.0.0");
    let new = packed(product, &new, &folder.join("2.0.0"), Some(&component.path))?;
    let install = folder.join("install");
    tree::copy(&example.join("1.0.0/payload"), &install)?;
    tree::copy(&example.join("install"), &install)?;
    tree::set_mode(&install.join(PRIVATE.0), PRIVATE.1)?;
    let name = install.display().to_string();
    product.done(["adopt", &name, "--trust", "vendor.pub", "--package", &old])?;
    say::command("cofferdam apply install example-2.0.0.upd");
    let facts = product.done(["apply", &name, &new])?;
    let step = &facts["steps"][0];
    let record = &step["record"];
    let log = product::log_lines(record);
    for line in &log {
        say::line(&format!("  {line}"));
    }
    let stages = facts["stages"].as_array().into_iter().flatten();
    let compile = stages.filter(|stage| stage["name"] == "compile");
    Ok(Update {
        install,
        log,
        keys: facts["config"].clone(),
        component_bytes: component.bytes,
        built: component.built,
        compile_seconds: compile.filter_map(|stage| stage["seconds"].as_f64()).sum(),
        run_ms: record["usage"]["time_ms"].as_u64().unwrap_or(0),
        memory_bytes: record["usage"]["memory_peak_bytes"].as_u64().unwrap_or(0),
        imports: record["imports"].as_array().map_or(0, Vec::len),
    })
}

/// A signed package of a vendor's folder; its step, if it has one, is the component.
fn packed(
    product: &Product,
    source: &Path,
    folder: &Path,
    component: Option<&Path>,
) -> Outcome<String> {
    tree::copy(source, folder)?;
    let manifest = folder.join("package.toml");
    if let Some(component) = component {
        let text = tree::read(&manifest)?;
        let text = text.replace(
            "\"COMPONENT\"",
            &format!("{:?}", component.display().to_string()),
        );
        tree::write(&manifest, &text)?;
    }
    let package = folder.with_added_extension("upd").display().to_string();
    let folder = folder.display().to_string();
    product.done(["pack", &folder, "-o", &package])?;
    product.done(["sign", &package, "--key", "vendor.key"])?;
    Ok(package)
}

impl Update {
    /// Whether the tree is what `guest-sdk/example` promises.
    pub(super) fn is_as_expected(&self, example: &Path) -> Outcome {
        let expected = self.install.with_file_name("expected");
        tree::copy(&example.join("2.0.0/payload"), &expected)?;
        tree::copy(&example.join("expected"), &expected)?;
        tree::set_mode(&expected.join(PRIVATE.0), PRIVATE.1)?;
        same(&expected, &self.install)?;
        say::holds("the tree and the configuration are what the example promises");
        Ok(())
    }

    /// Whether the tree, the keys and the words are those of another language.
    pub(super) fn is_the_same_as(&self, first: &Self) -> Outcome {
        same(&first.install, &self.install)?;
        if self.keys != first.keys {
            return Err(format!("keys differ: {:#}, expected {:#}", self.keys, first.keys).into());
        }
        if self.log != first.log {
            return Err(format!("words differ: {:#?}, expected {:#?}", self.log, first.log).into());
        }
        say::holds(
            "the tree, the configuration and the log are the same, byte for byte, as in Rust",
        );
        Ok(())
    }
}

fn same(expected: &Path, found: &Path) -> Outcome {
    let differences = tree::differences(expected, found)?;
    if differences.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} is not {}:\n{}",
        found.display(),
        expected.display(),
        differences.join("\n")
    )
    .into())
}
