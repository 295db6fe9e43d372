// SPDX-License-Identifier: Apache-2.0
//! How a transaction fails: undone, with the install at rest again in the same hands, or
//! interrupted.

use crate::error::InstallError;
use crate::journal::TxResult;
use crate::lock::Lock;
use crate::open::Install;
use crate::ready::Ready;
use crate::recover::End;
use crate::recover::RecoveredAction;
use crate::recover::settle;

/// How a transaction failed.
#[derive(Debug)]
pub enum Failure {
    /// The old generation is live, what was built is gone, and the lock is still held.
    Undone {
        /// The install at rest: its journal's `last` tells of the failure.
        ready: Box<Ready>,
        /// What went wrong.
        error: InstallError,
    },
    /// The install is the old one or the new one, whole, but this process cannot bring it to rest:
    /// recovery will.
    Interrupted {
        /// What went wrong.
        error: InstallError,
    },
}

impl Failure {
    /// What went wrong.
    pub fn error(&self) -> &InstallError {
        match self {
            Self::Undone { error, .. } | Self::Interrupted { error } => error,
        }
    }

    /// The install at rest, where it was undone.
    pub fn into_parts(self) -> (Option<Ready>, InstallError) {
        match self {
            Self::Undone { ready, error } => (Some(*ready), error),
            Self::Interrupted { error } => (None, error),
        }
    }
}

/// Undoes a transaction that failed before its exchange.
pub(crate) fn undo(
    mut install: Install,
    lock: Lock,
    error: InstallError,
    now_unix_s: u64,
) -> Failure {
    match undone(&mut install, &error, now_unix_s) {
        Ok(_) => Failure::Undone {
            ready: Box::new(Ready { install, lock }),
            error,
        },
        Err(source) => {
            tracing::error!(%error, code = error.code(), "a transaction could not be undone");
            Failure::Interrupted {
                error: InstallError::Interrupted {
                    doing: "undoing a failed transaction",
                    source: Box::new(source),
                },
            }
        }
    }
}

/// As [`undo`], for those who must know which way it went.
pub(crate) fn undone(
    install: &mut Install,
    error: &InstallError,
    now_unix_s: u64,
) -> Result<RecoveredAction, InstallError> {
    let end = End::Told {
        result: TxResult::Failed,
        code: Some(error.code().to_owned()),
        message: Some(error.to_string()),
    };
    settle(install, &end, now_unix_s, &mut Vec::new())
}
