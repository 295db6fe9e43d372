// SPDX-License-Identifier: Apache-2.0
//! Removing, linking, and setting times.

use super::Files;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::resolve::read_link;
use crate::limits::LINK_BYTES;
use crate::limits::PATH_BYTES;
use crate::record::Denied;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Timestamps;
use rustix::io::Errno;

impl Files {
    /// Removes a file or link.
    pub(super) fn unlink(&mut self, base: &str, path: &str) -> Outcome {
        let place = self.resolve(base, path, false)?;
        let Some(stat) = self.stat(&place)? else {
            return Err(self.missing(&place.path));
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.may_see(&place.path, kind) {
            return Err(self.unseen(&place.path, Denied::Remove));
        }
        if kind == FileType::Directory {
            return Err(Refusal::IS_A_DIRECTORY);
        }
        let mode = if kind == FileType::RegularFile {
            stat.st_mode
        } else {
            0
        };
        self.may_change_name(&place.path)
            .and_then(|()| self.may_change_mode(mode))
            .map_err(|refusal| self.refused(&place.path, Denied::Remove, refusal))?;
        self.trail.change(&place.path)?;
        rustix::fs::unlinkat(place.parent(), place.name(), AtFlags::empty())?;
        self.trail.change(&place.path)?.removed = true;
        Ok(())
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&mut self, base: &str, path: &str) -> Outcome {
        let place = self.resolve(base, path, false)?;
        let Some(stat) = self.stat(&place)? else {
            return Err(self.missing(&place.path));
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.may_see(&place.path, kind) {
            return Err(self.unseen(&place.path, Denied::Remove));
        }
        self.may_change_directory(&place.path)
            .map_err(|refusal| self.refused(&place.path, Denied::Remove, refusal))?;
        if kind != FileType::Directory {
            return Err(Refusal::NOT_A_DIRECTORY);
        }
        self.trail.change(&place.path)?;
        rustix::fs::unlinkat(place.parent(), place.name(), AtFlags::REMOVEDIR)
            .map_err(not_empty)?;
        self.root.forget();
        self.trail.change(&place.path)?.removed = true;
        Ok(())
    }

    /// Makes a link that stays in the tree.
    pub(super) fn symlink(&mut self, target: &str, base: &str, path: &str) -> Outcome {
        let place = self.resolve(base, path, false)?;
        self.may_create(&place.path)
            .map_err(|refusal| self.refused(&place.path, Denied::Create, refusal))?;
        if !stays_inside(target, &place.path) {
            self.trail.deny(&place.path, Denied::Link);
            return Err(Refusal::NotPermitted);
        }
        if place.as_directory {
            return Err(Refusal::MISSING);
        }
        if target.len() > LINK_BYTES {
            return Err(Refusal::System(Errno::NAMETOOLONG));
        }
        self.trail.change(&place.path)?;
        self.account.create()?;
        rustix::fs::symlinkat(target, place.parent(), place.name())?;
        self.trail.change(&place.path)?.created = true;
        Ok(())
    }

    /// Hard links are refused: they would share an inode behind the grants' back.
    pub(super) fn hard_link(&mut self, base: &str, path: &str) -> Refusal {
        if let Ok(place) = self.resolve(base, path, false) {
            self.trail.deny(&place.path, Denied::Link);
        }
        Refusal::NotPermitted
    }

    /// The target of a link, as it is written.
    pub(super) fn read_link(&mut self, base: &str, path: &str) -> Outcome<String> {
        let place = self.resolve(base, path, false)?;
        if !self.may_read(&place.path) {
            return Err(self.denied(&place.path, Denied::Read));
        }
        match read_link(&place)? {
            Some(target) => {
                if let Some(touched) = self.trail.look(&place.path) {
                    touched.read = true;
                }
                Ok(target)
            }
            None if self.stat(&place)?.is_none() => Err(Refusal::MISSING),
            None => Err(Refusal::INVALID),
        }
    }

    /// Sets the times of a file, link or directory.
    pub(super) fn set_times(
        &mut self,
        base: &str,
        path: &str,
        follow: bool,
        times: &Timestamps,
    ) -> Outcome {
        let place = self.resolve(base, path, follow)?;
        let Some(stat) = self.stat(&place)? else {
            return Err(self.missing(&place.path));
        };
        let kind = FileType::from_raw_mode(stat.st_mode);
        if !self.may_see(&place.path, kind) {
            return Err(self.unseen(&place.path, Denied::Write));
        }
        let judged = match kind {
            FileType::RegularFile => self
                .may_change(&place.path)
                .and_then(|()| self.may_change_mode(stat.st_mode))
                .and_then(|()| self.one_link(&stat)),
            FileType::Directory | FileType::Symlink => self.may_change(&place.path),
            _ => Err(Refusal::NotGranted),
        };
        judged.map_err(|refusal| self.refused(&place.path, Denied::Write, refusal))?;
        self.trail.change(&place.path)?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        rustix::fs::utimensat(place.parent(), place.name(), times, flags)?;
        self.trail.change(&place.path)?.written = true;
        Ok(())
    }
}

/// A directory that is not empty is called either of two things, as the file system likes.
pub(super) fn not_empty(errno: Errno) -> Errno {
    match errno {
        Errno::EXIST => Errno::NOTEMPTY,
        errno => errno,
    }
}

/// Whether a link at `path` with this target stays in the tree, whoever follows it.
///
/// It may go up only at its start: from the directory that it is really in, so at most to the root.
/// A `..` behind a name would go up from wherever a link of that name leads to.
pub(super) fn stays_inside(target: &str, path: &str) -> bool {
    if target.is_empty()
        || target.len() > PATH_BYTES
        || target.starts_with('/')
        || target.chars().any(char::is_control)
    {
        return false;
    }
    let mut parts = target
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .peekable();
    let mut ups = 0;
    while parts.next_if_eq(&"..").is_some() {
        ups += 1;
    }
    ups <= path.matches('/').count() && !parts.any(|part| part == "..")
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn a_link_that_leads_out_by_its_text_is_refused() {
        assert!(stays_inside("b", "a"));
        assert!(stays_inside("../b", "x/a"));
        assert!(stays_inside("../../b/c", "x/y/a"));
        assert!(stays_inside("./.././b", "x/a"));
        assert!(!stays_inside("../b", "a"));
        assert!(!stays_inside("b/../../c", "a"));
        assert!(!stays_inside("b/../c", "x/y/a"));
        assert!(!stays_inside("/etc/passwd", "x/a"));
        assert!(!stays_inside("", "a"));
        assert!(!stays_inside("b\n", "a"));
    }
}
