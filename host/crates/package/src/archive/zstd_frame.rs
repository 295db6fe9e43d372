// SPDX-License-Identifier: Apache-2.0
//! Walks the outside of zstd data (RFC 8878) before it is decoded: one frame, no dictionary, no
//! skippable part, a window that we can afford, nothing after the end.
//!
//! The decoder itself would take any number of frames and grant each 128 MiB, per reading thread.

use super::bytes_at::BytesAt;
use super::error::StructureError;
use crate::error::PackageError;

const MAGIC: u32 = 0xFD2F_B528;
const MAX_BLOCK_BYTES: u64 = 128 << 10;
/// Bytes that are read at a time to find the headers of blocks.
const WINDOW_BYTES: u64 = 4 << 10;

/// Checks the zstd data in `start..end` of the file; it says that it holds `bytes` bytes.
pub(super) fn check(
    file: &BytesAt,
    (start, end): (u64, u64),
    bytes: u64,
    window_limit: u64,
    name: &dyn Fn() -> String,
) -> Result<(), PackageError> {
    let mut walk = Walk {
        file,
        at: start,
        end,
        window: Vec::new(),
        window_at: start,
        name,
    };
    if u32::from_le_bytes(walk.take::<4>()?) != MAGIC {
        return Err(walk.refuse("does not start with a frame"));
    }
    let [descriptor] = walk.take::<1>()?;
    if descriptor & 0b1_1000 != 0 {
        return Err(walk.refuse("has a reserved or unused bit"));
    }
    if descriptor & 0b11 != 0 {
        return Err(walk.refuse("needs a dictionary"));
    }
    let single_segment = descriptor & 0b10_0000 != 0;
    let has_checksum = descriptor & 0b100 != 0;
    let mut window = 0;
    if !single_segment {
        let [byte] = walk.take::<1>()?;
        window = window_bytes(byte);
    }
    let content = match (descriptor >> 6, single_segment) {
        (0, false) => None,
        (0, true) => Some(u64::from(u8::from_le_bytes(walk.take()?))),
        (1, _) => Some(u64::from(u16::from_le_bytes(walk.take()?)) + 256),
        (2, _) => Some(u64::from(u32::from_le_bytes(walk.take()?))),
        (_, _) => Some(u64::from_le_bytes(walk.take()?)),
    };
    if content.is_some_and(|content| content != bytes) {
        return Err(walk.refuse("says another size than its header"));
    }
    if single_segment {
        window = bytes;
    }
    if window > window_limit {
        let (bytes, limit_bytes) = (window, window_limit);
        return Err(StructureError::ZstdWindow {
            name: name(),
            bytes,
            limit_bytes,
        }
        .into());
    }
    loop {
        let [a, b, c] = walk.take::<3>()?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = u64::from(header >> 3);
        if size > MAX_BLOCK_BYTES {
            return Err(walk.refuse("has a block that is too large"));
        }
        match header >> 1 & 0b11 {
            0 | 2 => walk.skip(size)?,
            1 => walk.skip(1)?,
            _ => return Err(walk.refuse("has a block of a reserved type")),
        }
        if header & 1 != 0 {
            break;
        }
    }
    if has_checksum {
        walk.skip(4)?;
    }
    if walk.at != end {
        return Err(walk.refuse("goes on after its frame"));
    }
    Ok(())
}

/// The window of a frame from its descriptor: a power of two from 2^10 to 2^41 and some eighths.
#[cfg_attr(
    not(test),
    expect(clippy::arithmetic_side_effects, reason = "at most 2^42")
)]
fn window_bytes(descriptor: u8) -> u64 {
    let base = 1_u64 << (10 + (descriptor >> 3));
    base + base / 8 * u64::from(descriptor & 7)
}

struct Walk<'a> {
    file: &'a BytesAt,
    at: u64,
    end: u64,
    /// What was read ahead, and where it begins: data may be nothing but headers of blocks.
    window: Vec<u8>,
    window_at: u64,
    name: &'a dyn Fn() -> String,
}

impl Walk<'_> {
    fn refuse(&self, found: &'static str) -> PackageError {
        StructureError::ZstdFrame {
            name: (self.name)(),
            found,
        }
        .into()
    }

    fn skip(&mut self, bytes: u64) -> Result<(), PackageError> {
        match self.at.checked_add(bytes).filter(|at| *at <= self.end) {
            Some(at) => {
                self.at = at;
                Ok(())
            }
            None => Err(self.refuse("ends too early")),
        }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], PackageError> {
        let at = self.at;
        self.skip(N as u64)?;
        if let Some(bytes) = self.ahead(at) {
            return Ok(bytes);
        }
        let length = self.end.saturating_sub(at).min(WINDOW_BYTES);
        self.window = self.file.read_vec(at, length)?;
        self.window_at = at;
        self.ahead(at).ok_or_else(|| self.refuse("ends too early"))
    }

    /// What stands at a place, where that was read ahead.
    fn ahead<const N: usize>(&self, at: u64) -> Option<[u8; N]> {
        let from = usize::try_from(at.checked_sub(self.window_at)?).ok()?;
        self.window.get(from..)?.first_chunk().copied()
    }
}
