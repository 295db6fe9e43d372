// SPDX-License-Identifier: Apache-2.0
//! Moving: both ends are judged, and for a directory every name in it, at both ends.

use super::Files;
use super::Node;
use super::OpenFile;
use super::change::not_empty;
use super::listing::Kind;
use super::listing::below;
use super::open::give;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::resolve::Place;
use crate::limits::MOVED_NAMES;
use crate::record::Denied;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::Stat;
use rustix::io::Errno;
use std::sync::Arc;

/// A move that has been made; handles that are open below it have to follow.
#[derive(Debug)]
pub(super) struct Moved {
    from: String,
    to: String,
}

impl Moved {
    /// Rewrites the path of a handle.
    pub(super) fn follow(&self, path: &mut Arc<str>) {
        if let Some(rest) = path.strip_prefix(&self.from)
            && (rest.is_empty() || rest.starts_with('/'))
        {
            *path = format!("{}{rest}", self.to).into();
        }
    }
}

impl Node {
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Directory { path } | Self::File(OpenFile { path, .. }) => path,
        }
    }

    pub(super) fn path_mut(&mut self) -> &mut Arc<str> {
        match self {
            Self::Directory { path } | Self::File(OpenFile { path, .. }) => path,
        }
    }
}

impl Files {
    /// Moves a file, link or directory; what stands at the new path is replaced as by the system.
    pub(super) fn rename(
        &mut self,
        from: (&str, &str),
        to: (&str, &str),
    ) -> Outcome<Option<Moved>> {
        let from = self.resolve(from.0, from.1, false)?;
        let Some(stat) = self.stat(&from)? else {
            return Err(self.missing(&from.path));
        };
        if !self.may_see(&from.path, FileType::from_raw_mode(stat.st_mode)) {
            return Err(self.unseen(&from.path, Denied::Rename));
        }
        let to = self.resolve(to.0, to.1, false)?;
        let replaced = self.stat(&to)?;
        let names = self.judge_move(&from, &stat, &to)?;
        if let Some(replaced) = &replaced {
            self.judge_replaced(&to.path, replaced)?;
        }
        if from.path == to.path {
            return Ok(None);
        }
        if to.as_directory && FileType::from_raw_mode(stat.st_mode) != FileType::Directory {
            return Err(Refusal::NOT_A_DIRECTORY);
        }
        for name in names.iter().map(String::as_str).chain([""]) {
            self.trail.change(&joined(&from.path, name))?;
            self.trail.change(&joined(&to.path, name))?;
        }
        if let Some(replaced) = &replaced {
            inherit(&from, &stat, replaced)?;
        }
        rustix::fs::renameat(from.parent(), from.name(), to.parent(), to.name())
            .map_err(not_empty)?;
        self.root.forget();
        for name in names.iter().map(String::as_str).chain([""]) {
            let (old, new) = (joined(&from.path, name), joined(&to.path, name));
            self.trail.change(&old)?.renamed_to = Some(new.clone());
            self.trail.change(&new)?.renamed_from = Some(old);
        }
        if replaced.is_some() {
            self.trail.change(&to.path)?.written = true;
        }
        Ok(Some(Moved {
            from: from.path,
            to: to.path,
        }))
    }

    /// Judges what is moved; gives the names below it.
    fn judge_move(&mut self, from: &Place, stat: &Stat, to: &Place) -> Outcome<Vec<String>> {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => {
                self.judge_file(&from.path, &to.path, stat.st_mode)?;
                Ok(Vec::new())
            }
            FileType::Symlink => {
                self.judge_file(&from.path, &to.path, 0)?;
                // A relative target means another place from another directory.
                let target = super::resolve::read_link(from)?.unwrap_or_default();
                if !super::change::stays_inside(&target, &to.path) {
                    return Err(self.denied(&to.path, Denied::Link));
                }
                Ok(Vec::new())
            }
            FileType::Directory => self.judge_directory(&from.path, &to.path),
            _ => Err(self.denied(&from.path, Denied::Rename)),
        }
    }

    fn judge_file(&mut self, from: &str, to: &str, mode: u32) -> Outcome {
        self.may_change_name(from)
            .and_then(|()| self.may_change_mode(mode))
            .map_err(|refusal| self.refused(from, Denied::Rename, refusal))?;
        self.may_create(to)
            .map_err(|refusal| self.refused(to, Denied::Rename, refusal))
    }

    fn judge_directory(&mut self, from: &str, to: &str) -> Outcome<Vec<String>> {
        self.may_change_directory(from)
            .map_err(|refusal| self.refused(from, Denied::Rename, refusal))?;
        self.may_change_name(to)
            .and_then(|()| self.may_create_directory(to))
            .map_err(|refusal| self.refused(to, Denied::Rename, refusal))?;
        let mut names = Vec::new();
        let mut ahead = vec![String::new()];
        while let Some(directory) = ahead.pop() {
            let (entries, unreadable) = self.entries(&joined(from, &directory))?;
            if unreadable {
                return Err(self.denied(from, Denied::Rename));
            }
            for entry in entries {
                let name = below(&directory, &entry.name);
                let (old, new) = (joined(from, &name), joined(to, &name));
                match entry.kind {
                    Kind::File => {
                        let mode = self.mode_of(&old)?;
                        self.judge_file(&old, &new, mode)?;
                    }
                    Kind::Symlink => {
                        self.judge_file(&old, &new, 0)?;
                        let place = self.root.place(old.clone())?;
                        let target = super::resolve::read_link(&place)?.unwrap_or_default();
                        if !super::change::stays_inside(&target, &new) {
                            return Err(self.denied(&new, Denied::Link));
                        }
                    }
                    Kind::Directory => {
                        self.may_change(&old)
                            .map_err(|refusal| self.refused(&old, Denied::Rename, refusal))?;
                        self.may_change(&new)
                            .map_err(|refusal| self.refused(&new, Denied::Rename, refusal))?;
                        ahead.push(name.clone());
                    }
                    Kind::Other => return Err(self.denied(&old, Denied::Rename)),
                }
                names.push(name);
                if names.len() > MOVED_NAMES {
                    return Err(Refusal::System(Errno::OVERFLOW));
                }
            }
        }
        Ok(names)
    }

    fn judge_replaced(&mut self, path: &str, replaced: &Stat) -> Outcome {
        let judged = match FileType::from_raw_mode(replaced.st_mode) {
            FileType::RegularFile => self
                .may_change_name(path)
                .and_then(|()| self.may_change_mode(replaced.st_mode)),
            FileType::Directory => self.may_change_directory(path),
            _ => self.may_change_name(path),
        };
        judged.map_err(|refusal| self.refused(path, Denied::Rename, refusal))
    }

    fn mode_of(&self, path: &str) -> Outcome<u32> {
        let place = self.root.place(path.to_owned())?;
        Ok(self.stat(&place)?.ok_or(Refusal::MISSING)?.st_mode)
    }
}

/// A file that takes the place of another gets its owner and mode: writing a new file and moving it
/// over the old one is how careful programs replace content, and must not open a private file to all.
fn inherit(from: &Place, stat: &Stat, replaced: &Stat) -> Outcome {
    let regular = |stat: &Stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let differs = (stat.st_mode, stat.st_uid, stat.st_gid)
        != (replaced.st_mode, replaced.st_uid, replaced.st_gid);
    if !regular(stat) || !regular(replaced) || !differs || stat.st_nlink > 1 {
        return Ok(());
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = rustix::fs::openat(from.parent(), from.name(), flags, Mode::empty())?;
    let found = rustix::fs::statat(&file, "", AtFlags::EMPTY_PATH)?;
    if (found.st_dev, found.st_ino) != (stat.st_dev, stat.st_ino) || found.st_nlink > 1 {
        return Err(Refusal::NotGranted);
    }
    give(&file, replaced.st_uid, replaced.st_gid)?;
    rustix::fs::fchmod(&file, Mode::from_raw_mode(replaced.st_mode & 0o777))?;
    Ok(())
}

fn joined(path: &str, name: &str) -> String {
    if name.is_empty() {
        path.to_owned()
    } else {
        below(path, name)
    }
}
