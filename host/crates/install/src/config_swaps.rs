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

use crate::error::InstallError;
use crate::journal::ConfigSwap;
use crate::layout::Place;
use crate::open::Install;
use crate::outside;
use crate::outside::ConfigOutside;
use crate::recover::write_journal;

/// Writes the next content of each config file outside beside its target; the journal names it
/// first.
pub(crate) fn write_configs(
    install: &mut Install,
    configs: &[ConfigOutside],
) -> Result<Vec<ConfigSwap>, InstallError> {
    let mut next = install.journal.clone();
    let Some(transaction) = &mut next.transaction else {
        return Ok(Vec::new());
    };
    let changed: Vec<&ConfigOutside> = configs
        .iter()
        .filter(|config| config.before.as_deref() != Some(&config.after))
        .collect();
    let mut swaps: Vec<ConfigSwap> = Vec::new();
    for config in &changed {
        let swap = plan(&install.place, config, &transaction.txid)?;
        if let Some(first) = swaps.iter().find(|first| first.target == swap.target) {
            return Err(InstallError::ConfigTwice {
                first: first.name.clone(),
                second: swap.name,
                path: swap.target,
            });
        }
        swaps.push(swap);
    }
    if swaps.is_empty() {
        return Ok(swaps);
    }
    transaction.temporaries = swaps.iter().map(|swap| swap.temporary.clone()).collect();
    // Before: no file of ours is outside. After: any that appears is removed by its name here.
    write_journal(install, next)?;
    for (swap, config) in swaps.iter().zip(changed) {
        outside::write_waiting(swap, &config.after)?;
    }
    Ok(swaps)
}

fn plan(place: &Place, config: &ConfigOutside, txid: &str) -> Result<ConfigSwap, InstallError> {
    let located =
        outside::locate(&config.path).map_err(|reason| InstallError::ConfigUnreadable {
            name: config.name.clone(),
            path: config.path.clone(),
            reason,
        })?;
    if outside::is_inside(place, &located.path) {
        return Err(InstallError::ConfigInside {
            name: config.name.clone(),
            found: located.path,
            install: place.path().to_owned(),
        });
    }
    Ok(outside::plan_swap(
        &config.name,
        &located,
        txid,
        config.before.as_deref(),
        &config.after,
    ))
}
