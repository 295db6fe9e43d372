// SPDX-License-Identifier: Apache-2.0
//! What a step may answer.

use std::time::Duration;

/// The answer of a step. Which answers count depends on the [`Phase`](crate::Phase).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Go on. In every phase but `health`.
    Ok,
    /// The update is not for this machine as it is now; the reason is for the operator. Everything
    /// stays as it was. In every phase but `health`.
    Refuse(String),
    /// Not now; everything stays as it was. In `check` only.
    Defer {
        /// What the operator reads.
        reason: String,
        /// When it is worth asking again.
        retry_after: Duration,
    },
    /// The new version works. In `health` only.
    Healthy,
    /// It does not, and the update is rolled back; the reason is for the operator. In `health` only.
    Unhealthy(String),
}

impl Verdict {
    /// [`Verdict::Refuse`] with anything that can be shown.
    pub fn refuse(reason: impl Into<String>) -> Self {
        Self::Refuse(reason.into())
    }

    /// [`Verdict::Defer`] with anything that can be shown. Part seconds count as whole ones.
    pub fn defer(reason: impl Into<String>, retry_after: Duration) -> Self {
        Self::Defer {
            reason: reason.into(),
            retry_after,
        }
    }

    /// [`Verdict::Unhealthy`] with anything that can be shown.
    pub fn unhealthy(reason: impl Into<String>) -> Self {
        Self::Unhealthy(reason.into())
    }
}
