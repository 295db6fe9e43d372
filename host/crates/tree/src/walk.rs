// SPDX-License-Identifier: Apache-2.0
//! Everything that stands in a tree, as found in one walk.
//!
//! The walk opens each directory beneath the held root, follows no symlink, enters no mount, and
//! opens no file. It never fails on what it merely finds: device nodes, mounts and the like are
//! listed as odd, for the preflight to refuse by name.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Statx;
use rustix::fs::StatxAttributes;
use rustix::fs::StatxFlags;
use rustix::io::Errno;

use crate::attributes;
use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::parallel::FirstError;
use crate::root;
use crate::root::Root;

/// `FS_CASEFOLD_FL` of the kernel's inode flags.
const CASE_FOLDING: u32 = 0x4000_0000;

/// A tree and what stood in it when it was walked.
pub struct LiveTree {
    pub(crate) root: Root,
    pub(crate) found: BTreeMap<String, Found>,
    odd: Vec<Odd>,
    /// User and group of the root.
    pub(crate) owner: (u32, u32),
}

/// One object of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) node: FoundNode,
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) stamp: Stamp,
    pub(crate) links: u32,
    /// Bytes that the file system has allocated for it.
    pub(crate) allocated_bytes: u64,
    /// Matches one of the operator's live patterns.
    pub(crate) live: bool,
}

/// What kind of object was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FoundNode {
    File,
    Directory,
    /// The target in escaped form.
    Symlink(String),
    Fifo,
    Socket,
    Device,
}

/// What tells one state of an inode from another; the owner of a file cannot forge `ctime`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) device: (u32, u32),
    pub(crate) inode: u64,
    pub(crate) bytes: u64,
    pub(crate) mtime: (i64, u32),
    pub(crate) ctime: (i64, u32),
}

impl Stamp {
    pub(crate) fn of(stat: &Statx) -> Self {
        Self {
            device: device_of(stat),
            inode: stat.stx_ino,
            bytes: stat.stx_size,
            mtime: (stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
            ctime: (stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        }
    }

    /// Whether both are the same inode with the same content, whatever its links and mode.
    pub(crate) fn same_content(&self, other: &Self) -> bool {
        (self.identity(), self.bytes, self.mtime) == (other.identity(), other.bytes, other.mtime)
    }

    /// The inode on its device.
    pub(crate) fn identity(&self) -> ((u32, u32), u64) {
        (self.device, self.inode)
    }
}

/// Something that cannot be carried, or that would behave otherwise in the next tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    /// Where it stands.
    pub path: String,
    /// What it is.
    pub kind: OddKind,
}

/// Why an object is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OddKind {
    /// A block or character device.
    DeviceNode,
    /// Immutable or append-only.
    Immutable,
    /// A directory that folds case.
    CaseFolding,
    /// The root of a mount.
    MountPoint,
    /// Another device without a mount: a btrfs subvolume.
    Subvolume,
    /// Nested deeper, or with a longer path, than is walked.
    TooDeep,
}

impl Odd {
    /// The refusal that this object deserves.
    pub fn into_error(self) -> TreeError {
        let path = self.path;
        match self.kind {
            OddKind::DeviceNode => TreeError::DeviceNode { path },
            OddKind::Immutable => TreeError::Immutable { path },
            OddKind::CaseFolding => TreeError::CaseFolding { path },
            OddKind::MountPoint => TreeError::MountBelow { path },
            OddKind::Subvolume => TreeError::SubvolumeBelow { path },
            OddKind::TooDeep => TreeError::TooDeep { path },
        }
    }
}

impl LiveTree {
    /// Walks the tree at `dir`; `live` are the operator's patterns of append-only files.
    ///
    /// # Errors
    ///
    /// A directory that cannot be listed, or that became a symlink while the walk was under way.
    pub fn read(dir: &Dir, live: &GlobSet) -> Result<Self, TreeError> {
        let root = Root::new(dir)?;
        let stat = root::stat_of(&root, ".")?;
        let device = device_of(&stat);
        let walk = Walk {
            root: &root,
            live,
            device,
            collected: Mutex::default(),
            first_error: FirstError::default(),
        };
        parallel::scope(|scope| walk.spawn(scope, String::new(), 0))?;
        walk.first_error.into_result()?;
        let Collected { found, mut odd } = walk
            .collected
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        odd.sort_by(|left, right| left.path.cmp(&right.path));
        let owner = (stat.stx_uid, stat.stx_gid);
        Ok(Self {
            found: found.into_iter().collect(),
            odd,
            owner,
            root,
        })
    }

    /// What the preflight refuses, sorted by path.
    pub fn odd(&self) -> &[Odd] {
        &self.odd
    }

    /// Paths of every object found, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.found.keys().map(String::as_str)
    }

    /// How long the file at `path` is; nothing where no file was found.
    pub fn bytes_of(&self, path: &str) -> Option<u64> {
        let found = self.found.get(path)?;
        (found.node == FoundNode::File).then_some(found.stamp.bytes)
    }

    /// Symlinks whose target lies outside of the tree: what they lead to is in no generation.
    pub fn symlinks_leading_out(&self) -> Vec<String> {
        let leads_out = |(path, found): (&String, &Found)| match &found.node {
            FoundNode::Symlink(target) => leads_out(path, target).then(|| path.clone()),
            FoundNode::File
            | FoundNode::Directory
            | FoundNode::Fifo
            | FoundNode::Socket
            | FoundNode::Device => None,
        };
        self.found.iter().filter_map(leads_out).collect()
    }
}

/// Judged by the names alone, as if no directory on the way were a symlink.
fn leads_out(path: &str, target: &str) -> bool {
    if target.starts_with('/') {
        return true;
    }
    let mut depth = name::ancestors(path).count();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
    }
    false
}

/// What all threads have found so far.
#[derive(Default)]
struct Collected {
    found: Vec<(String, Found)>,
    odd: Vec<Odd>,
}

struct Walk<'a> {
    root: &'a Root,
    live: &'a GlobSet,
    device: (u32, u32),
    collected: Mutex<Collected>,
    first_error: FirstError,
}

impl<'a> Walk<'a> {
    fn spawn<'s>(&'s self, scope: &rayon::Scope<'s>, path: String, depth: usize)
    where
        'a: 's,
    {
        scope.spawn(move |scope| {
            if !self.first_error.is_stopped() {
                self.first_error.note(self.directory(scope, &path, depth));
            }
        });
    }

    fn directory<'s>(
        &'s self,
        scope: &rayon::Scope<'s>,
        path: &str,
        depth: usize,
    ) -> Result<(), TreeError>
    where
        'a: 's,
    {
        let directory = match self.root.open_directory(path) {
            Ok(directory) => directory,
            // A mount that appeared since it was listed: found by the next look at the mounts.
            Err(TreeError::MountBelow { path }) => {
                parallel::lock(&self.collected).odd.push(Odd {
                    path,
                    kind: OddKind::MountPoint,
                });
                return Ok(());
            }
            // A directory that was removed since it was listed.
            Err(TreeError::Io { source, .. })
                if depth > 0 && Errno::from_io_error(&source) == Some(Errno::NOENT) =>
            {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        let mut found = Vec::new();
        let mut odd = Vec::new();
        if rustix::fs::ioctl_getflags(&directory)
            .is_ok_and(|flags| flags.bits() & CASE_FOLDING != 0)
        {
            odd.push(Odd {
                path: path.to_owned(),
                kind: OddKind::CaseFolding,
            });
        }
        root::list(&directory, path, |raw_name| {
            let child = name::join(path, &name::escape(raw_name));
            let Some((object, kind)) = self.object(&directory, raw_name, &child)? else {
                return Ok(());
            };
            if let Some(kind) = kind {
                odd.push(Odd {
                    path: child.clone(),
                    kind,
                });
            }
            let enter = object.node == FoundNode::Directory
                && !matches!(kind, Some(OddKind::MountPoint | OddKind::Subvolume));
            found.push((child.clone(), object));
            if enter && (depth + 1 >= root::DEEPEST || child.len() > root::LONGEST_BYTES) {
                let shown = child.chars().take(200).collect();
                odd.push(Odd {
                    path: shown,
                    kind: OddKind::TooDeep,
                });
            } else if enter {
                self.spawn(scope, child, depth + 1);
            }
            Ok(())
        })?;
        let mut collected = parallel::lock(&self.collected);
        collected.found.append(&mut found);
        collected.odd.append(&mut odd);
        Ok(())
    }

    /// Looks at one object; nothing when it is gone already.
    fn object(
        &self,
        directory: &OwnedFd,
        raw_name: &OsStr,
        path: &str,
    ) -> Result<Option<(Found, Option<OddKind>)>, TreeError> {
        let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
        let stat = match rustix::fs::statx(directory, raw_name, flags, StatxFlags::BASIC_STATS) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(TreeError::io("look at", path, errno)),
        };
        let node = match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
            FileType::RegularFile => FoundNode::File,
            FileType::Directory => FoundNode::Directory,
            FileType::Symlink => match rustix::fs::readlinkat(directory, raw_name, Vec::new()) {
                Ok(target) => {
                    FoundNode::Symlink(name::escape(OsStr::from_bytes(target.to_bytes())))
                }
                Err(Errno::NOENT | Errno::INVAL) => return Ok(None),
                Err(errno) => return Err(TreeError::io("read the symlink", path, errno)),
            },
            FileType::Fifo => FoundNode::Fifo,
            FileType::Socket => FoundNode::Socket,
            FileType::BlockDevice | FileType::CharacterDevice | FileType::Unknown => {
                FoundNode::Device
            }
        };
        let kind = if stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT) {
            Some(OddKind::MountPoint)
        } else if node == FoundNode::Directory && device_of(&stat) != self.device {
            Some(OddKind::Subvolume)
        } else if node == FoundNode::Device {
            Some(OddKind::DeviceNode)
        } else if is_pinned(&stat) {
            Some(OddKind::Immutable)
        } else {
            None
        };
        let found = Found {
            node,
            mode: attributes::permissions(&stat),
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            stamp: Stamp::of(&stat),
            links: stat.stx_nlink,
            allocated_bytes: stat.stx_blocks.saturating_mul(512),
            live: self.live.matches(path),
        };
        Ok(Some((found, kind)))
    }
}

/// Whether something is immutable or append-only.
pub(crate) fn is_pinned(stat: &Statx) -> bool {
    let pinned = StatxAttributes::IMMUTABLE | StatxAttributes::APPEND;
    stat.stx_attributes.intersects(pinned)
}

pub(crate) fn device_of(stat: &Statx) -> (u32, u32) {
    (stat.stx_dev_major, stat.stx_dev_minor)
}
