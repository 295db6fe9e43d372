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
//! | decompression bombs | caps on entries, sizes, total and ratio before reading; real output is counted while reading |
//! | zstd windows that eat the memory, frames after the frame | `zstd_frame` |
//! | content that does not match | each blob is hashed while it is read |
//! | the file changes while we read it | positioned reads, and digests of what was really read |
//!
//! Times, attributes and program names in headers are not judged: no one reads them. Unused bits
//! *inside* deflated data cannot do harm either, since only the output is believed, by its digest.
//! The zip crate decompresses; it never sees an archive that did not pass here.

mod bytes_at;
mod crc32;
mod directory;
mod error;
mod place;
mod record;
mod zstd_frame;

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::Read as _;
use std::io::Write;
use std::sync::Arc;

use zip::ZipArchive;
use zip::ZipReadOptions;
use zip::read::ArchiveOffset;
use zip::read::ZipArchiveMetadata;

use crate::digest::Digest;
use crate::digest::DigestHasher;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::limits::Limits;
use crate::signature::Signature;
use bytes_at::BytesAt;
use directory::Directory;
use directory::Entry;
use directory::EntryName;

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
        let directory = Directory::read(&file, &limits)?;
        let manifest = read_stored(&file, EntryName::Manifest, &directory.manifest)?;
        let mut signatures = Vec::with_capacity(directory.signatures.len());
        for (&key_id, entry) in &directory.signatures {
            let bytes = read_stored(&file, EntryName::Signature(key_id), entry)?;
            signatures.push(Signature::parse(key_id, &bytes)?);
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

    pub(crate) fn signatures_unchecked(&self) -> &[Signature] {
        &self.signatures
    }

    /// Compares the blobs that the archive holds with those that it should hold, checks all local
    /// headers and gives the reader of blobs.
    pub(crate) fn into_blobs(self, listed: &BTreeMap<Digest, u64>) -> Result<Blobs, PackageError> {
        for (&digest, &bytes) in listed {
            let entry = self.directory.blobs.get(&digest);
            let found = entry.ok_or(PackageError::BlobMissing { digest })?.bytes();
            if found != bytes {
                return Err(PackageError::BlobSize {
                    digest,
                    found,
                    listed: bytes,
                });
            }
        }
        let unlisted = |digest: &&Digest| !listed.contains_key(*digest);
        if let Some(&digest) = self.directory.blobs.keys().find(unlisted) {
            return Err(PackageError::EntryUnlisted { digest });
        }
        self.into_unlisted_blobs()
    }

    /// As [`Self::into_blobs`], for copying an archive whose manifest is not looked at.
    pub(crate) fn into_unlisted_blobs(self) -> Result<Blobs, PackageError> {
        for (&digest, entry) in &self.directory.blobs {
            directory::check_local(&self.file, EntryName::Blob(digest), entry)?;
        }
        let disagreement = |found| StructureError::Disagreement { found };
        let config = zip::read::Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let archive = ZipArchive::with_config(config, self.file.cursor())
            .map_err(|_| disagreement("its directory"))?;
        if archive.len() != self.directory.len() || archive.offset() != 0 {
            return Err(disagreement("its entries").into());
        }
        let metadata = archive.metadata();
        let Self {
            file,
            limits,
            directory,
            ..
        } = self;
        Ok(Blobs {
            file,
            metadata,
            entries: directory.blobs,
            limits,
        })
    }
}

/// Reads an entry that is stored and whose size is bounded already.
fn read_stored(file: &BytesAt, name: EntryName, entry: &Entry) -> Result<Vec<u8>, PackageError> {
    directory::check_local(file, name, entry)?;
    let bytes = file.read_vec(entry.data_start(), entry.bytes())?;
    if crc32::of(&bytes) != entry.shared.crc32 {
        return Err(StructureError::Checksum {
            name: name.to_string(),
        }
        .into());
    }
    Ok(bytes)
}

/// The blobs of a package. Any number of threads may read at once.
pub(crate) struct Blobs {
    file: BytesAt,
    metadata: Arc<ZipArchiveMetadata>,
    entries: BTreeMap<Digest, Entry>,
    limits: Limits,
}

/// Bytes that one reader holds.
const CHUNK_BYTES: usize = 64 << 10;

impl Blobs {
    pub(crate) fn bytes(&self, digest: &Digest) -> Option<u64> {
        self.entries.get(digest).map(Entry::bytes)
    }

    pub(crate) fn compressed_bytes(&self, digest: &Digest) -> Option<u64> {
        self.entries.get(digest).map(Entry::compressed_bytes)
    }

    /// Streams a blob, hashing and counting what really comes out.
    pub(crate) fn copy(&self, digest: Digest, out: &mut dyn Write) -> Result<u64, PackageError> {
        let entry = self
            .entries
            .get(&digest)
            .ok_or(PackageError::BlobMissing { digest })?;
        let corrupt = |source| PackageError::BlobCorrupt { digest, source };
        if entry.shared.method == directory::ZSTD {
            let span = (entry.data_start(), entry.end());
            let name = || EntryName::Blob(digest).to_string();
            zstd_frame::check(
                &self.file,
                span,
                entry.bytes(),
                self.limits.zstd_window_bytes,
                &name,
            )?;
        }
        let mut cursor = self.file.cursor();
        let mut hasher = DigestHasher::new();
        let mut copied = 0_u64;
        let outcome = self.decompress(entry, &mut cursor, &mut |chunk| {
            copied = copied.saturating_add(chunk.len() as u64);
            if copied > entry.bytes() {
                return Err(PackageError::BlobSize {
                    digest,
                    found: copied,
                    listed: entry.bytes(),
                });
            }
            hasher.update(chunk);
            out.write_all(chunk)
                .map_err(|source| PackageError::Write { digest, source })
        });
        match (outcome, cursor.into_failure()) {
            (Ok(()), _) => {}
            (Err(Stop::Taker(error)), _) => return Err(error),
            (Err(Stop::Decoder(_)), Some(failure)) => return Err(PackageError::read(failure)),
            (Err(Stop::Decoder(error)), None) => return Err(corrupt(error)),
        }
        if copied != entry.bytes() {
            return Err(PackageError::BlobSize {
                digest,
                found: copied,
                listed: entry.bytes(),
            });
        }
        let found = hasher.finish();
        if found != digest {
            return Err(PackageError::BlobDigest { digest, found });
        }
        Ok(copied)
    }

    fn decompress(
        &self,
        entry: &Entry,
        cursor: &mut bytes_at::Cursor<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<(), PackageError>,
    ) -> Result<(), Stop> {
        let opened = self
            .metadata
            .entry(entry.index)
            .and_then(|found| found.with_reader(cursor, ZipReadOptions::new()));
        let mut reader = opened.map_err(|error| Stop::Decoder(io::Error::other(error)))?;
        if reader.size() != entry.bytes() || reader.compressed_size() != entry.compressed_bytes() {
            return Err(Stop::Taker(
                StructureError::Disagreement { found: "a size" }.into(),
            ));
        }
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        loop {
            let count = match reader.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Stop::Decoder(error)),
            };
            take(chunk.get(..count).unwrap_or_default()).map_err(Stop::Taker)?;
        }
    }

    pub(crate) fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries.keys().copied()
    }

    /// Hands an entry to the zip crate as it is, for copying without decompressing.
    pub(crate) fn with_raw_entry<T>(
        &self,
        digest: Digest,
        copy: impl FnOnce(zip::read::ZipFile<'_, bytes_at::Cursor<'_>>) -> zip::result::ZipResult<T>,
    ) -> Result<T, PackageError> {
        let entry = self
            .entries
            .get(&digest)
            .ok_or(PackageError::BlobMissing { digest })?;
        let mut cursor = self.file.cursor();
        self.metadata
            .entry(entry.index)
            .and_then(|found| found.with_reader(&mut cursor, ZipReadOptions::new()))
            .and_then(copy)
            .map_err(|error| PackageError::BlobCorrupt {
                digest,
                source: io::Error::other(error),
            })
    }
}

/// Who stopped the reading of a blob.
enum Stop {
    Decoder(io::Error),
    Taker(PackageError),
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
