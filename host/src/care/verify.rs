// SPDX-License-Identifier: Apache-2.0
//! The live tree against what was installed.

use std::path::Path;

use cofferdam_install::Install;
use cofferdam_tree::inventory::ItemKind;
use cofferdam_tree::verify::DriftKind;
use cofferdam_tree::verify::Scope;
use serde::Serialize;

use crate::failure::Failure;

/// What the comparison found.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// The package id.
    pub id: String,
    /// The live version.
    pub version: Option<String>,
    /// The live generation.
    pub generation: u64,
    /// How many managed paths were compared.
    pub managed: usize,
    /// Managed paths that are not as they were installed.
    pub drift: Vec<Drifted>,
}

/// One managed path that is not as it was installed.
#[derive(Debug, Serialize)]
pub struct Drifted {
    /// Where.
    pub path: String,
    /// How it differs.
    pub what: String,
}

/// Compares every managed file.
///
/// # Errors
/// Not under care; the inventory or the tree cannot be read.
pub fn verify(dir: &Path) -> Result<Verified, Failure> {
    let install = Install::open(dir)?;
    let standing = install.standing(Scope::Managed)?;
    Ok(Verified {
        id: install.settings()?.id.to_string(),
        version: standing
            .record
            .and_then(|record| record.version)
            .map(|version| version.to_string()),
        generation: standing.generation,
        managed: standing
            .inventory
            .entries
            .values()
            .filter(|item| item.kind == ItemKind::Managed)
            .count(),
        drift: standing
            .drift
            .into_iter()
            .map(|drift| Drifted {
                path: drift.path,
                what: words(&drift.what),
            })
            .collect(),
    })
}

fn words(what: &DriftKind) -> String {
    match what {
        DriftKind::Missing => "missing".to_owned(),
        DriftKind::Unexpected => "not from the package".to_owned(),
        DriftKind::Type { expected, found } => format!("is a {found}, expected a {expected}"),
        DriftKind::Content => "other content".to_owned(),
        DriftKind::Target => "leads elsewhere".to_owned(),
        DriftKind::Mode { expected, found } => format!("mode {found:04o}, expected {expected:04o}"),
        DriftKind::Owner => "another owner or group".to_owned(),
    }
}
