// SPDX-License-Identifier: Apache-2.0
//! What stands where a transaction could have put something: looked at, never touched. What follows from it is
//! decided in [`crate::journal::recovery`].

use crate::agreement::whose_live_tree;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::journal::ConfigSwap;
use crate::journal::Journal;
use crate::journal::TxState;
use crate::journal::recovery::ConfigFound;
use crate::journal::recovery::LiveIs;
use crate::journal::recovery::Observed;
use crate::layout;
use crate::layout::InodeId;
use crate::layout::Place;
use crate::outside;

/// Looks at every place that the journal's transaction could have touched.
pub(super) fn observe(place: &Place, journal: &Journal) -> Result<Observed, InstallError> {
    let transaction = journal.transaction.as_ref();
    let configs: &[ConfigSwap] = match transaction.map(|transaction| &transaction.state) {
        Some(TxState::Committing { configs, .. }) => configs,
        Some(TxState::Building {} | TxState::Stopped {} | TxState::Moving { .. }) | None => &[],
    };
    let live = live_inode(place)?;
    // A commit names both trees itself, and its new one is not recorded yet.
    let commits = matches!(
        transaction.map(|transaction| &transaction.state),
        Some(TxState::Committing { .. })
    );
    let live_is = match live {
        Some(found) if !commits => whose_live_tree(place, journal, found),
        Some(_) | None => LiveIs::NotCompared,
    };
    Ok(Observed {
        live,
        live_is,
        slot: tree_inode(place, journal.live)?,
        target: match transaction {
            Some(transaction) => tree_inode(place, transaction.to)?,
            None => None,
        },
        configs: configs.iter().map(look_at).collect::<Result<_, _>>()?,
    })
}

/// What stands at a config file that changes, and beside it.
pub(super) fn look_at(swap: &ConfigSwap) -> Result<ConfigFound, InstallError> {
    outside::observe(swap).doing(|| format!("look at config file `{}`", swap.target.display()))
}

/// The directory at `DIR`; something else there is not the install.
fn live_inode(place: &Place) -> Result<Option<InodeId>, InstallError> {
    match layout::directory_inode(place.parent(), place.name()) {
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => Ok(None),
        found => found.doing(|| format!("look at `{}`", place.path().display())),
    }
}

/// Whatever stands at a generation's `tree`.
fn tree_inode(place: &Place, generation: u64) -> Result<Option<InodeId>, InstallError> {
    let doing = || format!("look at the tree of generation {generation}");
    match place.open_generation(generation) {
        Ok(folder) => {
            match rustix::fs::statat(&folder, layout::TREE, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => Ok(Some(InodeId(stat.st_ino))),
                Err(rustix::io::Errno::NOENT) => Ok(None),
                Err(error) => Err(error.into()).doing(doing),
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(doing),
    }
}
