// SPDX-License-Identifier: Apache-2.0
//! What is said of configuration files on one install, by its packages and by its operator, and where
//! they really are.

use std::collections::BTreeSet;
use std::path::Path;

use cofferdam_install::ConfigDeclaration;
use cofferdam_install::Install;
use cofferdam_install::real_path_of_config;
use cofferdam_install::settings::ConfigFileAt;
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

/// Everything that is said: by this package, by those that were here before, by the operator. What a
/// package says counts for the vendor's place too where the operator has the file elsewhere.
pub(super) fn all(manifest: &Manifest, install: &Install) -> Result<Vec<Said>, Failure> {
    let mut said = Vec::new();
    for declared in declared(manifest, install)? {
        let place = install.settings()?.config.get(&declared.name);
        let format = place.and_then(|place| place.format);
        let mut secret = declared.secret;
        secret.extend(place.iter().flat_map(|place| place.secret.patterns()));
        let at = place_of(&declared.name, &declared.file, install)?;
        let vendors = ConfigFileAt::Inside(declared.file);
        if at != vendors {
            said.push(Said {
                at: vendors,
                format: Some(declared.format),
                secret: secret.clone(),
            });
        }
        said.push(Said {
            at,
            format: Some(format.unwrap_or(declared.format)),
            secret,
        });
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

/// What this package declares, and whatever was declared here before.
pub(super) fn declared(
    manifest: &Manifest,
    install: &Install,
) -> Result<BTreeSet<ConfigDeclaration>, Failure> {
    let mut declared = install.declared_configs()?;
    declared.extend(ConfigDeclaration::all_of(manifest));
    Ok(declared)
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
