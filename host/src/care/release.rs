// SPDX-License-Identifier: Apache-2.0
//! Ends the care for a directory.

use std::path::Path;

use cofferdam_install::Registry;
use serde::Serialize;

use crate::failure::Failure;
use crate::failure::chain;

/// What was released.
#[derive(Debug, Serialize)]
pub struct Released {
    /// The directory, by its real path.
    pub dir: String,
    /// What could not be tidied up.
    pub warnings: Vec<String>,
}

/// Takes the state directory away; the install stays.
///
/// # Errors
/// As [`super::at_rest`]; the state directory cannot be taken away, and nothing changed then, but for
/// `interrupted`.
pub fn release(dir: &Path, registry: &Path, now: u64) -> Result<Released, Failure> {
    let (ready, recovered) = super::at_rest(dir, "release", now)?;
    let path = ready.install().place().path().to_owned();
    let mut warnings = recovered.warnings;
    warnings.extend(ready.release()?);
    if let Err(error) = Registry::new(registry).remove(&path) {
        warnings.push(format!(
            "the machine's list of installs still names it: {}",
            chain(&error)
        ));
    }
    Ok(Released {
        dir: path.display().to_string(),
        warnings,
    })
}
