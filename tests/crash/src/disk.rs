// SPDX-License-Identifier: Apache-2.0
//! A disk in memory: what some directories hold, by object, so that it can be compared, put back,
//! and changed as a log of operations says.
//!
//! An object is a file, a directory or a symlink, whatever its names: hard links are one object with
//! several names. Times are left out; no promise is about them.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::XattrFlags;

use crate::place::Identity;

/// A file, a directory or a symlink, named by a number that is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Object(pub u32);

/// What some directories hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Disk {
    /// The directories that it begins with.
    pub roots: Vec<Root>,
    /// Every object, those without a name included, as long as somebody may hold them open.
    pub nodes: BTreeMap<Object, Node>,
}

/// A directory that a disk begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// Its real path.
    pub path: PathBuf,
    /// What it is.
    pub object: Object,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// The file system that it lies on.
    pub device: u64,
    /// What it is, and what it holds.
    pub kind: Kind,
    /// Mode bits, without the kind.
    pub mode: u32,
    /// Owner.
    pub owner: u32,
    /// Group.
    pub group: u32,
    /// Extended attributes.
    pub attributes: BTreeMap<OsString, Vec<u8>>,
}

/// What an object is, and what it holds.
#[derive(Clone, PartialEq, Eq)]
pub enum Kind {
    /// A regular file with these bytes.
    File(Arc<Vec<u8>>),
    /// A directory with these names.
    Directory(BTreeMap<OsString, Object>),
    /// A symlink that leads there.
    Symlink(OsString),
    /// A device, a fifo or a socket.
    Other,
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(bytes) => {
                let start = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]).into_owned();
                write!(f, "a file of {} bytes, {start:?}", bytes.len())
            }
            Self::Directory(names) => write!(f, "a directory of {} names", names.len()),
            Self::Symlink(target) => write!(f, "a symlink to {}", target.display()),
            Self::Other => f.write_str("neither file, directory nor symlink"),
        }
    }
}

/// Which object a file of the real disk is.
pub type Objects = BTreeMap<Identity, Object>;

impl Disk {
    /// Reads some directories, given by their real paths, and everything below them.
    ///
    /// # Errors
    /// Something cannot be read.
    pub fn read(roots: &[PathBuf]) -> io::Result<(Self, Objects)> {
        let mut reading = Reading {
            disk: Self::default(),
            objects: Objects::new(),
        };
        for path in roots {
            let object = reading.object(path)?;
            let path = path.clone();
            reading.disk.roots.push(Root { path, object });
        }
        Ok((reading.disk, reading.objects))
    }

    /// Makes the directories that it begins with hold what it says, and nothing else.
    ///
    /// # Errors
    /// The system refuses.
    pub fn write(&self) -> io::Result<()> {
        let mut written = BTreeMap::new();
        for root in &self.roots {
            empty(&root.path)?;
            let Some(node) = self.nodes.get(&root.object) else {
                continue;
            };
            self.fill(&root.path, node, &mut written)?;
            dress(&root.path, node)?;
        }
        Ok(())
    }

    fn fill(
        &self,
        path: &Path,
        node: &Node,
        written: &mut BTreeMap<Object, PathBuf>,
    ) -> io::Result<()> {
        let Kind::Directory(names) = &node.kind else {
            return Ok(());
        };
        for (name, object) in names {
            let Some(child) = self.nodes.get(object) else {
                continue;
            };
            let path = path.join(name);
            if let Some(first) = written.get(object) {
                fs::hard_link(first, &path)?;
                continue;
            }
            match &child.kind {
                Kind::File(bytes) => fs::write(&path, bytes.as_slice())?,
                Kind::Directory(_) => {
                    fs::create_dir(&path)?;
                    self.fill(&path, child, written)?;
                }
                Kind::Symlink(target) => std::os::unix::fs::symlink(target, &path)?,
                Kind::Other => return Err(io::Error::from(io::ErrorKind::Unsupported)),
            }
            dress(&path, child)?;
            if !matches!(child.kind, Kind::Directory(_)) {
                written.insert(*object, path);
            }
        }
        Ok(())
    }

    /// Every path with its object, in order.
    pub fn paths(&self) -> BTreeMap<PathBuf, Object> {
        let mut paths = BTreeMap::new();
        for root in &self.roots {
            self.walk(&root.path, root.object, &mut paths);
        }
        paths
    }

    /// The paths at and below one of them, relative to it.
    pub fn below(&self, top: &Path) -> BTreeMap<PathBuf, &Node> {
        let paths = self.paths();
        let inside = paths.iter().filter_map(|(path, object)| {
            let path = path.strip_prefix(top).ok()?;
            Some((path.to_owned(), self.nodes.get(object)?))
        });
        inside.collect()
    }

    /// The object at a path.
    pub fn at(&self, path: &Path) -> Option<&Node> {
        let root = self
            .roots
            .iter()
            .find(|root| path.starts_with(&root.path))?;
        let mut object = root.object;
        for name in path.strip_prefix(&root.path).ok()? {
            let Kind::Directory(names) = &self.nodes.get(&object)?.kind else {
                return None;
            };
            object = *names.get(name)?;
        }
        self.nodes.get(&object)
    }

    /// The bytes of the file at a path.
    pub fn file(&self, path: &Path) -> Option<&[u8]> {
        match &self.at(path)?.kind {
            Kind::File(bytes) => Some(bytes),
            Kind::Directory(_) | Kind::Symlink(_) | Kind::Other => None,
        }
    }

    fn walk(&self, path: &Path, object: Object, paths: &mut BTreeMap<PathBuf, Object>) {
        paths.insert(path.to_owned(), object);
        if let Some(Node {
            kind: Kind::Directory(names),
            ..
        }) = self.nodes.get(&object)
        {
            for (name, object) in names {
                self.walk(&path.join(name), *object, paths);
            }
        }
    }

    /// Where two disks differ: by path, and in which paths are names of one file.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (ours, theirs) = (self.paths(), other.paths());
        let mut found = Vec::new();
        let (mut twins, mut seen) = (BTreeMap::new(), BTreeSet::new());
        for (path, object) in &ours {
            let shown = path.display();
            let Some(their_object) = theirs.get(path) else {
                found.push(format!("`{shown}` is on the first only"));
                continue;
            };
            let (Some(one), Some(two)) = (self.nodes.get(object), other.nodes.get(their_object))
            else {
                found.push(format!("`{shown}` has a name and no object"));
                continue;
            };
            if let Some(difference) = one.difference(two) {
                found.push(format!("`{shown}`: {difference}"));
            }
            if *twins.entry(*object).or_insert(*their_object) != *their_object
                || (!seen.insert(*their_object) && twins.get(object) != Some(their_object))
            {
                found.push(format!("`{shown}` shares its file with other paths"));
            }
        }
        let only = theirs.keys().filter(|path| !ours.contains_key(*path));
        found.extend(only.map(|path| format!("`{}` is on the second only", path.display())));
        let reverse: BTreeSet<_> = twins.values().collect();
        if reverse.len() != twins.len() {
            found.push("paths of one file on the second are several on the first".to_owned());
        }
        found
    }
}

impl Node {
    /// How two objects differ, names of directories aside.
    pub fn difference(&self, other: &Self) -> Option<String> {
        match (&self.kind, &other.kind) {
            (Kind::Directory(_), Kind::Directory(_)) => {}
            (one, two) if one == two => {}
            (one, two) => return Some(format!("{one:?}, and {two:?}")),
        }
        if self.mode != other.mode {
            return Some(format!("mode {:04o}, and {:04o}", self.mode, other.mode));
        }
        if (self.owner, self.group) != (other.owner, other.group) {
            return Some(format!(
                "of {}:{}, and of {}:{}",
                self.owner, self.group, other.owner, other.group
            ));
        }
        (self.attributes != other.attributes).then(|| "other attributes".to_owned())
    }
}

struct Reading {
    disk: Disk,
    objects: Objects,
}

impl Reading {
    fn object(&mut self, path: &Path) -> io::Result<Object> {
        let metadata = fs::symlink_metadata(path)?;
        let identity = Identity {
            device: metadata.dev(),
            inode: metadata.ino(),
        };
        if let Some(known) = self.objects.get(&identity) {
            return Ok(*known);
        }
        let object = Object(self.objects.len() as u32 + 1);
        self.objects.insert(identity, object);
        let mut node = look(path)?;
        if let Kind::Directory(names) = &mut node.kind {
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                names.insert(entry.file_name(), self.object(&entry.path())?);
            }
        }
        self.disk.nodes.insert(object, node);
        Ok(object)
    }
}

/// What stands at a path; of a directory without its names.
///
/// # Errors
/// It cannot be read.
pub fn look(path: &Path) -> io::Result<Node> {
    described(path, &fs::symlink_metadata(path)?)
}

/// What a path leads to, symlinks followed; of a directory without its names.
///
/// # Errors
/// It cannot be read.
pub fn look_through(path: &Path) -> io::Result<Node> {
    let path = path
        .canonicalize()
        .unwrap_or_else(|_nameless| path.to_owned());
    described(&path, &fs::metadata(&path)?)
}

fn described(path: &Path, metadata: &fs::Metadata) -> io::Result<Node> {
    let kind = if metadata.is_dir() {
        Kind::Directory(BTreeMap::new())
    } else if metadata.is_symlink() {
        Kind::Symlink(fs::read_link(path)?.into_os_string())
    } else if metadata.is_file() {
        Kind::File(Arc::new(fs::read(path)?))
    } else {
        Kind::Other
    };
    Ok(Node {
        device: metadata.dev(),
        kind,
        mode: metadata.mode() & 0o7777,
        owner: metadata.uid(),
        group: metadata.gid(),
        attributes: attributes(path)?,
    })
}

fn attributes(path: &Path) -> io::Result<BTreeMap<OsString, Vec<u8>>> {
    use rustix::buffer::spare_capacity;
    let mut names = Vec::with_capacity(4096);
    match rustix::fs::llistxattr(path, spare_capacity(&mut names)) {
        Ok(_) => {}
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(BTreeMap::new()),
        Err(error) => return Err(error.into()),
    }
    let mut found = BTreeMap::new();
    for name in names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
    {
        let mut value = Vec::with_capacity(64 * 1024);
        rustix::fs::lgetxattr(path, name, spare_capacity(&mut value))?;
        found.insert(OsStr::from_bytes(name).to_owned(), value);
    }
    Ok(found)
}

/// Owner, mode and attributes.
fn dress(path: &Path, node: &Node) -> io::Result<()> {
    let metadata = fs::symlink_metadata(path)?;
    if (metadata.uid(), metadata.gid()) != (node.owner, node.group) {
        std::os::unix::fs::lchown(path, Some(node.owner), Some(node.group))?;
    }
    if !metadata.is_symlink() && metadata.mode() & 0o7777 != node.mode {
        fs::set_permissions(path, fs::Permissions::from_mode(node.mode))?;
    }
    for (name, value) in &node.attributes {
        rustix::fs::lsetxattr(path, name.as_os_str(), value, XattrFlags::empty())?;
    }
    Ok(())
}

/// Empties a directory, which must be there.
fn empty(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (tempfile::TempDir, Vec<PathBuf>) {
        let temporary = tempfile::tempdir().unwrap();
        let root = temporary.path().canonicalize().unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/a"), "a").unwrap();
        fs::hard_link(root.join("d/a"), root.join("b")).unwrap();
        std::os::unix::fs::symlink("d/a", root.join("s")).unwrap();
        fs::set_permissions(root.join("b"), fs::Permissions::from_mode(0o640)).unwrap();
        (temporary, vec![root])
    }

    #[test]
    fn what_was_read_can_be_put_back_with_its_hard_links() {
        let (_temporary, roots) = sample();
        let (disk, _) = Disk::read(&roots).unwrap();
        fs::remove_file(roots[0].join("b")).unwrap();
        fs::write(roots[0].join("new"), "new").unwrap();
        fs::write(roots[0].join("d/a"), "other").unwrap();
        assert_eq!(disk.differences(&Disk::read(&roots).unwrap().0).len(), 3);
        disk.write().unwrap();
        let (again, _) = Disk::read(&roots).unwrap();
        assert_eq!(disk.differences(&again), Vec::<String>::new());
    }

    #[test]
    fn two_files_with_the_same_bytes_are_not_one_file_with_two_names() {
        let (_temporary, roots) = sample();
        let (disk, _) = Disk::read(&roots).unwrap();
        fs::remove_file(roots[0].join("b")).unwrap();
        fs::write(roots[0].join("b"), "a").unwrap();
        fs::set_permissions(roots[0].join("b"), fs::Permissions::from_mode(0o640)).unwrap();
        let (split, _) = Disk::read(&roots).unwrap();
        assert!(!disk.differences(&split).is_empty());
        assert!(!split.differences(&disk).is_empty());
    }
}
