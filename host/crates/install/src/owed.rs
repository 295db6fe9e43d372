// SPDX-License-Identifier: Apache-2.0
//! What the journal owes to the other files: a condemnation, a history record, and to itself the end
//! of the history. Done by whoever decided it, and caught up by the next command when a crash came in
//! between. Nothing here decides which generation is live.

use serde_json::json;

use crate::error::InstallError;
use crate::history;
use crate::history::Entry;
use crate::history::HistoryEnd;
use crate::history::Record;
use crate::history::RecordKind;
use crate::journal::Journal;
use crate::open::Install;
use crate::recover::write_journal;
use crate::refused;

/// What the journal owes to the other files; answers with what could not be done yet, and why.
pub(crate) fn catch_up(install: &mut Install, now_unix_s: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if let Err(error) = catch_up_condemned(install) {
        warnings.push(format!("condemned packages: {}", with_causes(&error)));
    }
    if let Err(error) = catch_up_history(install, now_unix_s) {
        warnings.push(format!("history: {}", with_causes(&error)));
    }
    warnings
}

/// An error in words, and what it comes from.
pub(crate) fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// What was condemned goes into the list.
pub(crate) fn catch_up_condemned(install: &mut Install) -> Result<(), InstallError> {
    let Some(condemned) = install.journal.condemning.clone() else {
        return Ok(());
    };
    let state = install.place.state();
    let list = refused::with(refused::read(state)?, Some(&condemned));
    // Before: owed. After: in the file, and still owed, which adds nothing when it is done again.
    refused::write(state, list)?;
    let next = Journal {
        condemning: None,
        ..install.journal.clone()
    };
    // Before: owed, as above. After: not owed.
    write_journal(install, next)
}

/// A transaction that ended without its record, because of a crash, gets a short one; and the journal
/// learns of records that were written just before one.
fn catch_up_history(install: &mut Install, now_unix_s: u64) -> Result<(), InstallError> {
    let last = install.journal.last.clone();
    let of = last.as_ref().map(|last| last.txid.clone());
    let is_its_record = |record: &Record| {
        of.is_none() || record.kind == RecordKind::Transaction && record.txid == of
    };
    let known = install.journal.history.as_ref();
    let history = history::read_end(install.place.state(), known, is_its_record)?;
    let missing = last.filter(|_| !history.records.iter().any(is_its_record));
    let whole = history.reaching(install.journal.history.as_ref());
    if let Some(last) = missing {
        let entry = Entry {
            at_unix_s: now_unix_s,
            txid: Some(last.txid.clone()),
            kind: RecordKind::Transaction,
            body: json!({ "caught_up": true, "last": last }),
        };
        append_history(install, vec![entry])?;
    } else if let Ok(history) = &whole {
        note_end(install, history.end)?;
    }
    whole?;
    Ok(())
}

/// Adds records to the history, and tells the journal of them.
pub(crate) fn append_history(
    install: &mut Install,
    entries: Vec<Entry>,
) -> Result<(), InstallError> {
    let known = install.journal.history;
    // Before: nothing is recorded. In the middle: the first of them. After: all are, and the journal does not know
    // it, which the next command puts right.
    let end = history::append(install.place.state(), known.as_ref(), entries)?;
    note_end(install, end)
}

fn note_end(install: &mut Install, end: Option<HistoryEnd>) -> Result<(), InstallError> {
    if install.journal.history == end {
        return Ok(());
    }
    let next = Journal {
        history: end,
        ..install.journal.clone()
    };
    // Before: the history is longer than the journal says. After: records that are cut off are missed.
    write_journal(install, next)
}
