// SPDX-License-Identifier: Apache-2.0
//! Archives that are built field by field, so that each field can lie.

/// One entry of an archive.
#[derive(Clone)]
pub struct RawEntry {
    /// The name, in both headers.
    pub name: Vec<u8>,
    /// What stands behind the local header.
    pub data: Vec<u8>,
    /// The header before the data.
    pub local: RawHeader,
    /// The header in the directory.
    pub central: RawHeader,
    /// Which version on which system made it.
    pub made_by: u16,
    /// The attributes of the format.
    pub internal_attributes: u16,
    /// The attributes of the system.
    pub external_attributes: u32,
    /// The comment in the directory.
    pub comment: Vec<u8>,
    /// The disk that the entry starts on.
    pub disk: u16,
    /// Replaces the offset in the directory.
    pub offset: Option<u32>,
    /// Bytes written before the local header.
    pub before: Vec<u8>,
    /// Bytes written after the data, as a data descriptor would be.
    pub after: Vec<u8>,
}

/// The fields that a local and a central header both have.
#[derive(Clone)]
#[expect(missing_docs, reason = "the names are those of the zip specification")]
pub struct RawHeader {
    pub signature: u32,
    pub version: u16,
    pub flags: u16,
    pub method: u16,
    pub time: u32,
    pub crc32: u32,
    pub compressed_bytes: u32,
    pub bytes: u32,
    /// Replaces the entry's name in this header.
    pub name: Option<Vec<u8>>,
    pub extra: Vec<u8>,
}

impl RawEntry {
    /// A sound stored entry.
    #[must_use]
    pub fn stored(name: &str, data: &[u8]) -> Self {
        Self::compressed(name, data, 0, data)
    }

    /// An entry whose data is already compressed.
    #[must_use]
    pub fn compressed(name: &str, content: &[u8], method: u16, data: &[u8]) -> Self {
        let version = match method {
            0 => 10,
            8 => 20,
            _ => 45,
        };
        let header = RawHeader {
            signature: 0x0403_4b50,
            version,
            flags: 0,
            method,
            time: 0x0021_0000,
            crc32: crc32(content),
            compressed_bytes: data.len() as u32,
            bytes: content.len() as u32,
            name: None,
            extra: Vec::new(),
        };
        Self {
            name: name.as_bytes().to_vec(),
            data: data.to_vec(),
            central: RawHeader {
                signature: 0x0201_4b50,
                ..header.clone()
            },
            local: header,
            made_by: 0x0300 | version,
            internal_attributes: 0,
            external_attributes: 0o100_644 << 16,
            comment: Vec::new(),
            disk: 0,
            offset: None,
            before: Vec::new(),
            after: Vec::new(),
        }
    }

    /// Changes both headers alike.
    pub fn both(&mut self, change: impl Fn(&mut RawHeader)) {
        change(&mut self.local);
        change(&mut self.central);
    }

    /// The entry, changed in both headers alike.
    #[must_use]
    pub fn with_both(mut self, change: impl Fn(&mut RawHeader)) -> Self {
        self.both(change);
        self
    }
}

impl RawHeader {
    fn shared(&self, name: &[u8], out: &mut Vec<u8>) {
        let name = self.name.as_deref().unwrap_or(name);
        for half in [self.version, self.flags, self.method] {
            out.extend(half.to_le_bytes());
        }
        for word in [self.time, self.crc32, self.compressed_bytes, self.bytes] {
            out.extend(word.to_le_bytes());
        }
        out.extend((name.len() as u16).to_le_bytes());
        out.extend((self.extra.len() as u16).to_le_bytes());
    }
}

/// An archive.
#[derive(Clone, Default)]
pub struct RawZip {
    /// Its entries, in the order in which both headers stand.
    pub entries: Vec<RawEntry>,
    /// Bytes written before the directory.
    pub before_directory: Vec<u8>,
    /// Bytes written after the directory.
    pub after_directory: Vec<u8>,
    /// The zip64 records, if it has them.
    pub zip64: Option<RawZip64>,
    /// The end record.
    pub end: RawEnd,
    /// The archive's comment.
    pub comment: Vec<u8>,
    /// Bytes written after the end.
    pub trailing: Vec<u8>,
}

/// What the end record says otherwise.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the names are those of the zip specification")]
pub struct RawEnd {
    pub disk: u16,
    pub directory_disk: u16,
    pub entries_here: Option<u16>,
    pub entries: Option<u16>,
    pub directory_bytes: Option<u32>,
    pub directory_offset: Option<u32>,
}

/// What the zip64 records say otherwise.
#[derive(Clone, Default)]
#[expect(missing_docs, reason = "the names are those of the zip specification")]
pub struct RawZip64 {
    pub signature: Option<u32>,
    pub record_bytes: Option<u64>,
    pub disk: u32,
    pub directory_disk: u32,
    pub entries_here: Option<u64>,
    pub entries: Option<u64>,
    pub directory_bytes: Option<u64>,
    pub directory_offset: Option<u64>,
    pub extension: Vec<u8>,
    pub locator_disk: u32,
    pub locator_shift: u64,
    pub disks: Option<u32>,
    /// Leaves the end record out, so that its locator leads elsewhere.
    pub is_only_locator: bool,
}

impl RawZip {
    /// An archive with these entries.
    #[must_use]
    pub fn new(entries: Vec<RawEntry>) -> Self {
        Self {
            entries,
            ..Self::default()
        }
    }

    /// The archive's bytes.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let mut directory = Vec::new();
        for entry in &self.entries {
            out.extend(&entry.before);
            let offset = out.len() as u32;
            out.extend(entry.local.signature.to_le_bytes());
            entry.local.shared(&entry.name, &mut out);
            out.extend(entry.local.name.as_ref().unwrap_or(&entry.name));
            out.extend(&entry.local.extra);
            out.extend(&entry.data);
            out.extend(&entry.after);

            directory.extend(entry.central.signature.to_le_bytes());
            directory.extend(entry.made_by.to_le_bytes());
            entry.central.shared(&entry.name, &mut directory);
            directory.extend((entry.comment.len() as u16).to_le_bytes());
            directory.extend(entry.disk.to_le_bytes());
            directory.extend(entry.internal_attributes.to_le_bytes());
            directory.extend(entry.external_attributes.to_le_bytes());
            directory.extend(entry.offset.unwrap_or(offset).to_le_bytes());
            directory.extend(entry.central.name.as_ref().unwrap_or(&entry.name));
            directory.extend(&entry.central.extra);
            directory.extend(&entry.comment);
        }
        out.extend(&self.before_directory);
        let offset = out.len() as u64;
        out.extend(&directory);
        out.extend(&self.after_directory);
        let bytes = directory.len() as u64;
        if let Some(zip64) = &self.zip64 {
            zip64.write(self.entries.len() as u64, bytes, offset, &mut out);
        }
        let is_zip64 = self.entries.len() > usize::from(u16::MAX);
        let entries = self.end.entries.unwrap_or(if is_zip64 {
            u16::MAX
        } else {
            self.entries.len() as u16
        });
        let bytes = if is_zip64 { u32::MAX } else { bytes as u32 };
        out.extend(0x0605_4b50_u32.to_le_bytes());
        out.extend(self.end.disk.to_le_bytes());
        out.extend(self.end.directory_disk.to_le_bytes());
        out.extend(self.end.entries_here.unwrap_or(entries).to_le_bytes());
        out.extend(entries.to_le_bytes());
        out.extend(self.end.directory_bytes.unwrap_or(bytes).to_le_bytes());
        let offset = self.end.directory_offset.unwrap_or(offset as u32);
        out.extend(offset.to_le_bytes());
        out.extend((self.comment.len() as u16).to_le_bytes());
        out.extend(&self.comment);
        out.extend(&self.trailing);
        out
    }
}

impl RawZip64 {
    fn write(&self, entries: u64, bytes: u64, offset: u64, out: &mut Vec<u8>) {
        let at = (out.len() as u64).wrapping_add(self.locator_shift);
        if !self.is_only_locator {
            let entries = self.entries.unwrap_or(entries);
            out.extend(self.signature.unwrap_or(0x0606_4b50).to_le_bytes());
            let record = self.record_bytes;
            let record = record.unwrap_or(44 + self.extension.len() as u64);
            out.extend(record.to_le_bytes());
            out.extend([10, 0, 10, 0]);
            out.extend(self.disk.to_le_bytes());
            out.extend(self.directory_disk.to_le_bytes());
            for value in [
                self.entries_here.unwrap_or(entries),
                entries,
                self.directory_bytes.unwrap_or(bytes),
                self.directory_offset.unwrap_or(offset),
            ] {
                out.extend(value.to_le_bytes());
            }
            out.extend(&self.extension);
        }
        out.extend(0x0706_4b50_u32.to_le_bytes());
        out.extend(self.locator_disk.to_le_bytes());
        out.extend(at.to_le_bytes());
        out.extend(self.disks.unwrap_or(1).to_le_bytes());
    }
}

/// The CRC-32 of `bytes`.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = flate2::Crc::new();
    crc.update(bytes);
    crc.sum()
}
