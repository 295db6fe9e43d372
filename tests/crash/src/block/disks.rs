// SPDX-License-Identifier: Apache-2.0
//! Two disks with real file systems on drives that log, mounted for one thread and what it starts.
//!
//! Everything is mounted in a mount namespace of that thread. Nobody else on the machine sees it, and
//! the kernel takes all of it away with the last process in it, loop devices included, also when the
//! bench is killed.

use std::fs;
use std::fs::File;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::thread::JoinHandle;

use nix::sched::CloneFlags;
use rustix::mount::MountPropagationFlags;
use rustix::mount::UnmountFlags;

use super::drives;
use super::drives::Drives;
use super::image::Image;

/// A kind of file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileSystem {
    /// With a journal, data ordered.
    Ext4,
    /// With a journal of metadata only.
    Xfs,
    /// Copies on write; `fsync` has a log of its own.
    Btrfs,
}

/// Every kind.
pub const FILE_SYSTEMS: [FileSystem; 3] = [FileSystem::Ext4, FileSystem::Xfs, FileSystem::Btrfs];

impl FileSystem {
    /// What the kernel calls it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }

    /// The kind with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        FILE_SYSTEMS.into_iter().find(|kind| kind.word() == word)
    }

    /// Another kind, for the machine's other file system.
    fn next(self) -> Self {
        match self {
            Self::Ext4 => Self::Xfs,
            Self::Xfs => Self::Btrfs,
            Self::Btrfs => Self::Ext4,
        }
    }

    /// The command that makes one, as it is made for large disks; all at once, so that nothing of it is
    /// left to be done later.
    fn maker(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => &[
                "mkfs.ext4",
                "-qF",
                "-b4096",
                "-Jsize=8",
                "-Enodiscard,lazy_itable_init=0,lazy_journal_init=0",
            ],
            Self::Xfs => &["mkfs.xfs", "-qfK"],
            Self::Btrfs => &["mkfs.btrfs", "-qfK"],
        }
    }
}

/// How large a disk is: sparse, and with room for what the steps of a scenario may write at most.
const BYTES: u64 = 512 << 20;

/// How many disks a machine has: one for installs, one for configuration files elsewhere.
pub(crate) const DISKS: usize = 2;

/// The disks of a machine.
#[derive(Debug)]
pub(crate) struct Disks {
    /// Where their bytes are.
    pub(crate) drives: Arc<Drives>,
    disks: Vec<Disk>,
}

#[derive(Debug)]
struct Disk {
    kind: FileSystem,
    file: PathBuf,
    point: PathBuf,
    server: Option<JoinHandle<io::Result<()>>>,
    is_mounted: bool,
}

/// Whether this process may do what disks need: the reason why not.
///
/// # Errors
/// It is not root, or is held where there is no FUSE, no loop device, or no mounting.
pub(crate) fn permitted() -> io::Result<()> {
    for device in ["/dev/fuse", "/dev/loop-control"] {
        let opened = File::options().read(true).write(true).open(device);
        opened.map_err(|error| io::Error::new(error.kind(), format!("`{device}`: {error}")))?;
    }
    let unshared = std::thread::spawn(|| nix::sched::unshare(CloneFlags::CLONE_NEWNS)).join();
    match unshared {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(io::Error::other(format!("no mounting: {error}"))),
        Err(_panicked) => Err(io::Error::other("no threads")),
    }
}

impl Disks {
    /// Gives this thread a mount namespace, and there disks below a folder, each with a fresh file
    /// system: the first of the given kind, the other of another.
    ///
    /// # Errors
    /// The machine does not permit it, or lacks what it needs.
    pub(crate) fn plug_in(kind: FileSystem, folder: &Path) -> io::Result<Self> {
        nix::sched::unshare(CloneFlags::CLONE_NEWNS)?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        rustix::mount::mount_change("/", private)?;
        let kinds = [kind, kind.next()];
        let mut plugged = Self {
            drives: Arc::default(),
            disks: Vec::new(),
        };
        let blank = kinds.map(|_| Image::blank(BYTES));
        plugged.drives.load(blank.into());
        for (number, kind) in kinds.into_iter().enumerate() {
            let file = folder.join(format!("drive-{number}"));
            let point = folder.join(format!("disk-{number}"));
            fs::write(&file, "")?;
            fs::create_dir_all(&point)?;
            let server = Some(drives::serve(&plugged.drives, number, &file)?);
            plugged.disks.push(Disk {
                kind,
                file,
                point,
                server,
                is_mounted: false,
            });
            let words = kind.maker().iter().copied().map(str::as_ref);
            run(words.chain([plugged.disks[number].file.as_os_str()]))?;
        }
        Ok(plugged)
    }

    /// Where the file system of a disk is, once it is mounted.
    pub(crate) fn point(&self, disk: usize) -> &Path {
        &self.disks[disk].point
    }

    /// Mounts them: the kernel replays their journals.
    ///
    /// # Errors
    /// A file system cannot be mounted.
    pub(crate) fn mount(&mut self) -> io::Result<()> {
        for disk in &mut self.disks {
            let words = ["mount", "-t", disk.kind.word(), "-o", "loop"].map(str::as_ref);
            let places = [disk.file.as_os_str(), disk.point.as_os_str()];
            run(words.into_iter().chain(places))?;
            disk.is_mounted = true;
        }
        Ok(())
    }

    /// Unmounts them, as far as they are mounted, for good: nothing of them is in the kernel's memory
    /// afterwards.
    ///
    /// # Errors
    /// Somebody still uses one.
    pub(crate) fn unmount(&mut self) -> io::Result<()> {
        for disk in &mut self.disks {
            if disk.is_mounted {
                rustix::mount::unmount(&disk.point, UnmountFlags::empty())?;
                disk.is_mounted = false;
            }
        }
        Ok(())
    }
}

impl Drop for Disks {
    fn drop(&mut self) {
        // Whatever fails here goes with the namespace.
        let _still_used = self.unmount();
        for disk in &mut self.disks {
            let gone = rustix::mount::unmount(&disk.file, UnmountFlags::empty());
            if let (Ok(()), Some(server)) = (gone, disk.server.take()) {
                let _ended = server.join();
            }
        }
    }
}

fn run<'a>(words: impl Iterator<Item = &'a std::ffi::OsStr>) -> io::Result<()> {
    let words: Vec<_> = words.collect();
    let told = |what: &dyn std::fmt::Display| {
        let line = words.join(" ".as_ref());
        io::Error::other(format!("`{}`: {what}", line.display()))
    };
    let output = Command::new(words[0])
        .args(&words[1..])
        .output()
        .map_err(|error| told(&error))?;
    if output.status.success() {
        return Ok(());
    }
    Err(told(&String::from_utf8_lossy(&output.stderr).trim()))
}
