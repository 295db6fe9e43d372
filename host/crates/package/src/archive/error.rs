// SPDX-License-Identifier: Apache-2.0
//! Why an archive is refused before anything in it is believed.

/// The archive's structure is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant's text is its description, its fields what the text names"
)]
pub enum StructureError {
    #[error("the file has {bytes} bytes and no zip end record; expected a whole `.upd` archive")]
    EndMissing { bytes: u64 },
    #[error("the archive has a comment of {bytes} bytes; expected none")]
    Comment { bytes: u64 },
    #[error(
        "the archive is followed by {bytes} other bytes; expected its end record at the very end"
    )]
    TrailingBytes { bytes: u64 },
    #[error(
        "the end records do not agree on one disk and one number of entries; expected all disk numbers to be \
         zero, and the same count in each"
    )]
    MultiDisk,
    #[error("the archive uses zip64 records where or as it must not: {found}")]
    Zip64 { found: &'static str },
    #[error(
        "the central directory is said to be at {offset} with {bytes} bytes; expected it to end at {expected_end}"
    )]
    DirectoryMisplaced {
        offset: u64,
        bytes: u64,
        expected_end: u64,
    },
    #[error("the archive has {found} entries; at most {limit} are read")]
    TooManyEntries { found: u64, limit: u64 },
    #[error("the central directory has {found} bytes for {entries} entries; expected {expected}")]
    DirectorySize {
        found: u64,
        entries: u64,
        expected: &'static str,
    },
    #[error("entry {index} of the central directory is malformed or truncated")]
    CentralHeader { index: u64 },
    #[error("entry `{name}` is encrypted; expected plain content")]
    Encrypted { name: String },
    #[error("entry `{name}` has a data descriptor; expected its sizes in the header")]
    DataDescriptor { name: String },
    #[error("entry `{name}` has flags {flags:#06x}; expected none")]
    Flags { name: String, flags: u16 },
    #[error(
        "entry `{name}` is compressed with method {method}; expected stored (0), deflate (8) or zstd (93)"
    )]
    Method { name: String, method: u16 },
    #[error("entry `{name}` needs zip version {found}; expected {expected} for its method")]
    Version {
        name: String,
        found: u16,
        expected: u16,
    },
    #[error("entry `{name}` is made by {found:#06x}; expected {expected:#06x}, as `pack` writes")]
    MadeBy {
        name: String,
        found: u16,
        expected: u16,
    },
    #[error("entry `{name}` has the time {found:#010x}; expected 1980-01-01, as `pack` writes")]
    Time { name: String, found: u32 },
    #[error(
        "entry `{name}` has the attributes {internal:#06x} and {external:#010x}; expected those of a plain file of mode 0644"
    )]
    Attributes {
        name: String,
        internal: u16,
        external: u32,
    },
    #[error("entry `{name}` has an extra field; expected none but a needed zip64 offset")]
    ExtraField { name: String },
    #[error("entry `{name}` has a comment; expected none")]
    EntryComment { name: String },
    #[error(
        "entry name `{name}` is not allowed; expected `manifest.json`, `signatures/<KEY ID>.minisig` or `blobs/<sha256>`"
    )]
    Name { name: String },
    #[error("entry `{name}` is there twice")]
    Duplicate { name: String },
    #[error(
        "entry `{name}` comes after `{previous}`; expected the manifest, then signatures and then blobs, each sorted by name"
    )]
    Order { name: String, previous: String },
    #[error(
        "entry `{name}` is compressed; expected it stored, since it is read before it is trusted"
    )]
    MustBeStored { name: String },
    #[error("entry `{name}` is stored with {compressed_bytes} bytes but claims {bytes}")]
    StoredSize {
        name: String,
        compressed_bytes: u64,
        bytes: u64,
    },
    #[error("the archive starts with {bytes} bytes that belong to no entry")]
    Prefix { bytes: u64 },
    #[error("there are {bytes} bytes before `{next}` that belong to no entry")]
    Gap { bytes: u64, next: String },
    #[error("entry `{name}` reaches {bytes} bytes into what follows it")]
    Overlap { name: String, bytes: u64 },
    #[error("there is no local header for entry `{name}` where the directory says")]
    LocalHeader { name: String },
    #[error("local header and central directory disagree on the {field} of entry `{name}`")]
    LocalMismatch { name: String, field: &'static str },
    #[error("the first entry is `{found}`; expected `manifest.json`")]
    ManifestNotFirst { found: String },
    #[error("entry `{name}` has {bytes} bytes; at most {limit_bytes} are allowed")]
    EntryTooLarge {
        name: String,
        bytes: u64,
        limit_bytes: u64,
    },
    #[error("the archive unpacks to {bytes} bytes; at most {limit_bytes} are allowed")]
    TotalTooLarge { bytes: u64, limit_bytes: u64 },
    #[error("there are more than {limit} signatures")]
    TooManySignatures { limit: usize },
    #[error(
        "entry `{name}` unpacks {compressed_bytes} bytes to {bytes}; at most {limit} times as much is allowed"
    )]
    Ratio {
        name: String,
        compressed_bytes: u64,
        bytes: u64,
        limit: u64,
    },
    #[error(
        "entry `{name}` takes {compressed_bytes} bytes for content of {bytes}; at most {limit_bytes} are allowed"
    )]
    Padded {
        name: String,
        compressed_bytes: u64,
        bytes: u64,
        limit_bytes: u64,
    },
    #[error("entry `{name}` does not have the checksum that its header says")]
    Checksum { name: String },
    #[error("two readers of the archive disagree on {found}")]
    Disagreement { found: &'static str },
    #[error("the deflate data of `{name}` {found}; expected one stream that fills the entry")]
    DeflateStream { name: String, found: &'static str },
    #[error("the zstd data of `{name}` {found}; expected one plain frame that fills the entry")]
    ZstdFrame { name: String, found: &'static str },
    #[error(
        "the zstd data of `{name}` needs a window of {bytes} bytes; at most {limit_bytes} are allowed"
    )]
    ZstdWindow {
        name: String,
        bytes: u64,
        limit_bytes: u64,
    },
}

impl StructureError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::EndMissing { .. } => "zip-end-missing",
            Self::Comment { .. } => "zip-comment",
            Self::TrailingBytes { .. } => "zip-trailing-bytes",
            Self::MultiDisk => "zip-multi-disk",
            Self::Zip64 { .. } => "zip-zip64",
            Self::DirectoryMisplaced { .. } => "zip-directory-misplaced",
            Self::TooManyEntries { .. } => "zip-too-many-entries",
            Self::DirectorySize { .. } => "zip-directory-size",
            Self::CentralHeader { .. } => "zip-central-header",
            Self::Encrypted { .. } => "zip-encrypted",
            Self::DataDescriptor { .. } => "zip-data-descriptor",
            Self::Flags { .. } => "zip-flags",
            Self::Method { .. } => "zip-method",
            Self::Version { .. } => "zip-version",
            Self::MadeBy { .. } => "zip-made-by",
            Self::Time { .. } => "zip-time",
            Self::Attributes { .. } => "zip-attributes",
            Self::ExtraField { .. } => "zip-extra-field",
            Self::EntryComment { .. } => "zip-entry-comment",
            Self::Name { .. } => "zip-entry-name",
            Self::Duplicate { .. } => "zip-duplicate-entry",
            Self::Order { .. } => "zip-entry-order",
            Self::MustBeStored { .. } => "zip-must-be-stored",
            Self::StoredSize { .. } => "zip-stored-size",
            Self::Prefix { .. } => "zip-prefix",
            Self::Gap { .. } => "zip-gap",
            Self::Overlap { .. } => "zip-overlap",
            Self::LocalHeader { .. } => "zip-local-header",
            Self::LocalMismatch { .. } => "zip-local-mismatch",
            Self::ManifestNotFirst { .. } => "zip-manifest-not-first",
            Self::EntryTooLarge { .. } => "zip-entry-too-large",
            Self::TotalTooLarge { .. } => "zip-total-too-large",
            Self::TooManySignatures { .. } => "zip-too-many-signatures",
            Self::Ratio { .. } => "zip-ratio",
            Self::Padded { .. } => "zip-padded",
            Self::Checksum { .. } => "zip-checksum",
            Self::Disagreement { .. } => "zip-disagreement",
            Self::DeflateStream { .. } => "deflate-stream",
            Self::ZstdFrame { .. } => "zstd-frame",
            Self::ZstdWindow { .. } => "zstd-window",
        }
    }
}
