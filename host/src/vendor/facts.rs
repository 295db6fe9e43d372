// SPDX-License-Identifier: Apache-2.0
//! What a package says and asks for, as facts: the JSON of `cofferdam inspect`.
//!
//! Imports are read from the components themselves, not from what anyone says about them, and also for
//! a component that every host would refuse: a reviewer wants to see why.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Build;
use cofferdam_package::manifest::ConfigFile;
use cofferdam_package::manifest::Entry;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Requires;
use cofferdam_package::manifest::Step;
use cofferdam_package::manifest::StepLimits;
use cofferdam_package::verify::Contents;
use cofferdam_sandbox::Import;
use serde::Serialize;

use crate::failure::Failure;
use crate::time::rfc3339;

/// A package, for people and programs.
#[derive(Debug, Clone, Serialize)]
pub struct PackageFacts {
    /// Which software.
    pub id: String,
    /// Which version of it.
    pub version: String,
    /// The SHA-256 of the manifest.
    pub package_digest: Digest,
    /// One line by the vendor.
    pub summary: String,
    /// The version of the data's format.
    pub data_format: u64,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The same, in seconds since 1970.
    pub created_unix_s: u64,
    /// What must hold before it may be applied.
    pub requires: Requires,
    /// Who signed.
    pub signatures: Vec<SignatureFacts>,
    /// Whether every byte of the payload was read and is what the manifest says: only where a trusted key
    /// has signed, since it costs as much as the package is large.
    pub content_checked: bool,
    /// Number of payload files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Number of payload directories that are listed.
    pub directories: usize,
    /// Symlinks and where they lead.
    pub symlinks: Vec<SymlinkFacts>,
    /// Files and bytes by top folder; `.` stands for files at the top.
    pub folders: BTreeMap<String, FolderFacts>,
    /// Files that are the operator's once they are there.
    pub seeds: Vec<String>,
    /// Files with an execute bit.
    pub executables: Vec<String>,
    /// Files and directories that everybody may write.
    pub world_writable: Vec<String>,
    /// Roles that some entry is limited to.
    pub roles: BTreeSet<String>,
    /// Configuration files that steps may speak of.
    pub config: BTreeMap<String, ConfigFile>,
    /// What runs.
    pub steps: Vec<StepFacts>,
    /// How components were built.
    pub builds: Vec<Build>,
}

/// One signature.
#[derive(Debug, Clone, Serialize)]
pub struct SignatureFacts {
    /// Whose.
    pub key_id: String,
    /// Whether the key is among the trusted ones, and the signature verified.
    pub trusted: bool,
    /// The trusted key's role.
    pub role: Option<String>,
    /// The trusted key's name.
    pub name: Option<String>,
    /// What the signer says, once verified.
    pub trusted_comment: Option<String>,
}

/// One symlink.
#[derive(Debug, Clone, Serialize)]
pub struct SymlinkFacts {
    /// Where it is.
    pub path: String,
    /// Where it leads.
    pub target: String,
}

/// The files below one top folder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct FolderFacts {
    /// How many.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct StepFacts {
    /// Its name.
    pub name: String,
    /// When it runs.
    pub phase: Phase,
    /// Why, in the vendor's words.
    pub reason: String,
    /// It runs only when such a version is left.
    pub from: Option<String>,
    /// Files that it asks to read.
    pub read: Vec<String>,
    /// Files that it asks to write.
    pub write: Vec<String>,
    /// Keys that it asks to read.
    pub config_read: Vec<String>,
    /// Keys that it asks to write.
    pub config_write: Vec<String>,
    /// It asks to write files of the package, too.
    pub allow_managed_writes: bool,
    /// What it may use up.
    pub limits: StepLimits,
    /// What its component imports; empty when it cannot be read.
    pub imports: Vec<Import>,
    /// Interfaces that parts of the component ask of each other, not of the host.
    pub inside: Vec<String>,
    /// Why the component cannot be a step, when it cannot.
    pub component_error: Option<String>,
    /// Its component's SHA-256.
    pub digest: Digest,
    /// Its component's size.
    pub component_bytes: u64,
}

/// Collects the facts of a package.
///
/// # Errors
/// A component's blob is damaged; any blob, where a trusted key has signed.
pub fn of(contents: &Contents) -> Result<PackageFacts, Failure> {
    let manifest = contents.manifest();
    let content_checked = contents.signatures().iter().any(|report| report.trusted);
    if content_checked {
        contents.prove_blobs()?;
    }
    let steps = manifest.steps.iter().map(|step| step_facts(contents, step));
    let mut facts = PackageFacts {
        id: manifest.id.to_string(),
        version: manifest.version.to_string(),
        package_digest: contents.digest(),
        summary: manifest.summary.clone(),
        data_format: manifest.data_format,
        created: rfc3339(manifest.created),
        created_unix_s: manifest.created,
        requires: manifest.requires.clone(),
        signatures: signature_facts(contents),
        content_checked,
        files: 0,
        bytes: manifest.payload_bytes(),
        directories: 0,
        symlinks: Vec::new(),
        folders: BTreeMap::new(),
        seeds: Vec::new(),
        executables: Vec::new(),
        world_writable: Vec::new(),
        roles: BTreeSet::new(),
        config: manifest.config.clone(),
        steps: steps.collect::<Result<_, _>>()?,
        builds: manifest.builds.clone(),
    };
    add_entries(&mut facts, manifest);
    Ok(facts)
}

fn add_entries(facts: &mut PackageFacts, manifest: &Manifest) {
    for Entry { path, kind, roles } in &manifest.entries {
        facts.roles.extend(roles.iter().cloned());
        match kind {
            EntryKind::File {
                bytes, mode, keep, ..
            } => {
                facts.files += 1;
                let top = path.components().next().filter(|_| path.parent().is_some());
                let folder = facts
                    .folders
                    .entry(top.unwrap_or(".").to_owned())
                    .or_default();
                folder.files += 1;
                folder.bytes = folder.bytes.saturating_add(*bytes);
                if *keep {
                    facts.seeds.push(path.to_string());
                }
                if mode.is_executable() {
                    facts.executables.push(path.to_string());
                }
                if mode.bits() & 0o002 != 0 {
                    facts.world_writable.push(path.to_string());
                }
            }
            EntryKind::Directory { mode } => {
                facts.directories += 1;
                if mode.bits() & 0o002 != 0 {
                    facts.world_writable.push(path.to_string());
                }
            }
            EntryKind::Symlink { target } => facts.symlinks.push(SymlinkFacts {
                path: path.to_string(),
                target: target.clone(),
            }),
        }
    }
}

fn signature_facts(contents: &Contents) -> Vec<SignatureFacts> {
    let facts = contents.signatures().iter().map(|report| SignatureFacts {
        key_id: report.key_id.to_string(),
        trusted: report.trusted,
        role: report.role.map(|role| role.to_string()),
        name: report.name.clone(),
        trusted_comment: report.trusted_comment.clone(),
    });
    facts.collect()
}

fn step_facts(contents: &Contents, step: &Step) -> Result<StepFacts, Failure> {
    let component = contents.read_blob(&step.component, step.bytes)?;
    let (imports, inside, component_error) = match cofferdam_sandbox::imports(&component) {
        Ok(imports) => (imports.asked, imports.inside, imports.fault),
        Err(error) => (Vec::new(), Vec::new(), Some(error.to_string())),
    };
    Ok(StepFacts {
        name: step.name.to_string(),
        phase: step.phase,
        reason: step.reason.clone(),
        from: step.from.clone(),
        read: step.read.clone(),
        write: step.write.clone(),
        config_read: step.config_read.clone(),
        config_write: step.config_write.clone(),
        allow_managed_writes: step.allow_managed_writes,
        limits: step.limits.clone(),
        imports,
        inside,
        component_error,
        digest: step.component,
        component_bytes: step.bytes,
    })
}
