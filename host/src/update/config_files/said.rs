// SPDX-License-Identifier: Apache-2.0
//! What is said of configuration files on one install, by its packages and by its operator, and where
//! they really are.

use std::path::Path;

use cofferdam_install::Install;
use cofferdam_install::real_path_of_config;
use cofferdam_install::settings::ConfigFileAt;
use cofferdam_package::manifest::ConfigFile;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::path::PayloadPath;

use crate::failure::Exit;
use crate::failure::Failure;

/// What one declaration says of one place.
#[derive(Debug)]
pub(super) struct Said {
    /// Where the file is.
    pub(super) at: ConfigFileAt,
    /// How it is written, where that is said.
    pub(super) format: Option<ConfigFormat>,
    /// Patterns of keys that are secret.
    pub(super) secret: Vec<String>,
}

/// Everything that is said: by this package, by those of the kept generations, by the operator.
pub(super) fn all(manifest: &Manifest, install: &Install) -> Result<Vec<Said>, Failure> {
    let mut said = Vec::new();
    for manifest in kept(install)?.iter().chain([manifest]) {
        for (name, file) in &manifest.config {
            said.push(by_a_package(name, file, install)?);
        }
    }
    for place in install.settings()?.config.values() {
        if let Some(at) = &place.file {
            said.push(Said {
                at: real_place(at, install)?,
                format: place.format,
                secret: place.secret.patterns(),
            });
        }
    }
    Ok(said)
}

/// The manifests of the kept generations. An old one that cannot be read any more says nothing, and is no
/// reason to keep an install from its updates.
pub(super) fn kept(install: &Install) -> Result<Vec<Manifest>, Failure> {
    let journal = install.journal();
    let mut kept: Vec<Manifest> = install.live_manifest()?.into_iter().collect();
    let older = journal.generations.keys().filter(|n| **n != journal.live);
    kept.extend(older.filter_map(|number| install.manifest(*number).ok().flatten()));
    Ok(kept)
}

fn by_a_package(name: &str, file: &ConfigFile, install: &Install) -> Result<Said, Failure> {
    let place = install.settings()?.config.get(name);
    Ok(Said {
        at: place_of(name, &file.file, install)?,
        format: Some(place.and_then(|place| place.format).unwrap_or(file.format)),
        secret: file.secret.clone(),
    })
}

/// Where the file that the vendor calls `name` is, by the operator's word or by the vendor's.
pub(super) fn place_of(
    name: &str,
    vendors: &PayloadPath,
    install: &Install,
) -> Result<ConfigFileAt, Failure> {
    let place = install.settings()?.config.get(name);
    match place.and_then(|place| place.file.as_ref()) {
        Some(at) => real_place(at, install),
        None => Ok(ConfigFileAt::Inside(vendors.clone())),
    }
}

/// The same place by its real path: one that leads into the install is inside.
fn real_place(at: &ConfigFileAt, install: &Install) -> Result<ConfigFileAt, Failure> {
    let ConfigFileAt::Outside(path) = at else {
        return Ok(at.clone());
    };
    // What cannot be found now is refused when it is read.
    let real = real_path_of_config(path).unwrap_or_else(|_| path.clone());
    let place = install.place();
    if real.starts_with(place.state_path()) {
        return Err(Failure::new(
            Exit::Refused,
            "config-inside",
            format!(
                "configuration file `{}` is in the state directory",
                path.display()
            ),
            "name a file in the install, relative to it, or one outside of both",
        ));
    }
    let below = real.strip_prefix(place.path()).ok().and_then(Path::to_str);
    match below.map(PayloadPath::parse) {
        None => Ok(ConfigFileAt::Outside(real)),
        Some(Ok(relative)) => Ok(ConfigFileAt::Inside(relative)),
        Some(Err(error)) => Err(Failure::new(
            Exit::Refused,
            "config-inside",
            format!("configuration file `{}`: {error}", path.display()),
            "name a file that a package could have, or one outside of the install",
        )),
    }
}

/// A place, as messages call it.
pub(super) fn shown(at: &ConfigFileAt) -> String {
    match at {
        ConfigFileAt::Inside(path) => path.to_string(),
        ConfigFileAt::Outside(path) => path.display().to_string(),
    }
}
