// SPDX-License-Identifier: Apache-2.0
//! Judges one header: each field has the one value that the writer gives it, or is a size, a
//! checksum or a place that others check.

use super::bytes_at::BytesAt;
use super::error::StructureError;
use super::name::EntryName;
use super::record::CENTRAL_BYTES;
use super::record::Central;
use super::record::LOCAL_BYTES;
use super::record::Local;
use super::record::Shared;
use super::record::zip64_offset;
use crate::error::PackageError;
use crate::limits::Limits;
use crate::limits::MAX_BLOB_BYTES;
use crate::path::shown;

/// 1980-01-01 00:00, the first time that a zip can tell.
const TIME: u32 = 0x0021_0000;
/// Unix, as the upper byte of what an entry is made by.
const UNIX: u16 = 3 << 8;
/// A regular file of mode 0644, as Unix keeps it.
const ATTRIBUTES: u32 = 0o100_644 << 16;

/// What compressed data may take beside its content, which is what the compressors at hand promise to stay
/// below: a part of it, and some bytes. Stops data that is nothing but empty blocks.
const PADDING_PART: u64 = 8;
const PADDING_BYTES: u64 = 1_024;

/// How the data of an entry is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflate,
    Zstd,
}

impl Method {
    fn from_number(number: u16) -> Option<Self> {
        match number {
            0 => Some(Self::Stored),
            8 => Some(Self::Deflate),
            93 => Some(Self::Zstd),
            _ => None,
        }
    }

    fn number(self) -> u16 {
        match self {
            Self::Stored => 0,
            Self::Deflate => 8,
            Self::Zstd => 93,
        }
    }

    /// The version of zip that knows the method.
    pub(super) fn version(self) -> u16 {
        match self {
            Self::Stored => 10,
            Self::Deflate => 20,
            Self::Zstd => 45,
        }
    }
}

/// One entry, as the central directory describes it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) offset: u64,
    pub(super) crc32: u32,
    pub(super) method: Method,
    name_bytes: u8,
    compressed_bytes: u32,
    bytes: u32,
}

impl Entry {
    pub(super) fn data_start(&self) -> u64 {
        self.offset
            .saturating_add(LOCAL_BYTES as u64)
            .saturating_add(u64::from(self.name_bytes))
    }

    pub(super) fn end(&self) -> u64 {
        self.data_start().saturating_add(self.compressed_bytes())
    }

    pub(super) fn bytes(&self) -> u64 {
        u64::from(self.bytes)
    }

    pub(super) fn compressed_bytes(&self) -> u64 {
        u64::from(self.compressed_bytes)
    }

    /// What both headers of the entry say.
    fn shared(&self) -> Shared {
        Shared {
            version_needed: self.method.version(),
            flags: 0,
            method: self.method.number(),
            time: TIME,
            crc32: self.crc32,
            compressed_bytes: self.compressed_bytes,
            bytes: self.bytes,
            name_bytes: u16::from(self.name_bytes),
        }
    }
}

/// Takes the next header of the central directory.
pub(super) fn take_entry(
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
    if header.comment_bytes != 0 {
        let name = name.to_string();
        return Err(StructureError::EntryComment { name });
    }
    if header.disk != 0 {
        return Err(StructureError::MultiDisk);
    }
    let method = check_flags(name, header.shared.flags, header.shared.method)?;
    check_sizes(name, &header.shared, method, limits)?;
    check_fixed(name, &header, method)?;
    let offset = offset(name, header.offset, extra)?;
    *rest = after;
    let shared = header.shared;
    Ok((
        name,
        Entry {
            offset,
            crc32: shared.crc32,
            method,
            name_bytes: u8::try_from(shared.name_bytes).map_err(|_| malformed())?,
            compressed_bytes: shared.compressed_bytes,
            bytes: shared.bytes,
        },
    ))
}

/// Where the local header is; only an offset that does not fit stands in an extra field.
fn offset(name: EntryName, offset: u32, extra: &[u8]) -> Result<u64, StructureError> {
    let refuse = |found| Err(StructureError::Zip64 { found });
    match (offset, extra) {
        (u32::MAX, extra) => match zip64_offset(extra) {
            Some(offset) if offset >= u64::from(u32::MAX) => Ok(offset),
            Some(_) => refuse("an offset fits without them"),
            None => refuse("an offset is missing"),
        },
        (offset, []) => Ok(u64::from(offset)),
        (_, _) => {
            let name = name.to_string();
            Err(StructureError::ExtraField { name })
        }
    }
}

fn check_flags(name: EntryName, flags: u16, method: u16) -> Result<Method, StructureError> {
    let text = || name.to_string();
    let Some(known) = Method::from_number(method) else {
        return Err(StructureError::Method {
            name: text(),
            method,
        });
    };
    match flags {
        0 => Ok(known),
        bits if bits & (1 | 1 << 6 | 1 << 13) != 0 => {
            Err(StructureError::Encrypted { name: text() })
        }
        bits if bits & (1 << 3) != 0 => Err(StructureError::DataDescriptor { name: text() }),
        _ => Err(StructureError::Flags {
            name: text(),
            flags,
        }),
    }
}

/// What is the same in every entry of that method.
fn check_fixed(name: EntryName, header: &Central, method: Method) -> Result<(), StructureError> {
    let text = || name.to_string();
    let expected = method.version();
    let found = header.shared.version_needed;
    if found != expected {
        return Err(StructureError::Version {
            name: text(),
            found,
            expected,
        });
    }
    let expected = UNIX | expected;
    let found = header.made_by;
    if found != expected {
        return Err(StructureError::MadeBy {
            name: text(),
            found,
            expected,
        });
    }
    let found = header.shared.time;
    if found != TIME {
        return Err(StructureError::Time {
            name: text(),
            found,
        });
    }
    let (internal, external) = (header.internal_attributes, header.external_attributes);
    if internal != 0 || external != ATTRIBUTES {
        return Err(StructureError::Attributes {
            name: text(),
            internal,
            external,
        });
    }
    Ok(())
}

fn check_sizes(
    name: EntryName,
    shared: &Shared,
    method: Method,
    limits: &Limits,
) -> Result<(), StructureError> {
    let text = || name.to_string();
    let (bytes, compressed_bytes) = (u64::from(shared.bytes), u64::from(shared.compressed_bytes));
    let limit_bytes = match name {
        EntryName::Manifest => limits.manifest_bytes,
        EntryName::Signature(_) => limits.signature_bytes,
        EntryName::Blob(_) => limits.blob_bytes,
    }
    .min(MAX_BLOB_BYTES);
    let is_blob = matches!(name, EntryName::Blob(_));
    if !is_blob && method != Method::Stored {
        return Err(StructureError::MustBeStored { name: text() });
    }
    if bytes > limit_bytes || compressed_bytes > MAX_BLOB_BYTES {
        let bytes = bytes.max(compressed_bytes);
        return Err(StructureError::EntryTooLarge {
            name: text(),
            bytes,
            limit_bytes,
        });
    }
    if method == Method::Stored && bytes != compressed_bytes {
        return Err(StructureError::StoredSize {
            name: text(),
            compressed_bytes,
            bytes,
        });
    }
    let most = bytes
        .saturating_add(bytes / PADDING_PART)
        .saturating_add(PADDING_BYTES);
    if compressed_bytes > most {
        return Err(StructureError::Padded {
            name: text(),
            compressed_bytes,
            bytes,
            limit_bytes: most,
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
    let mut bytes = [0_u8; LOCAL_BYTES + EntryName::MAX_BYTES];
    let wanted = LOCAL_BYTES.saturating_add(text.len());
    let missing = || StructureError::LocalHeader { name: text.clone() };
    let bytes = bytes.get_mut(..wanted).ok_or_else(missing)?;
    file.read_exact(bytes, entry.offset)?;
    let (header, raw_name) = bytes.split_at_checked(LOCAL_BYTES).ok_or_else(missing)?;
    let local = Local::read(header).ok_or_else(missing)?;
    let (here, there) = (local.shared, entry.shared());
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
