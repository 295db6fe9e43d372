// SPDX-License-Identifier: Apache-2.0
//! Reading and writing open files: on the spot, in bounded chunks, counted.

use super::Files;
use super::OpenFile;
use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::CHUNK_BYTES;
use rustix::buffer::spare_capacity;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
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
    /// How often files had been cut when this stream wrote last. While no other was, the file reaches
    /// to the offset at least.
    pub(super) cuts: Option<u64>,
}

impl FileInput {
    pub(super) fn path_mut(&mut self) -> &mut Arc<str> {
        &mut self.file.path
    }
}

impl FileOutput {
    pub(super) fn path_mut(&mut self) -> &mut Arc<str> {
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
        self.put_next(output, bytes)
            .map_err(Refusal::into_stream_error)
    }

    fn put_next(&mut self, output: &mut FileOutput, bytes: &[u8]) -> Outcome {
        let Some(offset) = output.offset else {
            let end = output.file.len()?;
            return self.write_at(&output.file, bytes, end, end);
        };
        // What this stream has written is still there, unless a file was cut since.
        let at_least = if output.cuts == Some(self.cuts) {
            offset
        } else {
            0
        };
        self.write_at(&output.file, bytes, offset, at_least)?;
        output.offset = Some(offset + bytes.len() as u64);
        if !bytes.is_empty() {
            output.cuts = Some(self.cuts);
        }
        Ok(())
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
        // Not zeroed first: for large files that would cost a third of what reading does.
        let mut bytes = Vec::with_capacity(len.min(CHUNK_BYTES as u64) as usize);
        let read = rustix::io::retry_on_intr(|| {
            rustix::io::pread(&*file.file, spare_capacity(&mut bytes), offset)
        })?;
        self.account.read_bytes += read as u64;
        if let Some(touched) = self.trail.look(&file.path) {
            touched.read_bytes += read as u64;
        }
        Ok((bytes, read == 0 && len > 0))
    }

    /// Writes all of the bytes, if the budget allows them and all that the file grows: behind its end,
    /// what lies between counts as well, since whoever reads the file later reads it. The file is asked
    /// for its end only when it is not known to have `at_least` as many bytes as lie before the offset.
    pub(super) fn write_at(
        &mut self,
        file: &OpenFile,
        bytes: &[u8],
        offset: u64,
        at_least: u64,
    ) -> Outcome {
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let gap = if offset <= at_least {
            0
        } else {
            offset.saturating_sub(file.len()?)
        };
        let charged = gap.saturating_add(bytes.len() as u64);
        let touched = self.trail.change(&file.path)?;
        self.account.write(charged)?;
        // Before the write, which may fail halfway: the record may say too much, never too little.
        touched.written = true;
        touched.written_bytes += charged;
        file.file.write_all_at(bytes, offset)?;
        Ok(())
    }

    /// Cuts or grows a file; what it grows counts as written.
    pub(super) fn resize(&mut self, file: &OpenFile, size: u64) -> Outcome {
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE);
        }
        let grown = size.saturating_sub(file.len()?);
        let touched = self.trail.change(&file.path)?;
        self.account.write(grown)?;
        file.file.set_len(size)?;
        self.cuts += 1;
        touched.written = true;
        touched.written_bytes += grown;
        Ok(())
    }
}

impl OpenFile {
    /// How long it is now. Another handle may change it, so it is not remembered.
    fn len(&self) -> Outcome<u64> {
        Ok(rustix::fs::fstat(&*self.file)?.st_size as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Node;
    use super::super::open::How;
    use super::*;
    use crate::grants::FileGrants;
    use crate::limits::Limits;
    use crate::switches::Switches;
    use cofferdam_package::glob::GlobSet;
    use std::fs::File;

    const MADE: How = How {
        follow: true,
        create: true,
        exclusive: false,
        truncate: true,
        directory: false,
        read: false,
        write: true,
    };

    fn opened(files: &mut Files) -> OpenFile {
        match files.open("", "a", MADE).unwrap() {
            Node::File(file) => file,
            node @ Node::Directory { .. } => panic!("{node:?}"),
        }
    }

    #[test]
    fn a_gap_is_charged_also_when_the_stream_had_written_all_of_it_before_a_cut() {
        let tree = tempfile::tempdir().unwrap();
        let grants = FileGrants {
            write: GlobSet::parse(&["**".to_owned()]).unwrap(),
            ..FileGrants::none()
        };
        let root = File::open(tree.path()).unwrap();
        let limits = Limits::default();
        let mut files = Files::new(&root, &grants, &limits, true, Switches::default()).unwrap();
        let file = opened(&mut files);
        let mut output = FileOutput {
            file: file.clone(),
            offset: Some(10),
            cuts: None,
        };
        let mut charged = |files: &mut Files| {
            let before = files.account.written_bytes;
            files.put(&mut output, b"0123456789").unwrap();
            files.account.written_bytes - before
        };
        assert_eq!(charged(&mut files), 20, "ten bytes before the first write");
        assert_eq!(charged(&mut files), 10, "goes on where the file ends");
        files.resize(&file, 4).unwrap();
        assert_eq!(charged(&mut files), 36, "from 4 to 30, and the bytes");
        assert_eq!(charged(&mut files), 10);
        opened(&mut files);
        assert_eq!(charged(&mut files), 60, "opening it anew cut it to nothing");
        assert_eq!(std::fs::metadata(tree.path().join("a")).unwrap().len(), 60);
    }
}
