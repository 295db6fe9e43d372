// SPDX-License-Identifier: Apache-2.0
//! The disk that an install is on: a small one in memory that can be filled, where we may mount it; else a
//! folder that cannot.

use std::fs;
use std::io;
use std::io::Write as _;
use std::path::Path;
use std::path::PathBuf;

use rustix::mount::MountFlags;
use rustix::mount::UnmountFlags;
use tempfile::TempDir;

/// How big the small disk is.
const SIZE: &std::ffi::CStr = c"size=64m,mode=700";

/// A folder for one machine; it is gone with this.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: TempDir,
    is_small: bool,
}

impl Disk {
    /// A disk that can be filled, if we may mount one.
    ///
    /// # Errors
    /// There is no room for a folder.
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("cofferdam-model-")
            .tempdir()?;
        let flags = MountFlags::NODEV | MountFlags::NOSUID;
        let is_small = rustix::mount::mount("tmpfs", folder.path(), "tmpfs", flags, SIZE).is_ok();
        Ok(Self { folder, is_small })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Whether it can be filled.
    pub(crate) fn can_be_filled(&self) -> bool {
        self.is_small
    }

    /// Fills it, until the answer is dropped.
    ///
    /// # Errors
    /// It cannot be written to at all.
    pub(crate) fn fill(&self) -> io::Result<Filled> {
        let path = self.path().join("tmp/fills-the-disk");
        let filled = Filled(path.clone());
        let mut file = fs::File::create(path)?;
        let blocks = vec![0; 1 << 20];
        while self.is_small && file.write_all(&blocks).is_ok() {}
        Ok(filled)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_small {
            let _gone_with_the_folder =
                rustix::mount::unmount(self.folder.path(), UnmountFlags::DETACH);
        }
    }
}

/// What fills a disk.
#[derive(Debug)]
pub(crate) struct Filled(PathBuf);

impl Drop for Filled {
    fn drop(&mut self) {
        let _not_there = fs::remove_file(&self.0);
    }
}
