// SPDX-License-Identifier: Apache-2.0
//! Whether this package may be applied to this install at all: rules on identity, versions and history.
//!
//! Pure: every refusal here needs no work and touches nothing. The order is the order of the rules in
//! the operator's guide; the first that is broken is the one that is told.

use cofferdam_install::Condemned;
use cofferdam_install::journal::Floors;
use cofferdam_install::journal::GenerationRecord;
use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::Manifest;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;

/// What is known of the install.
#[derive(Debug)]
pub struct Known<'a> {
    /// The package id that the install is for.
    pub id: &'a str,
    /// The live generation.
    pub live: &'a GenerationRecord,
    /// What must not be gone below.
    pub floors: &'a Floors,
    /// Packages that were condemned here.
    pub condemned: &'a [Condemned],
}

/// What applying the package would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// The package is live already: only drift or other roles would be put right, without steps.
    SamePackage,
    /// Another version comes.
    Update,
}

/// Judges the package against what is known of the install.
///
/// # Errors
/// `wrong-package`, `condemned`, `version-reused`, `downgrade`, `data-format-downgrade`, `from-mismatch`.
pub fn judge(known: &Known<'_>, manifest: &Manifest, digest: &Digest) -> Result<Intent, Failure> {
    let version = &manifest.version;
    if manifest.id.as_str() != known.id {
        return Err(refused(
            "wrong-package",
            format!(
                "the package is `{}`, this install takes `{}`",
                manifest.id, known.id
            ),
            "give the package of this install, or adopt another directory for it",
        ));
    }
    if known.live.version.as_ref() == Some(version) {
        return match &known.live.package {
            Some(live) if live == digest => Ok(Intent::SamePackage),
            live => Err(refused(
                "version-reused",
                format!("version {version} is live already, with another package digest"),
                "a changed package needs a new version: ask the vendor",
            )
            .with_details(json!({ "live": live, "found": digest }))),
        };
    }
    if let Some(condemned) = known
        .condemned
        .iter()
        .find(|entry| entry.package == *digest)
    {
        return Err(refused(
            "condemned",
            format!("version {version} was condemned here: {}", condemned.why),
            format!("wait for a fixed version, or lift it: cofferdam allow DIR {version}"),
        ));
    }
    if let Some(floor) = known
        .floors
        .version
        .as_ref()
        .filter(|floor| version < *floor)
    {
        return Err(refused(
            "downgrade",
            format!("the package is version {version}, expected {floor} or later"),
            "to go back, use `cofferdam rollback`, which takes state and configuration along",
        ));
    }
    if manifest.data_format < known.floors.data_format {
        return Err(refused(
            "data-format-downgrade",
            format!(
                "the package reads data format {}, the data here has format {}",
                manifest.data_format, known.floors.data_format
            ),
            "ask the vendor for a version that reads this data",
        ));
    }
    if !manifest.requires.matches(known.live.version.as_ref()) {
        let found = known
            .live
            .version
            .as_ref()
            .map_or("no version yet".to_owned(), ToString::to_string);
        return Err(refused(
            "from-mismatch",
            format!(
                "the package updates from `{}`, found {found}",
                manifest.requires.from
            ),
            "apply the versions in between first, or ask the vendor for a cumulative package",
        ));
    }
    Ok(Intent::Update)
}

fn refused(code: &'static str, message: String, help: impl Into<String>) -> Failure {
    Failure::new(Exit::Refused, code, message, help)
}
