// SPDX-License-Identifier: Apache-2.0
//! Mounts at or below a directory, from the kernel's own list.
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

/// Every mount point at `directory` (an absolute path without symlinks) or below it.
///
/// # Errors
///
/// When the kernel's list cannot be read: a mount that cannot be ruled out is not ruled out.
pub fn mounts_below(directory: &Path) -> Result<Vec<PathBuf>, TreeError> {
    const LIST: &str = "/proc/self/mountinfo";
    let read = || {
        let mut list = Vec::new();
        File::open(LIST)?
            .take(LARGEST_BYTES)
            .read_to_end(&mut list)?;
        Ok(list)
    };
    let list = read().map_err(|error: std::io::Error| TreeError::io("read", LIST, error))?;
    Ok(mount_points(&list)
        .filter(|point| point.starts_with(directory))
        .collect())
}

/// The fifth field of each line, in which the kernel writes blanks and backslashes as octal.
fn mount_points(list: &[u8]) -> impl Iterator<Item = PathBuf> {
    list.split(|byte| *byte == b'\n')
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsString::from_vec(unescape(field))))
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
        let points: Vec<PathBuf> = mount_points(list).collect();
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
}
