// SPDX-License-Identifier: Apache-2.0
//! The payload folder on the vendor's machine: walked in order, hashed, and read again for packing.
//!
//! Memory holds one name, mode and digest per file, never content. What a package cannot carry
//! (special bits, devices, names that some system would change) is refused here, by name, so that the
//! vendor learns of it and not the operator.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use cofferdam_package::digest::Digest;
use cofferdam_package::digest::DigestHasher;
use cofferdam_package::path::PayloadPath;
use cofferdam_package::path::check_symlink_target;
use rayon::prelude::*;

use super::Code;
use crate::failure::Failure;
use crate::watch::Watch;

const CHUNK_BYTES: usize = 256 << 10;
/// How often progress is shown, in files.
const PROGRESS_EVERY: u64 = 64;

/// Something in the payload folder.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// Where, relative to the payload folder.
    pub path: PayloadPath,
    /// What.
    pub node: Node,
}

/// What stands at a path of the payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// A file; its digest is known once [`digests`] has run.
    File {
        /// Its size when it was found.
        bytes: u64,
        /// Its permission bits, special ones included.
        mode: u32,
    },
    /// A folder.
    Directory {
        /// Its permission bits, special ones included.
        mode: u32,
    },
    /// A symbolic link.
    Symlink {
        /// What it points at, as written.
        target: String,
    },
}

/// Everything below `root`, sorted by path. Symlinks are not followed.
///
/// # Errors
/// `payload-missing`, `payload-path`, `special-file`, or an error of the file system.
pub(super) fn walk(root: &Path) -> Result<Vec<Found>, Failure> {
    if !root.is_dir() {
        return Err(Code::PayloadMissing.because(format!(
            "the payload folder `{}` is not there",
            root.display()
        )));
    }
    let mut found = Vec::new();
    let mut folders: Vec<Option<PayloadPath>> = vec![None];
    while let Some(folder) = folders.pop() {
        let place = place_of(root, folder.as_ref());
        let failed =
            |error: std::io::Error| Failure::io(format_args!("`{}`", place.display()), &error);
        for entry in std::fs::read_dir(&place).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let path = path_of(folder.as_ref(), &entry.file_name())?;
            let node = node_of(&entry.path(), &path)?;
            if matches!(node, Node::Directory { .. }) {
                folders.push(Some(path.clone()));
            }
            found.push(Found { path, node });
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Where a path of the payload lies on this machine.
pub(super) fn place_of(root: &Path, path: Option<&PayloadPath>) -> PathBuf {
    path.map_or_else(|| root.to_owned(), |path| root.join(path.as_str()))
}

fn path_of(folder: Option<&PayloadPath>, name: &std::ffi::OsStr) -> Result<PayloadPath, Failure> {
    let inside = folder.map_or(String::new(), |folder| format!("{}/", folder.as_str()));
    let Some(name) = name.to_str() else {
        return Err(
            Code::PayloadPath.because(format!("`{inside}{}` is not a UTF-8 name", name.display()))
        );
    };
    PayloadPath::parse(&format!("{inside}{name}"))
        .map_err(|error| Code::PayloadPath.because(error.to_string()))
}

fn node_of(place: &Path, path: &PayloadPath) -> Result<Node, Failure> {
    let failed = |error: std::io::Error| Failure::io(format_args!("`{}`", place.display()), &error);
    let metadata = place.symlink_metadata().map_err(failed)?;
    let (kind, mode) = (metadata.file_type(), metadata.permissions().mode() & 0o7777);
    if kind.is_file() {
        return Ok(Node::File {
            bytes: metadata.len(),
            mode,
        });
    }
    if kind.is_dir() {
        return Ok(Node::Directory { mode });
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(place).map_err(failed)?;
        let target = target.to_str().ok_or_else(|| {
            Code::PayloadPath.because(format!(
                "the symlink `{path}` has a target that is not UTF-8"
            ))
        })?;
        check_symlink_target(path, target).map_err(|error| {
            Code::PayloadPath.because(format!("the symlink `{path}` is refused: {error}"))
        })?;
        return Ok(Node::Symlink {
            target: target.to_owned(),
        });
    }
    let kind = match () {
        () if kind.is_fifo() => "a fifo",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(Code::SpecialFile.because(format!("`{path}` is {kind}")))
}

/// The digests of all files, in the order of `found`, computed over the cores.
///
/// # Errors
/// `payload-changed` when a file has another size than when it was found; errors of the file system.
pub(super) fn digests(
    root: &Path,
    found: &[Found],
    watch: &mut dyn Watch,
) -> Result<Vec<Option<Digest>>, Failure> {
    let total = found
        .iter()
        .filter(|item| matches!(item.node, Node::File { .. }))
        .count() as u64;
    let shown = Mutex::new((0_u64, watch));
    found
        .par_iter()
        .map(|item| {
            let Node::File { bytes, .. } = item.node else {
                return Ok(None);
            };
            let digest = digest_of(&place_of(root, Some(&item.path)), &item.path, bytes)?;
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            shown.0 += 1;
            if shown.0.is_multiple_of(PROGRESS_EVERY) || shown.0 == total {
                let count = shown.0;
                shown.1.progress("hashing the payload", count, total);
            }
            Ok(Some(digest))
        })
        .collect()
}

fn digest_of(place: &Path, path: &PayloadPath, bytes: u64) -> Result<Digest, Failure> {
    let failed = |error: std::io::Error| Failure::io(format_args!("`{}`", place.display()), &error);
    let mut file = File::open(place).map_err(failed)?;
    let mut hasher = DigestHasher::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut read_bytes = 0_u64;
    loop {
        let length = file.read(&mut chunk).map_err(failed)?;
        if length == 0 {
            break;
        }
        hasher.update(&chunk[..length]);
        read_bytes += length as u64;
    }
    if read_bytes != bytes {
        return Err(changed(path));
    }
    Ok(hasher.finish())
}

/// The failure for a file that is not what it was when it was hashed.
pub(super) fn changed(path: &PayloadPath) -> Failure {
    Code::PayloadChanged.because(format!(
        "`{path}` changed while the payload was being packed"
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::watch::Unwatched;

    fn paths(found: &[Found]) -> Vec<&str> {
        found.iter().map(|item| item.path.as_str()).collect()
    }

    #[test]
    fn the_walk_is_sorted_and_follows_no_symlink() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("b/c")).unwrap();
        std::fs::write(folder.path().join("b/c/d"), "x").unwrap();
        std::fs::write(folder.path().join("a"), "x").unwrap();
        std::fs::write(folder.path().join("b.txt"), "x").unwrap();
        symlink("b", folder.path().join("link")).unwrap();
        let found = walk(folder.path()).unwrap();
        assert_eq!(paths(&found), ["a", "b", "b.txt", "b/c", "b/c/d", "link"]);
        assert_eq!(
            found[5].node,
            Node::Symlink {
                target: "b".to_owned()
            }
        );
    }

    #[test]
    fn a_symlink_out_of_the_payload_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        symlink("../../etc/passwd", folder.path().join("link")).unwrap();
        assert_eq!(walk(folder.path()).unwrap_err().code, "payload-path");
    }

    #[test]
    fn sockets_and_fifos_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(folder.path().join("socket")).unwrap();
        assert_eq!(walk(folder.path()).unwrap_err().code, "special-file");
    }

    #[test]
    fn names_that_some_system_would_change_are_refused() {
        for name in ["a\\b", "con", "a\n", "trailing."] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join(name), "x").unwrap();
            assert_eq!(
                walk(folder.path()).unwrap_err().code,
                "payload-path",
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_file_that_grew_since_it_was_found_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a"), "x").unwrap();
        let found = walk(folder.path()).unwrap();
        std::fs::write(folder.path().join("a"), "xy").unwrap();
        let refused = digests(folder.path(), &found, &mut Unwatched).unwrap_err();
        assert_eq!(refused.code, "payload-changed");
    }
}
