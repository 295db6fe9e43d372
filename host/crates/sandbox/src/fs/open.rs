// SPDX-License-Identifier: Apache-2.0
//! Opening and making files, and looking at what is there.

use super::Files;
use super::Node;
use super::OpenFile;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::resolve::Place;
use crate::record::Denied;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// How a step wants a file opened.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags of one call, as WASI has them"
)]
pub(super) struct How {
    pub(super) follow: bool,
    pub(super) create: bool,
    pub(super) exclusive: bool,
    pub(super) truncate: bool,
    pub(super) directory: bool,
    pub(super) read: bool,
    pub(super) write: bool,
}

/// What a step may know of something that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Facts {
    pub(super) kind: FileType,
    pub(super) size: u64,
}

impl Facts {
    pub(super) fn of(stat: &Stat) -> Self {
        let kind = FileType::from_raw_mode(stat.st_mode);
        // The size of a directory is the file system's business.
        let size = if kind == FileType::Directory {
            0
        } else {
            stat.st_size as u64
        };
        Self { kind, size }
    }
}

impl Files {
    /// Opens or makes a file, or opens a directory.
    pub(super) fn open(&mut self, base: &str, path: &str, how: How) -> Outcome<Node> {
        let place = match self.find(base, path, how.follow) {
            Err(refusal) if how.create => return Err(self.not_created(base, path, refusal)),
            found => found?,
        };
        let Some(stat) = self.stat(&place)? else {
            if how.create {
                return self.create(place, how);
            }
            return Err(self.missing(&place.path));
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.may_see(&place.path, kind) {
            let refusal = self.unseen(&place.path, Denied::Read);
            return Err(if how.create {
                Refusal::NotGranted
            } else {
                refusal
            });
        }
        match kind {
            FileType::Directory => {
                if how.create && how.exclusive {
                    return Err(Refusal::EXISTS);
                }
                if how.write || how.truncate || how.create {
                    return Err(Refusal::IS_A_DIRECTORY);
                }
                Ok(Node::Directory {
                    path: place.path.into(),
                })
            }
            FileType::RegularFile => self.open_file(place, &stat, how),
            FileType::Symlink => Err(Refusal::LOOP),
            _ => Err(self.denied(&place.path, Denied::Open)),
        }
    }

    fn open_file(&mut self, place: Place, seen: &Stat, how: How) -> Outcome<Node> {
        if how.create && how.exclusive {
            return Err(Refusal::EXISTS);
        }
        if how.directory {
            return Err(Refusal::NOT_A_DIRECTORY);
        }
        let writes = how.write || how.truncate;
        if writes {
            let allowed = self
                .may_change(&place.path)
                .and_then(|()| self.may_change_mode(seen.st_mode))
                .and_then(|()| self.one_link(seen));
            allowed.map_err(|_| self.denied(&place.path, Denied::Write))?;
        }
        let access = match (writes, how.read) {
            (true, true) => OFlags::RDWR,
            (true, false) => OFlags::WRONLY,
            (false, _) => OFlags::RDONLY,
        };
        let file = self.open_found(&place, access | SAFELY)?;
        // What was judged is what was opened, or nothing is.
        let found = rustix::fs::fstat(&file)?;
        let same = (found.st_dev, found.st_ino) == (seen.st_dev, seen.st_ino);
        if !same || (writes && self.one_link(&found).is_err()) {
            self.look_anew();
            return Err(self.denied(&place.path, Denied::Open));
        }
        if let Some(touched) = self.trail.look(&place.path) {
            touched.read |= how.read;
        }
        self.glance_at(&place.path, found);
        if how.truncate {
            self.trail.change(&place.path)?.written = true;
            rustix::fs::ftruncate(&file, 0)?;
            self.cuts += 1;
        }
        Ok(Node::File(OpenFile {
            file: Arc::new(File::from(file)),
            identity: (found.st_dev, found.st_ino),
            path: place.path.into(),
            may_read: how.read || !writes,
            may_write: how.write,
        }))
    }

    fn create(&mut self, found: Place, how: How) -> Outcome<Node> {
        self.may_create(&found.path)
            .map_err(|refusal| self.refused(&found.path, Denied::Create, refusal))?;
        if found.as_directory {
            return Err(Refusal::IS_A_DIRECTORY);
        }
        if how.directory {
            return Err(Refusal::INVALID);
        }
        let place = self.anew(found.path)?;
        self.trail.change(&place.path)?;
        self.account.create()?;
        let access = if how.read {
            OFlags::RDWR
        } else {
            OFlags::WRONLY
        };
        let made = OFlags::CREATE | OFlags::EXCL;
        let file = rustix::fs::openat(
            place.parent(),
            place.name(),
            access | made | SAFELY,
            PRIVATE,
        )?;
        self.trail.change(&place.path)?.created = true;
        let made = settle(&file, &place, 0o644)?;
        Ok(Node::File(OpenFile {
            file: Arc::new(File::from(file)),
            identity: (made.st_dev, made.st_ino),
            path: place.path.into(),
            may_read: how.read,
            may_write: how.write,
        }))
    }

    /// Why no file was made at a path that leads nowhere. A link that the step may not see is no other
    /// answer than nothing.
    fn not_created(&mut self, base: &str, path: &str, refusal: Refusal) -> Refusal {
        match self.find(base, path, false) {
            Ok(place) if !self.may_read(&place.path) => Refusal::NotGranted,
            _ => refusal,
        }
    }

    /// Makes a directory.
    pub(super) fn create_directory(&mut self, base: &str, path: &str) -> Outcome {
        let place = self.resolve(base, path, false)?;
        if place.path.is_empty() {
            return Err(Refusal::EXISTS);
        }
        let stat = self.stat(&place)?;
        let kind = stat.map(|stat| FileType::from_raw_mode(stat.st_mode));
        if kind.is_some_and(|kind| self.may_see(&place.path, kind)) {
            return Err(Refusal::EXISTS);
        }
        self.may_create_directory(&place.path)
            .map_err(|refusal| self.refused(&place.path, Denied::Create, refusal))?;
        if kind.is_some() {
            return Err(self.denied(&place.path, Denied::Create));
        }
        self.trail.change(&place.path)?;
        self.account.create()?;
        rustix::fs::mkdirat(place.parent(), place.name(), Mode::RWXU)?;
        self.trail.change(&place.path)?.created = true;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | SAFELY;
        let made = rustix::fs::openat(place.parent(), place.name(), flags, Mode::empty())?;
        settle(&made, &place, 0o755).map(drop)
    }

    /// Looks at what is there.
    pub(super) fn look(
        &mut self,
        base: &str,
        path: &str,
        follow: bool,
    ) -> Outcome<(Facts, String)> {
        let place = self.find(base, path, follow)?;
        let Some(stat) = self.stat(&place)? else {
            return Err(self.missing(&place.path));
        };
        let facts = Facts::of(&stat);
        if !self.may_see(&place.path, facts.kind) {
            return Err(self.unseen(&place.path, Denied::Read));
        }
        self.glance_at(&place.path, stat);
        Ok((facts, place.path))
    }

    /// Records that something was refused, and says so.
    pub(super) fn denied(&mut self, path: &str, what: Denied) -> Refusal {
        self.trail.deny(path, what);
        Refusal::NotGranted
    }

    /// Records that something was refused that the step may not see, and says what it says of nothing.
    pub(super) fn unseen(&mut self, path: &str, what: Denied) -> Refusal {
        self.trail.deny(path, what);
        self.missing(path)
    }

    /// Records that something was refused when the grants were the reason.
    pub(super) fn refused(&mut self, path: &str, what: Denied, refusal: Refusal) -> Refusal {
        if refusal == Refusal::NotGranted {
            self.trail.deny(path, what);
        }
        refusal
    }
}

/// Opening never follows a link, never waits (for the other end of a fifo), never takes a terminal.
const SAFELY: OFlags = OFlags::NOFOLLOW
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC)
    .union(OFlags::NOCTTY);

/// Nobody else can open what is made, before it has its mode.
const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Gives something new the owner of its directory, and a mode that is no more open than that; says what
/// it was before.
fn settle(new: &OwnedFd, place: &Place, mode: u32) -> Outcome<Stat> {
    let directory = rustix::fs::fstat(place.parent())?;
    let stat = rustix::fs::fstat(new)?;
    if (stat.st_uid, stat.st_gid) != (directory.st_uid, directory.st_gid) {
        give(new, directory.st_uid, directory.st_gid)?;
    }
    let others = mode & directory.st_mode & 0o077;
    rustix::fs::fchmod(new, Mode::from_raw_mode((mode & 0o700) | others))?;
    Ok(stat)
}

/// Changes the owner, where this process may.
pub(super) fn give(file: impl AsFd, owner: u32, group: u32) -> Outcome {
    let owner = rustix::fs::Uid::from_raw(owner);
    let group = rustix::fs::Gid::from_raw(group);
    match rustix::fs::fchown(file, Some(owner), Some(group)) {
        Ok(()) | Err(Errno::PERM) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

impl Files {
    /// A file with more links may be one of the live tree.
    pub(super) fn one_link(&self, stat: &Stat) -> Outcome {
        if stat.st_nlink > 1 && self.switches.paths() {
            Err(Refusal::NotGranted)
        } else {
            Ok(())
        }
    }
}
