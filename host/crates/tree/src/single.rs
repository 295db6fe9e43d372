// SPDX-License-Identifier: Apache-2.0
//! One file of a tree by its path, read or replaced: with no symlink on the way and none at its end.
//!
//! Whatever a step or the owner of the tree planted, the file that is read or replaced is the one whose
//! path was judged. Replacing makes a new inode: one that other trees share is never written.

use std::fs::File;
use std::io::Read as _;
use std::io::Write as _;

use cap_std::fs::Dir;
use cofferdam_package::path::PayloadPath;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::attributes::Attributes;
use crate::error::TreeError;
use crate::root;
use crate::root::Root;

/// The name under which a new file waits for its place, with a number where something stands there: a
/// step may have left it to be in our way.
const WAITING: &str = ".cofferdam-waiting";

/// The content of a regular file; `None` when nothing stands there.
///
/// # Errors
///
/// `symlink-swapped` for a symlink on the way or at the end; `io` for more than `cap_bytes` and for
/// anything else than a regular file.
pub fn read_file(
    tree: &Dir,
    path: &PayloadPath,
    cap_bytes: u64,
) -> Result<Option<Vec<u8>>, TreeError> {
    let root = Root::new(tree)?;
    let path = path.as_str();
    let Some(opened) = open(&root, path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    opened
        .take(cap_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| TreeError::io("read", path, error))?;
    if bytes.len() as u64 > cap_bytes {
        return Err(TreeError::io("read", path, Errno::FBIG));
    }
    Ok(Some(bytes))
}

/// Puts a new file in the place of the one at `path`, with its owner, mode and attributes, or makes it.
///
/// The tree is not live: a crash in the middle leaves an unfinished tree, which is thrown away.
///
/// # Errors
///
/// As [`read_file`]; the file system refuses.
pub fn replace_file(tree: &Dir, path: &PayloadPath, bytes: &[u8]) -> Result<(), TreeError> {
    let root = Root::new(tree)?;
    let before = open(&root, path.as_str())?;
    let parent = path.parent().unwrap_or("");
    make_directories(tree, path)?;
    let path = path.as_str();
    let directory = root.open_directory(parent)?;
    let failed = |errno: Errno| TreeError::io("replace", path, errno);
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut waiting = WAITING.to_owned();
    let mut number = 0_u64;
    let mut file = loop {
        match rustix::fs::openat(&directory, &waiting, flags, Mode::from_raw_mode(0o600)) {
            Ok(file) => break File::from(file),
            Err(Errno::EXIST) => {
                number += 1;
                waiting = format!("{WAITING}-{number}");
            }
            Err(errno) => return Err(failed(errno)),
        }
    };
    let attributes = match &before {
        Some(before) => Attributes::read(before, &root::stat_of(before, path)?, path)?,
        None => Attributes::read(&directory, &root::stat_of(&directory, parent)?, parent)?
            .for_added_file(0o644),
    };
    file.write_all(bytes)
        .map_err(|error| TreeError::io("write", path, error))?;
    attributes.give(&file, path)?;
    let name = root::last_name(path)?;
    rustix::fs::renameat(&directory, &waiting, &directory, &*name).map_err(failed)
}

fn open(root: &Root, path: &str) -> Result<Option<File>, TreeError> {
    let parent = crate::name::split(path).0;
    let directory = match root.try_open_directory(parent) {
        Ok(directory) => directory,
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(root::open_error(parent, errno)),
    };
    let name = root::last_name(path)?;
    // Without waiting: a fifo in the file's place must not hang the host.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&directory, &*name, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(errno) => return Err(TreeError::io("open", path, errno)),
    };
    let stat = root::stat_of(&file, path)?;
    if FileType::from_raw_mode(stat.stx_mode.into()) != FileType::RegularFile {
        return Err(TreeError::io("open as a regular file", path, Errno::INVAL));
    }
    Ok(Some(file))
}

fn make_directories(tree: &Dir, path: &PayloadPath) -> Result<(), TreeError> {
    let root = Root::new(tree)?;
    for directory in path.ancestors() {
        match root.try_open_directory(directory) {
            Ok(_) => {}
            Err(Errno::NOENT) => {
                let above = root.open_directory(crate::name::split(directory).0)?;
                let name = root::last_name(directory)?;
                rustix::fs::mkdirat(&above, &*name, Mode::from_raw_mode(0o755))
                    .map_err(|errno| TreeError::io("make the directory", directory, errno))?;
                rustix::fs::chmodat(&above, &*name, Mode::from_raw_mode(0o755), AtFlags::empty())
                    .map_err(|errno| TreeError::io("make the directory", directory, errno))?;
            }
            Err(errno) => return Err(root::open_error(directory, errno)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cap_std::ambient_authority;
    use std::fs;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::fs::PermissionsExt as _;

    fn path(text: &str) -> PayloadPath {
        PayloadPath::parse(text).unwrap()
    }

    #[test]
    fn whatever_stands_where_a_new_file_waits_stays_and_is_not_in_the_way() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("a"), "old").unwrap();
        fs::write(at("b"), "b").unwrap();
        std::os::unix::fs::symlink("b", at(WAITING)).unwrap();
        fs::create_dir(at(&format!("{WAITING}-1"))).unwrap();
        let tree = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        replace_file(&tree, &path("a"), b"new").unwrap();
        assert_eq!(fs::read_to_string(at("a")).unwrap(), "new");
        assert_eq!(fs::read_to_string(at("b")).unwrap(), "b");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }

    #[test]
    fn a_file_that_another_tree_shares_is_not_written() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("tree/conf")).unwrap();
        let (file, other) = (
            folder.path().join("tree/conf/a"),
            folder.path().join("other"),
        );
        fs::write(&file, "old").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        fs::hard_link(&file, &other).unwrap();
        let tree = Dir::open_ambient_dir(folder.path().join("tree"), ambient_authority()).unwrap();
        replace_file(&tree, &path("conf/a"), b"new").unwrap();
        assert_eq!(fs::read_to_string(other).unwrap(), "old");
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
        assert_eq!(fs::metadata(file).unwrap().mode() & 0o777, 0o640);
        assert_eq!(
            read_file(&tree, &path("conf/a"), 10).unwrap().unwrap(),
            b"new"
        );
    }

    #[test]
    fn a_link_on_the_way_or_at_the_end_is_refused_and_leads_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        fs::write(folder.path().join("bin/x"), "program").unwrap();
        std::os::unix::fs::symlink("bin", folder.path().join("etc")).unwrap();
        std::os::unix::fs::symlink("bin/x", folder.path().join("y")).unwrap();
        let tree = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        for text in ["etc/x", "y"] {
            assert_eq!(
                replace_file(&tree, &path(text), b"new").unwrap_err().code(),
                "symlink-swapped"
            );
            assert_eq!(
                read_file(&tree, &path(text), 10).unwrap_err().code(),
                "symlink-swapped"
            );
        }
        let program = fs::read_to_string(folder.path().join("bin/x")).unwrap();
        assert_eq!(program, "program");
    }

    #[test]
    fn a_file_and_its_directories_are_made_where_nothing_stands() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap();
        assert!(read_file(&tree, &path("a/b/c"), 10).unwrap().is_none());
        replace_file(&tree, &path("a/b/c"), b"new").unwrap();
        let made = fs::read_to_string(folder.path().join("a/b/c")).unwrap();
        assert_eq!(made, "new");
        assert_eq!(
            read_file(&tree, &path("a/b/c"), 2).unwrap_err().code(),
            "io"
        );
    }
}
