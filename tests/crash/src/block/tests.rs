// SPDX-License-Identifier: Apache-2.0
//! The cuts themselves: what they lose, what they never lose, and that the kernel's flushes arrive.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use super::FILE_SYSTEMS;
use super::FileSystem;
use super::cuts;
use super::cuts::Cut;
use super::cuts::Kept;
use super::disks;
use super::disks::Disks;
use super::drives::Asked;
use super::drives::Event;
use super::image::Image;
use super::on_a_thread;
use super::recording::Recording;

const SECTOR: usize = 512;

/// Two sectors of the same byte, written where the byte says.
fn write(drive: usize, byte: u8) -> Event {
    let bytes: Arc<[u8]> = vec![byte; 2 * SECTOR].into();
    let offset = u64::from(byte) * bytes.len() as u64;
    Event {
        drive,
        request: Asked::Write { offset, bytes },
    }
}

fn flush(drive: usize) -> Event {
    Event {
        drive,
        request: Asked::Flush,
    }
}

fn recording(events: Vec<Event>) -> Recording {
    Recording {
        start: vec![Image::blank(1 << 20); 2],
        ended: events.len(),
        events,
        mounted: 0,
        marks: Vec::new(),
    }
}

/// The bytes that are found whole on a disk, and those of which half is there.
fn kept(image: &Image) -> (Vec<u8>, Vec<u8>) {
    let halves = |byte: u8| {
        let begin = u64::from(byte) * 2 * SECTOR as u64;
        let bytes = image.read(begin, 2 * SECTOR);
        let (front, back) = bytes.split_at(SECTOR);
        usize::from(front == [byte; SECTOR]) + usize::from(back == [byte; SECTOR])
    };
    let those = |count| (1..=100).filter(|byte| halves(*byte) == count).collect();
    (those(2), those(1))
}

#[test]
fn what_was_flushed_is_never_lost_and_every_other_write_is_once() {
    let events = vec![write(0, 1), flush(0), write(0, 2), write(0, 3), write(0, 4)];
    let recording = recording([events, vec![flush(0), write(0, 5)]].concat());
    let mut found = Vec::new();
    for cut in cuts::cuts(&recording) {
        let (whole, torn) = kept(&cuts::found(&recording, cut)[0]);
        assert!(whole.contains(&1) || cut.at < 2, "{cut:?}");
        let late = [2, 3, 4].iter().all(|byte| whole.contains(byte));
        assert!(late || cut.at < 6, "{cut:?}");
        found.push((whole, torn));
    }
    for lost in [2, 3] {
        let others = [1, 2, 3, 4].into_iter().filter(|byte| *byte != lost);
        let expected = (others.collect(), vec![]);
        assert!(found.contains(&expected), "without {lost}: {found:?}");
    }
    for only in [3, 4] {
        assert!(found.contains(&(vec![1, only], vec![])), "only {only}");
    }
    assert!(found.contains(&(vec![1, 2], vec![3])), "torn: {found:?}");
    assert!(found.contains(&(vec![], vec![])) || found.contains(&(vec![], vec![1])));
}

#[test]
fn each_half_of_a_torn_write_is_found_alone() {
    let recording = recording(vec![write(0, 1)]);
    let half = |kept| {
        let cut = Cut {
            number: 0,
            at: 1,
            kept,
        };
        cuts::found(&recording, cut)[0].read(2 * SECTOR as u64, 2 * SECTOR)
    };
    let (ones, zeroes) = ([1; SECTOR], [0; SECTOR]);
    assert_eq!(half(Kept::FirstHalf), [ones, zeroes].concat());
    assert_eq!(half(Kept::LastHalf), [zeroes, ones].concat());
}

#[test]
fn two_disks_keep_what_they_keep_by_themselves() {
    let events = vec![write(0, 1), write(1, 2), flush(1), write(1, 3), flush(0)];
    let recording = recording(events);
    let both = |cut: Cut| {
        let found = cuts::found(&recording, cut);
        (kept(&found[0]).0, kept(&found[1]).0)
    };
    let found: Vec<_> = cuts::cuts(&recording).into_iter().map(both).collect();
    assert!(found.contains(&(vec![], vec![2, 3])), "{found:?}");
    assert!(found.contains(&(vec![1], vec![2])), "{found:?}");
}

#[test]
fn a_cut_is_found_again_by_its_number() {
    let recording = recording(vec![write(0, 1), write(0, 2), write(0, 3), flush(0)]);
    let all = cuts::cuts(&recording);
    let numbers: Vec<u64> = all.iter().map(|cut| cut.number).collect();
    assert_eq!(numbers, (1..=all.len() as u64).collect::<Vec<_>>());
    assert_eq!(all, cuts::cuts(&recording));
}

const SYNCED: &[u8] = b"this was synced, with its name";

/// Writes a file and makes it durable on the first disk; says how much the disks had seen when the sync
/// returned.
fn write_and_sync(disks: &Disks) -> io::Result<usize> {
    let name = disks.point(0).join("synced");
    fs::write(&name, SYNCED)?;
    File::open(&name)?.sync_all()?;
    File::open(disks.point(0))?.sync_all()?;
    let synced = disks.drives.logged();
    fs::write(disks.point(0).join("after"), "this was not")?;
    Ok(synced)
}

/// What the file holds on the disks of a cut.
fn found(disks: &mut Disks, recording: &Recording, cut: Cut) -> io::Result<Option<Vec<u8>>> {
    disks.drives.load(cuts::found(recording, cut));
    disks.mount()?;
    let file = fs::read(disks.point(0).join("synced"));
    disks.unmount()?;
    match file {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn a_sync_is_a_flush(kind: FileSystem, folder: &Path) -> io::Result<()> {
    let mut disks = Disks::plug_in(kind, folder)?;
    let mut recording = recording(Vec::new());
    recording.start = disks.drives.images();
    disks.drives.begin_log();
    disks.mount()?;
    let synced = write_and_sync(&disks)?;
    recording.events = disks.drives.end_log();
    disks.unmount()?;

    let (before, _) = recording.events.split_at(synced);
    let flushed = before.iter().rposition(|event| *event == flush(0));
    let flushed = flushed.expect("a sync flushes the disk");
    let of_the_file = |event: &Event| match &event.request {
        Asked::Write { bytes, .. } => bytes.windows(SYNCED.len()).any(|part| part == SYNCED),
        Asked::Clear { .. } | Asked::Flush => false,
    };
    let written = before.iter().position(of_the_file);
    let written = written.expect("what is synced is written");
    assert!(written < flushed, "{kind:?}: written before it is flushed");

    let mut after = |at, kept| {
        let cut = Cut {
            number: 0,
            at,
            kept,
        };
        found(&mut disks, &recording, cut)
    };
    // Whatever else the disk loses or keeps.
    for kept in [Kept::All, Kept::AllOn(1), Kept::Some(1), Kept::Some(2)] {
        assert_eq!(after(synced, kept)?.as_deref(), Some(SYNCED), "{kind:?}");
    }
    let early = after(written, Kept::All)?;
    assert_ne!(early.as_deref(), Some(SYNCED), "{kind:?}: not yet written");
    Ok(())
}

#[test]
fn a_sync_is_a_flush_and_what_was_flushed_is_found() {
    if let Err(reason) = disks::permitted() {
        println!("skipped: {reason}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().canonicalize().unwrap();
    for kind in FILE_SYSTEMS {
        on_a_thread(|| a_sync_is_a_flush(kind, &folder)).unwrap();
    }
}
