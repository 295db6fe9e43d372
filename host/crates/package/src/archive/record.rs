// SPDX-License-Identifier: Apache-2.0
//! The records of a zip, field by field, without judging them.

/// Signature of a local header.
const LOCAL: u32 = 0x0403_4b50;
/// Signature of a central header.
const CENTRAL: u32 = 0x0201_4b50;
/// Signature of the end record.
const END: u32 = 0x0605_4b50;
/// Signature of the zip64 end record.
const END64: u32 = 0x0606_4b50;
/// Signature of the zip64 locator.
const LOCATOR64: u32 = 0x0706_4b50;

/// Bytes of a local header before the name.
pub(super) const LOCAL_BYTES: usize = 30;
/// Bytes of a central header before the name.
pub(super) const CENTRAL_BYTES: usize = 46;
/// Bytes of an end record without comment.
pub(super) const END_BYTES: usize = 22;
/// Bytes of a zip64 end record without extensions.
pub(super) const END64_BYTES: usize = 56;
/// Bytes of a zip64 locator.
pub(super) const LOCATOR64_BYTES: usize = 20;

/// Takes little-endian fields from the front of a slice.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*first)
    }

    fn u16(&mut self) -> Option<u16> {
        self.bytes().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_le_bytes)
    }

    fn signature(&mut self, expected: u32) -> Option<()> {
        (self.u32()? == expected).then_some(())
    }
}

/// The fields that a local and a central header both have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shared {
    pub(super) version_needed: u16,
    pub(super) flags: u16,
    pub(super) method: u16,
    pub(super) time: u32,
    pub(super) crc32: u32,
    pub(super) compressed_bytes: u32,
    pub(super) bytes: u32,
    pub(super) name_bytes: u16,
}

impl Shared {
    fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            version_needed: fields.u16()?,
            flags: fields.u16()?,
            method: fields.u16()?,
            time: fields.u32()?,
            crc32: fields.u32()?,
            compressed_bytes: fields.u32()?,
            bytes: fields.u32()?,
            name_bytes: fields.u16()?,
        })
    }
}

/// A local header without name and extra field.
pub(super) struct Local {
    pub(super) shared: Shared,
    pub(super) extra_bytes: u16,
}

impl Local {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(LOCAL)?;
        Some(Self {
            shared: Shared::read(&mut fields)?,
            extra_bytes: fields.u16()?,
        })
    }
}

/// A central header without name, extra field and comment.
pub(super) struct Central {
    pub(super) made_by: u16,
    pub(super) shared: Shared,
    pub(super) extra_bytes: u16,
    pub(super) comment_bytes: u16,
    pub(super) disk: u16,
    pub(super) internal_attributes: u16,
    pub(super) external_attributes: u32,
    pub(super) offset: u32,
}

impl Central {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(CENTRAL)?;
        Some(Self {
            made_by: fields.u16()?,
            shared: Shared::read(&mut fields)?,
            extra_bytes: fields.u16()?,
            comment_bytes: fields.u16()?,
            disk: fields.u16()?,
            internal_attributes: fields.u16()?,
            external_attributes: fields.u32()?,
            offset: fields.u32()?,
        })
    }
}

/// The offset in a zip64 extra field that holds nothing else.
pub(super) fn zip64_offset(extra: &[u8]) -> Option<u64> {
    let mut fields = Fields(extra);
    let (id, size) = (fields.u16()?, fields.u16()?);
    let offset = fields.u64()?;
    (id == 1 && size == 8 && fields.0.is_empty()).then_some(offset)
}

/// The end record.
pub(super) struct End {
    pub(super) disk: u16,
    pub(super) directory_disk: u16,
    pub(super) entries_here: u16,
    pub(super) entries: u16,
    pub(super) directory_bytes: u32,
    pub(super) directory_offset: u32,
    pub(super) comment_bytes: u16,
}

impl End {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(END)?;
        Some(Self {
            disk: fields.u16()?,
            directory_disk: fields.u16()?,
            entries_here: fields.u16()?,
            entries: fields.u16()?,
            directory_bytes: fields.u32()?,
            directory_offset: fields.u32()?,
            comment_bytes: fields.u16()?,
        })
    }
}

/// The zip64 end record.
pub(super) struct End64 {
    pub(super) record_bytes: u64,
    pub(super) made_by: u16,
    pub(super) version_needed: u16,
    pub(super) disk: u32,
    pub(super) directory_disk: u32,
    pub(super) entries_here: u64,
    pub(super) entries: u64,
    pub(super) directory_bytes: u64,
    pub(super) directory_offset: u64,
}

impl End64 {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(END64)?;
        Some(Self {
            record_bytes: fields.u64()?,
            made_by: fields.u16()?,
            version_needed: fields.u16()?,
            disk: fields.u32()?,
            directory_disk: fields.u32()?,
            entries_here: fields.u64()?,
            entries: fields.u64()?,
            directory_bytes: fields.u64()?,
            directory_offset: fields.u64()?,
        })
    }
}

/// The record that says where the zip64 end record is.
pub(super) struct Locator64 {
    pub(super) disk: u32,
    pub(super) offset: u64,
    pub(super) disks: u32,
}

impl Locator64 {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        fields.signature(LOCATOR64)?;
        Some(Self {
            disk: fields.u32()?,
            offset: fields.u64()?,
            disks: fields.u32()?,
        })
    }
}
