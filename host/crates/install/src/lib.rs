// SPDX-License-Identifier: Apache-2.0
//! The durable state of an install: its journal, its generations, its commit, and its recovery.
//!
//! ```text
//! Install ─ lock ─▶ Locked ─ recover ─▶ Ready
//!
//! Ready ─┬─ begin ──────────▶ Building ──┬─ seal ─▶ Sealed ─ commit ─▶ Ready
//!        └─ begin_rollback ─▶ Returning ─┘
//! ```
//!
//! Every arrow consumes its left side, and every failure leads back to [`Ready`] or, through the
//! journal, to [`Locked::recover`]. In-process progress is these types; on-disk progress is
//! [`journal::TxState`]; and [`journal::recovery::decide`] is the total, pure function from the one
//! to the other.
//!
//! This crate never sees a component and never talks to a network: it gives the pipeline a place to
//! work and takes the result back. It does not look at the clock, and every write goes through one
//! file, `durable.rs`.
//!
//! ```
//! use cofferdam_install::Install;
//!
//! let somewhere = tempfile::tempdir().expect("a temporary directory");
//! let error = Install::open(somewhere.path()).expect_err("nobody put it under care");
//! assert_eq!(error.code(), "not-adopted");
//! ```

mod adopt;
mod agreement;
mod building;
mod commit;
mod config_swaps;
mod declared;
mod durable;
mod error;
mod failure;
mod generation;
pub mod history;
pub mod journal;
pub mod layout;
mod leftovers;
mod lock;
mod open;
mod outside;
mod owed;
mod ready;
mod recover;
mod refused;
mod registry;
mod rollback;
mod salvage;
pub mod settings;
mod standing;
mod status;
#[cfg(test)]
mod tests;

pub use adopt::Adopt;
pub use adopt::AdoptError;
pub use adopt::AdoptSource;
pub use adopt::Adopted;
pub use adopt::adopt;
pub use agreement::Agreement;
pub use building::Begin;
pub use building::Building;
pub use building::Ended;
pub use building::Program;
pub use commit::Sealed;
pub use declared::ConfigDeclaration;
pub use durable::SyncFs;
pub use error::CODES;
pub use error::InstallError;
pub use error::StateChanges;
pub use failure::Failure;
pub use history::Entry;
pub use history::History;
pub use history::HistoryEnd;
pub use history::Record;
pub use history::RecordKind;
pub use journal::Journal;
pub use journal::LastTransaction;
pub use journal::TxKind;
pub use journal::TxResult;
pub use layout::Place;
pub use lock::Holder;
pub use open::Install;
pub use outside::ConfigOutside;
pub use outside::real_path_of_config;
pub use ready::Ready;
pub use recover::Locked;
pub use recover::Recovered;
pub use recover::RecoveredAction;
pub use refused::Condemned;
pub use registry::Registry;
pub use rollback::ChangedState;
pub use rollback::Returning;
pub use rollback::Rollback;
pub use salvage::Comparison;
pub use salvage::Decision;
pub use salvage::Move;
pub use salvage::Salvage;
pub use salvage::Spot;
pub use salvage::Undecided;
pub use salvage::marker;
pub use settings::Confinement;
pub use settings::Settings;
pub use standing::Standing;
pub use status::GenerationView;
pub use status::State;
pub use status::StatusView;
