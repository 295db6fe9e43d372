// SPDX-License-Identifier: Apache-2.0
//! What packages ever declared as configuration files here, carried on from generation to generation:
//! a secret stays one when the version that said so is long gone.
//!
//! A generation's document holds what was declared before it; its own package's declarations stand in
//! its manifest. Each new generation's is made from those of all that are kept, so nothing is forgotten
//! when one is pruned. The operator can release a declaration by its name.

use std::collections::BTreeSet;

use cap_std::fs::Dir;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::path::PayloadPath;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::generation;
use crate::layout;
use crate::open::Install;

/// The first member of the document.
const FORMAT: &str = "declared/1";

/// A configuration file, as a package declared it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigDeclaration {
    /// What the package calls it.
    pub name: String,
    /// Where the vendor expects it.
    pub file: PayloadPath,
    /// How it is written.
    pub format: ConfigFormat,
    /// Patterns of keys that are secret.
    pub secret: Vec<String>,
}

impl ConfigDeclaration {
    /// Everything that a package declares.
    pub fn all_of(manifest: &Manifest) -> impl Iterator<Item = Self> {
        manifest.config.iter().map(|(name, config)| Self {
            name: name.clone(),
            file: config.file.clone(),
            format: config.format,
            secret: config.secret.clone(),
        })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    cofferdam: String,
    declared: BTreeSet<ConfigDeclaration>,
}

impl Install {
    /// Every configuration file that a package declared here, the live one's among them, unless the
    /// operator released its name. An older generation whose documents cannot be read any more says
    /// nothing, and is no reason to keep an install from its updates.
    ///
    /// # Errors
    /// A mistake in `install.toml`, or the live generation's documents are damaged.
    pub fn declared_configs(&self) -> Result<BTreeSet<ConfigDeclaration>, InstallError> {
        let settings = self.settings()?;
        let mut declared = BTreeSet::new();
        for generation in self.journal.generations.keys().copied() {
            match self.declared_until(generation) {
                Ok(until) => declared.extend(until),
                Err(error) if generation == self.journal.live => return Err(error),
                Err(error) => tracing::debug!(generation, %error, "its declarations are lost"),
            }
        }
        let released = |name: &str| {
            let place = settings.config.get(name);
            place.is_some_and(|place| place.release)
        };
        declared.retain(|declaration| !released(&declaration.name));
        Ok(declared)
    }

    fn declared_until(&self, generation: u64) -> Result<BTreeSet<ConfigDeclaration>, InstallError> {
        let mut declared = read(self, generation)?;
        let manifest = self.manifest(generation)?;
        declared.extend(manifest.iter().flat_map(ConfigDeclaration::all_of));
        Ok(declared)
    }
}

fn read(install: &Install, generation: u64) -> Result<BTreeSet<ConfigDeclaration>, InstallError> {
    let file = layout::DECLARED;
    // Generation 1 has none: nothing was declared before it.
    let Some(bytes) = generation::read(&install.place, generation, file)? else {
        return Ok(BTreeSet::new());
    };
    let unreadable = |reason: &dyn ToString| generation::unreadable(generation, file, reason);
    let document: Document = serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))?;
    if document.cofferdam != FORMAT {
        let found = document.cofferdam;
        return Err(unreadable(&format!(
            "its format is `{found}`, expected `{FORMAT}`"
        )));
    }
    for declaration in &document.declared {
        KeyGlobSet::parse(&declaration.secret).map_err(|error| unreadable(&error))?;
    }
    Ok(document.declared)
}

/// Writes what was declared before a new generation into its folder, unsynced.
pub(crate) fn write(install: &Install, folder: &Dir) -> Result<(), InstallError> {
    let document = Document {
        cofferdam: FORMAT.to_owned(),
        declared: install.declared_configs()?,
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("text only");
    bytes.push(b'\n');
    durable::write_unsynced(folder, layout::DECLARED, &bytes)
        .doing(|| format!("write `{}`", layout::DECLARED))?;
    Ok(())
}
