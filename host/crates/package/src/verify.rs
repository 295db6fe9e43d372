// SPDX-License-Identifier: Apache-2.0
//! From an opened package to a proof: the only way to a [`VerifiedPackage`].
//!
//! The order is fixed: signatures over the exact bytes of the manifest, then the rule on who must
//! have signed, then the manifest's own text, and only then the rest of the archive.

use std::io;
use std::io::Write;
use std::ops::Deref;

use crate::archive::Blobs;
pub use crate::archive::PackageFile;
use crate::archive::signature_files;
use crate::digest::Digest;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::keyring::KeyRing;
use crate::limits::Limits;
use crate::manifest;
use crate::manifest::Manifest;
use crate::signature;
use crate::signature::Signature;
use crate::signature::SignatureReport;
use crate::signature::SignatureRule;

/// A blob above this size is read twice, so that one which is not what it says takes no memory.
const PROVED_FIRST_BYTES: u64 = 4 << 20;

/// What a package holds, once everything but the blobs' content is checked. Content is checked while
/// it is read.
pub struct Contents {
    manifest: Manifest,
    manifest_bytes: Vec<u8>,
    digest: Digest,
    signatures: Vec<SignatureReport>,
    signature_files: Vec<(KeyId, Vec<u8>)>,
    blobs: Blobs,
}

/// A package that enough trusted keys have signed.
#[must_use = "a verified package is there to be used"]
pub struct VerifiedPackage(Contents);

/// A package that was looked at: it is sound in itself, but nobody need have signed it.
#[must_use = "an examined package is there to be shown"]
pub struct ExaminedPackage(Contents);

impl PackageFile {
    /// Verifies a package.
    ///
    /// # Errors
    ///
    /// Refuses a bad signature by a trusted key, too few signatures, a malformed manifest, and an
    /// archive that differs from its manifest or from its own directory.
    pub fn verify(
        self,
        ring: &KeyRing,
        rule: &SignatureRule,
    ) -> Result<VerifiedPackage, PackageError> {
        self.check(ring, Some(*rule)).map(VerifiedPackage)
    }

    /// Looks at a package that need not be signed, for showing it or for signing it.
    ///
    /// # Errors
    ///
    /// As [`Self::verify`], except that signatures may be missing. A *bad* signature by a trusted
    /// key is an error here as well.
    pub fn examine(self, ring: &KeyRing) -> Result<ExaminedPackage, PackageError> {
        self.check(ring, None).map(ExaminedPackage)
    }

    fn check(
        mut self,
        ring: &KeyRing,
        rule: Option<SignatureRule>,
    ) -> Result<Contents, PackageError> {
        let manifest_bytes = self.take_manifest();
        let signature_files = signature_files(self.signatures_unchecked());
        let signatures = signature::verify_all(&manifest_bytes, self.signatures_unchecked(), ring)?;
        if let Some(rule) = rule {
            signature::check_rule(&signatures, rule)?;
        }
        let manifest = manifest::parse(&manifest_bytes, self.limits())?;
        let blobs = self.into_blobs(&manifest.blobs)?;
        let digest = Digest::of(&manifest_bytes);
        Ok(Contents {
            manifest,
            manifest_bytes,
            digest,
            signatures,
            signature_files,
            blobs,
        })
    }
}

impl VerifiedPackage {
    /// What the package holds.
    pub fn contents(&self) -> &Contents {
        &self.0
    }
}

impl ExaminedPackage {
    /// What the package holds.
    pub fn contents(&self) -> &Contents {
        &self.0
    }
}

impl Deref for VerifiedPackage {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.0
    }
}

impl Deref for ExaminedPackage {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.0
    }
}

impl Contents {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's exact bytes, which the signatures cover.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest_bytes
    }

    /// The package digest: the SHA-256 of the manifest's bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What is known of each signature, sorted by key id.
    pub fn signatures(&self) -> &[SignatureReport] {
        &self.signatures
    }

    /// The signature files as they are in the archive, sorted by key id.
    pub fn signature_files(&self) -> Vec<(KeyId, Vec<u8>)> {
        self.signature_files.clone()
    }

    /// The size of a blob; `None` when there is no such blob.
    pub fn blob_bytes(&self, digest: &Digest) -> Option<u64> {
        self.blobs.bytes(digest)
    }

    /// The size of a blob in the archive; `None` when there is no such blob.
    pub fn compressed_bytes(&self, digest: &Digest) -> Option<u64> {
        self.blobs.compressed_bytes(digest)
    }

    /// Streams a blob to `out`, in memory that does not depend on its size, and returns its size.
    /// Any number of threads may do this at once.
    ///
    /// What `out` received is worth nothing unless this returns `Ok`.
    ///
    /// # Errors
    ///
    /// Refuses damaged data, and content with another size or digest than the manifest says; passes
    /// on failures of the file and of `out`.
    pub fn copy_blob(&self, digest: &Digest, out: &mut dyn Write) -> Result<u64, PackageError> {
        self.blobs.copy(*digest, out)
    }

    /// Reads a blob of at most `limit_bytes` into memory.
    ///
    /// # Errors
    ///
    /// As [`Self::copy_blob`], and refuses larger blobs before reading them.
    pub fn read_blob(&self, digest: &Digest, limit_bytes: u64) -> Result<Vec<u8>, PackageError> {
        let digest = *digest;
        let bytes = self
            .blob_bytes(&digest)
            .ok_or(PackageError::BlobMissing { digest })?;
        if bytes > limit_bytes {
            return Err(PackageError::BlobTooLarge {
                digest,
                bytes,
                limit_bytes,
            });
        }
        if bytes > PROVED_FIRST_BYTES {
            self.blobs.copy(digest, &mut io::sink())?;
        }
        let mut content = Vec::new();
        self.blobs.copy(digest, &mut content)?;
        Ok(content)
    }

    /// Reads every blob and keeps nothing: for whoever vouches for all of a package, or says what is in it.
    ///
    /// # Errors
    ///
    /// As [`Self::copy_blob`], for the first blob that is not what the manifest says.
    pub fn prove_blobs(&self) -> Result<(), PackageError> {
        for digest in self.manifest.blobs.keys() {
            self.blobs.copy(*digest, &mut io::sink())?;
        }
        Ok(())
    }
}

/// A manifest that enough trusted keys have signed, without its blobs: what an install kept.
#[derive(Clone, Debug)]
#[must_use = "a verified manifest is there to be used"]
pub struct VerifiedManifest {
    manifest: Manifest,
    bytes: Vec<u8>,
    digest: Digest,
    signatures: Vec<SignatureReport>,
}

impl VerifiedManifest {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Its exact bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The package digest.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What is known of each signature, in the order in which they were given.
    pub fn signatures(&self) -> &[SignatureReport] {
        &self.signatures
    }
}

/// Verifies again what an install kept of a package: the manifest's bytes and the signature files.
///
/// # Errors
///
/// As [`PackageFile::verify`], except for what concerns the archive.
pub fn verify_manifest(
    bytes: &[u8],
    signature_files: &[(KeyId, Vec<u8>)],
    ring: &KeyRing,
    rule: &SignatureRule,
    limits: &Limits,
) -> Result<VerifiedManifest, PackageError> {
    let mut signatures: Vec<Signature> = Vec::with_capacity(signature_files.len());
    for (key_id, file) in signature_files {
        let signature = Signature::parse(*key_id, file)?;
        // In an archive names are unique; here a repeated file must not count twice either.
        if signatures.iter().all(|earlier| earlier.key_id() != *key_id) {
            signatures.push(signature);
        }
    }
    let signatures = signature::verify_all(bytes, &signatures, ring)?;
    signature::check_rule(&signatures, *rule)?;
    let manifest = manifest::parse(bytes, limits)?;
    Ok(VerifiedManifest {
        manifest,
        bytes: bytes.to_vec(),
        digest: Digest::of(bytes),
        signatures,
    })
}

#[cfg(test)]
mod tests;
