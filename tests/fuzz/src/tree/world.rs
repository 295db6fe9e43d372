// SPDX-License-Identifier: Apache-2.0
//! A tree on disk with something outside of it, and snapshots of both.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::fs::FileType;
use rustix::fs::Mode;
use tempfile::TempDir;

use super::plan::Object;
use super::plan::ObjectKind;

/// How deep a world lies in its folder: no plan leads as far up in one word.
const DEPTH: usize = 8;

/// What a name ends with that is no text.
fn odd() -> &'static OsStr {
    OsStr::from_bytes(b"\xff")
}

/// The tree is at `tree` in the place; everything beside it is outside.
pub(crate) struct World {
    _folder: TempDir,
    place: PathBuf,
}

/// What stands at a path. What reading changes is left out, and so are link counts, since a name of an
/// outside file may go away in the tree, and the times of directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) kind: SeenKind,
    pub(crate) mode: u32,
    pub(crate) inode: u64,
    /// The content, or the target of a link.
    pub(crate) bytes: Vec<u8>,
    modified: (i64, i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeenKind {
    Directory,
    File,
    Symlink,
    Other,
}

/// Everything below a directory, by path; `""` is the directory itself.
pub(crate) type Snapshot = BTreeMap<PathBuf, Seen>;

impl World {
    /// Builds a tree of these objects, and the same surroundings for each. Objects that have no place
    /// (behind a link, in a file, where something stands already) are left out.
    pub(crate) fn build<'a>(objects: impl IntoIterator<Item = &'a Object>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let place = (0..DEPTH).fold(folder.path().to_owned(), |path, _| path.join("d"));
        let outside = || {
            fs::create_dir_all(place.join("tree"))?;
            fs::write(place.join("a"), "outside")?;
            fs::create_dir(place.join("b"))?;
            fs::write(place.join("b/a"), "outside, too")?;
            fs::write(place.join("A"), "a program outside")?;
            fs::set_permissions(place.join("A"), fs::Permissions::from_mode(0o755))?;
            std::os::unix::fs::symlink("b", place.join("ab"))
        };
        outside().expect("a place outside of the tree");
        let world = Self {
            _folder: folder,
            place,
        };
        for object in objects {
            let _ = world.put(object);
        }
        world
    }

    /// The directory that the tree and everything outside of it lie in.
    pub(crate) fn place(&self) -> &Path {
        &self.place
    }

    /// The tree's root.
    pub(crate) fn root(&self) -> PathBuf {
        self.place.join("tree")
    }

    fn put(&self, object: &Object) -> io::Result<()> {
        let mut path = self.root();
        let mut names = object.path.split('/').peekable();
        while let Some(name) = names.next() {
            if matches!(name, "" | "." | "..") {
                return Ok(());
            }
            path.push(name);
            if names.peek().is_some() && fs::symlink_metadata(&path).is_err() {
                fs::create_dir(&path)?;
            }
            let is_link = fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
            if is_link {
                return Ok(());
            }
        }
        if object.kind == ObjectKind::Odd {
            path.as_mut_os_string().push(odd());
            return fs::write(path, "odd");
        }
        if fs::symlink_metadata(&path).is_ok() {
            return Ok(());
        }
        match &object.kind {
            ObjectKind::Directory => fs::create_dir(&path),
            ObjectKind::File => fs::write(&path, format!("at {}", object.path)),
            ObjectKind::Program => {
                fs::write(&path, format!("program at {}", object.path))?;
                fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            }
            ObjectKind::Twin => fs::hard_link(self.place.join("a"), &path),
            ObjectKind::Fifo => {
                let mode = Mode::from_raw_mode(0o600);
                Ok(rustix::fs::mknodat(
                    rustix::fs::CWD,
                    &path,
                    FileType::Fifo,
                    mode,
                    0,
                )?)
            }
            ObjectKind::Link(target) => {
                let target = match target.strip_prefix('/') {
                    Some(inside) => self.place.join(inside),
                    None => target.into(),
                };
                std::os::unix::fs::symlink(target, &path)
            }
            ObjectKind::Odd => Ok(()),
        }
    }

    /// Whether an object stands where it belongs, or one of its kind.
    pub(crate) fn has(&self, object: &Object) -> bool {
        let mut path = self.root().join(&object.path).into_os_string();
        if object.kind == ObjectKind::Odd {
            path.push(odd());
        }
        fs::symlink_metadata(path).is_ok_and(|found| match object.kind {
            ObjectKind::Directory => found.is_dir(),
            ObjectKind::Link(_) => found.is_symlink(),
            ObjectKind::Fifo => !found.is_dir() && !found.is_symlink() && !found.is_file(),
            ObjectKind::File | ObjectKind::Program | ObjectKind::Twin | ObjectKind::Odd => {
                found.is_file()
            }
        })
    }

    /// Everything in the tree.
    pub(crate) fn tree(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        look(&self.root(), &PathBuf::new(), &mut snapshot, &|_| true);
        snapshot
    }

    /// Everything outside of it.
    pub(crate) fn outside(&self) -> Snapshot {
        let mut snapshot = Snapshot::new();
        let tree = self.root();
        look(&self.place, &PathBuf::new(), &mut snapshot, &|path| {
            path != tree
        });
        snapshot
    }
}

fn look(root: &Path, below: &Path, snapshot: &mut Snapshot, wanted: &dyn Fn(&Path) -> bool) {
    let path = root.join(below);
    if !wanted(&path) {
        return;
    }
    let found = fs::symlink_metadata(&path).expect("what is listed is there");
    let (kind, bytes) = if found.is_dir() {
        (SeenKind::Directory, Vec::new())
    } else if found.is_file() {
        (SeenKind::File, fs::read(&path).expect("a file can be read"))
    } else if found.is_symlink() {
        let target = fs::read_link(&path).expect("a link can be read");
        (SeenKind::Symlink, target.as_os_str().as_bytes().to_vec())
    } else {
        (SeenKind::Other, Vec::new())
    };
    let is_directory = kind == SeenKind::Directory;
    let seen = Seen {
        kind,
        mode: found.mode(),
        inode: found.ino(),
        bytes,
        modified: if is_directory {
            (0, 0)
        } else {
            (found.mtime(), found.mtime_nsec())
        },
    };
    snapshot.insert(below.to_owned(), seen);
    if is_directory {
        for entry in fs::read_dir(&path).expect("a directory can be listed") {
            let name = entry.expect("a directory can be listed").file_name();
            look(root, &below.join(name), snapshot, wanted);
        }
    }
}
