// SPDX-License-Identifier: Apache-2.0
//! Judges the central directory: after this, entries are contiguous, in order, and bounded.

use super::bytes_at::BytesAt;
use super::error::StructureError;
use super::header::Entry;
use super::header::take_entry;
use super::name::EntryName;
use super::place::Place;
use super::record::CENTRAL_BYTES;
use crate::digest::Digest;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::limits::Limits;

/// Every entry of the archive.
pub(super) struct Directory {
    /// Sorted by key id, each id once.
    pub(super) signatures: Vec<(KeyId, Entry)>,
    /// Sorted by digest, each digest once.
    pub(super) blobs: Vec<(Digest, Entry)>,
}

impl Directory {
    /// The number of entries, the manifest included.
    pub(super) fn len(&self) -> usize {
        1_usize
            .saturating_add(self.signatures.len())
            .saturating_add(self.blobs.len())
    }

    /// The entry of a blob.
    pub(super) fn blob(&self, digest: &Digest) -> Option<&Entry> {
        let found = self.blobs.binary_search_by_key(digest, |(known, _)| *known);
        found
            .ok()
            .and_then(|index| self.blobs.get(index))
            .map(|(_, entry)| entry)
    }

    /// Reads the directory; the manifest's entry comes apart, since there always is one.
    pub(super) fn read(file: &BytesAt, limits: &Limits) -> Result<(Entry, Self), PackageError> {
        let place = Place::find(file, limits)?;
        let bytes = file.read_vec(place.offset, place.bytes)?;
        let mut rest = bytes.as_slice();
        let mut manifest = None;
        // Exactly as many as there can be: names of blobs have one length.
        let most = bytes.len() / (CENTRAL_BYTES + EntryName::MAX_BYTES);
        let mut directory = Self {
            signatures: Vec::new(),
            blobs: Vec::with_capacity(most),
        };
        let mut last = None;
        let mut end = 0_u64;
        let mut total_bytes = 0_u64;
        let mut version = 0;
        for index in 0..place.entries {
            let (name, entry) = take_entry(&mut rest, index, limits)?;
            check_neighbours(last, end, name, entry.offset)?;
            end = entry.end();
            version = version.max(entry.method.version());
            total_bytes = total_bytes.saturating_add(entry.bytes());
            if total_bytes > limits.total_bytes {
                let limit_bytes = limits.total_bytes;
                return Err(StructureError::TotalTooLarge {
                    bytes: total_bytes,
                    limit_bytes,
                }
                .into());
            }
            directory.check_order(last, name)?;
            last = Some(name);
            match name {
                EntryName::Manifest => manifest = Some(entry),
                EntryName::Signature(id) => directory.signatures.push((id, entry)),
                EntryName::Blob(digest) => directory.blobs.push((digest, entry)),
            }
            if directory.signatures.len() > limits.signatures {
                let limit = limits.signatures;
                return Err(StructureError::TooManySignatures { limit }.into());
            }
        }
        if !rest.is_empty() {
            return Err(StructureError::DirectorySize {
                found: place.bytes,
                entries: place.entries,
                expected: "no bytes after the last entry",
            }
            .into());
        }
        check_end(last, end, place.offset)?;
        if place
            .zip64_versions
            .is_some_and(|v| v != (version, version))
        {
            let found = "the end record has other versions than its entries";
            return Err(StructureError::Zip64 { found }.into());
        }
        let manifest = manifest.ok_or_else(|| StructureError::ManifestNotFirst {
            found: "nothing".to_owned(),
        })?;
        Ok((manifest, directory))
    }

    /// The manifest, then signatures, then blobs, each name once.
    fn check_order(&self, last: Option<EntryName>, name: EntryName) -> Result<(), StructureError> {
        let Some(last) = last else {
            return match name {
                EntryName::Manifest => Ok(()),
                EntryName::Signature(_) | EntryName::Blob(_) => {
                    let found = name.to_string();
                    Err(StructureError::ManifestNotFirst { found })
                }
            };
        };
        if last < name {
            return Ok(());
        }
        let is_known = match name {
            EntryName::Manifest => true,
            EntryName::Signature(id) => self.signatures.iter().any(|(known, _)| *known == id),
            EntryName::Blob(digest) => self.blob(&digest).is_some(),
        };
        let name = name.to_string();
        if is_known {
            return Err(StructureError::Duplicate { name });
        }
        let previous = last.to_string();
        Err(StructureError::Order { name, previous })
    }
}

fn check_neighbours(
    last: Option<EntryName>,
    end: u64,
    name: EntryName,
    offset: u64,
) -> Result<(), StructureError> {
    if offset == end {
        return Ok(());
    }
    Err(match last {
        None => StructureError::Prefix { bytes: offset },
        Some(last) if offset < end => StructureError::Overlap {
            name: last.to_string(),
            bytes: end.saturating_sub(offset),
        },
        Some(_) => StructureError::Gap {
            bytes: offset.saturating_sub(end),
            next: name.to_string(),
        },
    })
}

/// The last entry ends where the directory begins.
fn check_end(last: Option<EntryName>, end: u64, directory: u64) -> Result<(), StructureError> {
    match last {
        Some(name) if end > directory => Err(StructureError::Overlap {
            name: name.to_string(),
            bytes: end.saturating_sub(directory),
        }),
        _ if end < directory => Err(StructureError::Gap {
            bytes: directory.saturating_sub(end),
            next: "the central directory".to_owned(),
        }),
        _ => Ok(()),
    }
}
