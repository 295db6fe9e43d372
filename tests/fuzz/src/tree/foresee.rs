// SPDX-License-Identifier: Apache-2.0
//! What a call must answer, as far as the rules and a walk of the tree can tell: whether it succeeds, and
//! what it then says.

use std::fs;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use cofferdam_sandbox::driven::Facts;
use cofferdam_sandbox::driven::Open;

use super::rules::Rules;
use super::rules::stays_inside;
use super::walk::Lost;
use super::walk::walk;

/// What is foreseen of an answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Foreseen<T = ()> {
    /// It succeeds, and says this.
    Success(T),
    /// It is refused.
    Refusal,
    /// Who knows.
    Either,
}

/// The directory that a path is followed from, if it is one, and the path.
pub(crate) type Way<'a> = (Option<&'a str>, &'a str);

/// Whether a path is written as a directory's and nothing else's.
fn is_directorys(path: &str) -> bool {
    let last = path.rsplit('/').next();
    matches!(last, Some("" | "." | ".."))
}

/// A tree as it stands now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Foresight<'a> {
    pub(crate) root: &'a Path,
    pub(crate) rules: &'a Rules,
}

impl Foresight<'_> {
    fn at<T>(
        &self,
        (base, path): Way<'_>,
        follow: bool,
        then: impl FnOnce(&str, Option<Metadata>) -> Option<T>,
    ) -> Foreseen<T> {
        match walk(self.root, self.rules, base, path, follow) {
            Err(Lost::TooLong) => Foreseen::Either,
            Err(Lost::Nowhere) => Foreseen::Refusal,
            Ok(place) => {
                let found = fs::symlink_metadata(self.root.join(&place)).ok();
                if is_directorys(path) && found.as_ref().is_some_and(|found| !found.is_dir()) {
                    return Foreseen::Refusal;
                }
                then(&place, found).map_or(Foreseen::Refusal, Foreseen::Success)
            }
        }
    }

    /// Whether something can be made at this place: its directory is one, and really there.
    fn has_room(&self, place: &str, found: Option<&Metadata>) -> bool {
        let parent = self
            .root
            .join(place.rsplit_once('/').map_or("", |(parent, _)| parent));
        found.is_none() && fs::symlink_metadata(parent).is_ok_and(|parent| parent.is_dir())
    }

    /// Where a file or directory is opened.
    pub(crate) fn open(&self, at: Way<'_>, how: Open) -> Foreseen<String> {
        self.at(at, how.follow, |place, found| {
            let granted = match &found {
                None => {
                    how.create
                        && !how.directory
                        && !is_directorys(at.1)
                        && self.has_room(place, found.as_ref())
                        && self.rules.may_create(place)
                }
                Some(found) if found.is_dir() => {
                    self.rules.may_see_directory(place)
                        && !(how.write || how.truncate || how.create)
                }
                Some(found) if found.is_file() => {
                    let writes = how.write || how.truncate;
                    self.rules.may_read(place)
                        && !(how.create && how.exclusive)
                        && !how.directory
                        && (!writes || self.may_write(place, found))
                }
                Some(_) => false,
            };
            granted.then(|| place.to_owned())
        })
    }

    fn may_write(&self, place: &str, found: &Metadata) -> bool {
        self.rules.may_change(place)
            && self.rules.may_change_mode(found.mode())
            && found.nlink() == 1
    }

    /// What is said of what stands there.
    pub(crate) fn look(&self, at: Way<'_>, follow: bool) -> Foreseen<Facts> {
        self.at(at, follow, |place, found| {
            let found = found?;
            let (seen, kind) = match () {
                () if found.is_dir() => (self.rules.may_see_directory(place), "directory"),
                () if found.is_file() => (self.rules.may_read(place), "file"),
                () if found.is_symlink() => (self.rules.may_read(place), "symlink"),
                () => (self.rules.may_read(place), "other"),
            };
            let bytes = if found.is_dir() { 0 } else { found.len() };
            seen.then_some(Facts { kind, bytes })
        })
    }

    pub(crate) fn read_link(&self, at: Way<'_>) -> Foreseen<String> {
        self.at(at, false, |place, _| {
            let target = fs::read_link(self.root.join(place)).ok()?;
            let target = target.to_str()?.to_owned();
            self.rules.may_read(place).then_some(target)
        })
    }

    pub(crate) fn touch(&self, at: Way<'_>, follow: bool) -> Foreseen {
        self.at(at, follow, |place, found| {
            let found = found?;
            let granted = if found.is_file() {
                self.may_write(place, &found)
            } else {
                (found.is_dir() || found.is_symlink()) && self.rules.may_change(place)
            };
            granted.then_some(())
        })
    }

    pub(crate) fn make_directory(&self, at: Way<'_>) -> Foreseen {
        self.at(at, false, |place, found| {
            let granted =
                self.has_room(place, found.as_ref()) && self.rules.may_create_directory(place);
            granted.then_some(())
        })
    }

    pub(crate) fn remove_directory(&self, at: Way<'_>) -> Foreseen {
        self.at(at, false, |place, found| {
            let mut entries = fs::read_dir(self.root.join(place)).ok()?;
            let empty = found?.is_dir() && entries.next().is_none();
            (empty && self.rules.may_change_directory(place)).then_some(())
        })
    }

    pub(crate) fn remove(&self, at: Way<'_>) -> Foreseen {
        self.at(at, false, |place, found| {
            let found = found?;
            let mode = if found.is_file() { found.mode() } else { 0 };
            let granted = !found.is_dir()
                && self.rules.may_change_name(place)
                && self.rules.may_change_mode(mode);
            granted.then_some(())
        })
    }

    pub(crate) fn link(&self, at: Way<'_>, target: &str) -> Foreseen {
        self.at(at, false, |place, found| {
            let granted = self.has_room(place, found.as_ref())
                && !is_directorys(at.1)
                && self.rules.may_create(place)
                && stays_inside(target, place);
            granted.then_some(())
        })
    }

    /// What a directory shows; none where it is no directory any more.
    pub(crate) fn list(&self, place: &str) -> Option<Vec<(String, &'static str)>> {
        let mut plain = self.root.to_owned();
        for name in place.split('/').filter(|name| !name.is_empty()) {
            plain.push(name);
            if !fs::symlink_metadata(&plain).ok()?.is_dir() {
                return None;
            }
        }
        let mut shown = Vec::new();
        for entry in fs::read_dir(&plain).ok()? {
            let entry = entry.ok()?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let path = if place.is_empty() {
                name.clone()
            } else {
                format!("{place}/{name}")
            };
            let kind = entry.file_type().ok()?;
            let (seen, word) = match () {
                () if kind.is_dir() => (self.rules.may_see_directory(&path), "directory"),
                () if kind.is_file() => (self.rules.may_read(&path), "file"),
                () if kind.is_symlink() => (self.rules.may_read(&path), "symlink"),
                () => (false, "other"),
            };
            if seen {
                shown.push((name, word));
            }
        }
        shown.sort();
        self.rules.may_see_directory(place).then_some(shown)
    }
}
