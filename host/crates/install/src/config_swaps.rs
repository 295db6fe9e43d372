// SPDX-License-Identifier: Apache-2.0
//! The config files outside that a transaction changes: planned first, judged together, and only
//! then written beside their targets, under names that the journal already holds.
//!
//! | trick | defence |
//! |---|---|
//! | an absolute path, or a symlink, that leads into the install or its state directory | its real path is compared: `config-inside` |
//! | two names, or a symlink, for one file: the second rename would undo the first | real paths are compared with each other: `config-twice` |
//!
//! Where such files are read, renamed and removed is `outside.rs`; when, is the commit's business.

use std::path::Path;

use crate::error::InstallError;
use crate::journal::ConfigSwap;
use crate::layout::Place;
use crate::open::Install;
use crate::outside;
use crate::outside::ConfigOutside;
use crate::recover::write_journal;

/// A config file outside that changes, and what it is to hold; none when it is to be gone.
pub(crate) struct Planned {
    pub(crate) swap: ConfigSwap,
    pub(crate) after: Option<Vec<u8>>,
}

/// What one config file outside is to become.
pub(crate) struct Change<'a> {
    pub(crate) name: &'a str,
    pub(crate) path: &'a Path,
    pub(crate) before: Option<Vec<u8>>,
    /// None when it is to be gone.
    pub(crate) after: Option<Vec<u8>>,
}

impl<'a> From<&'a ConfigOutside> for Change<'a> {
    fn from(config: &'a ConfigOutside) -> Self {
        Self {
            name: &config.name,
            path: &config.path,
            before: config.before.clone(),
            after: Some(config.after.clone()),
        }
    }
}

/// Plans the renames and removals of the config files that change, and judges them together.
/// Nothing is written.
pub(crate) fn plan<'a>(
    install: &Install,
    changes: impl IntoIterator<Item = Change<'a>>,
) -> Result<Vec<Planned>, InstallError> {
    let Some(transaction) = &install.journal.transaction else {
        return Ok(Vec::new());
    };
    let mut planned: Vec<Planned> = Vec::new();
    for change in changes {
        if change.before == change.after {
            continue;
        }
        let swap = plan_one(&install.place, &change, &transaction.txid)?;
        let first = planned
            .iter()
            .find(|first| first.swap.target == swap.target);
        if let Some(first) = first {
            return Err(InstallError::ConfigTwice {
                first: first.swap.name.clone(),
                second: swap.name,
                path: swap.target,
            });
        }
        planned.push(Planned {
            swap,
            after: change.after,
        });
    }
    Ok(planned)
}

fn plan_one(place: &Place, change: &Change<'_>, txid: &str) -> Result<ConfigSwap, InstallError> {
    let located =
        outside::locate(change.path).map_err(|reason| InstallError::ConfigUnreadable {
            name: change.name.to_owned(),
            path: change.path.to_owned(),
            reason,
        })?;
    if outside::is_inside(place, &located.path) {
        return Err(InstallError::ConfigInside {
            name: change.name.to_owned(),
            found: located.path,
            install: place.path().to_owned(),
        });
    }
    Ok(outside::plan_swap(
        change.name,
        &located,
        txid,
        change.before.as_deref(),
        change.after.as_deref(),
    ))
}

/// The renames and removals alone, as the journal will hold them.
pub(crate) fn swaps_of(planned: &[Planned]) -> Vec<ConfigSwap> {
    planned.iter().map(|planned| planned.swap.clone()).collect()
}

/// Writes the next content of each config file beside its target; the journal names it first.
pub(crate) fn write(install: &mut Install, planned: &[Planned]) -> Result<(), InstallError> {
    let waiting: Vec<_> = planned
        .iter()
        .filter_map(|planned| Some((&planned.swap, planned.after.as_deref()?)))
        .collect();
    let mut next = install.journal.clone();
    let Some(transaction) = &mut next.transaction else {
        return Ok(());
    };
    if waiting.is_empty() {
        return Ok(());
    }
    transaction.temporaries = waiting
        .iter()
        .map(|(swap, _)| swap.temporary.clone())
        .collect();
    // Before: no file of ours is outside. After: any that appears is removed by its name here.
    write_journal(install, next)?;
    for (swap, after) in waiting {
        outside::write_waiting(swap, after)?;
    }
    Ok(())
}
