// SPDX-License-Identifier: Apache-2.0
//! The strict reader: hostile bytes end here.
//!
//! | trick | defence |
//! |---|---|
//! | two archives in one file, a prefix, bytes after the end, an archive comment | one end record at the exact end; entries contiguous from byte 0 to the directory |
//! | overlapping entries, bytes between entries that another reader would see | each entry starts where the one before ends |
//! | local header that says other things than the directory | every field and the name are compared |
//! | names that lead out, differ in case, or hide | only three shapes of names exist, none holds a path |
//! | entries twice, unlisted, or missing | refused; the set of blobs equals the manifest's |
//! | unsigned bytes that reach a decompressor | manifest and signatures are stored, and read before anything else |
//! | encryption, data descriptors, several disks, extra fields, odd methods, needless zip64 | refused, each by its own code |
//! | entries in another order, so that one package has two forms | one order |
//! | decompression bombs | caps on entries, sizes, total and ratio before reading; real output is counted while reading |
//! | compressed data that ends before its entry does, frames after the frame | a stream fills its entry |
//! | zstd windows that eat the memory | `zstd_frame` |
//! | content that does not match | each blob is hashed while it is read |
//! | the file changes while we read it | positioned reads, and digests of what was really read |
//! | bytes that nobody reads, to hide something in or to tell two readers apart | there are none: times, attributes and versions are the writer's |
//!
//! One content can be compressed in several ways, so bits *inside* compressed data may differ where
//! the same comes out: only the output is believed, by its digest.

mod blobs;
mod bytes_at;
mod directory;
mod error;
mod header;
mod name;
mod place;
mod record;
mod zstd_frame;

use std::collections::BTreeMap;
use std::fs::File;

use crate::digest::Digest;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::limits::Limits;
use crate::signature::Signature;
pub(crate) use blobs::Blobs;
use bytes_at::BytesAt;
use directory::Directory;
use header::Entry;
use name::EntryName;

pub use error::StructureError;

/// A package whose structure is sound. Nothing in it is believed yet: no signature is checked, the
/// manifest is not parsed.
#[must_use = "a package is of use once it is verified"]
pub struct PackageFile {
    file: BytesAt,
    limits: Limits,
    directory: Directory,
    manifest: Vec<u8>,
    signatures: Vec<Signature>,
}

impl PackageFile {
    /// Opens a package: judges end record and central directory, reads manifest and signatures.
    ///
    /// # Errors
    ///
    /// Refuses every structural lie by the code of [`StructureError`], malformed signatures, and
    /// files that cannot be read.
    pub fn open(file: File, limits: Limits) -> Result<Self, PackageError> {
        let file = BytesAt::new(file)?;
        let (manifest, directory) = Directory::read(&file, &limits)?;
        let manifest = read_stored(&file, EntryName::Manifest, &manifest)?;
        let mut signatures = Vec::with_capacity(directory.signatures.len());
        for (key_id, entry) in &directory.signatures {
            let bytes = read_stored(&file, EntryName::Signature(*key_id), entry)?;
            signatures.push(Signature::parse(*key_id, &bytes)?);
        }
        Ok(Self {
            file,
            limits,
            directory,
            manifest,
            signatures,
        })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The manifest's bytes, which nothing vouches for yet.
    pub(crate) fn manifest_unchecked(&self) -> &[u8] {
        &self.manifest
    }

    /// The same, taken out: the largest may be there only once.
    pub(crate) fn take_manifest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.manifest)
    }

    pub(crate) fn signatures_unchecked(&self) -> &[Signature] {
        &self.signatures
    }

    /// Compares the blobs that the archive holds with those that it should hold, checks all local
    /// headers and gives the reader of blobs.
    pub(crate) fn into_blobs(self, listed: &BTreeMap<Digest, u64>) -> Result<Blobs, PackageError> {
        for (&digest, &bytes) in listed {
            let entry = self.directory.blob(&digest);
            let found = entry.ok_or(PackageError::BlobMissing { digest })?.bytes();
            if found != bytes {
                return Err(PackageError::BlobSize {
                    digest,
                    found,
                    listed: bytes,
                });
            }
        }
        let blobs = &self.directory.blobs;
        if let Some(&(digest, _)) = blobs
            .iter()
            .find(|(digest, _)| !listed.contains_key(digest))
        {
            return Err(PackageError::EntryUnlisted { digest });
        }
        self.into_unlisted_blobs()
    }

    /// As [`Self::into_blobs`], for copying an archive whose manifest is not looked at.
    pub(crate) fn into_unlisted_blobs(self) -> Result<Blobs, PackageError> {
        for (digest, entry) in &self.directory.blobs {
            header::check_local(&self.file, EntryName::Blob(*digest), entry)?;
        }
        Ok(Blobs::new(self.file, self.directory, self.limits))
    }
}

/// Reads an entry that is stored and whose size is bounded already.
fn read_stored(file: &BytesAt, name: EntryName, entry: &Entry) -> Result<Vec<u8>, PackageError> {
    header::check_local(file, name, entry)?;
    let bytes = file.read_vec(entry.data_start(), entry.bytes())?;
    if crc32fast::hash(&bytes) != entry.crc32 {
        return Err(StructureError::Checksum {
            name: name.to_string(),
        }
        .into());
    }
    Ok(bytes)
}

/// What an archive's signature files hold, by the id in their names.
pub(crate) fn signature_files(signatures: &[Signature]) -> Vec<(KeyId, Vec<u8>)> {
    signatures
        .iter()
        .map(|file| (file.key_id(), file.bytes().to_vec()))
        .collect()
}

#[cfg(test)]
mod tests;
