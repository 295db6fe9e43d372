// SPDX-License-Identifier: Apache-2.0
//! From what a step asks for to a path without links, and a handle of its parent directory.
//!
//! Plain paths take one `openat2` that follows no link at all. Where it meets one, or the path has a
//! `..`, the path is walked here, name by name: a link's target is put in the place of its name, and
//! the result is always opened again from the root without following anything. So whatever changes
//! meanwhile, the handle is below the root, and the path that is judged is the one that is used.

use super::Files;
use super::judge::split;
use super::refusal::Outcome;
use super::refusal::Refusal;
use crate::limits::PATH_BYTES;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;
use rustix::io::Errno;
use std::collections::VecDeque;
use std::fs::File;
use std::os::fd::AsFd;
use std::os::fd::BorrowedFd;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// Links that one path may lead through; the kernel's own number.
const LINKS: usize = 40;

/// The tree's root.
#[derive(Debug)]
pub(super) struct Root(Arc<OwnedFd>);

/// A resolved path: the parent's handle, and the last name in it.
#[derive(Debug)]
pub(super) struct Place {
    parent: Arc<OwnedFd>,
    /// The path from the root, without links; `""` is the root itself.
    pub(super) path: String,
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
        Ok(Self(Arc::new(root)))
    }

    /// The directory at a path without links, as a place to act in.
    fn directory(&self, path: &str) -> Outcome<Arc<OwnedFd>> {
        if path.is_empty() {
            return Ok(Arc::clone(&self.0));
        }
        let directory = open_beneath(self.0.as_fd(), path, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok(Arc::new(directory))
    }

    /// The directory at a path without links, to list it.
    pub(super) fn listable(&self, path: &str) -> Outcome<OwnedFd> {
        let path = if path.is_empty() { "." } else { path };
        Ok(open_beneath(
            self.0.as_fd(),
            path,
            OFlags::RDONLY | OFlags::DIRECTORY,
        )?)
    }

    /// Resolves `path` from the directory `base`. `follow` says whether a link at the end is followed.
    pub(super) fn resolve(&self, base: &str, path: &str, follow: bool) -> Outcome<Place> {
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
        let names: Vec<&str> = path
            .split('/')
            .filter(|n| !n.is_empty() && *n != ".")
            .collect();
        if !names.contains(&"..") {
            let full = join(base, &names);
            if full.is_empty() {
                return Ok(Place {
                    parent: Arc::clone(&self.0),
                    path: full,
                });
            }
            match self.directory(split(&full).0) {
                Ok(parent) => {
                    let place = Place { parent, path: full };
                    if !follow || read_link(&place)?.is_none() {
                        return Ok(place);
                    }
                }
                Err(Refusal::LOOP) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        self.walk(base, &names, follow)
    }

    fn walk(&self, base: &str, names: &[&str], follow: bool) -> Outcome<Place> {
        let mut done: Vec<String> = base
            .split('/')
            .filter(|n| !n.is_empty())
            .map(Into::into)
            .collect();
        let mut ahead: VecDeque<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut links = 0;
        while let Some(name) = ahead.pop_front() {
            if name == ".." {
                // What is left has to be a directory, as for the kernel.
                self.directory(&done.join("/"))?;
                done.pop().ok_or(Refusal::NotPermitted)?;
                continue;
            }
            let parent = self.directory(&done.join("/"))?;
            done.push(name);
            if ahead.is_empty() && !follow {
                return Ok(Place {
                    parent,
                    path: done.join("/"),
                });
            }
            let place = Place {
                parent,
                path: done.join("/"),
            };
            let Some(target) = read_link(&place)? else {
                if ahead.is_empty() {
                    return Ok(place);
                }
                continue;
            };
            links += 1;
            if links > LINKS || target.len() > PATH_BYTES {
                return Err(Refusal::LOOP);
            }
            if target.starts_with('/') {
                return Err(Refusal::NotPermitted);
            }
            done.pop();
            for part in target.rsplit('/').filter(|n| !n.is_empty() && *n != ".") {
                ahead.push_front(part.to_owned());
            }
        }
        // The path ends in a directory that `..` or a link led to.
        let path = done.join("/");
        let parent = self.directory(split(&path).0)?;
        Ok(Place { parent, path })
    }
}

impl Files {
    /// Resolves a path for the step: errors tell it nothing about what it was not granted.
    pub(super) fn resolve(&mut self, base: &str, path: &str, follow: bool) -> Outcome<Place> {
        let refusal = match self.root.resolve(base, path, follow) {
            Ok(place) => return Ok(place),
            Err(refusal) => refusal,
        };
        let names: Vec<&str> = path
            .split('/')
            .filter(|n| !n.is_empty() && *n != ".")
            .collect();
        let asked = join(base, &names);
        if refusal == Refusal::NotPermitted {
            self.trail.deny(&asked, "resolve");
            return Err(refusal);
        }
        if names.contains(&"..") || self.may_see_directory(&asked) {
            return Err(refusal);
        }
        self.trail.deny(&asked, "resolve");
        Err(Refusal::NotGranted)
    }
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
