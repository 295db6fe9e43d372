// SPDX-License-Identifier: Apache-2.0
//! Where a path leads in a tree, name by name, with nothing but `lstat` and `readlink`. Slow, and racy
//! where anybody else is about: in a test nobody is.

use std::fs;
use std::path::Path;

use super::rules::Rules;

/// Links that one path may lead through.
const MOST_LINKS: usize = 40;

/// Paths whose length the system may object to, at a place that depends on how it is asked.
const LONG: usize = 3_000;

/// Why a path leads to no place.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// Out of the tree, in circles, through what is no directory or not granted, or to no path at all.
    Nowhere,
    /// Who knows.
    TooLong,
}

/// The place that a path leads to from the directory at `base`, without links on the way to it. Nothing
/// need stand there. Without a base, since the handle is a file's, no path leads anywhere, `.` included.
pub(crate) fn walk(
    root: &Path,
    rules: &Rules,
    base: Option<&str>,
    path: &str,
    follow: bool,
) -> Result<String, Lost> {
    let base = base.ok_or(Lost::Nowhere)?;
    if base.len() + path.len() > LONG {
        return Err(Lost::TooLong);
    }
    if path.is_empty() || path.starts_with('/') || path.contains('\0') {
        return Err(Lost::Nowhere);
    }
    let names = |text: &str| -> Vec<String> {
        text.split('/')
            .filter(|name| !matches!(*name, "" | "."))
            .map(Into::into)
            .collect()
    };
    let mut here = names(base);
    let mut ahead = names(path);
    ahead.reverse();
    let mut links = 0;
    while let Some(name) = ahead.pop() {
        // Whatever comes next, it is looked up in the directory that is reached.
        let directory = here.join("/");
        if !rules.may_see_directory(&directory) || !is_directory(root, &here) {
            return Err(Lost::Nowhere);
        }
        if name == ".." {
            here.pop().ok_or(Lost::Nowhere)?;
            continue;
        }
        if name.len() > 255 {
            return Err(Lost::Nowhere);
        }
        here.push(name);
        let found = here.join("/");
        if found.len() > LONG {
            return Err(Lost::TooLong);
        }
        if ahead.is_empty() && !follow {
            return Ok(found);
        }
        let Ok(target) = fs::read_link(root.join(&found)) else {
            continue;
        };
        links += 1;
        let target = target.to_str().ok_or(Lost::Nowhere)?;
        if links > MOST_LINKS || rules.is_hidden(&found) || target.starts_with('/') {
            return Err(Lost::Nowhere);
        }
        if target.len() > LONG {
            return Err(Lost::TooLong);
        }
        here.pop();
        ahead.extend(names(target).into_iter().rev());
    }
    Ok(here.join("/"))
}

/// Whether these names are directories, one in the other, and none of them a link.
fn is_directory(root: &Path, names: &[String]) -> bool {
    let mut path = root.to_owned();
    names.iter().all(|name| {
        path.push(name);
        fs::symlink_metadata(&path).is_ok_and(|found| found.is_dir())
    })
}
