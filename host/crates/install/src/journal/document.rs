// SPDX-License-Identifier: Apache-2.0
//! The journal's shape, and the transitions between its states: pure functions from one document to
//! the next.
//!
//! ```text
//!                    ┌──────────────── discard, or recovery ─────────────────┐
//!  idle ─▶ building ─▶ stopped ─┬──────────────▶ committing ─▶ idle (live = to, unconfirmed)
//!                               └─▶ moving ────────────┘        (an older generation's tree)
//! ```
//!
//! There is no state `committed`: a commit is done when the document has no transaction and names
//! the new generation as live. What a state means is what recovery may do in it; see
//! [`super::recovery`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use cofferdam_package::digest::Digest;
use semver::Version;
use serde::Deserialize;
use serde::Serialize;

use crate::history::HistoryEnd;
use crate::layout::InodeId;
use crate::refused::Condemned;

/// After this many crashes between the stop of the service and the commit, a package is condemned.
pub const CRASHES_BEFORE_CONDEMNED: u32 = 2;

/// The whole truth about an install.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Journal {
    /// The number of the live generation.
    pub live: u64,
    /// The root directory of its tree, as a commit put it at `DIR` or as it was last found to be this generation's;
    /// none where nobody looked yet. Another one at rest means that the install was moved, copied or restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_tree: Option<InodeId>,
    /// When that directory was made, in nanoseconds since 1970, where the file system tells: one that takes
    /// its place after it was removed may get its inode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub live_tree_born_ns: Option<u64>,
    /// The number that the next generation will get.
    pub next_generation: u64,
    /// Every generation that exists; a folder or tree of any other number is a leftover.
    pub generations: BTreeMap<u64, GenerationRecord>,
    /// Below these, packages are refused.
    pub floors: Floors,
    /// The service was running and was stopped by us: it is to be started again, whatever happened
    /// since.
    pub service_owed: bool,
    /// Crashes after the service was stopped, by package.
    pub stopped_crashes: BTreeMap<Digest, u32>,
    /// A condemnation that is decided, but perhaps not yet in `refused.json`.
    pub condemning: Option<Condemned>,
    /// The transaction under way.
    pub transaction: Option<Transaction>,
    /// How the last transaction ended: the next command catches up its history record when that is
    /// missing.
    pub last: Option<LastTransaction>,
    /// The last record of the history that is known to be there; none where none was written since
    /// this is kept. Written after the record, so the history may be longer, and never shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<HistoryEnd>,
}

/// What is known of a generation without opening its folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GenerationRecord {
    /// The package's version; none for an install adopted without a package.
    pub version: Option<Version>,
    /// The package's data format; 0 without a package.
    pub data_format: u64,
    /// The package's digest.
    pub package: Option<Digest>,
    /// The roles that the package was applied for.
    pub roles: Vec<String>,
    /// It has proved healthy.
    pub confirmed: bool,
    /// When it was made, in seconds since 1970.
    pub created_unix_s: u64,
    /// The transaction that made it.
    pub txid: String,
}

/// Below these, packages are refused; raised when a generation is confirmed, lowered by a rollback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floors {
    /// The lowest version that may be applied.
    pub version: Option<Version>,
    /// The lowest data format that may be applied.
    pub data_format: u64,
}

/// A transaction, from its beginning to its commit or its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Transaction {
    /// Its name, unique in this install.
    pub txid: String,
    /// What it is for.
    pub kind: TxKind,
    /// The package that it applies: the one whose crashes are counted.
    pub package: Option<Digest>,
    /// The generation that was live when it began.
    pub from: u64,
    /// The generation that will be live when it is committed.
    pub to: u64,
    /// What is known of that generation.
    pub makes: GenerationRecord,
    /// Where the new tree comes from.
    pub tree: TreeSource,
    /// When it began, in seconds since 1970.
    pub started_unix_s: u64,
    /// To be condemned with the commit: the package that a rollback leaves.
    pub condemn: Option<Condemned>,
    /// Files outside the install that this transaction may leave behind; named here before they are
    /// written.
    pub temporaries: Vec<PathBuf>,
    /// How far it has come.
    pub state: TxState,
}

/// What a transaction is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TxKind {
    /// An apply that ends before the commit, by intention.
    Plan,
    /// Another package becomes live.
    Apply,
    /// The live package is laid out again.
    Repair,
    /// An earlier generation, or its program with today's state, becomes live.
    Rollback,
}

/// Where the tree that will be exchanged with the live one comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TreeSource {
    /// It is built in the live generation's slot: worth nothing until it is live, and thrown away.
    Built,
    /// It is the tree of generation `to`, moved into the live generation's slot: moved back, never
    /// removed.
    Kept,
}

/// How far a transaction has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum TxState {
    /// The next tree is being built, while the service runs. Nothing live was touched.
    Building {},
    /// The same, but the service is stopped, or about to be.
    Stopped {},
    /// The tree of an older generation is on its way into the live generation's slot. Nothing live
    /// was touched.
    Moving {
        /// The tree's root directory.
        tree: InodeId,
    },
    /// Everything is synced; the exchange is about to happen, or has happened.
    Committing {
        /// The root directory that was live.
        old: InodeId,
        /// The root directory that is to be live.
        new: InodeId,
        /// When it was made, in nanoseconds since 1970, where the file system tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        new_born_ns: Option<u64>,
        /// Config files outside the install that change, in the order of their renames.
        configs: Vec<ConfigSwap>,
        /// When the commit was decided, in seconds since 1970.
        at_unix_s: u64,
    },
}

/// A config file outside the install that is to be replaced by one rename, or to be removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigSwap {
    /// What the operator calls it.
    pub name: String,
    /// The file, by its real path.
    pub target: PathBuf,
    /// Where its next content waits, in the same directory; nothing waits for a removal.
    pub temporary: PathBuf,
    /// What it holds before; none when there is no such file yet.
    pub old_digest: Option<Digest>,
    /// What it holds after; none when it is to be gone.
    pub new_digest: Option<Digest>,
}

/// How a transaction ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastTransaction {
    /// Its name.
    pub txid: String,
    /// What it was for.
    pub kind: TxKind,
    /// How it ended.
    pub result: TxResult,
    /// The generation that was live when it began.
    pub from: u64,
    /// The generation that it made, or would have made.
    pub to: u64,
    /// The package's version.
    pub version: Option<Version>,
    /// The package's digest.
    pub package: Option<Digest>,
    /// The error's code, unless it was committed or planned.
    pub code: Option<String>,
    /// The error in words.
    pub message: Option<String>,
    /// When it ended, in seconds since 1970.
    pub at_unix_s: u64,
}

/// How a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TxResult {
    /// The new generation is live.
    Committed,
    /// A plan was made, and its tree thrown away.
    Planned,
    /// A rule, a step or a changed file refused it.
    Refused,
    /// A step asked to come back later.
    Deferred,
    /// Something failed.
    Failed,
    /// It was cut off, and undone by recovery.
    Interrupted,
}

impl Journal {
    /// The journal of a directory just put under care: generation 1, confirmed, with its own
    /// floors.
    pub fn adopted(record: GenerationRecord) -> Self {
        Self {
            live: 1,
            live_tree: None,
            live_tree_born_ns: None,
            next_generation: 2,
            floors: Floors {
                version: record.version.clone(),
                data_format: record.data_format,
            },
            generations: BTreeMap::from([(
                1,
                GenerationRecord {
                    confirmed: true,
                    ..record
                },
            )]),
            service_owed: false,
            stopped_crashes: BTreeMap::new(),
            condemning: None,
            transaction: None,
            last: None,
            history: None,
        }
    }

    /// What is known of the live generation.
    pub fn live_generation(&self) -> Option<&GenerationRecord> {
        self.generations.get(&self.live)
    }

    /// Whether the live generation has proved healthy.
    pub fn is_confirmed(&self) -> bool {
        self.live_generation().is_some_and(|live| live.confirmed)
    }

    /// The same install with `transaction` under way.
    pub fn begun(&self, transaction: Transaction) -> Self {
        Self {
            transaction: Some(transaction),
            ..self.clone()
        }
    }

    /// The same transaction, in another state; unchanged when there is none.
    pub fn in_state(&self, state: TxState) -> Self {
        let mut next = self.clone();
        if let Some(transaction) = &mut next.transaction {
            transaction.state = state;
        }
        next
    }

    /// The transaction over without a commit: nothing but `last` tells of it.
    pub fn ended(&self, last: LastTransaction) -> Self {
        Self {
            transaction: None,
            last: Some(last),
            ..self.clone()
        }
    }

    /// The transaction cut off and undone. A package that was cut off [too
    /// often](CRASHES_BEFORE_CONDEMNED) after the service was stopped is condemned.
    pub fn interrupted(&self, now_unix_s: u64) -> Self {
        let Some(transaction) = &self.transaction else {
            return self.clone();
        };
        let mut next = self.ended(transaction.last(
            TxResult::Interrupted,
            Some((
                "interrupted".to_owned(),
                "it was cut off, and was undone".to_owned(),
            )),
            now_unix_s,
        ));
        let after_stop = match transaction.state {
            TxState::Building {} => false,
            TxState::Stopped {} | TxState::Moving { .. } | TxState::Committing { .. } => true,
        };
        let blamed = match transaction.kind {
            TxKind::Apply | TxKind::Repair => transaction.package,
            TxKind::Plan | TxKind::Rollback => None,
        };
        if let (true, Some(package)) = (after_stop, blamed) {
            let crashes = next.stopped_crashes.entry(package).or_insert(0);
            *crashes = crashes.saturating_add(1);
            if *crashes >= CRASHES_BEFORE_CONDEMNED {
                next.condemning = Some(Condemned {
                    package,
                    version: transaction.makes.version.clone(),
                    why: format!("cut off {crashes} times after the service was stopped"),
                    at_unix_s: now_unix_s,
                });
            }
        }
        next
    }

    /// The document that ends the commit under way; `None` unless the state is `committing`.
    ///
    /// It depends on nothing but this document, so it can be written ahead, and recovery writes the
    /// same bytes.
    pub fn committed(&self) -> Option<Self> {
        let transaction = self.transaction.as_ref()?;
        let TxState::Committing {
            new,
            new_born_ns,
            at_unix_s,
            ..
        } = transaction.state
        else {
            return None;
        };
        let mut next = self.ended(transaction.last(TxResult::Committed, None, at_unix_s));
        next.live = transaction.to;
        next.live_tree = Some(new);
        next.live_tree_born_ns = new_born_ns;
        next.next_generation = next.next_generation.max(transaction.to.saturating_add(1));
        next.generations
            .insert(transaction.to, transaction.makes.clone());
        if transaction.kind == TxKind::Rollback {
            next.floors = Floors {
                version: transaction.makes.version.clone(),
                data_format: transaction.makes.data_format,
            };
        }
        if let Some(condemned) = &transaction.condemn {
            next.condemning = Some(condemned.clone());
        }
        if let Some(package) = &transaction.package {
            next.stopped_crashes.remove(package);
        }
        Some(next)
    }

    /// The live generation has proved healthy: floors go up to it, never down.
    pub fn confirmed(&self) -> Self {
        let mut next = self.clone();
        if let Some(live) = next.generations.get_mut(&next.live) {
            live.confirmed = true;
            next.floors.version = next.floors.version.take().max(live.version.clone());
            next.floors.data_format = next.floors.data_format.max(live.data_format);
        }
        next
    }
}

impl Transaction {
    /// How this transaction ended.
    pub fn last(
        &self,
        result: TxResult,
        error: Option<(String, String)>,
        at_unix_s: u64,
    ) -> LastTransaction {
        let (code, message) = error.unzip();
        LastTransaction {
            txid: self.txid.clone(),
            kind: self.kind,
            result,
            from: self.from,
            to: self.to,
            version: self.makes.version.clone(),
            package: self.makes.package,
            code,
            message,
            at_unix_s,
        }
    }
}
