// SPDX-License-Identifier: Apache-2.0
//! Folders of files: make, copy, remove, measure and compare them.

use crate::failure::Failure;
use crate::failure::Outcome;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Makes a folder and its parents.
pub(crate) fn make(folder: &Path) -> Outcome {
    fs::create_dir_all(folder).map_err(|error| Failure::at(folder, &error))
}

/// Removes a folder, if it is there.
pub(crate) fn remove(folder: &Path) -> Outcome {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::at(folder, &error)),
        _ => Ok(()),
    }
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> Outcome {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(Failure::at(path, &error)),
        _ => Ok(()),
    }
}

/// How many bytes a file has.
pub(crate) fn file_size(path: &Path) -> Outcome<u64> {
    Ok(fs::metadata(path)
        .map_err(|error| Failure::at(path, &error))?
        .len())
}

/// Reads a text file.
pub(crate) fn read(path: &Path) -> Outcome<String> {
    fs::read_to_string(path).map_err(|error| Failure::at(path, &error))
}

/// Writes a text file, and the folder that it is in.
pub(crate) fn write(path: &Path, text: &str) -> Outcome {
    if let Some(folder) = path.parent() {
        make(folder)?;
    }
    fs::write(path, text).map_err(|error| Failure::at(path, &error))
}

/// Copies one file with its mode.
pub(crate) fn copy_file(from: &Path, to: &Path) -> Outcome {
    if let Some(folder) = to.parent() {
        make(folder)?;
    }
    fs::copy(from, to)
        .map(drop)
        .map_err(|error| Failure::at(from, &error))
}

/// Copies what is in a folder, modes included, into another.
pub(crate) fn copy(from: &Path, to: &Path) -> Outcome {
    make(to)?;
    for (path, node) in nodes(from)? {
        let (source, target) = (from.join(&path), to.join(&path));
        match node {
            Node::Folder { mode } => {
                make(&target)?;
                set_mode(&target, mode)?;
            }
            Node::File { .. } => copy_file(&source, &target)?,
            Node::Link { target: leads_to } => {
                std::os::unix::fs::symlink(leads_to, &target)
                    .map_err(|error| Failure::at(&target, &error))?;
            }
        }
    }
    Ok(())
}

/// How many files a folder holds, and how many bytes they have.
pub(crate) fn size(folder: &Path) -> Outcome<(usize, u64)> {
    let nodes = nodes(folder)?;
    let files = nodes.values().filter_map(|node| match node {
        Node::File { bytes, .. } => Some(*bytes),
        Node::Folder { .. } | Node::Link { .. } => None,
    });
    Ok(files.fold((0, 0), |(count, sum), bytes| (count + 1, sum + bytes)))
}

/// The first differences between two folders in paths, kinds, modes, link targets and bytes.
pub(crate) fn differences(left: &Path, right: &Path) -> Outcome<Vec<String>> {
    let (ours, theirs) = (nodes(left)?, nodes(right)?);
    let mut found = Vec::new();
    for (path, node) in &ours {
        let shown = path.display();
        match theirs.get(path) {
            None => found.push(format!("{shown}: only in {}", left.display())),
            Some(other) if other != node => found.push(format!("{shown}: {node:?}, {other:?}")),
            Some(Node::File { .. }) if !same_bytes(&left.join(path), &right.join(path))? => {
                found.push(format!("{shown}: other bytes"));
            }
            Some(_) => {}
        }
    }
    let extra = theirs.keys().filter(|path| !ours.contains_key(*path));
    found.extend(extra.map(|path| format!("{}: only in {}", path.display(), right.display())));
    Ok(found)
}

#[derive(Debug, PartialEq, Eq)]
enum Node {
    Folder { mode: u32 },
    File { mode: u32, bytes: u64 },
    Link { target: PathBuf },
}

/// Everything below a folder, by path relative to it; folders before what is in them.
fn nodes(root: &Path) -> Outcome<BTreeMap<PathBuf, Node>> {
    let mut all = BTreeMap::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(folder) = waiting.pop() {
        let place = root.join(&folder);
        let entries = fs::read_dir(&place).map_err(|error| Failure::at(&place, &error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Failure::at(&place, &error))?;
            let path = folder.join(entry.file_name());
            let found = entry
                .metadata()
                .map_err(|error| Failure::at(&entry.path(), &error))?;
            let mode = found.permissions().mode() & 0o7777;
            let node = if found.is_symlink() {
                let target = fs::read_link(entry.path());
                Node::Link {
                    target: target.map_err(|error| Failure::at(&entry.path(), &error))?,
                }
            } else if found.is_dir() {
                waiting.push(path.clone());
                Node::Folder { mode }
            } else {
                Node::File {
                    mode,
                    bytes: found.len(),
                }
            };
            all.insert(path, node);
        }
    }
    Ok(all)
}

fn same_bytes(left: &Path, right: &Path) -> Outcome<bool> {
    let open = |path: &Path| fs::File::open(path).map_err(|error| Failure::at(path, &error));
    let (mut ours, mut theirs) = (open(left)?, open(right)?);
    let (mut one, mut other) = (vec![0; 256 * 1024], vec![0; 256 * 1024]);
    loop {
        let count = ours
            .read(&mut one)
            .map_err(|error| Failure::at(left, &error))?;
        if count == 0 {
            return Ok(true);
        }
        theirs
            .read_exact(&mut other[..count])
            .map_err(|error| Failure::at(right, &error))?;
        if one[..count] != other[..count] {
            return Ok(false);
        }
    }
}

/// Sets permission bits.
pub(crate) fn set_mode(path: &Path, mode: u32) -> Outcome {
    let mode = fs::Permissions::from_mode(mode);
    fs::set_permissions(path, mode).map_err(|error| Failure::at(path, &error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let (left, right) = (folder.path().join("left"), folder.path().join("right"));
        write(&left.join("bin/agent"), "one").unwrap();
        set_mode(&left.join("bin/agent"), 0o755).unwrap();
        std::os::unix::fs::symlink("bin/agent", left.join("agent")).unwrap();
        copy(&left, &right).unwrap();
        (folder, left, right)
    }

    #[test]
    fn a_copy_has_no_differences() {
        let (_folder, left, right) = sample();
        assert_eq!(differences(&left, &right).unwrap(), Vec::<String>::new());
        assert_eq!(size(&right).unwrap(), (1, 3));
    }

    #[test]
    fn same_size_is_not_same_bytes() {
        let (_folder, left, right) = sample();
        write(&right.join("bin/agent"), "two").unwrap();
        assert_eq!(
            differences(&left, &right).unwrap(),
            ["bin/agent: other bytes"]
        );
    }

    #[test]
    fn modes_and_extra_files_are_differences() {
        let (_folder, left, right) = sample();
        set_mode(&right.join("bin/agent"), 0o700).unwrap();
        write(&right.join("extra"), "").unwrap();
        let found = differences(&left, &right).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[1].starts_with("extra: only in"), "{found:?}");
    }
}
