// SPDX-License-Identifier: Apache-2.0
//! Puts a directory under care.

use std::path::Path;
use std::path::PathBuf;

use cofferdam_install::Adopt;
use cofferdam_install::AdoptSource;
use cofferdam_install::Registry;
use cofferdam_package::keyring::KeyRing;
use cofferdam_package::keyring::PublicKey;
use cofferdam_package::keyring::Role;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::manifest::PackageId;
use cofferdam_package::signature::SignatureRule;
use serde::Serialize;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::failure::chain;
use crate::package_file;
use crate::vendor::output::read_small;

/// What is to be put under care.
#[derive(Debug)]
pub struct Request {
    /// The directory.
    pub dir: PathBuf,
    /// Files with vendors' public keys.
    pub vendors: Vec<PathBuf>,
    /// Files with reviewers' public keys.
    pub reviewers: Vec<PathBuf>,
    /// The package that the directory was installed from.
    pub package: Option<PathBuf>,
    /// The package id, when there is no package yet.
    pub id: Option<String>,
    /// The roles of this machine.
    pub roles: Vec<String>,
    /// The folder that lists the installs of this machine.
    pub registry: PathBuf,
    /// Now, in seconds since 1970.
    pub now: u64,
    /// A fresh transaction id.
    pub txid: String,
}

/// A directory that is under care now.
#[derive(Debug, Serialize)]
pub struct Adopted {
    /// The directory, by its real path.
    pub dir: String,
    /// The package id.
    pub id: String,
    /// The version; `None` without a package.
    pub version: Option<String>,
    /// Always 1.
    pub generation: u64,
    /// Managed files that differ from the package.
    pub drift: Vec<String>,
    /// The operator's file.
    pub settings: String,
    /// What could not be done beside it.
    pub warnings: Vec<String>,
}

/// Adopts a directory.
///
/// # Errors
/// A key or the package is refused; the directory cannot be taken into care. Nothing changed then, but
/// for `interrupted`.
pub fn adopt(request: &Request) -> Result<Adopted, Failure> {
    let trust = trusted(request)?;
    let mut ring = KeyRing::new();
    for key in &trust {
        ring.add(key.clone())
            .map_err(|error| key_refused(&key.name, &error))?;
    }
    let package = match &request.package {
        None => None,
        Some(path) => {
            let verified = package_file::open(path)?.verify(&ring, &SignatureRule::default())?;
            verified.prove_blobs()?;
            Some(verified)
        }
    };
    let source = match (&package, &request.id) {
        (Some(package), _) => AdoptSource::Package(package),
        (None, Some(id)) => AdoptSource::Id(PackageId::parse(id).map_err(|error| {
            Failure::new(
                Exit::Usage,
                error.code(),
                chain(&error),
                "give an id such as `acme-agent`",
            )
        })?),
        (None, None) => {
            return Err(Failure::new(
                Exit::Usage,
                "usage",
                "neither a package nor an id was given, expected one of them",
                "say --package OLD.upd, or --id ID for a first install",
            ));
        }
    };
    let adopted = cofferdam_install::adopt(&Adopt {
        dir: &request.dir,
        source,
        roles: request.roles.clone(),
        trust,
        live: Vec::new(),
        registry: &Registry::new(&request.registry),
        txid: request.txid.clone(),
        now_unix_s: request.now,
    })?;
    let place = adopted.install.place();
    let mut warnings = Vec::new();
    if let Some(error) = &adopted.unlisted {
        warnings.push(format!(
            "this machine's list of installs does not name it, so `recover --all` passes it over: {}",
            chain(error),
        ));
    }
    let live = adopted.install.journal().live_generation();
    Ok(Adopted {
        dir: place.path().display().to_string(),
        id: adopted.install.settings()?.id.to_string(),
        version: live
            .and_then(|live| live.version.as_ref())
            .map(ToString::to_string),
        generation: adopted.install.journal().live,
        drift: adopted.drift.into_iter().map(|drift| drift.path).collect(),
        settings: place
            .state_path()
            .join("install.toml")
            .display()
            .to_string(),
        warnings,
    })
}

fn trusted(request: &Request) -> Result<Vec<TrustedKey>, Failure> {
    let vendors = request.vendors.iter().map(|path| (path, Role::Vendor));
    let reviewers = request.reviewers.iter().map(|path| (path, Role::Reviewer));
    vendors
        .chain(reviewers)
        .map(|(path, role)| read_key(path, role))
        .collect()
}

/// A public key has two short lines.
const KEY_CAP_BYTES: u64 = 16 << 10;

/// Reads a public key; it is called by the name of its file.
///
/// # Errors
/// The file cannot be read, or is not a minisign public key.
pub fn read_key(path: &Path, role: Role) -> Result<TrustedKey, Failure> {
    let text = read_small(path, KEY_CAP_BYTES)?;
    let text = String::from_utf8_lossy(&text);
    let key = PublicKey::parse(&text)
        .map_err(|error| key_refused(&path.display().to_string(), &error))?;
    let name = path
        .file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    Ok(TrustedKey { key, role, name })
}

fn key_refused(name: &str, error: &cofferdam_package::keyring::KeyError) -> Failure {
    Failure::new(
        Exit::PackageRefused,
        error.code(),
        format!("public key `{name}`: {}", chain(error)),
        "give the .pub file of a minisign key pair, each key once",
    )
}
