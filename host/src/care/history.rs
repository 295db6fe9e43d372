// SPDX-License-Identifier: Apache-2.0
//! What was done to an install, record by record.

use std::path::Path;

use cofferdam_install::Install;
use cofferdam_install::Record;

use crate::failure::Failure;

/// The records of an install.
#[derive(Debug)]
pub struct History {
    /// Oldest first.
    pub records: Vec<Record>,
    /// Whether the caller asked for the chain to be verified, and it is whole.
    pub verified: Option<bool>,
}

/// Reads the history. Its chain is verified while it is read; a broken one is never shown as whole.
///
/// # Errors
/// Not under care; a line that is not what the chain says.
pub fn history(dir: &Path, verify: bool) -> Result<History, Failure> {
    let history = Install::open(dir)?.history()?;
    Ok(History {
        records: history.records,
        verified: verify.then_some(true),
    })
}
