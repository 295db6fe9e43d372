// SPDX-License-Identifier: Apache-2.0
//! Why a package is refused, as one type for the functions that do it all.

use std::io;

use crate::archive::StructureError;
use crate::digest::Digest;
use crate::manifest::ManifestError;
use crate::signature::SignatureError;

/// A package is refused, or could not be read.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant's text is its description, its fields what the text names"
)]
pub enum PackageError {
    #[error("the package cannot be read")]
    Read {
        #[source]
        source: io::Error,
    },
    #[error("the content of blob `{digest}` cannot be written")]
    Write {
        digest: Digest,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Structure(#[from] StructureError),
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error("blob `{digest}` is listed in the manifest but not in the archive")]
    BlobMissing { digest: Digest },
    #[error("the archive holds blob `{digest}`, which the manifest does not list")]
    EntryUnlisted { digest: Digest },
    #[error("blob `{digest}` has {found} bytes; the manifest says {listed}")]
    BlobSize {
        digest: Digest,
        found: u64,
        listed: u64,
    },
    #[error("the compressed data of blob `{digest}` is damaged")]
    BlobCorrupt {
        digest: Digest,
        #[source]
        source: io::Error,
    },
    #[error("the content of blob `{digest}` has digest `{found}`")]
    BlobDigest { digest: Digest, found: Digest },
    #[error("blob `{digest}` has {bytes} bytes; at most {limit_bytes} are read here")]
    BlobTooLarge {
        digest: Digest,
        bytes: u64,
        limit_bytes: u64,
    },
}

impl PackageError {
    pub(crate) fn read(source: io::Error) -> Self {
        Self::Read { source }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "package-io",
            Self::Write { .. } => "blob-unwritable",
            Self::Structure(error) => error.code(),
            Self::Signature(error) => error.code(),
            Self::Manifest(error) => error.code(),
            Self::BlobMissing { .. } => "blob-missing",
            Self::EntryUnlisted { .. } => "blob-not-in-manifest",
            Self::BlobSize { .. } => "blob-size-mismatch",
            Self::BlobCorrupt { .. } => "blob-corrupt",
            Self::BlobDigest { .. } => "blob-digest-mismatch",
            Self::BlobTooLarge { .. } => "blob-too-large",
        }
    }

    /// Whether the package is at fault, and not the machine that reads it.
    pub fn is_package_at_fault(&self) -> bool {
        !matches!(self, Self::Read { .. } | Self::Write { .. })
    }
}
