// SPDX-License-Identifier: Apache-2.0
//! From what a step asks for to a path without links, and a handle of its parent directory.
//!
//! Plain paths take one `openat2` that follows no link at all. Where it meets one, or the path has a
//! `..`, the path is walked (`walk.rs`), name by name: a link's target is put in the place of its name, and
//! the result is always opened again from the root without following anything. So whatever changes
//! meanwhile, the handle is below the root, and the path that is judged is the one that is used.
//!
//! To *look* at what stands at a path, the handle of the last directory will do, if it is the same one
//! ([`Files::find`]); to *act*, the directory is always looked up anew ([`Files::resolve`]), or the
//! whole path is ([`Files::open_found`]).
//!
//! Each directory on the way is judged before it is looked at, and an error about a path that the step
//! may not see is always the same one: a way through `private/..` must not tell whether there is one.

use super::Files;
use super::judge::above;
use super::judge::split;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::walk::Walk;
use crate::limits::PATH_BYTES;
use crate::record::Denied;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use std::cell::OnceCell;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The tree's root, and the directory in which a step looked last.
#[derive(Debug)]
pub(super) struct Root {
    root: Arc<OwnedFd>,
    last: Option<(String, Arc<OwnedFd>)>,
}

/// A resolved path: the parent's handle, and the last name in it.
#[derive(Debug)]
pub(super) struct Place {
    parent: Arc<OwnedFd>,
    /// The path from the root, without links; `""` is the root itself.
    pub(super) path: String,
    /// Whether it was written with a `/`, `.` or `..` at its end, and so can only be a directory's.
    pub(super) as_directory: bool,
    /// What stood there when it was resolved, if somebody looked.
    seen: OnceCell<Option<Stat>>,
}

/// What a path is resolved for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Looking,
    Acting,
}

impl Place {
    /// The directory that the last name is in.
    pub(super) fn parent(&self) -> BorrowedFd<'_> {
        self.parent.as_fd()
    }

    /// The last name; `.` for the root.
    pub(super) fn name(&self) -> &str {
        if self.path.is_empty() {
            "."
        } else {
            split(&self.path).1
        }
    }
}

impl Root {
    /// Takes the tree's handle; fails where the kernel cannot resolve paths safely.
    pub(super) fn open(tree: &File) -> std::io::Result<Self> {
        let root = open_beneath(tree.as_fd(), ".", OFlags::RDONLY | OFlags::DIRECTORY)?;
        Ok(Self {
            root: Arc::new(root),
            last: None,
        })
    }

    /// To be called when directories have got other names, or none.
    pub(super) fn forget(&mut self) {
        self.last = None;
    }

    /// The directory at a path without links, as a place to act in.
    pub(super) fn directory(&self, path: &str) -> Outcome<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.root));
        }
        let directory = open_beneath(self.root.as_fd(), path, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(Arc::new(directory))
    }

    /// The same, as it was when a step looked there last.
    fn last_directory(&mut self, path: &str) -> Outcome<Arc<OwnedFd>> {
        if let Some((last, directory)) = &self.last
            && last == path
        {
            return Ok(Arc::clone(directory));
        }
        let directory = self.directory(path)?;
        self.last = Some((path.to_owned(), Arc::clone(&directory)));
        Ok(directory)
    }

    /// The place at a path, wherever it leads: only behind a switch of the tests.
    fn unchecked(&self, path: String) -> Outcome<Place> {
        let parent = match split(&path).0 {
            "" => ".",
            parent => parent,
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = rustix::fs::openat(&self.root, parent, flags, Mode::empty())?;
        Ok(Place {
            parent: Arc::new(parent),
            path,
            as_directory: false,
            seen: OnceCell::new(),
        })
    }

    /// The directory at a path without links, to list it.
    pub(super) fn listable(&self, path: &str) -> Outcome<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        Ok(open_beneath(
            self.root.as_fd(),
            path,
            OFlags::RDONLY | OFlags::DIRECTORY,
        )?)
    }

    /// The file at a path without links, opened by all of the path.
    pub(super) fn file(&self, path: &str, flags: OFlags) -> Outcome<OwnedFd> {
        Ok(open_beneath(self.root.as_fd(), path, flags)?)
    }

    /// The place at a path without links.
    pub(super) fn place(&self, path: String) -> Outcome<Place> {
        Ok(Place {
            parent: self.directory(split(&path).0)?,
            path,
            as_directory: false,
            seen: OnceCell::new(),
        })
    }

    /// The place at a path without `..`; none where a link is on the way, or at an end that is followed.
    /// `known` is what stands there, if that was seen already.
    fn plain(
        &mut self,
        path: String,
        follow: bool,
        purpose: Use,
        known: Option<Stat>,
    ) -> Outcome<Option<Place>> {
        let parent = split(&path).0;
        let parent = match purpose {
            Use::Looking => self.last_directory(parent),
            Use::Acting => self.directory(parent),
        };
        let mut place = match parent {
            Ok(parent) => Place {
                parent,
                path,
                as_directory: false,
                seen: known.map_or_else(OnceCell::new, |known| Some(known).into()),
            },
            Err(Refusal::LOOP) => return Ok(None),
            Err(refusal) => return Err(refusal),
        };
        if follow && known.is_none() && !place.path.is_empty() {
            let seen = stat(&place)?;
            if seen.is_some_and(|seen| is_link(&seen)) {
                return Ok(None);
            }
            place.seen = seen.into();
        }
        Ok(Some(place))
    }
}

impl Files {
    /// Resolves `path` from the directory `base`; `follow` says whether a link at the end is followed.
    /// Errors tell the step nothing about what it was not granted.
    pub(super) fn resolve(&mut self, base: &str, path: &str, follow: bool) -> Outcome<Place> {
        self.resolve_for(Use::Acting, base, path, follow)
    }

    /// The same, to look at what stands there and nothing else.
    pub(super) fn find(&mut self, base: &str, path: &str, follow: bool) -> Outcome<Place> {
        self.resolve_for(Use::Looking, base, path, follow)
    }

    /// The place of a path that was found, to act there.
    pub(super) fn anew(&self, path: String) -> Outcome<Place> {
        if self.switches.paths() {
            self.root.place(path)
        } else {
            self.root.unchecked(path)
        }
    }

    /// Opens what was found, by the whole of its path: whatever changed since, nothing is followed.
    /// Where it fails, the directory is looked up anew the next time.
    pub(super) fn open_found(&mut self, place: &Place, flags: OFlags) -> Outcome<OwnedFd> {
        let opened = if self.switches.paths() && place.path.len() < PATH_BYTES {
            self.root.file(&place.path, flags)
        } else {
            self.anew(place.path.clone()).and_then(|place| {
                let file = rustix::fs::openat(place.parent(), place.name(), flags, Mode::empty());
                Ok(file?)
            })
        };
        if opened.is_err() {
            self.look_anew();
        }
        opened
    }

    fn resolve_for(
        &mut self,
        purpose: Use,
        base: &str,
        path: &str,
        follow: bool,
    ) -> Outcome<Place> {
        let mut place = self.resolve_names(purpose, base, path, follow)?;
        place.as_directory = matches!(split(path).1, "" | "." | "..");
        if place.as_directory && self.may_read(&place.path) {
            let stat = self.stat(&place)?;
            if stat.is_some_and(|stat| !is_directory(&stat)) {
                return Err(Refusal::NOT_A_DIRECTORY);
            }
        }
        Ok(place)
    }

    fn resolve_names(
        &mut self,
        purpose: Use,
        base: &str,
        path: &str,
        follow: bool,
    ) -> Outcome<Place> {
        let names = names(path).inspect_err(|refusal| {
            if *refusal == Refusal::NotPermitted {
                self.trail.deny(path, Denied::Resolve);
            }
        })?;
        let asked = join(base, &names);
        if !self.switches.paths() {
            return self.anew(asked);
        }
        if !names.contains(&"..") {
            // No glance is kept of a link, so there is nothing to follow.
            let known = match purpose {
                Use::Looking => self.glanced(&asked),
                Use::Acting => None,
            };
            match self.root.plain(asked.clone(), follow, purpose, known) {
                Ok(Some(place)) => return Ok(place),
                Ok(None) => {}
                Err(refusal) if self.may_see_directory(&asked) => {
                    return Err(self.lost(&asked, refusal));
                }
                Err(_) => return Err(self.denied(&asked, Denied::Resolve)),
            }
        }
        let mut walk = Walk::from(base, &names, &asked);
        let end = self.walk(&mut walk, follow);
        let reached = match &end {
            Ok(place) => place.path.clone(),
            Err(_) => walk.path(),
        };
        if let Some(lost) = &walk.blind
            && (end.is_err() || !self.may_see_directory(&reached))
        {
            self.trail.deny(&reached, Denied::Resolve);
            return Err(self.missing(lost));
        }
        let refusal = match end {
            Ok(place) => return Ok(place),
            Err(refusal) => refusal,
        };
        if !self.may_see_directory(&reached) {
            return Err(self.denied(&reached, Denied::Resolve));
        }
        if matches!(refusal, Refusal::NotGranted | Refusal::NotPermitted) {
            self.trail.deny(&asked, Denied::Resolve);
        }
        Err(self.lost(&reached, refusal))
    }

    /// Why a path leads nowhere. A file on the way that the step may not see is not there.
    fn lost(&mut self, path: &str, refusal: Refusal) -> Refusal {
        if refusal != Refusal::NOT_A_DIRECTORY {
            return refusal;
        }
        let file = above(path)
            .chain([path])
            .find(|part| matches!(self.root.directory(part), Err(Refusal::NOT_A_DIRECTORY)));
        match file {
            Some(file) if !self.may_read(file) => {
                self.trail.deny(file, Denied::Resolve);
                Refusal::MISSING
            }
            _ => refusal,
        }
    }

    /// What stands at a place, if anything; that looking fails tells nothing about what was not granted.
    pub(super) fn stat(&self, place: &Place) -> Outcome<Option<Stat>> {
        if let Some(seen) = place.seen.get() {
            return Ok(*seen);
        }
        match stat(place) {
            Err(_) if !self.may_see_directory(&place.path) => Err(Refusal::NotGranted),
            answer => Ok(answer?),
        }
    }
}

/// The names of a path; refuses by its text alone.
fn names(path: &str) -> Outcome<Vec<&str>> {
    if path.len() > PATH_BYTES {
        return Err(Refusal::System(Errno::NAMETOOLONG));
    }
    if path.starts_with('/') {
        return Err(Refusal::NotPermitted);
    }
    if path.is_empty() {
        return Err(Refusal::MISSING);
    }
    if path.contains('\0') {
        return Err(Refusal::INVALID);
    }
    let names = path.split('/').filter(|n| !n.is_empty() && *n != ".");
    Ok(names.collect())
}

fn join(base: &str, names: &[&str]) -> String {
    if base.is_empty() || names.is_empty() {
        return if names.is_empty() {
            base.to_owned()
        } else {
            names.join("/")
        };
    }
    format!("{base}/{}", names.join("/"))
}

fn stat(place: &Place) -> rustix::io::Result<Option<Stat>> {
    match rustix::fs::statat(place.parent(), place.name(), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn is_link(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Symlink
}

/// The target of the link at a place; none when it is no link or not there.
pub(super) fn read_link(place: &Place) -> Outcome<Option<String>> {
    match rustix::fs::readlinkat(place.parent(), place.name(), Vec::new()) {
        Ok(target) => match target.into_string() {
            Ok(target) => Ok(Some(target)),
            Err(_) => Err(Refusal::System(Errno::ILSEQ)),
        },
        Err(Errno::INVAL | Errno::NOENT) => Ok(None),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a path below a directory: no link on the way, no way out, no other file system.
fn open_beneath(
    directory: BorrowedFd<'_>,
    path: &str,
    flags: OFlags,
) -> rustix::io::Result<OwnedFd> {
    rustix::fs::openat2(
        directory,
        path,
        flags | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH
            | ResolveFlags::NO_SYMLINKS
            | ResolveFlags::NO_MAGICLINKS
            | ResolveFlags::NO_XDEV,
    )
}
