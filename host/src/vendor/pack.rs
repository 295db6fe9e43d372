// SPDX-License-Identifier: Apache-2.0
//! From a `package.toml`, a payload folder and steps to an unsigned package, byte for byte the same
//! for the same inputs.
//!
//! ```text
//! package.toml ─ source::parse ─▶ Source
//! payload/ ─ walk, modes, digests ─▶ entries ┐
//! steps ─ build or take, gate ─▶ components  ┴▶ Manifest ─ check ─▶ archive ─ read back ─▶ X.upd
//! ```
//!
//! The payload is read twice: once to hash it, since the manifest comes first, and once to compress
//! it. A file that changes in between is noticed. Memory holds names and digests, never content.

mod assemble;
mod components;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Cursor;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::limits::Limits;
use cofferdam_package::manifest;
use cofferdam_package::manifest::Entry;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::source;
use cofferdam_package::source::Source;
use cofferdam_package::write::Compression;
use cofferdam_package::write::Content;
use cofferdam_package::write::PackageWriter;
use serde::Serialize;

use super::Code;
use super::not_written;
use super::output::Existing;
use super::output::Output;
use super::output::folder_of;
use super::output::read_small;
use super::payload;
use super::refused;
use super::warnings;
use crate::failure::Failure;
use crate::watch::Watch;
use components::Components;

/// The name of the vendor's file in a folder.
const SOURCE_NAME: &str = "package.toml";
const SOURCE_CAP_BYTES: u64 = 4 << 20;
/// How often progress is shown, in blobs.
const PROGRESS_EVERY: u64 = 16;

/// What to pack, and how.
#[derive(Debug)]
pub struct Request {
    /// A `package.toml`, or the folder that has one.
    pub source: PathBuf,
    /// The package to write; an existing one is replaced, at once and as a whole.
    pub output: PathBuf,
    /// How blobs are compressed.
    pub compression: Compression,
    /// When the package is made, in seconds since 1970.
    pub created_unix_s: u64,
}

/// A package that was written.
#[derive(Debug, Clone, Serialize)]
pub struct Packed {
    /// Where.
    pub package: PathBuf,
    /// Which software.
    pub id: String,
    /// Which version of it.
    pub version: String,
    /// The SHA-256 of the manifest.
    pub package_digest: Digest,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// Number of payload files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// The size of the package.
    pub package_bytes: u64,
    /// The steps, in order.
    pub steps: Vec<PackedStep>,
    /// What would surprise.
    pub warnings: Vec<String>,
}

/// A step of a package that was written.
#[derive(Debug, Clone, Serialize)]
pub struct PackedStep {
    /// Its name.
    pub name: String,
    /// Its component's SHA-256.
    pub digest: Digest,
    /// Its component's size.
    pub bytes: u64,
    /// The compiler, when it was built here.
    pub toolchain: Option<String>,
}

/// Packs.
///
/// # Errors
/// The source, the payload or a component was refused, a crate does not build, or the package cannot be
/// written. No half package is ever left behind.
pub fn pack(request: &Request, watch: &mut dyn Watch) -> Result<Packed, Failure> {
    let source_path = source_file(&request.source);
    let source = read_source(&source_path)?;
    let base = folder_of(&source_path);
    let root = base.join(&source.payload.dir);
    refuse_output_inside(&root, &request.output)?;
    let found = payload::walk(&root)?;
    let components = Components::obtain(base, &source, watch)?;
    let digests = payload::digests(&root, &found, watch)?;
    let mut warnings = components.warnings();
    let entries = assemble::entries(&source.payload, &found, &digests, &mut warnings)?;
    let manifest = assemble::manifest(&source, entries, &components, request.created_unix_s);
    manifest::check(&manifest, &Limits::default())
        .map_err(|error| refused(error.code(), &error))?;
    warnings.extend(warnings::of(&manifest));
    let package_bytes = write(request, &root, &manifest, &components, watch)?;
    Ok(Packed {
        package: request.output.clone(),
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        package_digest: Digest::of(&manifest.to_bytes()),
        created_unix_s: manifest.created,
        files: manifest
            .entries
            .iter()
            .filter(|entry| is_file(entry))
            .count(),
        bytes: manifest.payload_bytes(),
        package_bytes,
        steps: components.packed_steps(&manifest),
        warnings,
    })
}

fn source_file(given: &Path) -> PathBuf {
    if given.is_dir() {
        given.join(SOURCE_NAME)
    } else {
        given.to_owned()
    }
}

fn read_source(path: &Path) -> Result<Source, Failure> {
    let bytes = read_small(path, SOURCE_CAP_BYTES)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        Code::SourceRefused.because(format!("`{}` is not UTF-8 text", path.display()))
    })?;
    source::parse(&text).map_err(|error| {
        let mut failure = refused(error.code(), &error);
        failure.message = error.annotated(&path.display().to_string());
        failure
    })
}

/// A package inside its own payload would be packed into the next one.
fn refuse_output_inside(root: &Path, output: &Path) -> Result<(), Failure> {
    let (Ok(root), Ok(folder)) = (root.canonicalize(), folder_of(output).canonicalize()) else {
        // A folder that is missing gets its own failure where it is used.
        return Ok(());
    };
    if folder.starts_with(&root) {
        return Err(Code::OutputInPayload.because(format!(
            "the package `{}` would lie inside the payload folder",
            output.display()
        )));
    }
    Ok(())
}

fn is_file(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::File { .. })
}

fn write(
    request: &Request,
    root: &Path,
    manifest: &Manifest,
    components: &Components,
    watch: &mut dyn Watch,
) -> Result<u64, Failure> {
    let bytes = manifest.to_bytes();
    // What hosts will do first; a manifest that only we can read must not leave this machine.
    manifest::parse(&bytes, &Limits::default()).map_err(|error| refused(error.code(), &error))?;
    let sources = sources(manifest);
    let mut output = Output::beside(&request.output, 0o666)?;
    let failed = |error| not_written(&request.output, &error);
    let mut writer = PackageWriter::new(output.file());
    writer.manifest(&bytes).map_err(failed)?;
    let total = manifest.blobs.len() as u64;
    for (done, digest) in (1_u64..).zip(manifest.blobs.keys()) {
        let mut content: Box<dyn Content> =
            match sources.get(digest) {
                Some(path) => {
                    let place = payload::place_of(root, Some(path));
                    let opened = File::open(&place);
                    Box::new(opened.map_err(|error| {
                        Failure::io(format_args!("`{}`", place.display()), &error)
                    })?)
                }
                None => Box::new(Cursor::new(components.bytes(digest))),
            };
        writer
            .blob(digest, &mut *content, request.compression)
            .map_err(|error| match (error.code(), sources.get(digest)) {
                ("pack-content-changed", Some(path)) => payload::changed(path),
                _ => failed(error),
            })?;
        if done.is_multiple_of(PROGRESS_EVERY) || done == total {
            watch.progress("packing", done, total);
        }
    }
    writer.finish().map_err(failed)?;
    // Read back as a host reads it.
    let package =
        PackageFile::open(output.reopen()?, Limits::default())?.examine(&KeyRing::new())?;
    debug_assert_eq!(package.manifest(), manifest);
    let package_bytes = output
        .file()
        .metadata()
        .map_err(|error| Failure::io(format_args!("`{}`", request.output.display()), &error))?
        .len();
    output.put_in_place(Existing::Replace)?;
    Ok(package_bytes)
}

/// For each blob of the payload, the first path that has it.
fn sources(manifest: &Manifest) -> BTreeMap<Digest, &PayloadPath> {
    let mut sources = BTreeMap::new();
    for entry in &manifest.entries {
        if let EntryKind::File { digest, .. } = &entry.kind {
            sources.entry(*digest).or_insert(&entry.path);
        }
    }
    sources
}

#[cfg(test)]
mod tests;
