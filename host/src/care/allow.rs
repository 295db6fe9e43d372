// SPDX-License-Identifier: Apache-2.0
//! Lifts a condemnation because a person says so.

use std::path::Path;

use cofferdam_install::Condemned;
use cofferdam_install::Entry;
use cofferdam_install::RecordKind;
use semver::Version;
use serde_json::json;

use crate::failure::Failure;

/// What may be applied again.
#[derive(Debug)]
pub struct Allowed {
    /// The packages that were condemned.
    pub lifted: Vec<Condemned>,
    /// What could not be caught up on the way.
    pub warnings: Vec<String>,
}

/// Lets the packages of this version be applied again.
///
/// # Errors
/// As [`super::at_rest`]; `not-condemned`; the history or the list cannot be written.
pub fn allow(dir: &Path, version: &Version, now: u64) -> Result<Allowed, Failure> {
    let (mut ready, recovered) = super::at_rest(dir, "allow", now)?;
    let mut warnings = recovered.warnings;
    let lifted = ready.condemned_as(version)?;
    // Before: condemned. After: condemned still, and who lifts it is recorded: never the other way round.
    ready.append_history(vec![Entry {
        at_unix_s: now,
        txid: None,
        kind: RecordKind::Allow,
        body: json!({ "version": version.to_string(), "packages": lifted }),
    }])?;
    if let Err(error) = ready.allow(&lifted) {
        if ready.condemned_as(version).is_ok() {
            return Err(error.into());
        }
        warnings.push(format!("a power cut may undo it: {}", Failure::from(error)));
    }
    Ok(Allowed { lifted, warnings })
}
