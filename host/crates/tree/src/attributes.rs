// SPDX-License-Identifier: Apache-2.0
//! Owner, mode and extended attributes: read from an opened object, given to another.
//!
//! Modes are set by `fchmod`, so the umask of the process never matters. The order is owner, then
//! attributes, then mode, then time, because a change of owner clears capabilities and set-id bits.

use std::ffi::CStr;
use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;

use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::Statx;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_OMIT;
use rustix::fs::Uid;
use rustix::fs::XattrFlags;
use rustix::io::Errno;

use crate::error::TreeError;
use crate::root;

const ACCESS_LIST: &CStr = c"system.posix_acl_access";
const DEFAULT_LIST: &CStr = c"system.posix_acl_default";
/// Labels that belong to a place in the tree rather than to the bytes that stand there.
const LABELS: [&CStr; 2] = [c"security.selinux", c"security.SMACK64"];
/// Signatures over an inode, which no other inode can have.
const INODE_BOUND: &CStr = c"security.evm";
/// Attributes are at most 64 KiB each on Linux.
const LARGEST_VALUE_BYTES: usize = 64 * 1024;

/// What an object is given besides its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) extended: Vec<(CString, Vec<u8>)>,
}

impl Attributes {
    /// Reads everything that is worth keeping of `object`.
    pub(crate) fn read(object: impl AsFd, stat: &Statx, path: &str) -> Result<Self, TreeError> {
        let mut extended = Vec::new();
        for name in names(&object, path)? {
            if name.as_c_str() != INODE_BOUND
                && let Some(value) = value(&object, &name, path)?
            {
                extended.push((name, value));
            }
        }
        Ok(Self {
            mode: permissions(stat),
            uid: stat.stx_uid,
            gid: stat.stx_gid,
            extended,
        })
    }

    /// What new content at this place inherits of the file that it replaces: owner, group, access
    /// list and label, but no capability, because that was given to the old bytes.
    pub(crate) fn for_new_content(mut self, mode: u32) -> Self {
        self.mode = mode;
        self.extended.retain(|(name, _)| {
            name.as_c_str() == ACCESS_LIST || LABELS.contains(&name.as_c_str())
        });
        self
    }

    /// What a file added to this directory takes from it: owner, group and the access list that
    /// the directory prescribes, or has when it prescribes none.
    pub(crate) fn for_added_file(&self, mode: u32) -> Self {
        let list = self.find(DEFAULT_LIST).or_else(|| self.find(ACCESS_LIST));
        let extended = list
            .map(|value| (ACCESS_LIST.to_owned(), value.to_vec()))
            .into_iter()
            .collect();
        Self {
            mode,
            uid: self.uid,
            gid: self.gid,
            extended,
        }
    }

    /// What a directory added to this directory takes from it.
    pub(crate) fn for_added_directory(&self, mode: u32) -> Self {
        let mut added = self.for_added_file(mode);
        if let Some(value) = self.find(DEFAULT_LIST) {
            added
                .extended
                .push((DEFAULT_LIST.to_owned(), value.to_vec()));
        }
        added
    }

    /// Gives all of it to `object`, which this process has just made.
    pub(crate) fn give(&self, object: impl AsFd, path: &str) -> Result<(), TreeError> {
        let stat = root::stat_of(&object, path)?;
        if (stat.stx_uid, stat.stx_gid) != (self.uid, self.gid) {
            let owner = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
            rustix::fs::fchown(&object, Some(owner.0), Some(owner.1)).map_err(|errno| {
                TreeError::OwnerNotKept {
                    path: path.to_owned(),
                    uid: self.uid,
                    gid: self.gid,
                    source: errno.into(),
                }
            })?;
        }
        // The default list of the directory above may have left lists that are not wanted.
        let is_directory = FileType::from_raw_mode(u32::from(stat.stx_mode)) == FileType::Directory;
        let inherited: &[&CStr] = if is_directory {
            &[ACCESS_LIST, DEFAULT_LIST]
        } else {
            &[ACCESS_LIST]
        };
        for list in inherited.iter().filter(|list| self.find(list).is_none()) {
            match rustix::fs::fremovexattr(&object, *list) {
                Ok(()) | Err(Errno::NODATA | Errno::OPNOTSUPP) => {}
                Err(errno) => return Err(not_kept(path, list, errno)),
            }
        }
        for (name, wanted) in &self.extended {
            if let Err(errno) = rustix::fs::fsetxattr(&object, name, wanted, XattrFlags::empty())
                && value(&object, name, path)?.as_deref() != Some(wanted.as_slice())
            {
                return Err(not_kept(path, name, errno));
            }
        }
        rustix::fs::fchmod(&object, Mode::from_raw_mode(self.mode))
            .map_err(|errno| TreeError::io("set the mode of", path, errno))
    }

    fn find(&self, wanted: &CStr) -> Option<&[u8]> {
        let found = self
            .extended
            .iter()
            .find(|(name, _)| name.as_c_str() == wanted);
        found.map(|(_, value)| value.as_slice())
    }
}

/// The permission bits with set-id and sticky bits.
pub(crate) fn permissions(stat: &Statx) -> u32 {
    u32::from(stat.stx_mode) & 0o7777
}

/// A change of the modification time alone, to seconds and nanoseconds.
pub(crate) fn modified((seconds, nanoseconds): (i64, u32)) -> Timestamps {
    Timestamps {
        last_access: Timespec {
            tv_sec: 0,
            tv_nsec: UTIME_OMIT,
        },
        last_modification: Timespec {
            tv_sec: seconds,
            tv_nsec: i64::from(nanoseconds),
        },
    }
}

fn not_kept(path: &str, name: &CStr, errno: Errno) -> TreeError {
    match errno {
        Errno::NOSPC | Errno::DQUOT => TreeError::io("set an attribute of", path, errno),
        errno => TreeError::AttributeNotKept {
            path: path.to_owned(),
            name: name.to_string_lossy().into_owned(),
            source: io::Error::from(errno),
        },
    }
}

fn names(object: impl AsFd, path: &str) -> Result<Vec<CString>, TreeError> {
    let mut list = Vec::new();
    // Most objects have none: one call tells.
    let mut wanted = match rustix::fs::flistxattr_query(&object) {
        Ok(0) | Err(Errno::OPNOTSUPP) => return Ok(Vec::new()),
        Ok(bytes) => bytes,
        Err(errno) => return Err(TreeError::io("list the attributes of", path, errno)),
    };
    loop {
        list.resize(wanted, 0);
        match rustix::fs::flistxattr(&object, list.as_mut_slice()) {
            Ok(bytes) => {
                list.truncate(bytes);
                break;
            }
            Err(Errno::RANGE) if wanted < LARGEST_VALUE_BYTES => wanted = LARGEST_VALUE_BYTES,
            Err(errno) => return Err(TreeError::io("list the attributes of", path, errno)),
        }
    }
    Ok(list
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .filter_map(|name| CString::new(name).ok())
        .collect())
}

fn value(object: impl AsFd, name: &CStr, path: &str) -> Result<Option<Vec<u8>>, TreeError> {
    let mut value = vec![0; 256];
    loop {
        match rustix::fs::fgetxattr(&object, name, value.as_mut_slice()) {
            Ok(bytes) => {
                value.truncate(bytes);
                return Ok(Some(value));
            }
            Err(Errno::RANGE) if value.len() < LARGEST_VALUE_BYTES => {
                value.resize(LARGEST_VALUE_BYTES, 0);
            }
            Err(Errno::NODATA | Errno::OPNOTSUPP) => return Ok(None),
            Err(errno) => return Err(TreeError::io("read an attribute of", path, errno)),
        }
    }
}
