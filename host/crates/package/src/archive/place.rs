// SPDX-License-Identifier: Apache-2.0
//! Finds the central directory from the end of the file, and judges the end records.

use super::bytes_at::BytesAt;
use super::error::StructureError;
use super::name::EntryName;
use super::record::CENTRAL_BYTES;
use super::record::END_BYTES;
use super::record::END64_BYTES;
use super::record::End;
use super::record::End64;
use super::record::LOCATOR64_BYTES;
use super::record::Locator64;
use crate::error::PackageError;
use crate::limits::Limits;

/// A zip64 extra field with an offset.
const MAX_EXTRA_BYTES: usize = 12;
/// How far a comment can push the end record from the end.
const MAX_COMMENT_BYTES: u64 = u16::MAX as u64;

/// Where the central directory is.
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) bytes: u64,
    pub(super) entries: u64,
    /// Made by and needed, as the zip64 end record says, where there is one.
    pub(super) zip64_versions: Option<(u16, u16)>,
}

impl Place {
    pub(super) fn find(file: &BytesAt, limits: &Limits) -> Result<Self, PackageError> {
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
                zip64_versions: None,
            }
            .ending_at(end_at)?,
        };
        if place.entries > limits.archive_entries {
            let (found, limit) = (place.entries, limits.archive_entries);
            return Err(StructureError::TooManyEntries { found, limit }.into());
        }
        let largest = (CENTRAL_BYTES + EntryName::MAX_BYTES + MAX_EXTRA_BYTES) as u64;
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
        if end64.record_bytes != (END64_BYTES - 12) as u64 {
            return refuse("the end record has extensions");
        }
        if end64.disk != 0 || end64.directory_disk != 0 || end64.entries_here != end64.entries {
            return Err(StructureError::MultiDisk.into());
        }
        let (most_entries, most_bytes) = (u64::from(u16::MAX), u64::from(u32::MAX));
        if end64.entries <= most_entries
            && end64.directory_bytes <= most_bytes
            && end64.directory_offset <= most_bytes
        {
            return refuse("everything fits without them");
        }
        // The writer never tells the directory's size twice.
        if u64::from(end.entries) != end64.entries.min(most_entries)
            || u64::from(end.directory_offset) != end64.directory_offset.min(most_bytes)
            || end.directory_bytes != u32::MAX
        {
            return refuse("the two end records disagree");
        }
        let place = Self {
            offset: end64.directory_offset,
            bytes: end64.directory_bytes,
            entries: end64.entries,
            zip64_versions: Some((end64.made_by, end64.version_needed)),
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
