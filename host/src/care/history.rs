// SPDX-License-Identifier: Apache-2.0
//! What was done to an install, record by record.

use std::path::Path;

use cofferdam_install::HistoryEnd;
use cofferdam_install::Install;
use cofferdam_install::Record;

use crate::failure::Failure;

/// The records of an install.
#[derive(Debug)]
pub struct History {
    /// Oldest first.
    pub records: Vec<Record>,
    /// The last of them: whoever notes its digest elsewhere can tell later that nobody wrote the
    /// history anew.
    pub end: Option<HistoryEnd>,
    /// Whether the caller asked for the chain to be verified, and it is whole.
    pub verified: Option<bool>,
}

/// Reads the history from record `from` on. Its chain is verified while it is read, up to the last
/// record that the journal knows of; a broken one is never shown as whole.
///
/// # Errors
/// Not under care; a line that is not what the chain says; records that are missing at the end.
pub fn history(dir: &Path, from: u64, verify: bool) -> Result<History, Failure> {
    let history = Install::open(dir)?.history(from)?;
    Ok(History {
        records: history.records,
        end: history.end,
        verified: verify.then_some(true),
    })
}
