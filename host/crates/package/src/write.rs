// SPDX-License-Identifier: Apache-2.0
//! Writes packages: same content, same bytes.
//!
//! Entries come in one order (manifest, signatures by key id, blobs by digest), with one time, one
//! mode, no extra fields, and final sizes in their headers. Content is streamed; memory does not grow
//! with it. Nothing is written here that [`crate::archive`] would refuse: a blob that compresses
//! beyond the reader's ratio cap is stored instead.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::io::BufWriter;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use zip::CompressionMethod;
use zip::DateTime;
use zip::System;
use zip::ZipWriter;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;

use crate::archive::PackageFile;
use crate::digest::Digest;
use crate::digest::DigestHasher;
use crate::error::PackageError;
use crate::keyring::KeyId;
use crate::limits::Limits;
use crate::limits::MAX_BLOB_BYTES;
use crate::signature::Signature;
use crate::signature::SignatureError;

/// How blobs are compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// zstd, level 3: small and quick.
    #[default]
    Zstd,
    /// deflate, level 6: for tools that know nothing else.
    Deflate,
    /// Not at all.
    Stored,
}

impl Compression {
    /// Every value, in order.
    pub const ALL: &[Self] = &[Self::Zstd, Self::Deflate, Self::Stored];

    /// The word that stands for it on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Deflate => "deflate",
            Self::Stored => "stored",
        }
    }

    /// The value that a word stands for.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|value| value.as_str() == word)
    }
}

/// A package cannot be written.
#[derive(Debug, thiserror::Error)]
#[expect(
    missing_docs,
    reason = "each variant's text is its description, its fields what the text names"
)]
pub enum WriteError {
    #[error("the package cannot be written")]
    Write {
        #[source]
        source: io::Error,
    },
    #[error("the content for blob `{digest}` cannot be read")]
    Content {
        digest: Digest,
        #[source]
        source: io::Error,
    },
    #[error("the content for blob `{digest}` has digest `{found}`: it changed while it was packed")]
    ContentChanged { digest: Digest, found: Digest },
    #[error(
        "{found} cannot come here: expected the manifest, then signatures, then blobs sorted by digest"
    )]
    Order { found: &'static str },
    #[error("blob `{digest}` is larger than {limit_bytes} bytes, the most that the format holds")]
    BlobTooLarge { digest: Digest, limit_bytes: u64 },
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Source(#[from] PackageError),
}

impl WriteError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "pack-unwritable",
            Self::Content { .. } => "pack-unreadable",
            Self::ContentChanged { .. } => "pack-content-changed",
            Self::Order { .. } => "pack-order",
            Self::BlobTooLarge { .. } => "blob-too-large",
            Self::Signature(error) => error.code(),
            Self::Source(error) => error.code(),
        }
    }

    fn zip(error: ZipError) -> Self {
        let source = match error {
            ZipError::Io(source) => source,
            other => io::Error::other(other),
        };
        Self::Write { source }
    }
}

/// Content that can be read twice: when it turns out to compress beyond the ratio cap, it is read
/// again and stored. Files and cursors are such.
pub trait Content: Read + Seek {}

impl<T: Read + Seek + ?Sized> Content for T {}

/// Writes one package from its first byte to its last.
#[must_use = "a package is whole only after `finish`"]
pub struct PackageWriter<W: Write + Seek> {
    zip: ZipWriter<Counted<BufWriter<W>>>,
    written: Arc<AtomicU64>,
    limits: Limits,
    has_manifest: bool,
    last_signature: Option<KeyId>,
    last_blob: Option<Digest>,
}

/// What became of a blob in the archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenBlob {
    /// Its size.
    pub bytes: u64,
    /// How it was written in the end.
    pub compression: Compression,
}

impl<W: Write + Seek> PackageWriter<W> {
    /// A writer at the start of an empty file.
    pub fn new(out: W) -> Self {
        let written = Arc::new(AtomicU64::new(0));
        let out = BufWriter::with_capacity(CHUNK_BYTES, out);
        Self {
            zip: ZipWriter::new(Counted {
                inner: out,
                written: Arc::clone(&written),
            }),
            written,
            limits: Limits::default(),
            has_manifest: false,
            last_signature: None,
            last_blob: None,
        }
    }

    /// Writes the manifest, which comes first.
    ///
    /// # Errors
    ///
    /// Refuses a second manifest; passes on failures of the file.
    pub fn manifest(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if std::mem::replace(&mut self.has_manifest, true) {
            return Err(WriteError::Order {
                found: "a second manifest",
            });
        }
        self.stored("manifest.json", bytes)
    }

    /// Writes a signature file, after the manifest and in the order of key ids.
    ///
    /// # Errors
    ///
    /// Refuses what is no strict signature by that key, and any other order.
    pub fn signature(&mut self, key_id: KeyId, bytes: &[u8]) -> Result<(), WriteError> {
        let in_order = self.has_manifest
            && self.last_blob.is_none()
            && self.last_signature.is_none_or(|last| last < key_id);
        if !in_order {
            return Err(WriteError::Order {
                found: "a signature",
            });
        }
        Signature::parse(key_id, bytes)?;
        self.last_signature = Some(key_id);
        self.stored(&format!("signatures/{key_id}.minisig"), bytes)
    }

    /// Writes a blob, after the signatures and in the order of digests, checking its digest.
    ///
    /// # Errors
    ///
    /// Refuses any other order, content with another digest, and content of 4 GiB or more. After an
    /// error the file is not a package.
    pub fn blob(
        &mut self,
        digest: &Digest,
        content: &mut dyn Content,
        compression: Compression,
    ) -> Result<WrittenBlob, WriteError> {
        if !self.has_manifest || self.last_blob.is_some_and(|last| last >= *digest) {
            return Err(WriteError::Order { found: "a blob" });
        }
        self.last_blob = Some(*digest);
        let name = format!("blobs/{digest}");
        let unreadable = |source| WriteError::Content {
            digest: *digest,
            source,
        };
        let start = content.stream_position().map_err(unreadable)?;
        self.zip
            .start_file(name.as_str(), options(compression))
            .map_err(WriteError::zip)?;
        let before = self.written.load(Ordering::Relaxed);
        let bytes = self.stream(*digest, content)?;
        let written = self.written.load(Ordering::Relaxed).saturating_sub(before);
        if compression == Compression::Stored || !self.is_too_dense(bytes, written) {
            return Ok(WrittenBlob { bytes, compression });
        }
        // Storing takes more room than what was just written, so nothing of it is left behind.
        self.zip.abort_file().map_err(WriteError::zip)?;
        content.seek(SeekFrom::Start(start)).map_err(unreadable)?;
        let compression = Compression::Stored;
        self.zip
            .start_file(name.as_str(), options(compression))
            .map_err(WriteError::zip)?;
        let bytes = self.stream(*digest, content)?;
        Ok(WrittenBlob { bytes, compression })
    }

    /// Writes the directory and gives the file back, flushed.
    ///
    /// # Errors
    ///
    /// Refuses a package without manifest; passes on failures of the file.
    pub fn finish(self) -> Result<W, WriteError> {
        if !self.has_manifest {
            return Err(WriteError::Order { found: "the end" });
        }
        let out = self.zip.finish().map_err(WriteError::zip)?;
        out.inner.into_inner().map_err(|error| WriteError::Write {
            source: error.into_error(),
        })
    }

    /// Whether the reader would refuse the blob as a bomb. What the encoder still holds is not counted,
    /// which errs on the side of storing.
    fn is_too_dense(&self, bytes: u64, written: u64) -> bool {
        bytes > self.limits.ratio_free_bytes && bytes > written.saturating_mul(self.limits.ratio)
    }

    fn stored(&mut self, name: &str, bytes: &[u8]) -> Result<(), WriteError> {
        self.zip
            .start_file(name, options(Compression::Stored))
            .map_err(WriteError::zip)?;
        self.zip
            .write_all(bytes)
            .map_err(|source| WriteError::Write { source })
    }

    fn stream(&mut self, digest: Digest, content: &mut dyn Content) -> Result<u64, WriteError> {
        let mut hasher = DigestHasher::new();
        let mut bytes = 0_u64;
        let mut chunk = vec![0_u8; CHUNK_BYTES];
        loop {
            let count = match content.read(&mut chunk) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(WriteError::Content { digest, source }),
            };
            let read = chunk.get(..count).unwrap_or_default();
            bytes = bytes.saturating_add(count as u64);
            if bytes > MAX_BLOB_BYTES {
                return Err(WriteError::BlobTooLarge {
                    digest,
                    limit_bytes: MAX_BLOB_BYTES,
                });
            }
            hasher.update(read);
            self.zip
                .write_all(read)
                .map_err(|source| WriteError::Write { source })?;
        }
        let found = hasher.finish();
        if found != digest {
            return Err(WriteError::ContentChanged { digest, found });
        }
        Ok(bytes)
    }
}

/// Bytes that one blob is read in.
const CHUNK_BYTES: usize = 256 << 10;

/// Copies a package with one more signature, or with another one by the same key. Blobs are copied as
/// they are, without decompressing.
///
/// # Errors
///
/// Refuses a package whose structure is not sound, and what is no strict signature by that key.
/// Whether the signature is *valid* is for the caller to verify.
pub fn with_signature<W: Write + Seek>(
    package: File,
    out: W,
    key_id: KeyId,
    signature: &[u8],
) -> Result<W, WriteError> {
    let package = PackageFile::open(package, Limits::default())?;
    let mut signatures: BTreeMap<KeyId, Vec<u8>> = package
        .signatures_unchecked()
        .iter()
        .map(|s| (s.key_id(), s.bytes().to_vec()))
        .collect();
    signatures.insert(key_id, signature.to_vec());
    let mut writer = PackageWriter::new(out);
    writer.manifest(package.manifest_unchecked())?;
    for (key_id, bytes) in &signatures {
        writer.signature(*key_id, bytes)?;
    }
    let blobs = package.into_unlisted_blobs()?;
    blobs.raw()?.each(|entry| {
        writer
            .zip
            .raw_copy_file_touch(entry, DateTime::default(), Some(FILE_MODE))
            .map_err(WriteError::zip)
    })?;
    writer.finish()
}

/// The mode that entries claim: the reader takes no other.
const FILE_MODE: u32 = 0o644;

/// One time, one mode, one system: nothing of the machine that packs.
fn options(compression: Compression) -> SimpleFileOptions {
    let (method, level) = match compression {
        Compression::Zstd => (CompressionMethod::Zstd, Some(3)),
        Compression::Deflate => (CompressionMethod::Deflated, Some(6)),
        Compression::Stored => (CompressionMethod::Stored, None),
    };
    SimpleFileOptions::default()
        .compression_method(method)
        .compression_level(level)
        .last_modified_time(DateTime::default())
        .unix_permissions(FILE_MODE)
        .system(System::Unix)
        .large_file(false)
}

/// Counts what reaches the file, since the zip crate does not say how large an entry became.
struct Counted<W> {
    inner: W,
    written: Arc<AtomicU64>,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.written.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Seek> Seek for Counted<W> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[cfg(test)]
mod tests;
