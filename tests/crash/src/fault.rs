// SPDX-License-Identifier: Apache-2.0
//! Which error a call can report: the table, and a director that has one call, or all from one on,
//! fail.
//!
//! It also watches what must never happen: that a sync which failed is made once more, without
//! anything new to make durable, and is believed then. The kernel reports a lost write once; a second
//! call that succeeds proves nothing.

use std::io;

use crate::calls::Operation;
use crate::class::Class;
use crate::machine::Machine;
use crate::place::Identity;
use crate::tracer::Actor;
use crate::tracer::Call;
use crate::tracer::Decision;
use crate::tracer::Director;

/// An error that a call can report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The device fails.
    Io,
    /// The file system is full.
    Full,
    /// The quota is used up.
    Quota,
    /// The file system has become read-only.
    ReadOnly,
    /// The process has too many files open.
    TooManyFiles,
    /// A signal came.
    Interrupted,
    /// Only half of the bytes is moved: no error, and must be gone on with.
    Short,
}

/// Every fault.
pub const FAULTS: [Fault; 7] = [
    Fault::Io,
    Fault::Full,
    Fault::Quota,
    Fault::ReadOnly,
    Fault::TooManyFiles,
    Fault::Interrupted,
    Fault::Short,
];

impl Fault {
    /// The word for it on the command line and in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Io => "EIO",
            Self::Full => "ENOSPC",
            Self::Quota => "EDQUOT",
            Self::ReadOnly => "EROFS",
            Self::TooManyFiles => "EMFILE",
            Self::Interrupted => "EINTR",
            Self::Short => "short",
        }
    }

    /// The fault with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        FAULTS.into_iter().find(|fault| fault.word() == word)
    }

    fn errno(self) -> i32 {
        match self {
            Self::Io => libc::EIO,
            Self::Full => libc::ENOSPC,
            Self::Quota => libc::EDQUOT,
            Self::ReadOnly => libc::EROFS,
            Self::TooManyFiles => libc::EMFILE,
            Self::Interrupted => libc::EINTR,
            Self::Short => 0,
        }
    }

    /// Whether a call of this kind can end so. After the manual pages of the calls, and what ext4, xfs
    /// and btrfs answer.
    pub fn strikes(self, operation: Operation) -> bool {
        use Operation as Op;
        let opens = matches!(
            operation,
            Op::Create | Op::CreateUnnamed | Op::Empty | Op::Open
        );
        let makes_names = matches!(
            operation,
            Op::Create
                | Op::CreateUnnamed
                | Op::MakeDirectory
                | Op::MakeNode
                | Op::Rename
                | Op::Exchange
                | Op::Link
                | Op::Symlink
        );
        let removes_names = matches!(operation, Op::Unlink | Op::RemoveDirectory);
        let moves = matches!(operation, Op::Write | Op::Copy | Op::Clone);
        let grows = matches!(operation, Op::Allocate | Op::SetLength);
        let syncs = matches!(operation, Op::Sync | Op::SyncFileSystem);
        let describes = matches!(operation, Op::Mode | Op::Owner | Op::Times | Op::Attribute);
        match self {
            Self::Io => operation != Op::SyncEverything,
            // Delayed allocation reports a full disk as late as the sync.
            Self::Full => makes_names || moves || grows || syncs || operation == Op::Attribute,
            Self::Quota => {
                makes_names
                    || moves
                    || grows
                    || syncs
                    || operation == Op::Owner
                    || operation == Op::Attribute
            }
            Self::ReadOnly => {
                makes_names
                    || removes_names
                    || moves
                    || grows
                    || describes
                    || operation == Op::Empty
            }
            Self::TooManyFiles => opens,
            Self::Interrupted => {
                opens || moves || matches!(operation, Op::Sync | Op::Allocate | Op::SetLength)
            }
            Self::Short => operation.moves_bytes(),
        }
    }

    /// Whether it makes sense that it stays: a full disk does, a signal does not.
    pub fn lasts(self) -> bool {
        matches!(self, Self::Io | Self::Full | Self::Quota | Self::ReadOnly)
    }
}

/// Has calls of the product fail.
#[derive(Debug)]
pub struct Failing<'a> {
    machine: &'a Machine,
    at: u64,
    fault: Fault,
    lasting: bool,
    /// What the first call that failed was.
    pub struck: Option<Class>,
    failed_syncs: Vec<FailedSync>,
    /// A sync that had failed was made again, and said to have succeeded.
    pub believed: Option<String>,
}

/// A sync that failed, and has not been overtaken by something new.
#[derive(Debug)]
struct FailedSync {
    operation: Operation,
    identity: Identity,
}

impl<'a> Failing<'a> {
    /// Has call `at` fail, or every call from it on that can.
    pub fn new(machine: &'a Machine, at: u64, fault: Fault, lasting: bool) -> Self {
        Self {
            machine,
            at,
            fault,
            lasting,
            struck: None,
            failed_syncs: Vec::new(),
            believed: None,
        }
    }

    fn strikes(&self, call: &Call) -> bool {
        // A command of the operator's that fails is another matter.
        if call.by != Actor::Product || !self.fault.strikes(call.operation) {
            return false;
        }
        if self.lasting {
            call.number >= self.at
        } else {
            call.number == self.at
        }
    }

    fn watch_syncs(&mut self, call: &Call, strikes: bool) {
        let identity = call
            .file
            .as_ref()
            .and_then(|place| place.found)
            .map(|found| found.identity);
        if call.operation.syncs() {
            let Some(identity) = identity else {
                return;
            };
            let same = |failed: &FailedSync| {
                failed.operation == call.operation
                    && match call.operation {
                        Operation::SyncFileSystem => failed.identity.device == identity.device,
                        _ => failed.identity == identity,
                    }
            };
            if strikes && self.fault != Fault::Interrupted {
                self.failed_syncs.push(FailedSync {
                    operation: call.operation,
                    identity,
                });
            } else if !strikes && self.failed_syncs.iter().any(same) {
                let (operation, path) = (call.operation, call.path().display());
                self.believed = Some(format!("call {}: {operation} of `{path}`", call.number));
            }
            return;
        }
        // Something new in a file, or a new name in a directory, may be made durable afterwards. Of a
        // whole file system nothing can be known any more.
        let directories = [&call.file, &call.other].into_iter().flatten();
        let directories =
            directories.filter_map(|place| place.name.as_ref().map(|(folder, _)| *folder));
        let touched: Vec<Identity> = directories.chain(identity).collect();
        self.failed_syncs.retain(|failed| {
            failed.operation == Operation::SyncFileSystem || !touched.contains(&failed.identity)
        });
    }
}

impl Director for Failing<'_> {
    fn before(&mut self, call: &Call) -> io::Result<Decision> {
        let strikes = self.strikes(call);
        self.watch_syncs(call, strikes);
        if !strikes {
            return Ok(Decision::Go);
        }
        if self.struck.is_none() {
            self.struck = Some(Class::of(self.machine, call));
        }
        Ok(if self.fault == Fault::Short {
            Decision::Shorten
        } else {
            Decision::Fail(self.fault.errno())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_back_to_faults() {
        for fault in FAULTS {
            assert_eq!(Fault::from_word(fault.word()), Some(fault));
        }
    }

    #[test]
    fn a_full_disk_does_not_keep_anybody_from_removing() {
        assert!(!Fault::Full.strikes(Operation::Unlink));
        assert!(Fault::Full.strikes(Operation::Sync));
    }
}
