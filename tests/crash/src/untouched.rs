// SPDX-License-Identifier: Apache-2.0
//! Tells that nothing in a directory was written: not even the same bytes again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

/// Files, as the file system knows them: which they are, and when they were last written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Untouched(BTreeMap<PathBuf, (u64, i64, i64)>);

impl Untouched {
    /// Everything below a directory, as it is now.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn of(directory: &Path) -> io::Result<Self> {
        let mut files = Self::default();
        files.add(directory)?;
        Ok(files)
    }

    fn add(&mut self, directory: &Path) -> io::Result<()> {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            let metadata = path.symlink_metadata()?;
            let (seconds, nanoseconds) = (metadata.mtime(), metadata.mtime_nsec());
            if metadata.is_dir() {
                self.add(&path)?;
            }
            self.0.insert(path, (metadata.ino(), seconds, nanoseconds));
        }
        Ok(())
    }
}
