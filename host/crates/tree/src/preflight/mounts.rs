// SPDX-License-Identifier: Apache-2.0
//! What is mounted where, from the kernel's own list: mounts at or below a directory, and the other
//! names that a directory has through mounts.
//!
//! A bind mount of the same device is no different device, so device numbers cannot tell.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::path::PathBuf;

use crate::error::TreeError;

/// The kernel's list grows with the number of mounts; beyond this it is not one of ours to read.
const LARGEST_BYTES: u64 = 64 * 1024 * 1024;

/// The list of this process.
pub(super) const OWN: &str = "/proc/self/mountinfo";

/// A mount: a directory of a file system, and the place where it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Major and minor number of the file system, as the kernel writes them.
    device: Vec<u8>,
    /// The directory, from the root of the file system.
    root: PathBuf,
    /// Where it is seen.
    point: PathBuf,
}

/// Every mount point at `directory` (an absolute path without symlinks) or below it.
///
/// # Errors
///
/// When the kernel's list cannot be read: a mount that cannot be ruled out is not ruled out.
pub fn mounts_below(directory: &Path) -> Result<Vec<PathBuf>, TreeError> {
    let points = read(Path::new(OWN))?.into_iter().map(|mount| mount.point);
    Ok(points
        .filter(|point| point.starts_with(directory))
        .collect())
}

/// The mounts that a process sees, from its list.
pub(super) fn read(list: &Path) -> Result<Vec<Mount>, TreeError> {
    let read = || {
        let mut bytes = Vec::new();
        File::open(list)?
            .take(LARGEST_BYTES)
            .read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read()
        .map_err(|error: std::io::Error| TreeError::io("read", &list.to_string_lossy(), error))?;
    Ok(mounts(&bytes).collect())
}

/// Every name that the directory which is `directory` among `own` mounts has among `theirs`: its own, and
/// others where it, what it is in, or a part of it is mounted once more.
pub(super) fn names(directory: &Path, own: &[Mount], theirs: &[Mount]) -> Vec<PathBuf> {
    // The one that was mounted last is the one that is seen.
    let holds = |mount: &&Mount| directory.starts_with(&mount.point);
    let holder = own
        .iter()
        .filter(holds)
        .max_by_key(|mount| mount.point.as_os_str().len());
    let Some((holder, below)) = holder.and_then(|holder| {
        let below = directory.strip_prefix(&holder.point).ok()?;
        Some((holder, below))
    }) else {
        return vec![directory.to_owned()];
    };
    let place = holder.root.join(below);
    let same = theirs.iter().filter(|mount| mount.device == holder.device);
    same.filter_map(|mount| match place.strip_prefix(&mount.root) {
        Ok(below) => Some(mount.point.join(below)),
        Err(_) if mount.root.starts_with(&place) => Some(mount.point.clone()),
        Err(_) => None,
    })
    .collect()
}

/// Device, root and mount point are the third to fifth field of each line, in which the kernel writes blanks
/// and backslashes as octal.
fn mounts(list: &[u8]) -> impl Iterator<Item = Mount> {
    list.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut fields = line.split(|byte| *byte == b' ').skip(2);
        let device = fields.next()?.to_vec();
        let mut path = || Some(PathBuf::from(OsString::from_vec(unescape(fields.next()?))));
        Some(Mount {
            device,
            root: path()?,
            point: path()?,
        })
    })
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let octal = after
            .get(..3)
            .filter(|_| *first == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        if let Some(byte) = octal {
            bytes.push(byte);
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_blanks_and_backslashes() {
        let list = b"22 27 0:21 / /proc rw shared:1 - proc proc rw\n\
            30 27 8:1 /sub /srv/with\\040blank rw - ext4 /dev/sda1 rw\n\
            31 27 8:1 / /srv/back\\134slash rw - ext4 /dev/sda1 rw\n";
        let points: Vec<PathBuf> = mounts(list).map(|mount| mount.point).collect();
        assert_eq!(
            points,
            ["/proc", "/srv/with blank", "/srv/back\\slash"]
                .map(PathBuf::from)
                .to_vec()
        );
    }

    #[test]
    fn a_mount_point_counts_as_a_mount_at_itself() {
        assert!(
            mounts_below(Path::new("/proc"))
                .expect("list")
                .contains(&PathBuf::from("/proc"))
        );
    }

    #[test]
    fn a_name_that_only_begins_the_same_is_not_below() {
        let found = mounts_below(Path::new("/pro")).expect("list");
        assert!(!found.contains(&PathBuf::from("/proc")));
    }

    #[test]
    fn a_directory_has_a_name_wherever_it_or_a_part_of_it_is_mounted() {
        let list = |text: &str| mounts(text.as_bytes()).collect::<Vec<_>>();
        let own = list(
            "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 /vol /opt rw - btrfs b rw\n\
             3 1 8:2 /vol/agent/data /srv/data rw - btrfs b rw\n",
        );
        let theirs = list(
            "9 0 8:3 / / rw - ext4 c rw\n8 9 8:2 /vol/agent /app rw - btrfs b rw\n\
             7 9 8:2 /other /opt/agent rw - btrfs b rw\n",
        );
        let agent = Path::new("/opt/agent");
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        assert_eq!(
            names(agent, &own, &own),
            paths(&["/opt/agent", "/srv/data"])
        );
        assert_eq!(names(agent, &own, &theirs), paths(&["/app"]));
    }
}
