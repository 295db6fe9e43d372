// SPDX-License-Identifier: Apache-2.0
//! The journal: the durable record of where an install and its transaction stand.
//!
//! In-process progress is typestate ([`crate::Ready`], [`crate::Building`], [`crate::Sealed`]);
//! on-disk progress is an enum, [`TxState`]. There is one document, `transaction.json`, and it
//! holds the whole truth: which generation is live, which exist, how far a transaction has come,
//! and what is still owed to the service and to the other files. It is replaced atomically at each
//! transition, so a reader never needs a lock.
//!
//! [`document`] is the shape and its transitions (pure), [`codec`] the bytes on disk (strict, with
//! a checksum), and [`recovery`] the total, pure function from what is found on disk to the one way
//! forward or back.

pub mod codec;
pub mod document;
pub mod recovery;

pub use document::ConfigSwap;
pub use document::Floors;
pub use document::GenerationRecord;
pub use document::Journal;
pub use document::LastTransaction;
pub use document::Transaction;
pub use document::TreeSource;
pub use document::TxKind;
pub use document::TxResult;
pub use document::TxState;
