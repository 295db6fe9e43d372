// SPDX-License-Identifier: Apache-2.0
//! Judges the central directory: after this, entries are contiguous, named, and bounded.

use std::collections::BTreeMap;

use super::bytes_at::BytesAt;
use super::error::StructureError;
use super::place::MAX_NAME_BYTES;
use super::place::Place;
use super::record::CENTRAL_BYTES;
use super::record::Central;
use super::record::LOCAL_BYTES;
use super::record::Local;
use super::record::Shared;
use super::record::zip64_offset;
use crate::digest::Digest;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::limits::Limits;
use crate::path::shown;

pub(super) const STORED: u16 = 0;
pub(super) const DEFLATE: u16 = 8;
pub(super) const ZSTD: u16 = 93;

/// What an entry is, from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum EntryName {
    Manifest,
    Signature(KeyId),
    Blob(Digest),
}

impl EntryName {
    fn parse(name: &[u8]) -> Option<Self> {
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

impl std::fmt::Display for EntryName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Manifest => f.write_str("manifest.json"),
            Self::Signature(id) => write!(f, "signatures/{id}.minisig"),
            Self::Blob(digest) => write!(f, "blobs/{digest}"),
        }
    }
}

/// One entry, as the central directory describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) index: usize,
    pub(super) offset: u64,
    pub(super) shared: Shared,
}

impl Entry {
    pub(super) fn data_start(&self) -> u64 {
        self.offset
            .saturating_add(LOCAL_BYTES as u64)
            .saturating_add(u64::from(self.shared.name_bytes))
    }

    pub(super) fn end(&self) -> u64 {
        self.data_start().saturating_add(self.compressed_bytes())
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.shared.bytes)
    }

    pub(super) fn compressed_bytes(&self) -> u64 {
        u64::from(self.shared.compressed_bytes)
    }
}

/// Every entry of the archive.
pub(super) struct Directory {
    pub(super) manifest: Entry,
    pub(super) signatures: BTreeMap<KeyId, Entry>,
    pub(super) blobs: BTreeMap<Digest, Entry>,
}

impl Directory {
    /// The number of entries.
    pub(super) fn len(&self) -> usize {
        1_usize
            .saturating_add(self.signatures.len())
            .saturating_add(self.blobs.len())
    }

    pub(super) fn read(file: &BytesAt, limits: &Limits) -> Result<Self, PackageError> {
        let place = Place::find(file, limits)?;
        let bytes = file.read_vec(place.offset, place.bytes)?;
        let mut rest = bytes.as_slice();
        let mut entries: BTreeMap<EntryName, Entry> = BTreeMap::new();
        let mut last = None;
        let mut end = 0_u64;
        let mut total_bytes = 0_u64;
        for index in 0..place.entries {
            let (name, entry) = take_entry(&mut rest, index, limits)?;
            check_neighbours(last, end, name, entry.offset)?;
            end = entry.end();
            last = Some(name);
            total_bytes = total_bytes.saturating_add(entry.bytes());
            if total_bytes > limits.total_bytes {
                let limit_bytes = limits.total_bytes;
                return Err(StructureError::TotalTooLarge {
                    bytes: total_bytes,
                    limit_bytes,
                }
                .into());
            }
            if index == 0 && name != EntryName::Manifest {
                return Err(StructureError::ManifestNotFirst {
                    found: name.to_string(),
                }
                .into());
            }
            if entries.insert(name, entry).is_some() {
                return Err(StructureError::Duplicate {
                    name: name.to_string(),
                }
                .into());
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
        let end_of_data = place.offset;
        match last {
            Some(name) if end > end_of_data => {
                let (name, bytes) = (name.to_string(), end.saturating_sub(end_of_data));
                Err(StructureError::Overlap { name, bytes }.into())
            }
            _ if end < end_of_data => {
                let bytes = end_of_data.saturating_sub(end);
                let next = "the central directory".to_owned();
                Err(StructureError::Gap { bytes, next }.into())
            }
            _ => Self::sort(entries, limits),
        }
    }

    fn sort(entries: BTreeMap<EntryName, Entry>, limits: &Limits) -> Result<Self, PackageError> {
        let mut manifest = None;
        let mut signatures = BTreeMap::new();
        let mut blobs = BTreeMap::new();
        for (name, entry) in entries {
            match name {
                EntryName::Manifest => manifest = Some(entry),
                EntryName::Signature(id) => {
                    signatures.insert(id, entry);
                }
                EntryName::Blob(digest) => {
                    blobs.insert(digest, entry);
                }
            }
        }
        if signatures.len() > limits.signatures {
            return Err(StructureError::TooManySignatures {
                limit: limits.signatures,
            }
            .into());
        }
        let manifest = manifest.ok_or_else(|| StructureError::ManifestNotFirst {
            found: "nothing".to_owned(),
        })?;
        Ok(Self {
            manifest,
            signatures,
            blobs,
        })
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

fn take_entry(
    rest: &mut &[u8],
    index: u64,
    limits: &Limits,
) -> Result<(EntryName, Entry), StructureError> {
    let malformed = || StructureError::CentralHeader { index };
    let (header, after) = rest.split_at_checked(CENTRAL_BYTES).ok_or_else(malformed)?;
    let header = Central::read(header).ok_or_else(malformed)?;
    let (raw_name, after) = after
        .split_at_checked(usize::from(header.shared.name_bytes))
        .ok_or_else(malformed)?;
    let (extra, after) = after
        .split_at_checked(usize::from(header.extra_bytes))
        .ok_or_else(malformed)?;
    let name = EntryName::parse(raw_name).ok_or_else(|| StructureError::Name {
        name: shown(&String::from_utf8_lossy(raw_name)),
    })?;
    let text = || name.to_string();
    let shared = header.shared;
    if header.comment_bytes != 0 {
        return Err(StructureError::EntryComment { name: text() });
    }
    if header.disk != 0 {
        return Err(StructureError::MultiDisk);
    }
    check_flags(name, shared.flags, shared.method)?;
    if shared.version_needed > 63 {
        return Err(StructureError::Version {
            name: text(),
            found: shared.version_needed,
        });
    }
    check_sizes(name, &shared, limits)?;
    let offset = match (header.offset, extra) {
        (u32::MAX, extra) => match zip64_offset(extra) {
            Some(offset) if offset >= u64::from(u32::MAX) => offset,
            Some(_) => {
                return Err(StructureError::Zip64 {
                    found: "an offset fits without them",
                });
            }
            None => {
                return Err(StructureError::Zip64 {
                    found: "an offset is missing",
                });
            }
        },
        (offset, []) => u64::from(offset),
        (_, _) => return Err(StructureError::ExtraField { name: text() }),
    };
    *rest = after;
    let index = usize::try_from(index).map_err(|_| malformed())?;
    Ok((
        name,
        Entry {
            index,
            offset,
            shared,
        },
    ))
}

fn check_flags(name: EntryName, flags: u16, method: u16) -> Result<(), StructureError> {
    let text = || name.to_string();
    if ![STORED, DEFLATE, ZSTD].contains(&method) {
        return Err(StructureError::Method {
            name: text(),
            method,
        });
    }
    // Bits 1 and 2 of a deflated entry only say how hard its writer tried.
    let harmless = if method == DEFLATE { 0b110 } else { 0 };
    match flags & !harmless {
        0 => Ok(()),
        bits if bits & 1 != 0 || bits & (1 << 6) != 0 || bits & (1 << 13) != 0 => {
            Err(StructureError::Encrypted { name: text() })
        }
        bits if bits & (1 << 3) != 0 => Err(StructureError::DataDescriptor { name: text() }),
        _ => Err(StructureError::Flags {
            name: text(),
            flags,
        }),
    }
}

fn check_sizes(name: EntryName, shared: &Shared, limits: &Limits) -> Result<(), StructureError> {
    let text = || name.to_string();
    let (bytes, compressed_bytes) = (u64::from(shared.bytes), u64::from(shared.compressed_bytes));
    let limit_bytes = match name {
        EntryName::Manifest => limits.manifest_bytes,
        EntryName::Signature(_) => limits.signature_bytes,
        EntryName::Blob(_) => limits.blob_bytes,
    }
    .min(crate::limits::MAX_BLOB_BYTES);
    let is_blob = matches!(name, EntryName::Blob(_));
    if !is_blob && shared.method != STORED {
        return Err(StructureError::MustBeStored { name: text() });
    }
    if bytes > limit_bytes || compressed_bytes > crate::limits::MAX_BLOB_BYTES {
        let bytes = bytes.max(compressed_bytes);
        return Err(StructureError::EntryTooLarge {
            name: text(),
            bytes,
            limit_bytes,
        });
    }
    if shared.method == STORED && bytes != compressed_bytes {
        return Err(StructureError::StoredSize {
            name: text(),
            compressed_bytes,
            bytes,
        });
    }
    let allowed = compressed_bytes.saturating_mul(limits.ratio);
    if bytes > limits.ratio_free_bytes && bytes > allowed {
        let limit = limits.ratio;
        return Err(StructureError::Ratio {
            name: text(),
            compressed_bytes,
            bytes,
            limit,
        });
    }
    Ok(())
}

/// Checks that the local header says what the directory says.
pub(super) fn check_local(
    file: &BytesAt,
    name: EntryName,
    entry: &Entry,
) -> Result<(), PackageError> {
    let text = name.to_string();
    let mut bytes = [0_u8; LOCAL_BYTES + MAX_NAME_BYTES];
    let wanted = LOCAL_BYTES.saturating_add(text.len());
    let missing = || StructureError::LocalHeader { name: text.clone() };
    let bytes = bytes.get_mut(..wanted).ok_or_else(missing)?;
    file.read_exact(bytes, entry.offset)?;
    let (header, raw_name) = bytes.split_at_checked(LOCAL_BYTES).ok_or_else(missing)?;
    let local = Local::read(header).ok_or_else(missing)?;
    let (here, there) = (local.shared, entry.shared);
    let field = if here.name_bytes != there.name_bytes || raw_name != text.as_bytes() {
        "name"
    } else if here.flags != there.flags {
        "flags"
    } else if here.method != there.method {
        "compression method"
    } else if here.version_needed != there.version_needed {
        "version"
    } else if here.time != there.time {
        "time"
    } else if here.crc32 != there.crc32 {
        "checksum"
    } else if here.compressed_bytes != there.compressed_bytes || here.bytes != there.bytes {
        "size"
    } else if local.extra_bytes != 0 {
        return Err(StructureError::ExtraField { name: text }.into());
    } else {
        return Ok(());
    };
    Err(StructureError::LocalMismatch { name: text, field }.into())
}
