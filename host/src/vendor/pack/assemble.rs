// SPDX-License-Identifier: Apache-2.0
//! What was found, with what `package.toml` says of it, as a manifest. Pure.
//!
//! `[[payload.set]]` tables apply in order; for each of mode, keep and roles the last table that
//! matches and speaks of it wins. `mode` and `keep` are for files only.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Entry;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::FormatTag;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Mode;
use cofferdam_package::manifest::Step;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::source::Payload;
use cofferdam_package::source::Source;

use super::super::Code;
use super::super::payload::Found;
use super::super::payload::Node;
use super::components::Components;
use crate::failure::Failure;

/// The entries of the manifest, in the order of `found`.
pub(super) fn entries(
    payload: &Payload,
    found: &[Found],
    digests: &[Option<Digest>],
    warnings: &mut Vec<String>,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::with_capacity(found.len());
    let mut used = vec![false; payload.set.len()];
    for (item, digest) in found.iter().zip(digests) {
        let wanted = Wanted::of(payload, item.path.as_str(), &mut used);
        let kind = match (&item.node, digest) {
            (Node::File { bytes, mode }, Some(digest)) => EntryKind::File {
                digest: *digest,
                bytes: *bytes,
                mode: match wanted.mode {
                    Some(mode) => mode,
                    None => plain_mode(&item.path, *mode)?,
                },
                keep: wanted.keep,
            },
            (Node::Symlink { target }, _) => EntryKind::Symlink {
                target: target.clone(),
            },
            (Node::Directory { mode } | Node::File { mode, .. }, _) => EntryKind::Directory {
                mode: plain_mode(&item.path, *mode)?,
            },
        };
        entries.push(Entry {
            path: item.path.clone(),
            kind,
            roles: wanted.roles,
        });
    }
    for (set, _) in payload.set.iter().zip(used).filter(|(_, used)| !used) {
        let pattern = set.pattern.as_str();
        warnings.push(format!(
            "payload.set: `{pattern}` matches nothing in the payload"
        ));
    }
    limit_folders(payload, &mut entries);
    Ok(entries)
}

/// What the `[[payload.set]]` tables say of one path.
struct Wanted {
    mode: Option<Mode>,
    keep: bool,
    roles: Vec<String>,
}

impl Wanted {
    fn of(payload: &Payload, path: &str, used: &mut [bool]) -> Self {
        let mut wanted = Self {
            mode: None,
            keep: false,
            roles: Vec::new(),
        };
        for (set, used) in payload.set.iter().zip(used) {
            if set.pattern.matches(path) {
                *used = true;
                wanted.mode = set.mode.or(wanted.mode);
                wanted.keep = set.keep.unwrap_or(wanted.keep);
                if let Some(roles) = &set.roles {
                    wanted.roles.clone_from(roles);
                }
            }
        }
        wanted
    }
}

fn plain_mode(path: &PayloadPath, mode: u32) -> Result<Mode, Failure> {
    Mode::from_bits(mode).ok_or_else(|| {
        Code::SpecialMode.because(format!(
            "`{path}` has mode {mode:04o}: a package carries no setuid, setgid or sticky bit"
        ))
    })
}

/// A folder that holds entries for some roles only is itself only for those, unless a table says so.
fn limit_folders(payload: &Payload, entries: &mut [Entry]) {
    let mut inside: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| !is_folder(entry)) {
        for folder in entry.path.ancestors() {
            let roles = inside
                .entry(folder.to_owned())
                .or_insert_with(|| Some(BTreeSet::new()));
            match roles {
                Some(known) if !entry.roles.is_empty() => known.extend(entry.roles.iter().cloned()),
                _ => *roles = None,
            }
        }
    }
    for entry in entries.iter_mut().filter(|entry| is_folder(entry)) {
        let path = entry.path.as_str();
        let said =
            |set: &cofferdam_package::source::Set| set.roles.is_some() && set.pattern.matches(path);
        if payload.set.iter().any(said) {
            continue;
        }
        if let Some(Some(roles)) = inside.get(path) {
            entry.roles = roles.iter().cloned().collect();
        }
    }
}

fn is_folder(entry: &Entry) -> bool {
    matches!(entry.kind, EntryKind::Directory { .. })
}

/// The manifest of a package with these entries.
pub(super) fn manifest(
    source: &Source,
    entries: Vec<Entry>,
    components: &Components,
    created_unix_s: u64,
) -> Manifest {
    let mut blobs = components.blobs();
    for entry in &entries {
        if let EntryKind::File { digest, bytes, .. } = entry.kind {
            blobs.insert(digest, bytes);
        }
    }
    let steps = source
        .step
        .iter()
        .zip(components.in_order())
        .map(|(step, component)| Step {
            name: step.name.clone(),
            phase: step.phase,
            component: component.digest,
            bytes: component.bytes.len() as u64,
            reason: step.reason.clone(),
            from: step.from.clone(),
            read: step.read.clone(),
            write: step.write.clone(),
            config_read: step.config.read.clone(),
            config_write: step.config.write.clone(),
            limits: step.limits.clone(),
            allow_managed_writes: step.allow_managed_writes,
        });
    Manifest {
        cofferdam: FormatTag,
        id: source.package.id.clone(),
        version: source.package.version.clone(),
        data_format: source.package.data_format,
        created: created_unix_s,
        summary: source.package.summary.clone(),
        requires: source.requires.clone(),
        entries,
        config: source.config.clone(),
        steps: steps.collect(),
        blobs,
        builds: components.builds(source),
    }
}
