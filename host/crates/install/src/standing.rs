// SPDX-License-Identifier: Apache-2.0
//! The tree at `DIR` compared with what was sealed, for those who only look: no lock, no write, and never
//! one generation's tree against another's inventory.
//!
//! Between the exchange of a commit and its last line in the journal, the tree at `DIR` is already the
//! next generation's. So whose tree it is follows from its inode, as recovery has it, and what was found
//! counts only while that directory is still the one at `DIR`: else somebody was at work, and it is looked
//! at again.

use cap_std::fs::Dir;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::verify::Drift;
use cofferdam_tree::verify::Scope;

use crate::agreement::left;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::generation;
use crate::journal::GenerationRecord;
use crate::journal::Journal;
use crate::journal::TxState;
use crate::layout::InodeId;
use crate::open::Install;
use crate::open::read_journal;

/// How often a tree that is exchanged meanwhile is looked at again.
const ATTEMPTS: usize = 16;

/// The tree at `DIR`, compared.
#[derive(Debug)]
pub struct Standing {
    /// The generation whose tree it is.
    pub generation: u64,
    /// What is known of that generation; none for one that no journal names.
    pub record: Option<GenerationRecord>,
    /// Everything in it when it was sealed.
    pub inventory: Inventory,
    /// What differs.
    pub drift: Vec<Drift>,
}

impl Install {
    /// Compares the tree at `DIR` with the generation that it belongs to.
    ///
    /// # Errors
    /// The journal, the inventory or the tree cannot be read.
    pub fn standing(&self, scope: Scope) -> Result<Standing, InstallError> {
        let mut attempts = 0;
        loop {
            let tree = self.live_tree()?;
            // Read after the directory was opened: what the journal says of its inode is at least as new.
            let journal = read_journal(&self.place)?;
            let inode = inode_of(&tree)?;
            let found = self.compare(&journal, &tree, inode, scope);
            attempts += 1;
            if attempts == ATTEMPTS || self.is_settled(&journal, inode)? {
                return found;
            }
        }
    }

    /// How many managed paths of the live generation differed when it was last left; none where it never was.
    pub fn left_with(&self) -> usize {
        left(&self.place, self.journal.live).drift.len()
    }

    fn compare(
        &self,
        journal: &Journal,
        tree: &Dir,
        inode: InodeId,
        scope: Scope,
    ) -> Result<Standing, InstallError> {
        let (generation, record) = whose(journal, inode);
        let inventory = generation::read_inventory(&self.place, generation)?;
        let live = &self.settings()?.live;
        let drift = cofferdam_tree::verify::drift(tree, &inventory, scope, live)?;
        Ok(Standing {
            generation,
            record: record.cloned(),
            inventory,
            drift,
        })
    }

    /// Whether the answer is about the tree that is at `DIR` still: no exchange came in between.
    fn is_settled(&self, journal: &Journal, inode: InodeId) -> Result<bool, InstallError> {
        let now = read_journal(&self.place)?;
        let still = self.live_tree().and_then(|tree| inode_of(&tree));
        Ok(still.is_ok_and(|still| still == inode)
            && whose(&now, inode).0 == whose(journal, inode).0)
    }
}

/// The generation whose tree has this inode. An inode that nobody recorded is the live generation's: the
/// install was moved or copied.
fn whose(journal: &Journal, inode: InodeId) -> (u64, Option<&GenerationRecord>) {
    if let Some(transaction) = &journal.transaction
        && let TxState::Committing { new, .. } = transaction.state
        && new == inode
    {
        return (transaction.to, Some(&transaction.makes));
    }
    (journal.live, journal.live_generation())
}

fn inode_of(directory: &Dir) -> Result<InodeId, InstallError> {
    let stat = rustix::fs::fstat(directory)
        .map_err(std::io::Error::from)
        .doing(|| "look at the install".to_owned())?;
    Ok(InodeId(stat.st_ino))
}
