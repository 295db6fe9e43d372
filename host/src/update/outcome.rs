// SPDX-License-Identifier: Apache-2.0
//! The digests that say what an update does: computed by `plan`, required by `apply --expect`.
//!
//! The outcome digest covers everything that a reviewer decides on; the data digest covers what steps
//! left at the paths of state that they touched, which changes while a service runs. Both are SHA-256
//! over one canonical JSON text (fixed member order, sorted lists), so that any change of meaning
//! changes them.
//! No secret, and no hash of one, goes in: changed keys come masked.

use std::collections::BTreeMap;

use cofferdam_package::digest::Digest;
use serde::Serialize;

use crate::config_session::KeyChange;
use crate::update::grants::EffectiveGrants;

/// What becomes of one managed path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ManagedChange {
    /// The path in the install.
    pub path: String,
    /// `added`, `changed` or `removed`.
    pub change: &'static str,
    /// The new content, mode or link target; `None` when the path goes.
    pub content: Option<String>,
}

/// Everything that the outcome digest covers, in the order in which it is hashed.
#[derive(Debug, Serialize)]
pub struct Outcome<'a> {
    /// Says which computation this is; a new one gets a new name.
    pub cofferdam: &'static str,
    /// The package digest.
    pub package: Digest,
    /// The version being left.
    pub from_version: Option<String>,
    /// The roles of this machine, sorted.
    pub roles: &'a [String],
    /// What each step may reach, in the order in which the steps run.
    pub grants: BTreeMap<&'a str, &'a EffectiveGrants>,
    /// Every managed path that is added, changed or removed, sorted.
    pub managed: &'a [ManagedChange],
    /// State paths that a step touched, and how.
    pub state: BTreeMap<&'a str, &'static str>,
    /// Every key that changed.
    pub keys: &'a [KeyChange],
}

impl Outcome<'_> {
    /// The name of the computation that this version of the host makes.
    pub const NAME: &'static str = "outcome/1";

    /// The outcome digest.
    ///
    /// # Errors
    /// Never for values built by the pipeline; the serialiser's error otherwise.
    pub fn digest(&self) -> Result<Digest, serde_json::Error> {
        Ok(Digest::of(&serde_json::to_vec(self)?))
    }
}

/// The data digest: paths of touched state with what stands there in the end, by kind, mode, content and
/// target (`None` for a path that is gone).
///
/// # Errors
/// Never for values built by the pipeline; the serialiser's error otherwise.
pub fn data_digest(files: &BTreeMap<String, Option<String>>) -> Result<Digest, serde_json::Error> {
    Ok(Digest::of(&serde_json::to_vec(&("data/2", files))?))
}
