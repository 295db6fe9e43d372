// SPDX-License-Identifier: Apache-2.0
//! What may be different on disk after a call that succeeded, and what the record must say of all of it.

use std::collections::BTreeSet;
use std::path::Path;

use cofferdam_sandbox::Touched;

use super::rules::Rules;
use super::rules::stays_inside;
use super::world::Seen;
use super::world::SeenKind;
use super::world::Snapshot;

/// Each difference is one that the rules allow at its path.
pub(crate) fn assert_allowed(before: &Snapshot, after: &Snapshot, rules: &Rules) {
    for path in different(before, after) {
        let text = path
            .to_str()
            .expect("a name that is no text cannot be spoken of");
        let (old, new) = (before.get(path), after.get(path));
        if let Some(reason) = forbidden(text, old, new, rules) {
            assert_eq!(old, new, "{text}: {reason}");
        }
    }
}

fn different<'a>(before: &'a Snapshot, after: &'a Snapshot) -> BTreeSet<&'a Path> {
    let paths = before.keys().chain(after.keys());
    paths
        .filter(|path| before.get(*path) != after.get(*path))
        .map(AsRef::as_ref)
        .collect()
}

/// Why this may not have happened.
fn forbidden(
    path: &str,
    old: Option<&Seen>,
    new: Option<&Seen>,
    rules: &Rules,
) -> Option<&'static str> {
    let is_same = old
        .zip(new)
        .is_some_and(|(old, new)| (old.kind, old.inode) == (new.kind, new.inode));
    if is_same {
        let (old, new) = old.zip(new)?;
        return match old.kind {
            SeenKind::Directory => Some("a directory got another mode"),
            _ if old.mode != new.mode => Some("a file got another mode"),
            _ if !rules.may_change(path) => Some("it may not be changed"),
            SeenKind::File if !rules.may_change_mode(old.mode) => Some("a program was changed"),
            _ => None,
        };
    }
    old.and_then(|old| gone(path, old, rules))
        .or_else(|| new.and_then(|new| came(path, new, rules)))
}

fn gone(path: &str, old: &Seen, rules: &Rules) -> Option<&'static str> {
    let allowed = match old.kind {
        SeenKind::Directory => rules.may_change_directory(path),
        SeenKind::File => rules.may_change_name(path) && rules.may_change_mode(old.mode),
        SeenKind::Symlink | SeenKind::Other => rules.may_change_name(path),
    };
    (!allowed).then_some("it may not be removed")
}

fn came(path: &str, new: &Seen, rules: &Rules) -> Option<&'static str> {
    match new.kind {
        SeenKind::Directory if !rules.may_create_directory(path) => {
            Some("a directory may not be made here")
        }
        SeenKind::Directory => None,
        SeenKind::Other => Some("a step makes files, links and directories"),
        _ if !rules.may_create(path) => Some("nothing may be made here"),
        SeenKind::File if !rules.may_change_mode(new.mode) => Some("a program was made"),
        SeenKind::File => None,
        SeenKind::Symlink => {
            let target = str::from_utf8(&new.bytes).unwrap_or_default();
            (!stays_inside(target, path)).then_some("a link leads out")
        }
    }
}

/// Everything that is different from the beginning is in the record.
pub(crate) fn assert_recorded(before: &Snapshot, after: &Snapshot, touched: &[Touched]) {
    let recorded: BTreeSet<&Path> = touched
        .iter()
        .filter(|touched| touched.is_change())
        .map(|touched| touched.path.as_ref())
        .collect();
    for path in different(before, after) {
        assert!(
            recorded.contains(path),
            "`{}` changed, and no record says so",
            path.display()
        );
    }
    assert!(
        touched.is_sorted_by(|a, b| a.path < b.path),
        "one entry for each path, in order"
    );
}
