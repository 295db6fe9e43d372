// SPDX-License-Identifier: Apache-2.0
//! A throw-away copy of a folder, and what changed in it.
//!
//! Never writes to the folder that was copied. Symlinks are copied as links; sockets, fifos and
//! devices are left out.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::fs::Permissions;
use std::io;
use std::io::Read as _;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::digest::Digest;
use cofferdam_package::digest::DigestHasher;
use serde::Serialize;
use tempfile::TempDir;

use super::super::diff;
use crate::failure::Failure;

const CHUNK_BYTES: usize = 256 << 10;
/// Text files up to this size are compared line by line.
const TEXT_CAP_BYTES: u64 = 256 << 10;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    File { digest: Digest, mode: u32 },
    Directory { mode: u32 },
    Symlink { target: PathBuf },
}

/// A copy of a folder; removed when dropped.
#[derive(Debug)]
pub(super) struct Scratch {
    original: PathBuf,
    copy: TempDir,
    before: BTreeMap<String, Node>,
}

/// One path that differs from the original.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The path, relative to the folder.
    pub path: String,
    /// The difference of a small text file, line by line; empty for other files.
    pub lines: Vec<String>,
}

/// All differences between a scratch copy and its original.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Differences {
    /// Paths that the original does not have.
    pub added: Vec<Difference>,
    /// Paths with other content, mode or target.
    pub changed: Vec<Difference>,
    /// Paths that are gone.
    pub removed: Vec<String>,
}

impl Scratch {
    /// Copies `original` into a new temporary folder.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(super) fn copy_of(original: &Path) -> Result<Self, Failure> {
        let failed = |error: io::Error| named(original, &error);
        let copy = tempfile::Builder::new()
            .prefix("cofferdam-step-")
            .tempdir()
            .map_err(failed)?;
        let tree = copy.path().join("tree");
        copy_tree(original, &tree)?;
        let before = inventory(&tree)?;
        Ok(Self {
            original: original.to_owned(),
            copy,
            before,
        })
    }

    /// The length of the largest file of the copy, before anything changed in it.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(super) fn largest_file_bytes(&self) -> Result<u64, Failure> {
        let mut largest = 0;
        for (path, node) in &self.before {
            if matches!(node, Node::File { .. }) {
                let path = self.root().join(path);
                let found = path.metadata().map_err(|error| named(&path, &error))?;
                largest = largest.max(found.len());
            }
        }
        Ok(largest)
    }

    /// The root of the copy.
    pub(super) fn root(&self) -> PathBuf {
        self.copy.path().join("tree")
    }

    /// The folders (relative; `""` is the root) that hold executable files.
    pub(super) fn folders_with_executables(&self) -> BTreeSet<String> {
        let executable = self
            .before
            .iter()
            .filter(|(_, node)| matches!(node, Node::File { mode, .. } if mode & 0o111 != 0));
        executable
            .map(|(path, _)| {
                path.rsplit_once('/')
                    .map_or("", |(folder, _)| folder)
                    .to_owned()
            })
            .collect()
    }

    /// Compares the copy as it is now with what was copied.
    ///
    /// # Errors
    /// Errors of the file system.
    pub(super) fn differences(&self) -> Result<Differences, Failure> {
        let root = self.root();
        let now = inventory(&root)?;
        let mut differences = Differences::default();
        for (path, node) in &now {
            let old = self.before.get(path);
            if old == Some(node) {
                continue;
            }
            let lines = self.lines_of(path, old, node);
            let difference = Difference {
                path: path.clone(),
                lines,
            };
            if old.is_some() {
                differences.changed.push(difference);
            } else {
                differences.added.push(difference);
            }
        }
        let gone = self.before.keys().filter(|path| !now.contains_key(*path));
        differences.removed = gone.cloned().collect();
        Ok(differences)
    }

    fn lines_of(&self, path: &str, old: Option<&Node>, new: &Node) -> Vec<String> {
        let old_text = match old {
            Some(Node::File { .. }) => small_text(&self.original.join(path)),
            _ => Some(String::new()),
        };
        let new_text = match new {
            Node::File { .. } => small_text(&self.root().join(path)),
            Node::Directory { .. } | Node::Symlink { .. } => None,
        };
        match (old_text, new_text) {
            (Some(old), Some(new)) if old != new => diff::lines(&old, &new),
            _ => Vec::new(),
        }
    }
}

fn small_text(path: &Path) -> Option<String> {
    let file = File::open(path).ok()?;
    let mut text = String::new();
    file.take(TEXT_CAP_BYTES + 1)
        .read_to_string(&mut text)
        .ok()?;
    (text.len() as u64 <= TEXT_CAP_BYTES && !text.contains('\0')).then_some(text)
}

/// Copies files, folders and symlinks below `from` into the new folder `to`.
///
/// # Errors
/// Errors of the file system.
pub fn copy_tree(from: &Path, to: &Path) -> Result<(), Failure> {
    std::fs::create_dir(to).map_err(|error| named(to, &error))?;
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    let mut modes = Vec::new();
    while let Some((from, to)) = pending.pop() {
        let failed = |error: io::Error| named(&from, &error);
        let mode = std::fs::metadata(&from)
            .map_err(failed)?
            .permissions()
            .mode();
        // Ours to remove again, whatever the original allows.
        modes.push((to.clone(), Permissions::from_mode(mode | 0o700)));
        for entry in std::fs::read_dir(&from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (source, target) = (entry.path(), to.join(entry.file_name()));
            let failed = |error: io::Error| named(&source, &error);
            let kind = entry.file_type().map_err(failed)?;
            if kind.is_dir() {
                std::fs::create_dir(&target).map_err(failed)?;
                pending.push((source, target));
            } else if kind.is_symlink() {
                let link = std::fs::read_link(&source).map_err(failed)?;
                symlink(link, &target).map_err(failed)?;
            } else if kind.is_file() {
                std::fs::copy(&source, &target).map_err(failed)?;
            }
        }
    }
    // Folders last, innermost first: one that is not writable would take no files.
    for (folder, mode) in modes.into_iter().rev() {
        std::fs::set_permissions(&folder, mode).map_err(|error| named(&folder, &error))?;
    }
    Ok(())
}

fn inventory(root: &Path) -> Result<BTreeMap<String, Node>, Failure> {
    let mut found = BTreeMap::new();
    let mut pending = vec![String::new()];
    while let Some(folder) = pending.pop() {
        let place = root.join(&folder);
        let failed = |error: io::Error| named(&place, &error);
        for entry in std::fs::read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            // Lossy: the path is for people, and two such names that fall together are shown once.
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = if folder.is_empty() {
                name
            } else {
                format!("{folder}/{name}")
            };
            let metadata = entry.metadata().map_err(failed)?;
            let mode = metadata.permissions().mode() & 0o7777;
            let node = if metadata.is_dir() {
                pending.push(path.clone());
                Node::Directory { mode }
            } else if metadata.is_symlink() {
                Node::Symlink {
                    target: std::fs::read_link(entry.path()).map_err(failed)?,
                }
            } else {
                let digest = digest_of(&entry.path()).map_err(failed)?;
                Node::File { digest, mode }
            };
            found.insert(path, node);
        }
    }
    Ok(found)
}

fn digest_of(path: &Path) -> io::Result<Digest> {
    struct Hashing(DigestHasher);
    impl io::Write for Hashing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.update(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let mut sink = io::BufWriter::with_capacity(CHUNK_BYTES, Hashing(DigestHasher::new()));
    io::copy(&mut File::open(path)?, &mut sink)?;
    sink.flush()?;
    let hasher = sink.into_inner().map_err(io::IntoInnerError::into_error)?;
    Ok(hasher.0.finish())
}

fn named(path: &Path, error: &io::Error) -> Failure {
    Failure::io(format_args!("`{}`", path.display()), error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_is_untouched_and_every_change_is_seen() {
        let original = tempfile::tempdir().unwrap();
        let at = |path: &str| original.path().join(path);
        std::fs::create_dir(at("data")).unwrap();
        std::fs::write(at("data/a"), "1\n2\n").unwrap();
        std::fs::write(at("data/b"), "same\n").unwrap();
        std::fs::write(at("data/gone"), "x").unwrap();
        symlink("a", at("data/link")).unwrap();
        let scratch = Scratch::copy_of(original.path()).unwrap();
        let root = scratch.root();
        std::fs::write(root.join("data/a"), "1\ntwo\n").unwrap();
        std::fs::write(root.join("data/new"), "n\n").unwrap();
        std::fs::remove_file(root.join("data/gone")).unwrap();
        let found = scratch.differences().unwrap();
        assert_eq!(found.removed, ["data/gone"]);
        assert_eq!(
            found.added,
            [Difference {
                path: "data/new".to_owned(),
                lines: vec!["+n".to_owned()],
            }]
        );
        assert_eq!(found.changed.len(), 1);
        assert_eq!(found.changed[0].lines, [" 1", "-2", "+two"]);
        assert_eq!(std::fs::read_to_string(at("data/a")).unwrap(), "1\n2\n");
        assert!(at("data/gone").exists());
    }

    #[test]
    fn folders_with_executables_are_named() {
        let original = tempfile::tempdir().unwrap();
        std::fs::create_dir(original.path().join("bin")).unwrap();
        let tool = original.path().join("bin/tool");
        std::fs::write(&tool, "x").unwrap();
        std::fs::set_permissions(&tool, std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::write(original.path().join("read-me"), "x").unwrap();
        let scratch = Scratch::copy_of(original.path()).unwrap();
        assert_eq!(
            scratch.folders_with_executables(),
            BTreeSet::from(["bin".to_owned()])
        );
    }
}
