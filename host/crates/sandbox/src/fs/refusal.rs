// SPDX-License-Identifier: Apache-2.0
//! Why an operation on a file did not happen, in the words that WASI has for it.
//!
//! A step is told only what the tree, the grants and its budgets decide: the same on every machine. What
//! the machine could not do (its disk is full, a file cannot be read) is no answer to build on, and ends
//! the run.

use crate::failure::MachineFailed;
use rustix::io::Errno;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::bindings::filesystem::types::ErrorCode;

/// Why an operation did not happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The grants do not cover it.
    NotGranted,
    /// A way out of the tree, or something no step may do.
    NotPermitted,
    /// A budget is spent.
    Spent,
    /// What the system said of the tree.
    System(Errno),
    /// What the system said of itself.
    Machine(Errno),
}

pub(super) type Outcome<T = ()> = Result<T, Refusal>;

impl Refusal {
    pub(super) const MISSING: Self = Self::System(Errno::NOENT);
    pub(super) const EXISTS: Self = Self::System(Errno::EXIST);
    pub(super) const INVALID: Self = Self::System(Errno::INVAL);
    pub(super) const NOT_A_DIRECTORY: Self = Self::System(Errno::NOTDIR);
    pub(super) const IS_A_DIRECTORY: Self = Self::System(Errno::ISDIR);
    pub(super) const LOOP: Self = Self::System(Errno::LOOP);
    pub(super) const BAD_HANDLE: Self = Self::System(Errno::BADF);

    /// The errno for what a step is told.
    fn told(self) -> Result<Errno, MachineFailed> {
        match self {
            Self::NotGranted => Ok(Errno::ACCESS),
            Self::NotPermitted => Ok(Errno::PERM),
            Self::Spent => Ok(Errno::DQUOT),
            Self::System(errno) => Ok(errno),
            Self::Machine(errno) => Err(MachineFailed(errno)),
        }
    }

    /// The error of a stream that failed.
    pub(super) fn into_stream_error(self) -> StreamError {
        match self.told() {
            Ok(errno) => StreamError::LastOperationFailed(std::io::Error::from(errno).into()),
            Err(failed) => StreamError::Trap(failed.into()),
        }
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        match errno {
            // A budget that is spent has this number too, but does not come from the system.
            Errno::DQUOT => Self::Machine(errno),
            errno if code(errno).is_some() => Self::System(errno),
            errno => Self::Machine(errno),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).unwrap_or(Errno::IO).into()
    }
}

impl From<Refusal> for FsError {
    fn from(refusal: Refusal) -> Self {
        match refusal.told() {
            Ok(errno) => code(errno).unwrap_or(ErrorCode::Io).into(),
            Err(failed) => Self::trap(failed),
        }
    }
}

/// WASI's code for an error that is about the tree; none for one that is about the machine.
pub(super) fn code(errno: Errno) -> Option<ErrorCode> {
    Some(match errno {
        Errno::ACCESS => ErrorCode::Access,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::EXIST => ErrorCode::Exist,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::LOOP => ErrorCode::Loop,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::XDEV => ErrorCode::CrossDevice,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_not_told_what_is_wrong_with_the_machine() {
        for errno in [
            Errno::NOSPC,
            Errno::DQUOT,
            Errno::IO,
            Errno::ROFS,
            Errno::NOMEM,
            Errno::MFILE,
            Errno::STALE,
        ] {
            let error = FsError::from(Refusal::from(errno));
            assert!(error.downcast_ref().is_none(), "{errno}: {error}");
            let stream = Refusal::from(errno).into_stream_error();
            assert!(matches!(stream, StreamError::Trap(_)), "{errno}");
        }
        let spent = FsError::from(Refusal::Spent);
        assert_eq!(spent.downcast_ref(), Some(&ErrorCode::Quota));
        let missing = FsError::from(Refusal::from(Errno::NOENT));
        assert_eq!(missing.downcast_ref(), Some(&ErrorCode::NoEntry));
    }
}
