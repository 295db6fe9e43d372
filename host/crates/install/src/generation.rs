// SPDX-License-Identifier: Apache-2.0
//! What is kept of a generation: its tree unless it is live, its manifest and signatures, its
//! inventory, and what was known when it was left.
//!
//! A folder is written and synced before the journal names its generation, and removed after the
//! journal has stopped naming it. So a folder that is named is complete, and one that is not named
//! is a leftover.

use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::keyring::KeyId;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::limits::Limits;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::manifest::Phase;
use cofferdam_package::manifest::Step;
use cofferdam_package::signature::SignatureRule;
use cofferdam_package::verify::VerifiedManifest;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::verify::Drift;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::journal::ConfigSwap;
use crate::journal::Journal;
use crate::layout;
use crate::layout::Place;

/// Stops a file that is not ours from being read into memory: room for some million paths.
const CAP_BYTES: u64 = 1 << 30;
/// What ends the name of a signature's file.
const SIGNATURE_SUFFIX: &str = ".minisig";
/// The first member of [`Known`].
const KNOWN_FORMAT: &str = "known/1";

/// What was known of a generation when it was made, or when it was left.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Known {
    cofferdam: String,
    /// Managed files that differed from the inventory: the operator knew, so a way back to them is
    /// no damage.
    pub(crate) drift: BTreeSet<String>,
    /// Config files outside the install. Of a generation that was left, their content stands in
    /// `config/`.
    pub(crate) configs: Vec<SavedConfig>,
    /// Config files outside that were not there when the generation was left, and that the
    /// transaction which left it created.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) absent: Vec<AbsentConfig>,
}

/// A config file outside the install that a generation did not have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AbsentConfig {
    /// What the operator calls it.
    pub(crate) name: String,
    /// Its real path.
    pub(crate) target: PathBuf,
}

/// A config file outside the install, as a generation knew it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SavedConfig {
    /// What the operator calls it.
    pub(crate) name: String,
    /// Its real path.
    pub(crate) target: PathBuf,
    /// Of its content.
    pub(crate) digest: Digest,
}

impl SavedConfig {
    /// The name of the copy in `config/`: one name of the operator's may have meant two files.
    fn copy(&self) -> String {
        self.digest.to_string()
    }
}

impl Known {
    pub(crate) fn new(drift: &[Drift], configs: Vec<SavedConfig>) -> Self {
        Self {
            cofferdam: KNOWN_FORMAT.to_owned(),
            drift: drift.iter().map(known_as).collect(),
            configs,
            absent: Vec::new(),
        }
    }

    /// Whether a difference was known when the generation was left.
    pub(crate) fn knew(&self, drift: &Drift) -> bool {
        self.drift.contains(&known_as(drift))
    }
}

/// The path and the way in which it differs, as text.
fn known_as(drift: &Drift) -> String {
    format!("{} {:?}", drift.path, drift.what)
}

pub(crate) fn unreadable(
    generation: u64,
    file: &'static str,
    reason: &dyn ToString,
) -> InstallError {
    InstallError::GenerationUnreadable {
        generation,
        file,
        reason: reason.to_string(),
    }
}

/// A file in a generation's folder is not what it should be, or the system refused to read it.
fn not_read(generation: u64, file: &'static str, source: io::Error) -> InstallError {
    if layout::is_damage(&source) {
        return unreadable(generation, file, &source);
    }
    InstallError::Io {
        doing: format!("read `{file}` of generation {generation}"),
        source,
    }
}

/// Reads one file of a generation's folder; `None` when it is not there.
pub(crate) fn read(
    place: &Place,
    generation: u64,
    file: &'static str,
) -> Result<Option<Vec<u8>>, InstallError> {
    let folder = place
        .open_generation(generation)
        .map_err(|error| not_read(generation, file, error))?;
    layout::read_file(&folder, file, CAP_BYTES).map_err(|error| not_read(generation, file, error))
}

/// Opens the kept tree of a generation.
pub(crate) fn open_tree(place: &Place, generation: u64) -> io::Result<Dir> {
    layout::open_directory(&place.open_generation(generation)?, layout::TREE.as_ref())
}

/// Whether a tree is kept for a generation.
pub(crate) fn has_tree(place: &Place, generation: u64) -> bool {
    open_tree(place, generation).is_ok()
}

pub(crate) fn read_inventory(place: &Place, generation: u64) -> Result<Inventory, InstallError> {
    let bytes = read(place, generation, layout::INVENTORY)?
        .ok_or_else(|| unreadable(generation, layout::INVENTORY, &"it is missing"))?;
    Inventory::parse(&bytes).map_err(|error| unreadable(generation, layout::INVENTORY, &error))
}

/// What was known of a generation; nothing where nobody wrote it down.
pub(crate) fn read_known(
    place: &Place,
    generation: u64,
    file: &'static str,
) -> Result<Known, InstallError> {
    let Some(bytes) = read(place, generation, file)? else {
        return Ok(Known::default());
    };
    let known: Known =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(generation, file, &error))?;
    if known.cofferdam != KNOWN_FORMAT {
        return Err(unreadable(
            generation,
            file,
            &format!(
                "its format is `{}`, expected `{KNOWN_FORMAT}`",
                known.cofferdam
            ),
        ));
    }
    Ok(known)
}

/// The content of a config file as it was when a generation was left, checked against its digest.
pub(crate) fn read_saved_config(
    place: &Place,
    generation: u64,
    saved: &SavedConfig,
) -> Result<Vec<u8>, InstallError> {
    let damaged = |reason: String| unreadable(generation, layout::CONFIG, &reason);
    let read = || {
        let folder = place.open_generation(generation)?;
        let folder = layout::open_directory(&folder, layout::CONFIG.as_ref())?;
        layout::read_file(&folder, &saved.copy(), CAP_BYTES)
    };
    let bytes = read()
        .map_err(|error| not_read(generation, layout::CONFIG, error))?
        .ok_or_else(|| damaged(format!("the copy of `{}` is missing", saved.name)))?;
    if Digest::of(&bytes) != saved.digest {
        return Err(damaged(format!(
            "the copy of `{}` has another digest",
            saved.name
        )));
    }
    Ok(bytes)
}

fn read_manifest_bytes(
    place: &Place,
    journal: &Journal,
    generation: u64,
) -> Result<Option<Vec<u8>>, InstallError> {
    let Some(package) = journal
        .generations
        .get(&generation)
        .and_then(|record| record.package)
    else {
        return Ok(None);
    };
    let bytes = read(place, generation, layout::MANIFEST)?
        .ok_or_else(|| unreadable(generation, layout::MANIFEST, &"it is missing"))?;
    let found = Digest::of(&bytes);
    if found != package {
        return Err(unreadable(
            generation,
            layout::MANIFEST,
            &format!("its digest is {found}, expected {package}"),
        ));
    }
    Ok(Some(bytes))
}

pub(crate) fn read_manifest(
    place: &Place,
    journal: &Journal,
    generation: u64,
) -> Result<Option<Manifest>, InstallError> {
    let Some(bytes) = read_manifest_bytes(place, journal, generation)? else {
        return Ok(None);
    };
    cofferdam_package::manifest::parse(&bytes, &Limits::default())
        .map(Some)
        .map_err(|error| unreadable(generation, layout::MANIFEST, &error))
}

pub(crate) fn verify_manifest(
    place: &Place,
    journal: &Journal,
    generation: u64,
    keys: &KeyRing,
    rule: SignatureRule,
    limits: &Limits,
) -> Result<Option<VerifiedManifest>, InstallError> {
    let Some(bytes) = read_manifest_bytes(place, journal, generation)? else {
        return Ok(None);
    };
    let signatures = read_signatures(place, generation)
        .map_err(|error| not_read(generation, layout::SIGNATURES, error))?;
    Ok(Some(cofferdam_package::verify::verify_manifest(
        &bytes,
        &signatures,
        keys,
        &rule,
        limits,
    )?))
}

/// The manifest in a generation's folder with its signatures verified, whatever a journal says of it; none where there
/// is no manifest.
pub(crate) fn manifest_in_folder(
    place: &Place,
    generation: u64,
    keys: &KeyRing,
    rule: SignatureRule,
) -> Result<Option<VerifiedManifest>, InstallError> {
    let Some(bytes) = read(place, generation, layout::MANIFEST)? else {
        return Ok(None);
    };
    let signatures = read_signatures(place, generation)
        .map_err(|error| not_read(generation, layout::SIGNATURES, error))?;
    let limits = Limits::default();
    Ok(Some(cofferdam_package::verify::verify_manifest(
        &bytes,
        &signatures,
        keys,
        &rule,
        &limits,
    )?))
}

fn read_signatures(place: &Place, generation: u64) -> io::Result<Vec<(KeyId, Vec<u8>)>> {
    let folder = layout::open_directory(
        &place.open_generation(generation)?,
        layout::SIGNATURES.as_ref(),
    )?;
    let mut signatures = Vec::new();
    for entry in folder.entries()? {
        let name = entry?.file_name();
        let key = name
            .to_str()
            .and_then(|name| name.strip_suffix(SIGNATURE_SUFFIX));
        let key: KeyId = key.and_then(|key| key.parse().ok()).ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("`{}` names no key", name.display()),
            )
        })?;
        let bytes = layout::read_file(&folder, &format!("{key}{SIGNATURE_SUFFIX}"), CAP_BYTES)?;
        signatures.push((key, bytes.unwrap_or_default()));
    }
    signatures.sort_by_key(|(key, _)| *key);
    Ok(signatures)
}

/// Writes a package's manifest and signatures into a generation's folder, unsynced.
pub(crate) fn write_manifest(
    folder: &Dir,
    manifest: &[u8],
    signatures: &[(KeyId, Vec<u8>)],
) -> Result<(), InstallError> {
    let doing = || format!("write `{}`", layout::MANIFEST);
    durable::write_unsynced(folder, layout::MANIFEST, manifest).doing(doing)?;
    let kept = durable::ensure_directory(folder, layout::SIGNATURES).doing(doing)?;
    for (key, bytes) in signatures {
        durable::write_unsynced(&kept, &format!("{key}{SIGNATURE_SUFFIX}"), bytes).doing(doing)?;
    }
    Ok(())
}

/// Copies the manifest and signatures of one generation into the folder of another, unsynced.
pub(crate) fn copy_manifest(
    place: &Place,
    journal: &Journal,
    from: u64,
    folder: &Dir,
) -> Result<(), InstallError> {
    let Some(bytes) = read_manifest_bytes(place, journal, from)? else {
        return Ok(());
    };
    let signatures =
        read_signatures(place, from).map_err(|error| not_read(from, layout::SIGNATURES, error))?;
    write_manifest(folder, &bytes, &signatures)?;
    let manifest = read_manifest(place, journal, from)?;
    let health = manifest
        .iter()
        .flat_map(|manifest| manifest.steps_in(Phase::Health));
    write_kept(
        folder,
        health.map(|step| {
            (
                step,
                read_component(place, from, &step.component, step.bytes),
            )
        }),
    )
}

/// Keeps the components of a package's health steps, unsynced: a generation that a crash left unconfirmed is judged
/// by them later, when the package file may be gone.
pub(crate) fn write_components(
    folder: &Dir,
    package: &VerifiedPackage,
) -> Result<(), InstallError> {
    let health = package.manifest().steps_in(Phase::Health);
    write_kept(
        folder,
        health.map(|step| {
            let bytes = package.read_blob(&step.component, step.bytes);
            (step, bytes.map_err(InstallError::from))
        }),
    )
}

fn write_kept<'a>(
    folder: &Dir,
    components: impl Iterator<Item = (&'a Step, Result<Vec<u8>, InstallError>)>,
) -> Result<(), InstallError> {
    let doing = || format!("write `{}`", layout::COMPONENTS);
    for (step, bytes) in components {
        let kept = durable::ensure_directory(folder, layout::COMPONENTS).doing(doing)?;
        durable::write_unsynced(&kept, &component_name(&step.component), &bytes?).doing(doing)?;
    }
    Ok(())
}

/// The component of a health step, as the generation keeps it; its digest is checked.
pub(crate) fn read_component(
    place: &Place,
    generation: u64,
    component: &Digest,
    cap_bytes: u64,
) -> Result<Vec<u8>, InstallError> {
    let name = component_name(component);
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        let folder = place
            .open_generation(generation)?
            .open_dir(layout::COMPONENTS)?;
        layout::read_file(&folder, &name, cap_bytes)
    };
    let bytes = read()
        .and_then(|found| found.ok_or_else(|| std::io::Error::from(std::io::ErrorKind::NotFound)))
        .map_err(|error| not_read(generation, layout::COMPONENTS, error))?;
    let found = Digest::of(&bytes);
    if found != *component {
        let reason = format!("`{name}` has digest {found}");
        return Err(unreadable(generation, layout::COMPONENTS, &reason));
    }
    Ok(bytes)
}

fn component_name(component: &Digest) -> String {
    format!("{component}.wasm")
}

/// Writes an inventory into a generation's folder, unsynced.
pub(crate) fn write_inventory(folder: &Dir, inventory: &Inventory) -> Result<(), InstallError> {
    let bytes = inventory.to_json()?;
    durable::write_unsynced(folder, layout::INVENTORY, &bytes)
        .doing(|| format!("write `{}`", layout::INVENTORY))?;
    Ok(())
}

/// Writes what is known of a generation, unsynced.
pub(crate) fn write_known(
    folder: &Dir,
    file: &'static str,
    known: &Known,
) -> Result<(), InstallError> {
    let mut bytes = serde_json::to_vec_pretty(known).expect("text and paths checked to be UTF-8");
    bytes.push(b'\n');
    durable::write_unsynced(folder, file, &bytes).doing(|| format!("write `{file}`"))?;
    Ok(())
}

/// Writes what is known of a generation that is about to be left, with the content of its config
/// files, and those that `swaps` will create, unsynced.
pub(crate) fn write_left(
    folder: &Dir,
    drift: &[Drift],
    configs: &[(SavedConfig, Vec<u8>)],
    swaps: &[ConfigSwap],
) -> Result<(), InstallError> {
    let doing = || format!("write `{}`", layout::CONFIG);
    let created = swaps.iter().filter(|swap| swap.old_digest.is_none());
    let known = Known {
        absent: created
            .map(|swap| AbsentConfig {
                name: swap.name.clone(),
                target: swap.target.clone(),
            })
            .collect(),
        ..Known::new(
            drift,
            configs.iter().map(|(saved, _)| saved.clone()).collect(),
        )
    };
    write_known(folder, layout::LEFT, &known)?;
    if !configs.is_empty() {
        let kept = durable::ensure_directory(folder, layout::CONFIG).doing(doing)?;
        for (saved, bytes) in configs {
            durable::write_unsynced(&kept, &saved.copy(), bytes).doing(doing)?;
        }
    }
    Ok(())
}
