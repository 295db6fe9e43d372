// SPDX-License-Identifier: Apache-2.0
//! Carries a decision out, so that a crash anywhere is carried on by the next recovery from the disk.
//!
//! Nothing is removed, and nothing is overwritten but the journal, whose bytes are kept in the folder of what is set
//! aside.

use serde_json::json;

use super::Salvage;
use super::look::inode_at;
use super::look::open_spot;
use super::marker;
use super::marker::Marker;
use super::plan::Move;
use crate::durable;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::history;
use crate::history::Entry;
use crate::history::HistoryEnd;
use crate::history::HistoryError;
use crate::history::RecordKind;
use crate::journal::Journal;
use crate::journal::codec;
use crate::layout;
use crate::layout::Place;
use crate::open::Install;
use crate::ready::Ready;

impl Salvage {
    /// Does what [`Salvage::decision`] says, and hands out the install at rest, with what could not be recorded.
    ///
    /// `service_owed`: the service does not run, so whoever comes next is to start it.
    ///
    /// # Errors
    /// `interrupted` when the system refused, or somebody moved something meanwhile: the same call carries on later.
    pub fn act(
        self,
        service_owed: bool,
        now_unix_s: u64,
    ) -> Result<(Ready, Vec<String>), InstallError> {
        let Self {
            place,
            settings,
            lock,
            decision,
            old,
            is_ahead,
        } = self;
        let mut warnings = Vec::new();
        let mut journal = Journal {
            service_owed: decision.journal.service_owed || service_owed,
            ..decision.journal.clone()
        };
        if !decision.continues {
            keep_documents(&place, &decision.txid)?;
        }
        let marker = Marker {
            txid: decision.txid.clone(),
            found: decision.found.clone(),
            old,
            is_ahead,
            moves: decision.moves.clone(),
            journal: journal.clone(),
            waiting: decision.waiting.clone(),
        };
        // Before: as it was found, and its documents are kept. After: no other command believes the journal, and this
        // one carries on with the same moves.
        let written =
            durable::replace_file(place.state(), layout::JOURNAL, &marker::encode(&marker))
                .doing(|| format!("write `{}`", layout::JOURNAL));
        written.map_err(interrupted)?;
        for step in &decision.moves {
            carry_out(&place, &decision.txid, step).map_err(interrupted)?;
        }
        let record = json!({
            "found": decision.found,
            "generation": decision.live,
            "version": decision.version,
            "generations": decision.generations,
            "floors": decision.floors,
            "moves": decision.moves.iter().map(|step| json!({
                "from": step.from.shown("DIR", &decision.txid),
                "to": step.to.shown("DIR", &decision.txid),
                "why": step.why,
            })).collect::<Vec<_>>(),
            "waiting": decision.waiting,
        });
        // Before: not recorded. After: recorded, and not a second time when it is carried on.
        let entry = Entry {
            at_unix_s: now_unix_s,
            txid: Some(decision.txid.clone()),
            kind: RecordKind::Recover,
            body: record,
        };
        match record_once(&place, journal.history.as_ref(), entry) {
            Ok(end) => journal.history = end,
            // A person has to look at the history, and that must not keep the install from coming to rest.
            Err(error @ (HistoryError::Broken { .. } | HistoryError::Cut { .. })) => {
                warnings.push(format!("history: {error}"));
            }
            Err(error @ HistoryError::Io { .. }) => return Err(interrupted(error.into())),
        }
        // Before: carried on. After: at rest.
        durable::replace_file(place.state(), layout::JOURNAL, &codec::encode(&journal))
            .doing(|| format!("write `{}`", layout::JOURNAL))
            .map_err(interrupted)?;
        let install = Install {
            place,
            journal,
            settings: Ok(settings),
            left_over: Vec::new(),
        };
        Ok((Ready { install, lock }, warnings))
    }
}

/// From the marker on there may be no install until this is carried on.
fn interrupted(source: InstallError) -> InstallError {
    InstallError::Interrupted {
        doing: "carrying out what was decided from the disk",
        source: Box::new(source),
    }
}

/// Keeps the journal and the one written ahead, as they are, in the folder of what is set aside.
fn keep_documents(place: &Place, txid: &str) -> Result<(), InstallError> {
    let state = place.state();
    let doing = || format!("keep `{}`", layout::JOURNAL);
    // Before and in between: as it was found, with a folder that nobody names.
    let all = durable::ensure_directory(state, layout::SET_ASIDE).doing(doing)?;
    let aside = durable::ensure_directory(&all, txid).doing(doing)?;
    for name in [layout::JOURNAL, layout::JOURNAL_AHEAD] {
        match layout::read_file(state, name, codec::JOURNAL_CAP_BYTES) {
            Ok(Some(bytes)) => durable::write_synced(&aside, name, &bytes).doing(doing)?,
            Ok(None) => {}
            // Before: no regular file stands there. After: nothing does, which is no journal either.
            Err(_) => durable::move_to_free_name(state, name, &aside, name).doing(doing)?,
        }
    }
    for dir in [&aside, &all, state] {
        durable::sync_directory(dir).doing(doing)?;
    }
    Ok(())
}

fn carry_out(place: &Place, txid: &str, step: &Move) -> Result<(), InstallError> {
    let doing = || {
        let [from, to] = [&step.from, &step.to].map(|spot| spot.shown("DIR", txid));
        format!("move `{from}` to `{to}`")
    };
    let gone = || InstallError::Io {
        doing: doing(),
        source: std::io::Error::other("somebody moved it meanwhile"),
    };
    let (to_dir, to) = open_spot(place, txid, &step.to)?.ok_or_else(gone)?;
    let from = open_spot(place, txid, &step.from)?;
    if inode_at(place, txid, &step.to)? != Some(step.what) {
        let (from_dir, from) = from.as_ref().ok_or_else(gone)?;
        if inode_at(place, txid, &step.from)? != Some(step.what) {
            return Err(gone());
        }
        // Before: at the old name, and moved by the next recovery from the disk. After: at the new one, which that
        // recovery sees; at either after a power cut.
        durable::move_to_free_name(from_dir, from, &to_dir, &to).doing(doing)?;
    }
    durable::sync_directory(&to_dir).doing(doing)?;
    match from {
        Some((from_dir, _)) => durable::sync_directory(&from_dir).doing(doing),
        None => Ok(()),
    }
}

/// Answers with the end of the history, whether it had the record already or has it now.
fn record_once(
    place: &Place,
    known: Option<&HistoryEnd>,
    entry: Entry,
) -> Result<Option<HistoryEnd>, HistoryError> {
    let state = place.state();
    let history = history::read(state, 1)?;
    let is_there = history
        .records
        .iter()
        .rev()
        .any(|record| record.kind == entry.kind && record.txid == entry.txid);
    if is_there {
        return Ok(history.end);
    }
    history::append(state, known, vec![entry])
}
