// SPDX-License-Identifier: Apache-2.0
//! A fresh journaled ext4 for the installs, where we may mount one; else a folder.
//!
//! Times on a disk that many others use say little, and a file system without a journal is not what
//! users have.

use crate::failure::Outcome;
use crate::need;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;

const SIZE_BYTES: u64 = 6 << 30;

/// The place for the installs; unmounted when dropped.
pub(super) struct Disk {
    folder: PathBuf,
    image: Option<PathBuf>,
}

impl Disk {
    /// Makes a place below `folder`.
    pub(super) fn prepare(folder: &Path) -> Outcome<Self> {
        let (place, image) = (folder.join("installs"), folder.join("disk.img"));
        // An earlier run may have been interrupted while it was mounted.
        let _ = Tool::new("umount").arg(&place).succeeds();
        tree::remove(&place)?;
        tree::remove_file(&image)?;
        tree::make(&place)?;
        if !need::is_root() {
            say::note(
                "not root: the installs are in the target directory, on whatever disk that is",
            );
            return Ok(Self {
                folder: place,
                image: None,
            });
        }
        let file = File::create(&image).map_err(|error| error.to_string())?;
        file.set_len(SIZE_BYTES)
            .map_err(|error| error.to_string())?;
        let made = Tool::new("mkfs.ext4")
            .args(["-q", "-F"])
            .arg(&image)
            .succeeds()
            && Tool::new("mount")
                .args(["-o", "loop"])
                .arg(&image)
                .arg(&place)
                .succeeds();
        if !made {
            tree::remove_file(&image)?;
            say::note("no loop device here: the installs are in the target directory");
            return Ok(Self {
                folder: place,
                image: None,
            });
        }
        say::note("the installs are on a fresh ext4 with a journal, on a loop device");
        Ok(Self {
            folder: place,
            image: Some(image),
        })
    }

    /// Where the installs go.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Unmounts and removes it.
    pub(super) fn release(mut self) -> Outcome {
        if let Some(image) = self.image.take() {
            Tool::new("umount").arg(&self.folder).run()?;
            tree::remove_file(&image)?;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Some(image) = self.image.take() {
            // After a failure this is the best that can be done; the next run tries again.
            let _ = Tool::new("umount").arg(&self.folder).succeeds();
            let _ = tree::remove_file(&image);
        }
    }
}
