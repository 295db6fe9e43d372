// SPDX-License-Identifier: Apache-2.0
//! Positioned reading: one open file, many readers, no shared position and no memory map.
//!
//! A map would turn a file that shrinks under us into a signal; a positioned read turns it into an
//! error.

use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::SeekFrom;
use std::os::unix::fs::FileExt as _;

use crate::error::PackageError;

/// A file and the length that it had when it was opened.
#[derive(Debug)]
pub(super) struct BytesAt {
    file: File,
    len: u64,
}

impl BytesAt {
    pub(super) fn new(file: File) -> Result<Self, PackageError> {
        let metadata = file.metadata().map_err(PackageError::read)?;
        if !metadata.is_file() {
            return Err(PackageError::read(io::Error::other(
                "it is no regular file",
            )));
        }
        Ok(Self {
            file,
            len: metadata.len(),
        })
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    pub(super) fn read_exact(&self, bytes: &mut [u8], offset: u64) -> Result<(), PackageError> {
        self.file
            .read_exact_at(bytes, offset)
            .map_err(PackageError::read)
    }

    pub(super) fn read_array<const N: usize>(&self, offset: u64) -> Result<[u8; N], PackageError> {
        let mut bytes = [0; N];
        self.read_exact(&mut bytes, offset)?;
        Ok(bytes)
    }

    /// Reads into a new vector. The caller has bounded `bytes`.
    pub(super) fn read_vec(&self, offset: u64, bytes: u64) -> Result<Vec<u8>, PackageError> {
        let bytes =
            usize::try_from(bytes).map_err(|error| PackageError::read(io::Error::other(error)))?;
        let mut out = vec![0; bytes];
        self.read_exact(&mut out, offset)?;
        Ok(out)
    }

    pub(super) fn cursor_at(&self, position: u64) -> Cursor<'_> {
        Cursor {
            bytes: self,
            position,
            failure: None,
        }
    }
}

/// A reader with a position of its own. Failures of the file itself are kept apart, since a decoder
/// passes them on among its own.
pub(crate) struct Cursor<'a> {
    bytes: &'a BytesAt,
    position: u64,
    failure: Option<io::Error>,
}

impl Cursor<'_> {
    /// The failure of the file, if reading it failed since this was asked last.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }
}

impl Read for Cursor<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.bytes.file.read_at(out, self.position) {
                Ok(count) => {
                    self.position = self.position.saturating_add(count as u64);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let copy = io::Error::from(error.kind());
                    self.failure = Some(error);
                    return Err(copy);
                }
            }
        }
    }
}

impl Seek for Cursor<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::End(distance) => self.bytes.len.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}
