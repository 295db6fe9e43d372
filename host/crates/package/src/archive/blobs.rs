// SPDX-License-Identifier: Apache-2.0
//! Reads blobs: decoded, counted, hashed and held against every header field while they are read.
//!
//! Compressed data must fill its entry exactly: what a decoder would leave behind, another reader
//! could find.

use std::io;
use std::io::BufRead as _;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crc32fast::Hasher as Crc;
use flate2::Decompress;
use flate2::FlushDecompress;
use flate2::Status;
use zip::ZipArchive;
use zip::read::ArchiveOffset;
use zstd::zstd_safe::DCtx;

use super::bytes_at::BytesAt;
use super::bytes_at::Cursor;
use super::directory::Directory;
use super::error::StructureError;
use super::header::Entry;
use super::header::Method;
use super::name::EntryName;
use super::zstd_frame;
use crate::digest::Digest;
use crate::digest::DigestHasher;
use crate::error::PackageError;
use crate::limits::Limits;

/// The blobs of a package. Any number of threads may read at once.
pub(crate) struct Blobs {
    file: BytesAt,
    directory: Directory,
    limits: Limits,
    /// Decoders that no thread uses now: making one asks the processor what it can do, which costs more than a
    /// small blob where the processor is a virtual one.
    decoders: Mutex<Vec<DCtx<'static>>>,
}

/// Bytes that one reader holds, once compressed and once not.
const CHUNK_BYTES: usize = 64 << 10;
/// The same for a small blob, of which there may be many.
const LEAST_CHUNK_BYTES: usize = 1 << 10;

impl Blobs {
    pub(super) fn new(file: BytesAt, directory: Directory, limits: Limits) -> Self {
        Self {
            file,
            directory,
            limits,
            decoders: Mutex::default(),
        }
    }

    fn decoders(&self) -> MutexGuard<'_, Vec<DCtx<'static>>> {
        self.decoders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn bytes(&self, digest: &Digest) -> Option<u64> {
        self.directory.blob(digest).map(Entry::bytes)
    }

    pub(crate) fn compressed_bytes(&self, digest: &Digest) -> Option<u64> {
        self.directory.blob(digest).map(Entry::compressed_bytes)
    }

    /// Streams a blob, hashing and counting what really comes out.
    pub(crate) fn copy(&self, digest: Digest, out: &mut dyn Write) -> Result<u64, PackageError> {
        let entry = self
            .directory
            .blob(&digest)
            .ok_or(PackageError::BlobMissing { digest })?;
        let name = || EntryName::Blob(digest).to_string();
        if entry.method == Method::Zstd {
            let span = (entry.data_start(), entry.end());
            let window = self.limits.zstd_window_bytes;
            zstd_frame::check(&self.file, span, entry.bytes(), window, &name)?;
        }
        let size = |found| PackageError::BlobSize {
            digest,
            found,
            listed: entry.bytes(),
        };
        let mut hasher = DigestHasher::new();
        let mut crc = Crc::new();
        let mut copied = 0_u64;
        self.decode(digest, entry, &mut |chunk| {
            copied = copied.saturating_add(chunk.len() as u64);
            if copied > entry.bytes() {
                return Err(size(copied));
            }
            hasher.update(chunk);
            crc.update(chunk);
            out.write_all(chunk)
                .map_err(|source| PackageError::Write { digest, source })
        })?;
        if copied != entry.bytes() {
            return Err(size(copied));
        }
        let found = hasher.finish();
        if found != digest {
            return Err(PackageError::BlobDigest { digest, found });
        }
        if crc.finalize() != entry.crc32 {
            return Err(StructureError::Checksum { name: name() }.into());
        }
        Ok(copied)
    }

    fn decode(
        &self,
        digest: Digest,
        entry: &Entry,
        take: &mut dyn FnMut(&[u8]) -> Result<(), PackageError>,
    ) -> Result<(), PackageError> {
        let cursor = self.file.cursor_at(entry.data_start());
        let room = |bytes: u64| {
            let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
            bytes.clamp(LEAST_CHUNK_BYTES, CHUNK_BYTES)
        };
        let compressed_bytes = entry.compressed_bytes();
        let data = cursor.take(compressed_bytes);
        let data = BufReader::with_capacity(room(compressed_bytes), data);
        let mut reader = Reader {
            digest,
            chunk_bytes: room(entry.bytes()),
            take,
        };
        match entry.method {
            Method::Stored => reader.stored(data),
            Method::Deflate => reader.inflate(data),
            Method::Zstd => {
                let idle = self.decoders().pop();
                let mut decoder = idle.unwrap_or_default();
                let done = reader.zstd(data, &mut decoder);
                self.decoders().push(decoder);
                done
            }
        }
    }

    /// The same entries as the zip crate sees them, for copying without decoding.
    pub(crate) fn raw(&self) -> Result<RawBlobs<'_>, PackageError> {
        let disagreement = |found| StructureError::Disagreement { found };
        let config = zip::read::Config {
            archive_offset: ArchiveOffset::Known(0),
        };
        let archive = ZipArchive::with_config(config, self.file.cursor_at(0))
            .map_err(|_| disagreement("its directory"))?;
        if archive.len() != self.directory.len() || archive.offset() != 0 {
            return Err(disagreement("its entries").into());
        }
        Ok(RawBlobs {
            blobs: self,
            archive,
        })
    }
}

/// The data of one entry, as it is in the archive.
type Data<'a> = BufReader<io::Take<Cursor<'a>>>;

/// The next bytes of the data; none at its end.
fn fill<'a>(data: &'a mut Data<'_>) -> Result<&'a [u8], PackageError> {
    if let Err(error) = data.fill_buf() {
        let failure = data.get_mut().get_mut().take_failure();
        return Err(PackageError::read(failure.unwrap_or(error)));
    }
    Ok(data.buffer())
}

/// Takes the content of one blob from its data.
struct Reader<'a> {
    digest: Digest,
    chunk_bytes: usize,
    take: &'a mut dyn FnMut(&[u8]) -> Result<(), PackageError>,
}

impl Reader<'_> {
    fn stored(&mut self, mut data: Data<'_>) -> Result<(), PackageError> {
        loop {
            let filled = fill(&mut data)?;
            if filled.is_empty() {
                return Ok(());
            }
            let bytes = filled.len();
            (self.take)(filled)?;
            data.consume(bytes);
        }
    }

    fn inflate(&mut self, mut data: Data<'_>) -> Result<(), PackageError> {
        let stream = |found| StructureError::DeflateStream {
            name: EntryName::Blob(self.digest).to_string(),
            found,
        };
        let mut decoder = Decompress::new(false);
        let mut chunk = vec![0; self.chunk_bytes];
        loop {
            let filled = fill(&mut data)?;
            let is_last = filled.is_empty();
            let (consumed, produced) = (decoder.total_in(), decoder.total_out());
            let status = decoder
                .decompress(filled, &mut chunk, FlushDecompress::None)
                .map_err(|error| PackageError::BlobCorrupt {
                    digest: self.digest,
                    source: io::Error::other(error),
                })?;
            let consumed = decoder.total_in().saturating_sub(consumed);
            let produced = decoder.total_out().saturating_sub(produced);
            data.consume(usize::try_from(consumed).unwrap_or(usize::MAX));
            let produced = usize::try_from(produced).unwrap_or(usize::MAX);
            (self.take)(chunk.get(..produced).unwrap_or_default())?;
            match status {
                Status::StreamEnd if fill(&mut data)?.is_empty() => return Ok(()),
                Status::StreamEnd => return Err(stream("goes on after its end").into()),
                Status::Ok | Status::BufError if is_last && produced == 0 => {
                    return Err(stream("ends too early").into());
                }
                Status::Ok | Status::BufError => {}
            }
        }
    }

    /// The data was found to be one frame that fills the entry. Whatever the decoder was used for, it begins anew.
    fn zstd(&mut self, data: Data<'_>, decoder: &mut DCtx<'static>) -> Result<(), PackageError> {
        let corrupt = |source| PackageError::BlobCorrupt {
            digest: self.digest,
            source,
        };
        let mut decoder = zstd::Decoder::with_context(data, decoder);
        let mut chunk = vec![0; self.chunk_bytes];
        loop {
            match decoder.read(&mut chunk) {
                Ok(0) => return Ok(()),
                Ok(count) => (self.take)(chunk.get(..count).unwrap_or_default())?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let failure = decoder.get_mut().get_mut().get_mut().take_failure();
                    return Err(failure.map_or_else(|| corrupt(error), PackageError::read));
                }
            }
        }
    }
}

/// The blobs of a package, compressed as they are.
pub(crate) struct RawBlobs<'a> {
    blobs: &'a Blobs,
    archive: ZipArchive<Cursor<'a>>,
}

impl RawBlobs<'_> {
    /// Hands each blob to `copy`, in the order of digests.
    pub(crate) fn each<E: From<PackageError>>(
        mut self,
        mut copy: impl FnMut(zip::read::ZipFile<'_, Cursor<'_>>) -> Result<(), E>,
    ) -> Result<(), E> {
        let first = self
            .blobs
            .directory
            .len()
            .saturating_sub(self.blobs.directory.blobs.len());
        for (index, &(digest, _)) in self.blobs.directory.blobs.iter().enumerate() {
            let entry = self
                .archive
                .by_index_raw(first.saturating_add(index))
                .map_err(|error| PackageError::BlobCorrupt {
                    digest,
                    source: io::Error::other(error),
                })?;
            copy(entry)?;
        }
        Ok(())
    }
}
