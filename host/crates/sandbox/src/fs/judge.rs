// SPDX-License-Identifier: Apache-2.0
//! May a step do this at this path? The only place where grants are read.
//!
//! All questions are about resolved paths: relative to the tree, without links, `""` for the root.
//! What only the file itself can tell (its kind, execute bits, links) is asked in `open.rs`, `change.rs`, `rename.rs`.

use super::Files;
use super::refusal::Outcome;
use super::refusal::Refusal;
use rustix::fs::FileType;

impl Files {
    /// Whether a path does not exist for the step, by itself or by a directory above it.
    pub(super) fn is_hidden(&self, path: &str) -> bool {
        !self.grants.hidden.is_empty()
            && above(path)
                .chain([path])
                .any(|part| self.grants.hidden.matches(part))
    }

    /// May the content of a file here be read, or a link?
    pub(super) fn may_read(&self, path: &str) -> bool {
        (self.grants.read.matches(path) || self.grants.write.matches(path)) && !self.is_hidden(path)
    }

    /// May a directory here be seen and listed? Those above a granted path may, too.
    pub(super) fn may_see_directory(&self, path: &str) -> bool {
        path.is_empty()
            || ((self.grants.read.leads_to(path) || self.grants.write.leads_to(path))
                && !self.is_hidden(path))
            || self.may_read(path)
    }

    /// May something of this kind here be known of? What may not is missing for the step.
    pub(super) fn may_see(&self, path: &str, kind: FileType) -> bool {
        match kind {
            FileType::Directory => self.may_see_directory(path),
            _ => self.may_read(path),
        }
    }

    /// What the step learns about a path where nothing is: the truth, if it could have seen it.
    pub(super) fn missing(&self, path: &str) -> Refusal {
        if self.may_see_directory(path) {
            Refusal::MISSING
        } else {
            Refusal::NotGranted
        }
    }

    /// May what stands here be written?
    pub(super) fn may_change(&self, path: &str) -> Outcome {
        let granted = self.may_write
            && !path.is_empty()
            && self.grants.write.matches(path)
            && !self.grants.protected.contains(path)
            && !self.is_hidden(path);
        if granted {
            Ok(())
        } else {
            Err(Refusal::NotGranted)
        }
    }

    /// May the name itself change: be made, moved, replaced or removed? Not where all patterns begin at it or
    /// below: of those the kernel's wall holds the directory, whose name stands in another.
    pub(super) fn may_change_name(&self, path: &str) -> Outcome {
        self.may_change(path)?;
        if self.grants.write.is_above(path) {
            Ok(())
        } else {
            Err(Refusal::NotGranted)
        }
    }

    /// May a file or link be made here, or moved here?
    pub(super) fn may_create(&self, path: &str) -> Outcome {
        self.may_change_name(path)?;
        let (parent, name) = split(path);
        if self.grants.no_new_in.contains(parent) || self.is_above_protected(path) {
            return Err(Refusal::NotGranted);
        }
        well_formed(name)
    }

    /// May a directory be made here? Also those on the way to a granted path, and those that patterns begin
    /// at: where one is not there, the kernel's wall holds a directory above.
    pub(super) fn may_create_directory(&self, path: &str) -> Outcome {
        let (_, name) = split(path);
        let leads = self.may_write
            && self.grants.write.leads_to(path)
            && !self.grants.protected.contains(path)
            && !self.is_hidden(path);
        if !leads {
            self.may_change(path)?;
        }
        well_formed(name)
    }

    /// May a directory itself be moved or removed? Not when a protected path lies below it; nor when a hidden
    /// one may, since whether it does must not be told.
    pub(super) fn may_change_directory(&self, path: &str) -> Outcome {
        self.may_change_name(path)?;
        if self.is_above_protected(path) || self.grants.hidden.begins_in(path) {
            return Err(Refusal::NotGranted);
        }
        Ok(())
    }

    fn is_above_protected(&self, path: &str) -> bool {
        let below = format!("{path}/");
        let first = self.grants.protected.range(below.clone()..).next();
        first.is_some_and(|first| first.starts_with(&below))
    }

    /// Does the file's mode allow a change?
    pub(super) fn may_change_mode(&self, mode: u32) -> Outcome {
        if mode & 0o7111 != 0 && !self.grants.executables {
            return Err(Refusal::NotGranted);
        }
        Ok(())
    }
}

/// Parent and last name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

/// The directories above a path, outermost first, without the root.
pub(super) fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// A step may not make names that are made to mislead whoever reads a listing.
fn well_formed(name: &str) -> Outcome {
    if name.chars().any(char::is_control) {
        return Err(Refusal::INVALID);
    }
    Ok(())
}
