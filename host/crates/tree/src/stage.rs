// SPDX-License-Identifier: Apache-2.0
//! The next tree, built beside the live one.
//!
//! A stage only ever writes into its slot and its `incoming` folder; it reads the live tree, and
//! changes nothing there but the link count of files that both trees share. It does not sync: the
//! caller flushes the whole file system once. Order of calls: [`Stage::fetch`] and
//! [`Stage::link_unchanged`] while the service runs, [`Stage::copy_state`] after it stopped,
//! [`Stage::unshare`] before each step that may write and [`Stage::changed`] after it,
//! [`Stage::place_payload`] between `prepare` and `migrate`, and [`Stage::finish`], which ends it.

mod changed;
mod directories;
mod fetch;
mod links;
mod own;
mod place;
mod seal;
mod state;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use cofferdam_package::glob::GlobSet;

pub use self::changed::Changed;
#[cfg(test)]
pub(crate) use self::fetch::Blobs;
pub(crate) use self::own::Reach;
pub use self::own::Unshared;
pub use self::seal::Changes;
pub use self::seal::ManagedChange;
pub use self::seal::Object;
pub use self::seal::SeedChange;
pub use self::seal::Staged;
pub use self::seal::StateChange;
pub use self::seal::StateChangeKind;
pub(crate) use self::seal::item;
pub use self::state::Service;
pub use self::state::StateWitness;
use crate::attributes::Attributes;
use crate::classify::Classified;
use crate::content::Copier;
use crate::contents::Seen;
use crate::error::TreeError;
use crate::root;
use crate::root::Root;
use crate::stage::directories::Access;
use crate::walk::Stamp;

/// The directories that a stage works with.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The tree that the install has now: the source of state.
    pub live: &'a Dir,
    /// The tree that unchanged managed files are linked from: `live` at an update, an older
    /// generation's tree when state is carried back to it.
    pub base: &'a Dir,
    /// The empty directory that becomes the next tree.
    pub slot: &'a Dir,
    /// The empty folder for blobs, on the same file system.
    pub incoming: &'a Dir,
}

/// A tree under construction.
#[must_use = "a stage that is not finished leaves an unfinished tree in the slot"]
pub struct Stage {
    live: Root,
    base: Root,
    slot: Root,
    incoming: Root,
    live_patterns: GlobSet,
    classified: Classified,
    copier: Copier,
    /// Managed content that this stage has put into the slot, or into `incoming`.
    known: BTreeMap<String, Known>,
    /// Managed objects of the live tree that stand in the slot for `prepare` only.
    kept: BTreeMap<String, Stamp>,
    /// State as it stands in the slot, to tell what steps changed; directories without a stamp.
    carried: BTreeMap<String, Option<Stamp>>,
    /// Of those directories, as they stand in the slot.
    access: BTreeMap<String, Access>,
    /// Inodes of hard-link groups among state: shared on purpose, with nobody else.
    grouped: BTreeSet<((u32, u32), u64)>,
    witness: StateWitness,
    /// What steps left at the paths that they changed so far.
    left: BTreeMap<String, Option<Seen>>,
    /// The payload is in its place.
    placed: bool,
    /// Directories in which a step could write.
    reached: own::Reach,
    /// Names given to copies in `incoming` so far.
    copies: AtomicU64,
    /// Attributes of directories of the live tree, by path.
    inherited: Mutex<HashMap<String, Arc<Attributes>>>,
}

/// Content whose digest is known as long as its inode keeps the stamp.
#[derive(Debug, Clone, Copy)]
struct Known {
    digest: Digest,
    stamp: Stamp,
}

impl Stage {
    /// Begins the tree that `classified` describes. The slot takes mode, owner and attributes of
    /// the live root.
    ///
    /// # Errors
    ///
    /// `state-in-the-way`, or a directory that cannot be opened or given its attributes.
    pub fn begin(
        places: Places<'_>,
        classified: Classified,
        live_patterns: GlobSet,
    ) -> Result<Self, TreeError> {
        classified.refuse_state_in_the_way()?;
        let stage = Self {
            live: Root::new(places.live)?,
            base: Root::new(places.base)?,
            slot: Root::new(places.slot)?,
            incoming: Root::new(places.incoming)?,
            live_patterns,
            classified,
            copier: Copier::default(),
            known: BTreeMap::new(),
            kept: BTreeMap::new(),
            carried: BTreeMap::new(),
            access: BTreeMap::new(),
            grouped: BTreeSet::new(),
            witness: StateWitness::default(),
            left: BTreeMap::new(),
            placed: false,
            reached: own::Reach::default(),
            copies: AtomicU64::new(0),
            inherited: Mutex::new(HashMap::new()),
        };
        let stat = root::stat_of(&stage.live, ".")?;
        Attributes::read(&stage.live, &stat, ".")?.give(&stage.slot, ".")?;
        Ok(stage)
    }

    /// A handle on the tree as it stands, for steps.
    ///
    /// # Errors
    ///
    /// When the process has no descriptor left.
    pub fn tree(&self) -> Result<Dir, TreeError> {
        self.slot.handle()
    }

    /// The decisions that this stage carries out.
    pub fn classified(&self) -> &Classified {
        &self.classified
    }

    /// Every path that the package owns, in the old tree or the next: what no step may write
    /// unless policy says so.
    pub fn managed_paths(&self) -> BTreeSet<String> {
        self.classified.managed_paths()
    }
}
