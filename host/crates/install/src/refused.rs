// SPDX-License-Identifier: Apache-2.0
//! Packages condemned on this install: `refused.json`.
//!
//! Only three things condemn a package: it was unhealthy after its commit, it was cut off twice
//! after the service was stopped, or a person rolled it back. A condemnation is decided in the
//! journal first (`condemning`), so that no crash can lose it, and moved here by the same or the
//! next command; readers see both.

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use semver::Version;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::layout;

/// The first member of the document.
const FORMAT: &str = "refused/1";
/// Stops a file that is not ours from being read into memory.
const CAP_BYTES: u64 = 16 * 1024 * 1024;

/// A package that is not to be applied here again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Condemned {
    /// The package's digest: another package with the same version is not meant.
    pub package: Digest,
    /// Its version, for people.
    pub version: Option<Version>,
    /// What it did.
    pub why: String,
    /// Since when, in seconds since 1970.
    pub at_unix_s: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    cofferdam: String,
    condemned: Vec<Condemned>,
}

/// Reads the list; a missing file is an empty list, an unreadable one is not.
pub(crate) fn read(state: &Dir) -> Result<Vec<Condemned>, InstallError> {
    let Some(bytes) = layout::read_file(state, layout::REFUSED, CAP_BYTES)
        .doing(|| format!("read `{}`", layout::REFUSED))?
    else {
        return Ok(Vec::new());
    };
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| InstallError::RefusedUnreadable {
            reason: error.to_string(),
        })?;
    if document.cofferdam != FORMAT {
        return Err(InstallError::RefusedUnreadable {
            reason: format!(
                "its format is `{}`, expected `{FORMAT}`",
                document.cofferdam
            ),
        });
    }
    Ok(document.condemned)
}

/// The list with `more` in it; the first reason given for a package stays.
pub(crate) fn with(mut list: Vec<Condemned>, more: Option<&Condemned>) -> Vec<Condemned> {
    if let Some(more) = more
        && list
            .iter()
            .all(|condemned| condemned.package != more.package)
    {
        list.push(more.clone());
    }
    list
}

/// Writes the list.
pub(crate) fn write(state: &Dir, list: Vec<Condemned>) -> Result<(), InstallError> {
    let document = Document {
        cofferdam: FORMAT.to_owned(),
        condemned: list,
    };
    let mut bytes = serde_json::to_vec_pretty(&document).expect("digests, text and numbers");
    bytes.push(b'\n');
    durable::replace_file(state, layout::REFUSED, &bytes)
        .doing(|| format!("write `{}`", layout::REFUSED))
}
