// SPDX-License-Identifier: Apache-2.0
//! Finds and judges the central directory: after this, entries are contiguous, named, and bounded.

use std::collections::BTreeMap;

use super::bytes_at::BytesAt;
use super::error::StructureError;
use super::record::CENTRAL_BYTES;
use super::record::Central;
use super::record::END_BYTES;
use super::record::END64_BYTES;
use super::record::End;
use super::record::End64;
use super::record::LOCAL_BYTES;
use super::record::LOCATOR64_BYTES;
use super::record::Local;
use super::record::Locator64;
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

/// The longest name there is, `blobs/` with a digest.
const MAX_NAME_BYTES: usize = 6 + 64;
/// A zip64 extra field with an offset.
const MAX_EXTRA_BYTES: usize = 12;
/// How far a comment can push the end record from the end.
const MAX_COMMENT_BYTES: u64 = u16::MAX as u64;

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

/// Where the central directory is.
struct Place {
    offset: u64,
    bytes: u64,
    entries: u64,
}

impl Place {
    fn find(file: &BytesAt, limits: &Limits) -> Result<Self, PackageError> {
        let len = file.len();
        let missing = || StructureError::EndMissing { bytes: len };
        let end_at = len.checked_sub(END_BYTES as u64).ok_or_else(missing)?;
        let end = match End::read(&file.read_array::<END_BYTES>(end_at)?) {
            Some(end) if end.comment_bytes == 0 => end,
            _ => return Err(diagnose_end(file)?.into()),
        };
        if end.disk != 0 || end.directory_disk != 0 || end.entries_here != end.entries {
            return Err(StructureError::MultiDisk.into());
        }
        let place = match Self::zip64(file, &end, end_at)? {
            Some(place) => place,
            None => Self {
                offset: u64::from(end.directory_offset),
                bytes: u64::from(end.directory_bytes),
                entries: u64::from(end.entries),
            }
            .ending_at(end_at)?,
        };
        if place.entries > limits.archive_entries {
            let (found, limit) = (place.entries, limits.archive_entries);
            return Err(StructureError::TooManyEntries { found, limit }.into());
        }
        let largest = (CENTRAL_BYTES + MAX_NAME_BYTES + MAX_EXTRA_BYTES) as u64;
        if place.bytes > place.entries.saturating_mul(largest) {
            return Err(StructureError::DirectorySize {
                found: place.bytes,
                entries: place.entries,
                expected: "at most 128 each",
            }
            .into());
        }
        Ok(place)
    }

    fn ending_at(self, expected_end: u64) -> Result<Self, StructureError> {
        if self.offset.checked_add(self.bytes) == Some(expected_end) {
            return Ok(self);
        }
        let Self { offset, bytes, .. } = self;
        Err(StructureError::DirectoryMisplaced {
            offset,
            bytes,
            expected_end,
        })
    }

    /// The place that the zip64 records say, where they are; they are only where they are needed.
    fn zip64(file: &BytesAt, end: &End, end_at: u64) -> Result<Option<Self>, PackageError> {
        let refuse = |found| Err(StructureError::Zip64 { found }.into());
        let Some(locator_at) = end_at.checked_sub(LOCATOR64_BYTES as u64) else {
            return Ok(None);
        };
        let locator = Locator64::read(&file.read_array::<LOCATOR64_BYTES>(locator_at)?);
        let Some(locator) = locator else {
            return Ok(None);
        };
        if locator.disk != 0 || locator.disks != 1 {
            return Err(StructureError::MultiDisk.into());
        }
        let Some(end64_at) = locator_at.checked_sub(END64_BYTES as u64) else {
            return refuse("there is no room for the end record");
        };
        if locator.offset != end64_at {
            return refuse("the end record is not right before its locator");
        }
        let Some(end64) = End64::read(&file.read_array::<END64_BYTES>(end64_at)?) else {
            return refuse("there is no end record where the locator says");
        };
        if end64.record_bytes != (END64_BYTES - 12) as u64 || end64.version_needed > 63 {
            return refuse("the end record has extensions");
        }
        if end64.disk != 0 || end64.directory_disk != 0 || end64.entries_here != end64.entries {
            return Err(StructureError::MultiDisk.into());
        }
        let fields = [
            (u64::from(end.entries), end64.entries, u64::from(u16::MAX)),
            (
                u64::from(end.directory_bytes),
                end64.directory_bytes,
                u64::from(u32::MAX),
            ),
            (
                u64::from(end.directory_offset),
                end64.directory_offset,
                u64::from(u32::MAX),
            ),
        ];
        if fields.iter().all(|(_, large, max)| large < max) {
            return refuse("everything fits without them");
        }
        // A writer may put the largest number where the value would fit, but no third value.
        if fields
            .iter()
            .any(|(small, large, max)| small != max && small != large)
        {
            return refuse("the two end records disagree");
        }
        let place = Self {
            offset: end64.directory_offset,
            bytes: end64.directory_bytes,
            entries: end64.entries,
        };
        Ok(Some(place.ending_at(end64_at)?))
    }
}

/// Says why the file does not end in an end record without comment.
fn diagnose_end(file: &BytesAt) -> Result<StructureError, PackageError> {
    let len = file.len();
    let start = len.saturating_sub(MAX_COMMENT_BYTES.saturating_add(END_BYTES as u64));
    let tail = file.read_vec(start, len.saturating_sub(start))?;
    let mut after = 0_u64;
    for window in tail.windows(END_BYTES).rev() {
        if let Some(end) = End::read(window) {
            let comment_bytes = u64::from(end.comment_bytes);
            return Ok(match after.checked_sub(comment_bytes) {
                Some(0) => StructureError::Comment {
                    bytes: comment_bytes,
                },
                Some(bytes) => StructureError::TrailingBytes { bytes },
                None => StructureError::EndMissing { bytes: len },
            });
        }
        after = after.saturating_add(1);
    }
    Ok(StructureError::EndMissing { bytes: len })
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
