// SPDX-License-Identifier: Apache-2.0
//! What a block device holds: in memory, sparse, and cheap to copy, since copies share their blocks.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// In bytes: as large as the pages that most writes are made of.
const BLOCK: usize = 4096;

/// The bytes of a device. What was never written reads as zeroes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Image {
    length: u64,
    blocks: BTreeMap<u64, Arc<[u8; BLOCK]>>,
}

impl Image {
    /// A device of this many bytes, all zeroes.
    pub(crate) fn blank(length: u64) -> Self {
        Self {
            length,
            blocks: BTreeMap::new(),
        }
    }

    /// How many bytes there are.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes from an offset on; a range that ends behind the device is cut there.
    pub(crate) fn read(&self, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; self.within(offset, length as u64) as usize];
        for piece in pieces(offset, bytes.len()) {
            if let Some(block) = self.blocks.get(&piece.block) {
                bytes[piece.of_all].copy_from_slice(&block[piece.of_block]);
            }
        }
        bytes
    }

    /// Puts bytes at an offset; those behind the end of the device are dropped.
    pub(crate) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let length = self.within(offset, bytes.len() as u64) as usize;
        for piece in pieces(offset, length) {
            let block = self.blocks.entry(piece.block);
            let block = block.or_insert_with(|| Arc::new([0; BLOCK]));
            Arc::make_mut(block)[piece.of_block].copy_from_slice(&bytes[piece.of_all]);
        }
    }

    /// Makes a range zeroes.
    pub(crate) fn clear(&mut self, offset: u64, length: u64) {
        let length = self.within(offset, length) as usize;
        for piece in pieces(offset, length) {
            if piece.of_block.len() == BLOCK {
                self.blocks.remove(&piece.block);
            } else if let Some(block) = self.blocks.get_mut(&piece.block) {
                Arc::make_mut(block)[piece.of_block].fill(0);
            }
        }
    }

    /// Writes it to a sparse file.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        for (number, block) in &self.blocks {
            file.write_all_at(block.as_slice(), number * BLOCK as u64)?;
        }
        file.set_len(self.length)
    }

    fn within(&self, offset: u64, length: u64) -> u64 {
        length.min(self.length.saturating_sub(offset))
    }
}

/// The part of a range that lies in one block.
struct Piece {
    block: u64,
    of_block: Range<usize>,
    of_all: Range<usize>,
}

fn pieces(offset: u64, length: usize) -> impl Iterator<Item = Piece> {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done == length {
            return None;
        }
        let at = offset + done as u64;
        let begin = (at % BLOCK as u64) as usize;
        let count = (BLOCK - begin).min(length - done);
        let piece = Piece {
            block: at / BLOCK as u64,
            of_block: begin..begin + count,
            of_all: done..done + count,
        };
        done += count;
        Some(piece)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_holds_what_a_plain_buffer_would() {
        let mut plain = vec![0_u8; 5 * BLOCK + 700];
        let mut image = Image::blank(plain.len() as u64);
        let mut chance = crate::plan::Chance::new(7);
        for round in 1..=200_u8 {
            let offset = chance.up_to(plain.len() as u64) as usize - 1;
            let length = chance.up_to(2 * BLOCK as u64 + 100) as usize;
            let end = plain.len().min(offset + length);
            if round % 3 == 0 {
                plain[offset..end].fill(0);
                image.clear(offset as u64, length as u64);
            } else {
                plain[offset..end].fill(round);
                image.write(offset as u64, &vec![round; length]);
            }
            assert!(image.read(0, plain.len() + 1) == plain, "round {round}");
        }
        let folder = tempfile::tempdir().unwrap();
        image.save(&folder.path().join("image")).unwrap();
        let saved = std::fs::read(folder.path().join("image")).unwrap();
        assert!(saved == plain, "{} bytes were saved", saved.len());
    }

    #[test]
    fn a_copy_does_not_see_what_is_written_to_the_first() {
        let mut image = Image::blank(BLOCK as u64);
        image.write(0, b"one");
        let copy = image.clone();
        image.write(0, b"two");
        assert_eq!(copy.read(0, 3), b"one");
    }
}
