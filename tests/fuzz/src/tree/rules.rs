// SPDX-License-Identifier: Apache-2.0
//! The grants of a step, judged a second time: by what `FileGrants` says of itself, with a naive matcher.

use std::collections::BTreeSet;

use cofferdam_package::glob::Glob;
use cofferdam_package::glob::GlobSet;
use cofferdam_sandbox::FileGrants;

use super::plan::Grants;
use crate::naive;

/// What the grants allow.
#[derive(Debug)]
pub(crate) struct Rules {
    read: Vec<String>,
    write: Vec<String>,
    hidden: Vec<String>,
    protected: BTreeSet<String>,
    closed: BTreeSet<String>,
    executables: bool,
    may_write: bool,
}

impl Rules {
    pub(crate) fn new(grants: &Grants) -> Self {
        // Only what is a pattern at all.
        let patterns = |texts: &[String]| -> Vec<String> {
            texts
                .iter()
                .filter(|text| Glob::parse(text).is_ok())
                .cloned()
                .collect()
        };
        Self {
            read: patterns(&grants.read),
            write: patterns(&grants.write),
            hidden: patterns(&grants.hidden),
            protected: grants.protected.iter().cloned().collect(),
            closed: grants.closed.iter().cloned().collect(),
            executables: grants.executables,
            may_write: !grants.only_look,
        }
    }

    /// The same, as the sandbox takes it, and whether the phase may write.
    pub(crate) fn grants(&self) -> (FileGrants, bool) {
        let globs = |texts: &[String]| GlobSet::parse(texts).expect("they were patterns before");
        let grants = FileGrants {
            read: globs(&self.read),
            write: globs(&self.write),
            hidden: globs(&self.hidden),
            protected: self.protected.clone(),
            no_new_in: self.closed.clone(),
            executables: self.executables,
        };
        (grants, self.may_write)
    }

    /// A path is not there when it is hidden, or a directory above it is.
    pub(crate) fn is_hidden(&self, path: &str) -> bool {
        let mut above = path;
        loop {
            if matches(&self.hidden, above) {
                return true;
            }
            match above.rsplit_once('/') {
                Some((parent, _)) => above = parent,
                None => return false,
            }
        }
    }

    /// Who may write may read.
    pub(crate) fn may_read(&self, path: &str) -> bool {
        (matches(&self.read, path) || matches(&self.write, path)) && !self.is_hidden(path)
    }

    /// The root, and what is granted or leads there.
    pub(crate) fn may_see_directory(&self, path: &str) -> bool {
        path.is_empty()
            || (leads_to(&self.read, path) || leads_to(&self.write, path)) && !self.is_hidden(path)
    }

    pub(crate) fn may_change(&self, path: &str) -> bool {
        self.may_write
            && !path.is_empty()
            && matches(&self.write, path)
            && !self.protected.contains(path)
            && !self.is_hidden(path)
    }

    /// To be made, moved, replaced or removed: only below what comes before a pattern's first wildcard and
    /// last name.
    pub(crate) fn may_change_name(&self, path: &str) -> bool {
        let is_below = |pattern: &String| path.starts_with(&fixed(pattern));
        self.may_change(path) && self.write.iter().any(is_below)
    }

    pub(crate) fn may_change_directory(&self, path: &str) -> bool {
        let is_below = |pattern: &String| fixed(pattern).starts_with(&format!("{path}/"));
        self.may_change_name(path)
            && !self.is_above_protected(path)
            && !self.hidden.iter().any(is_below)
    }

    /// A file or link.
    pub(crate) fn may_create(&self, path: &str) -> bool {
        let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
        self.may_change_name(path)
            && !self.closed.contains(parent)
            && !self.is_above_protected(path)
            && is_plain(path)
    }

    /// Also a directory on the way to what may be written.
    pub(crate) fn may_create_directory(&self, path: &str) -> bool {
        let leads = self.may_write
            && leads_to(&self.write, path)
            && !self.protected.contains(path)
            && !self.is_hidden(path);
        (leads || self.may_change(path)) && !path.is_empty() && is_plain(path)
    }

    /// Whether a file with this mode may be changed, moved or removed.
    pub(crate) fn may_change_mode(&self, mode: u32) -> bool {
        mode & 0o7111 == 0 || self.executables
    }

    fn is_above_protected(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.protected
            .iter()
            .any(|protected| protected.starts_with(&below))
    }
}

/// What comes before a pattern's first wildcard and last name, each name with a slash behind it.
fn fixed(pattern: &str) -> String {
    let above = pattern.rsplit_once('/').map_or("", |(above, _)| above);
    let names = above.split('/').filter(|name| !name.is_empty());
    names
        .take_while(|name| !name.contains(['*', '?']))
        .flat_map(|name| [name, "/"])
        .collect()
}

/// A step makes no name that misleads whoever reads it.
fn is_plain(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    !name.chars().any(char::is_control)
}

fn matches(patterns: &[String], path: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| naive::glob_matches(pattern, path))
}

fn leads_to(patterns: &[String], path: &str) -> bool {
    patterns
        .iter()
        .any(|pattern| naive::glob_leads_to(pattern, path))
}

/// Whether a link at this place stays in the tree by its own text, whoever follows it.
pub(crate) fn stays_inside(target: &str, path: &str) -> bool {
    let names: Vec<&str> = target
        .split('/')
        .filter(|name| !matches!(*name, "" | "."))
        .collect();
    let ups = names.iter().take_while(|name| **name == "..").count();
    !target.is_empty()
        && !target.starts_with('/')
        && !target.chars().any(char::is_control)
        && ups < path.split('/').count()
        && !names[ups..].contains(&"..")
}
