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
/// record that the journal knows of; a broken one is never shown as whole. With the records comes a failure where
/// some are missing behind them.
///
/// # Errors
/// Not under care; a line that is not what the chain says; no record at all where there should be some.
pub fn history(dir: &Path, from: u64, verify: bool) -> Result<(History, Option<Failure>), Failure> {
    let install = Install::open(dir)?;
    let (found, cut) = match install.history(from) {
        Ok(history) => (history, None),
        Err(cut) if cut.code() == "history-cut" => {
            let rest = install.history_as_far_as_it_goes(from)?;
            (rest, Some(Failure::from(cut)))
        }
        Err(error) => return Err(error.into()),
    };
    let history = History {
        records: found.records,
        end: found.end,
        verified: verify.then_some(cut.is_none()),
    };
    Ok((history, cut))
}
