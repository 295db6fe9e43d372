// SPDX-License-Identifier: Apache-2.0
//! Reading and writing open files: on the spot, in bounded chunks, counted.

use super::Files;
use super::OpenFile;
use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::CHUNK_BYTES;
use std::os::unix::fs::FileExt;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::StreamResult;

/// A stream that reads a file from an offset on.
#[derive(Debug)]
pub(crate) struct FileInput {
    pub(super) file: OpenFile,
    pub(super) offset: u64,
}

/// A stream that writes a file from an offset on, or at its end.
#[derive(Debug)]
pub(crate) struct FileOutput {
    pub(super) file: OpenFile,
    /// None writes at the end.
    pub(super) offset: Option<u64>,
}

impl FileInput {
    pub(super) fn path_mut(&mut self) -> &mut String {
        &mut self.file.path
    }
}

impl FileOutput {
    pub(super) fn path_mut(&mut self) -> &mut String {
        &mut self.file.path
    }
}

impl Files {
    /// The next bytes of a stream.
    pub(crate) fn pull(&mut self, input: &mut FileInput, len: u64) -> StreamResult<Vec<u8>> {
        if len == 0 {
            return Ok(Vec::new());
        }
        let (bytes, at_end) = self
            .read_at(&input.file, len, input.offset)
            .map_err(Refusal::into_stream_error)?;
        if at_end {
            return Err(StreamError::Closed);
        }
        input.offset += bytes.len() as u64;
        Ok(bytes)
    }

    /// Writes the next bytes of a stream.
    pub(crate) fn put(&mut self, output: &mut FileOutput, bytes: &[u8]) -> StreamResult<()> {
        if bytes.len() > CHUNK_BYTES {
            return Err(StreamError::trap("wrote more than `check-write` allows"));
        }
        let written = match output.offset {
            Some(offset) => self.write_at(&output.file, bytes, offset).map(|()| {
                output.offset = Some(offset + bytes.len() as u64);
            }),
            None => output
                .file
                .file
                .metadata()
                .map_err(Refusal::from)
                .and_then(|metadata| self.write_at(&output.file, bytes, metadata.len())),
        };
        written.map_err(Refusal::into_stream_error)
    }

    /// Reads once, up to a chunk; says whether the end was reached.
    pub(super) fn read_at(
        &mut self,
        file: &OpenFile,
        len: u64,
        offset: u64,
    ) -> Outcome<(Vec<u8>, bool)> {
        if !file.may_read {
            return Err(Refusal::BAD_HANDLE);
        }
        let mut bytes = vec![0; len.min(CHUNK_BYTES as u64) as usize];
        let read = rustix::io::retry_on_intr(|| {
            rustix::io::pread(&*file.file, bytes.as_mut_slice(), offset)
        })?;
        bytes.truncate(read);
        self.account.read_bytes += read as u64;
        if let Some(touched) = self.trail.look(&file.path) {
            touched.read_bytes += read as u64;
        }
        Ok((bytes, read == 0 && len > 0))
    }

    /// Writes all of the bytes, if the budget allows them and all that the file grows: behind its end,
    /// what lies between counts as well, since whoever reads the file later reads it.
    pub(super) fn write_at(&mut self, file: &OpenFile, bytes: &[u8], offset: u64) -> Outcome {
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        // The length is asked for each time: another handle may have cut the file meanwhile.
        let old = file.file.metadata()?.len();
        let len = bytes.len() as u64;
        let charged = len.max(offset.saturating_add(len).saturating_sub(old));
        self.trail.change(&file.path)?;
        self.account.write(charged)?;
        file.file.write_all_at(bytes, offset)?;
        let touched = self.trail.change(&file.path)?;
        touched.written = true;
        touched.written_bytes += charged;
        Ok(())
    }

    /// Cuts or grows a file; what it grows counts as written.
    pub(super) fn resize(&mut self, file: &OpenFile, size: u64) -> Outcome {
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE);
        }
        let old = file.file.metadata()?.len();
        self.trail.change(&file.path)?;
        self.account.write(size.saturating_sub(old))?;
        file.file.set_len(size)?;
        let touched = self.trail.change(&file.path)?;
        touched.written = true;
        touched.written_bytes += size.saturating_sub(old);
        Ok(())
    }
}
