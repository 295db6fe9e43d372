// SPDX-License-Identifier: Apache-2.0
//! Accepts the live generation because a person says so.

use std::path::Path;

use cofferdam_install::Entry;
use cofferdam_install::RecordKind;
use serde::Serialize;
use serde_json::json;

use crate::failure::Failure;

/// What was confirmed.
#[derive(Debug, Serialize)]
pub struct Confirmed {
    /// The live generation.
    pub generation: u64,
    /// Its version.
    pub version: Option<String>,
    /// Always true now.
    pub confirmed: bool,
    /// Whether it was confirmed before.
    pub already: bool,
    /// What went wrong beside it.
    pub warnings: Vec<String>,
}

/// Confirms the live generation and prunes what is past the operator's number.
///
/// # Errors
/// As [`super::at_rest`]; the journal cannot be written.
pub fn confirm(dir: &Path, now: u64) -> Result<Confirmed, Failure> {
    let (mut ready, recovered) = super::at_rest(dir, "confirm", now)?;
    let mut warnings = recovered.warnings;
    let already = ready.journal().is_confirmed();
    let generation = ready.journal().live;
    let live = ready.journal().live_generation();
    let version = live
        .and_then(|live| live.version.as_ref())
        .map(ToString::to_string);
    if !already {
        if let Err(error) = ready.confirm() {
            if !ready.journal().is_confirmed() {
                return Err(error.into());
            }
            warnings.push(format!("a power cut may undo it: {}", Failure::from(error)));
        }
        let recorded = ready.append_history(vec![Entry {
            at_unix_s: now,
            txid: None,
            kind: RecordKind::Confirm,
            body: json!({ "generation": generation, "version": version, "by": "operator" }),
        }]);
        // It is confirmed, whatever becomes of the record and of what is past the operator's number.
        if let Err(error) = recorded.and_then(|()| ready.prune().map(drop)) {
            warnings.push(Failure::from(error).to_string());
        }
        warnings.extend(ready.take_left_over());
    }
    Ok(Confirmed {
        warnings,
        generation,
        version,
        confirmed: true,
        already,
    })
}
