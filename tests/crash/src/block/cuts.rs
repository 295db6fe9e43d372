// SPDX-License-Identifier: Apache-2.0
//! Which disks may be found when the power is cut: everything that was flushed, and of what was written
//! since then whatever a disk with a volatile cache may have kept.
//!
//! A disk keeps or loses each write since its last flush by itself, in any order, and of the write under
//! way any sector. Two disks lose their power at one instant, and what one keeps says nothing about the
//! other. That is every disk that can be found; some of each kind are built ([`Kept`]).

use super::drives::Asked;
use super::drives::Event;
use super::image::Image;
use super::recording::Recording;
use crate::plan::Chance;

/// What a disk writes in one piece, or not at all.
const SECTOR: usize = 512;

/// One cut of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Which one, counted from 1 over all that a recording has.
    pub(crate) number: u64,
    /// How many events there were before the power was gone.
    pub(crate) at: usize,
    /// What was kept of the writes that were not flushed.
    pub(crate) kept: Kept,
}

/// What the disks kept of the writes that they had not flushed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// All of them.
    All,
    /// All but the first half of the last one's sectors.
    LastHalf,
    /// All but the other half.
    FirstHalf,
    /// All but one: this event.
    AllBut(usize),
    /// Of one disk only this event.
    Only(usize),
    /// Some, by chance.
    Some(u64),
    /// All on this disk, nothing on the other.
    AllOn(usize),
}

impl Kept {
    /// The word for it in reports.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::All => "all kept",
            Self::FirstHalf | Self::LastHalf => "one torn",
            Self::AllBut(_) => "one lost",
            Self::Only(_) => "one kept",
            Self::Some(_) => "some kept",
            Self::AllOn(_) => "one disk kept",
        }
    }
}

/// Every cut of a recording, or as many as are worth listing: whatever is flushed twice in between is
/// cut in each way.
pub(crate) fn cuts(recording: &Recording) -> Vec<Cut> {
    let mut listed = Listed::default();
    let disks = recording.start.len();
    let mut pending: Vec<Vec<usize>> = vec![Vec::new(); disks];
    for (place, event) in recording.events.iter().enumerate() {
        let is_cut = place >= recording.mounted;
        match &event.request {
            Asked::Flush => {
                if is_cut {
                    listed.before_a_flush(place, &pending[event.drive]);
                    let waiting = pending.iter().filter(|events| !events.is_empty());
                    if waiting.count() > 1 {
                        (0..disks).for_each(|disk| listed.add(place, Kept::AllOn(disk)));
                    }
                }
                pending[event.drive].clear();
            }
            request => {
                pending[event.drive].push(place);
                if is_cut {
                    listed.add(place + 1, Kept::All);
                    if matches!(request, Asked::Write { bytes, .. } if can_tear(bytes)) {
                        listed.add(place + 1, Kept::FirstHalf);
                        listed.add(place + 1, Kept::LastHalf);
                    }
                }
            }
        }
    }
    listed.0
}

/// Whether a disk may have half of a write. Not of the superblock of btrfs, which counts on disks that write
/// its 4 KiB in one piece: with half of one no kernel mounts it, whatever the product did.
fn can_tear(bytes: &[u8]) -> bool {
    const BTRFS: &[u8] = b"_BHRfS_M";
    bytes.len() > SECTOR && bytes.get(0x40..0x48) != Some(BTRFS)
}

#[derive(Default)]
struct Listed(Vec<Cut>);

impl Listed {
    fn add(&mut self, at: usize, kept: Kept) {
        let number = self.0.len() as u64 + 1;
        self.0.push(Cut { number, at, kept });
    }

    /// `pending` is what the flush at this place makes durable.
    fn before_a_flush(&mut self, place: usize, pending: &[usize]) {
        let Some((_, but_the_last)) = pending.split_last() else {
            return;
        };
        for event in but_the_last {
            self.add(place, Kept::AllBut(*event));
        }
        for event in pending.iter().skip(1) {
            self.add(place, Kept::Only(*event));
        }
        if pending.len() > 2 {
            self.add(place, Kept::Some(place as u64));
        }
    }
}

/// The disks that are found after a cut.
pub(crate) fn found(recording: &Recording, cut: Cut) -> Vec<Image> {
    let mut images = recording.start.clone();
    let events = &recording.events[..cut.at];
    let flushed: Vec<usize> = (0..images.len())
        .map(|disk| {
            let flush = |event: &Event| event.drive == disk && event.request == Asked::Flush;
            events.iter().rposition(flush).unwrap_or(0)
        })
        .collect();
    let mut chance = Chance::new(match cut.kept {
        Kept::Some(seed) => seed,
        _ => 0,
    });
    for (place, event) in events.iter().enumerate() {
        let Event { drive, request } = event;
        let is_last = place + 1 == cut.at;
        let is_kept = place < flushed[*drive]
            || match cut.kept {
                Kept::All | Kept::FirstHalf | Kept::LastHalf => true,
                Kept::AllBut(lost) => place != lost,
                Kept::Only(kept) => place == kept || *drive != recording.events[kept].drive,
                Kept::Some(_) => chance.up_to(2) == 1,
                Kept::AllOn(disk) => *drive == disk,
            };
        if !is_kept {
            continue;
        }
        match request {
            Asked::Write { offset, bytes } => {
                let half = (bytes.len() / SECTOR).div_ceil(2) * SECTOR;
                let kept = match cut.kept {
                    Kept::FirstHalf if is_last => 0..half,
                    Kept::LastHalf if is_last => half..bytes.len(),
                    _ => 0..bytes.len(),
                };
                images[*drive].write(offset + kept.start as u64, &bytes[kept]);
            }
            Asked::Clear { offset, length } => images[*drive].clear(*offset, *length),
            Asked::Flush => {}
        }
    }
    images
}
