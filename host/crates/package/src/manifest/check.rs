// SPDX-License-Identifier: Apache-2.0
//! The rules between the parts of a manifest, one function per rule.

mod paths;

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use super::Entry;
use super::EntryKind;
use super::Manifest;
use super::ManifestError;
use super::Step;
use super::check_text;
use super::is_role;
use super::names;
use crate::digest::Digest;
use crate::glob::GlobError;
use crate::glob::GlobSet;
use crate::glob::KeyGlobSet;
use crate::limits::Limits;
use crate::limits::MAX_BLOB_BYTES;
use crate::path::PayloadPath;
use crate::path::shown;

/// The last second of the year 9999.
const MAX_CREATED: u64 = 253_402_300_799;

/// Roles of one entry. Stops slow matching.
pub(super) const MAX_ROLES: usize = 32;

/// Roles of all entries together. Stops a manifest that takes ten times its size in memory.
pub(super) const MAX_ALL_ROLES: usize = 100_000;

/// Checks everything that a manifest says against everything else that it says. [`super::parse`]
/// does this; call it yourself for a manifest that was built in memory.
///
/// # Errors
///
/// The first rule that does not hold.
pub fn check(manifest: &Manifest, limits: &Limits) -> Result<(), ManifestError> {
    check_header(manifest)?;
    check_counts(manifest, limits)?;
    paths::check_paths(manifest, limits)?;
    check_roles(manifest)?;
    check_blobs(manifest, limits)?;
    check_config(manifest)?;
    check_steps(manifest, limits)?;
    check_builds(manifest)
}

fn check_header(manifest: &Manifest) -> Result<(), ManifestError> {
    names::version(&manifest.version.to_string())?;
    if manifest.created > MAX_CREATED {
        return Err(ManifestError::Created {
            found: manifest.created,
        });
    }
    check_text("summary", &manifest.summary)?;
    names::requirement("requires.from", &manifest.requires.from)?;
    names::requirement("requires.host", &manifest.requires.host)?;
    Ok(())
}

fn check_counts(manifest: &Manifest, limits: &Limits) -> Result<(), ManifestError> {
    let counts = [
        ("entries", manifest.entries.len(), limits.manifest_entries),
        ("steps", manifest.steps.len(), limits.steps),
        (
            "configuration files",
            manifest.config.len(),
            limits.config_files,
        ),
        ("builds", manifest.builds.len(), limits.steps),
    ];
    for (what, found, limit) in counts {
        if found > limit {
            return Err(ManifestError::TooMany { what, limit });
        }
    }
    Ok(())
}

fn check_roles(manifest: &Manifest) -> Result<(), ManifestError> {
    let mut all = 0_usize;
    for entry in &manifest.entries {
        if entry.roles.len() > MAX_ROLES {
            return Err(ManifestError::TooMany {
                what: "roles of one entry",
                limit: MAX_ROLES,
            });
        }
        all = all.saturating_add(entry.roles.len());
        if all > MAX_ALL_ROLES {
            return Err(ManifestError::TooMany {
                what: "roles of all entries",
                limit: MAX_ALL_ROLES,
            });
        }
        for (index, role) in entry.roles.iter().enumerate() {
            if !is_role(role)
                || entry
                    .roles
                    .iter()
                    .take(index)
                    .any(|earlier| earlier == role)
            {
                return Err(ManifestError::Role {
                    owner: entry.path.to_string(),
                    role: shown(role),
                });
            }
        }
    }
    Ok(())
}

/// Every blob is used, every use is listed with its size, and all sizes are bearable.
fn check_blobs(manifest: &Manifest, limits: &Limits) -> Result<(), ManifestError> {
    let blob_limit = limits.blob_bytes.min(MAX_BLOB_BYTES);
    for (&digest, &bytes) in &manifest.blobs {
        if bytes > blob_limit {
            return Err(ManifestError::BlobTooLarge {
                digest,
                bytes,
                limit_bytes: blob_limit,
            });
        }
    }
    let mut payload = HashSet::new();
    for entry in &manifest.entries {
        if let EntryKind::File { digest, bytes, .. } = entry.kind {
            check_blob_use(&manifest.blobs, entry.path.as_str(), digest, bytes)?;
            payload.insert(digest);
        }
    }
    let bytes = manifest.payload_bytes();
    if bytes > limits.total_bytes {
        return Err(ManifestError::PayloadTooLarge {
            bytes,
            limit_bytes: limits.total_bytes,
        });
    }
    let (mut components, mut all_bytes) = (HashSet::new(), 0_u64);
    for step in &manifest.steps {
        check_blob_use(
            &manifest.blobs,
            step.name.as_str(),
            step.component,
            step.bytes,
        )?;
        if step.bytes > limits.component_bytes {
            return Err(ManifestError::BlobTooLarge {
                digest: step.component,
                bytes: step.bytes,
                limit_bytes: limits.component_bytes,
            });
        }
        if payload.contains(&step.component) {
            return Err(ManifestError::ComponentInPayload {
                step: step.name.to_string(),
                digest: step.component,
            });
        }
        if components.insert(step.component) {
            all_bytes = all_bytes.saturating_add(step.bytes);
        }
    }
    if all_bytes > limits.all_components_bytes {
        return Err(ManifestError::ComponentsTooLarge {
            bytes: all_bytes,
            limit_bytes: limits.all_components_bytes,
        });
    }
    let unused = |digest: &&Digest| !payload.contains(*digest) && !components.contains(*digest);
    match manifest.blobs.keys().find(unused) {
        Some(&digest) => Err(ManifestError::UnusedBlob { digest }),
        None => Ok(()),
    }
}

fn check_blob_use(
    blobs: &BTreeMap<Digest, u64>,
    owner: &str,
    digest: Digest,
    found: u64,
) -> Result<(), ManifestError> {
    match blobs.get(&digest) {
        None => Err(ManifestError::UnlistedBlob {
            owner: owner.to_owned(),
            digest,
        }),
        Some(&listed) if listed != found => Err(ManifestError::BlobSize {
            owner: owner.to_owned(),
            digest,
            found,
            listed,
        }),
        Some(_) => Ok(()),
    }
}

fn check_config(manifest: &Manifest) -> Result<(), ManifestError> {
    let mut files: HashMap<String, &str> = HashMap::new();
    for (name, config) in &manifest.config {
        if !is_role(name) {
            return Err(ManifestError::Name {
                field: "configuration name",
                found: shown(name),
                expected: "[a-z0-9][a-z0-9_-]{0,63}",
            });
        }
        if let Some(first) = files.insert(config.file.fold_key(), name) {
            return Err(ManifestError::ConfigFileTwice {
                first: first.to_owned(),
                second: name.clone(),
            });
        }
        let owner = format!("configuration `{name}`, `secret`");
        let secret = KeyGlobSet::parse(&config.secret).map_err(|error| pattern(&owner, error))?;
        if let Some(named) = secret.iter().find_map(|glob| glob.file()) {
            let found = shown(named);
            return Err(ManifestError::NamedConfig { owner, found });
        }
        check_config_place(manifest, &config.file)?;
    }
    Ok(())
}

/// A configuration file lies where the payload leaves room for a file.
fn check_config_place(manifest: &Manifest, file: &PayloadPath) -> Result<(), ManifestError> {
    let entries = &manifest.entries;
    let at = |path: &str| {
        let found = entries.binary_search_by(|entry| entry.path.as_str().cmp(path));
        found.ok().and_then(|index| entries.get(index))
    };
    let is_directory = |entry: &&Entry| matches!(entry.kind, EntryKind::Directory { .. });
    let above = file
        .ancestors()
        .find(|path| at(path).is_some_and(|entry| !is_directory(&entry)));
    let below = format!("{file}/");
    let first = entries.partition_point(|entry| entry.path.as_str() < below.as_str());
    let has_more = entries
        .get(first)
        .is_some_and(|entry| entry.path.as_str().starts_with(&below));
    let clash = match above {
        Some(above) => above,
        None if has_more || at(file.as_str()).as_ref().is_some_and(is_directory) => file.as_str(),
        None => return Ok(()),
    };
    Err(ManifestError::FileAndDirectory {
        path: clash.to_owned(),
    })
}

fn check_steps(manifest: &Manifest, limits: &Limits) -> Result<(), ManifestError> {
    let mut seen = HashSet::new();
    for step in &manifest.steps {
        if !seen.insert(&step.name) {
            return Err(ManifestError::DuplicateStep {
                step: step.name.to_string(),
            });
        }
        check_text("reason", &step.reason)?;
        if let Some(from) = &step.from {
            names::requirement("step.from", from)?;
        }
        for (what, patterns) in [("read", &step.read), ("write", &step.write)] {
            let owner = format!("step `{}`, `{what}`", step.name);
            GlobSet::parse(patterns).map_err(|error| pattern(&owner, error))?;
        }
        for (what, patterns) in [
            ("config.read", &step.config_read),
            ("config.write", &step.config_write),
        ] {
            let owner = format!("step `{}`, `{what}`", step.name);
            let globs = KeyGlobSet::parse(patterns).map_err(|error| pattern(&owner, error))?;
            for glob in &globs {
                check_config_name(manifest, &owner, glob.file())?;
            }
        }
        let writes =
            !step.write.is_empty() || !step.config_write.is_empty() || step.allow_managed_writes;
        if writes && !step.phase.may_write() {
            return Err(ManifestError::WriteInReadOnlyPhase {
                step: step.name.to_string(),
                phase: step.phase.as_str(),
            });
        }
        check_step_limits(step, limits)?;
    }
    Ok(())
}

/// A pattern names a declared file, or there is just one file that it can mean.
fn check_config_name(
    manifest: &Manifest,
    owner: &str,
    named: Option<&str>,
) -> Result<(), ManifestError> {
    match named {
        Some(name) if manifest.config.contains_key(name) => Ok(()),
        None if manifest.config.len() == 1 => Ok(()),
        _ => Err(unknown_config(
            manifest,
            owner.to_owned(),
            named.unwrap_or("(no name)"),
        )),
    }
}

fn unknown_config(manifest: &Manifest, owner: String, found: &str) -> ManifestError {
    let declared: Vec<&str> = manifest.config.keys().map(String::as_str).collect();
    let declared = if declared.is_empty() {
        "none".to_owned()
    } else {
        format!("`{}`", declared.join("`, `"))
    };
    ManifestError::UnknownConfig {
        owner,
        found: shown(found),
        declared,
    }
}

fn check_step_limits(step: &Step, limits: &Limits) -> Result<(), ManifestError> {
    const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
    let asked = &step.limits;
    let rules = [
        ("time", asked.time_ms, 1, DAY_MS, "1 ms to 24 h".to_owned()),
        (
            "memory",
            asked.memory_bytes,
            64 << 10,
            4 << 30,
            "64 KiB to 4 GiB".to_owned(),
        ),
        (
            "written",
            asked.written_bytes,
            0,
            limits.total_bytes,
            format!("at most {} bytes, as much as a payload", limits.total_bytes),
        ),
        (
            "files",
            asked.files,
            0,
            limits.manifest_entries as u64,
            format!("at most {}, as many as entries", limits.manifest_entries),
        ),
        (
            "log",
            asked.log_bytes,
            0,
            16 << 20,
            "at most 16 MiB".to_owned(),
        ),
    ];
    for (limit, found, least, most, expected) in rules {
        if !(least..=most).contains(&found) {
            let step = step.name.to_string();
            return Err(ManifestError::StepLimit {
                step,
                limit,
                found,
                expected,
            });
        }
    }
    Ok(())
}

fn check_builds(manifest: &Manifest) -> Result<(), ManifestError> {
    let mut open: HashSet<&str> = manifest
        .steps
        .iter()
        .map(|step| step.name.as_str())
        .collect();
    for build in &manifest.builds {
        if !open.remove(build.step.as_str()) {
            return Err(ManifestError::BuildOfNoStep {
                step: shown(&build.step),
            });
        }
        check_text("toolchain", &build.toolchain)?;
    }
    Ok(())
}

fn pattern(owner: &str, error: GlobError) -> ManifestError {
    ManifestError::Pattern {
        owner: owner.to_owned(),
        error,
    }
}
