// SPDX-License-Identifier: Apache-2.0
//! Why an operation on a file did not happen, in the words that WASI has for it.

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
    /// What the system said.
    System(Errno),
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

    fn errno(self) -> Errno {
        match self {
            Self::NotGranted => Errno::ACCESS,
            Self::NotPermitted => Errno::PERM,
            Self::Spent => Errno::DQUOT,
            Self::System(errno) => errno,
        }
    }

    /// The error of a stream that failed.
    pub(super) fn into_stream_error(self) -> StreamError {
        StreamError::LastOperationFailed(std::io::Error::from(self.errno()).into())
    }
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::System(errno)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::System(Errno::from_io_error(&error).unwrap_or(Errno::IO))
    }
}

impl From<Refusal> for FsError {
    fn from(refusal: Refusal) -> Self {
        code(refusal.errno()).into()
    }
}

/// WASI's code for an error of the system.
pub(super) fn code(errno: Errno) -> ErrorCode {
    match errno {
        Errno::ACCESS => ErrorCode::Access,
        Errno::AGAIN => ErrorCode::WouldBlock,
        Errno::BADF => ErrorCode::BadDescriptor,
        Errno::BUSY => ErrorCode::Busy,
        Errno::DQUOT => ErrorCode::Quota,
        Errno::EXIST => ErrorCode::Exist,
        Errno::FBIG => ErrorCode::FileTooLarge,
        Errno::ILSEQ => ErrorCode::IllegalByteSequence,
        Errno::INTR => ErrorCode::Interrupted,
        Errno::INVAL => ErrorCode::Invalid,
        Errno::ISDIR => ErrorCode::IsDirectory,
        Errno::LOOP => ErrorCode::Loop,
        Errno::MLINK => ErrorCode::TooManyLinks,
        Errno::NAMETOOLONG => ErrorCode::NameTooLong,
        Errno::NOENT => ErrorCode::NoEntry,
        Errno::NOMEM | Errno::MFILE | Errno::NFILE => ErrorCode::InsufficientMemory,
        Errno::NOSPC => ErrorCode::InsufficientSpace,
        Errno::NOTDIR => ErrorCode::NotDirectory,
        Errno::NOTEMPTY => ErrorCode::NotEmpty,
        Errno::NOSYS | Errno::OPNOTSUPP => ErrorCode::Unsupported,
        Errno::OVERFLOW => ErrorCode::Overflow,
        Errno::PERM => ErrorCode::NotPermitted,
        Errno::ROFS => ErrorCode::ReadOnly,
        Errno::SPIPE => ErrorCode::InvalidSeek,
        Errno::TXTBSY => ErrorCode::TextFileBusy,
        Errno::XDEV => ErrorCode::CrossDevice,
        _ => ErrorCode::Io,
    }
}
