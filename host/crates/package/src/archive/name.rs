// SPDX-License-Identifier: Apache-2.0
//! The names that entries can have: three shapes, in one order.

use std::fmt;

use crate::digest::Digest;
use crate::keyring::KeyId;

/// What an entry is, from its name. The order is that of the entries in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntryName {
    Manifest,
    Signature(KeyId),
    Blob(Digest),
}

impl EntryName {
    /// The length of the longest name, `blobs/` with a digest.
    pub(super) const MAX_BYTES: usize = 6 + 64;

    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?;
        if name == "manifest.json" {
            return Some(Self::Manifest);
        }
        if let Some(digest) = name.strip_prefix("blobs/") {
            return digest.parse().ok().map(Self::Blob);
        }
        let id = name.strip_prefix("signatures/")?.strip_suffix(".minisig")?;
        id.parse().ok().map(Self::Signature)
    }
}

impl fmt::Display for EntryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest.json"),
            Self::Signature(id) => write!(f, "signatures/{id}.minisig"),
            Self::Blob(digest) => write!(f, "blobs/{digest}"),
        }
    }
}
