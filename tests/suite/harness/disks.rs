// SPDX-License-Identifier: Apache-2.0
//! File systems of their own for a test: small images behind loop devices, memory, bind mounts, overlays.
//!
//! They are mounted in a mount namespace of the test's own thread, which what it starts inherits: nobody
//! else on the machine sees them, and the kernel takes them away with the last process that does, also
//! when the test is killed. An image has no name any more once it is mounted, so nothing is left to be
//! collected. Where the machine cannot mount, the test says why it is skipped.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;

use nix::mount::MntFlags;
use nix::mount::MsFlags;
use nix::sched::CloneFlags;

/// A file system to make, with what a small one needs at least.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Disk {
    Ext4 {
        mib: u64,
    },
    Xfs,
    XfsWithoutReflinks,
    Btrfs,
    /// In memory, with options of the mount such as `size=8m`.
    Tmpfs(&'static str),
}

/// Every kind that an install is promised to work on.
pub(crate) const EVERY_KIND: [Disk; 5] = [
    Disk::Ext4 { mib: 32 },
    Disk::Xfs,
    Disk::XfsWithoutReflinks,
    Disk::Btrfs,
    Disk::Tmpfs("size=64m"),
];

/// Something mounted, until this is dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    at: PathBuf,
}

impl Mount {
    /// A fresh file system at a directory; none, with the reason printed, where this machine has none.
    pub(crate) fn fresh(disk: Disk, at: &Path) -> Option<Self> {
        let tool = match disk {
            Disk::Tmpfs(options) => {
                let options = format!("mode=0755,{options}");
                return Self::of(&["-t", "tmpfs", "-o", &options, "tmpfs"], at);
            }
            Disk::Ext4 { .. } => {
                "mkfs.ext4 -q -F -E nodiscard,lazy_itable_init=1,lazy_journal_init=1"
            }
            Disk::Xfs => "mkfs.xfs -q -f -K",
            Disk::XfsWithoutReflinks => "mkfs.xfs -q -f -K -m reflink=0",
            Disk::Btrfs => "mkfs.btrfs -q -f -K",
        };
        let mib = match disk {
            Disk::Ext4 { mib } => mib,
            Disk::Xfs | Disk::XfsWithoutReflinks => 300,
            Disk::Btrfs | Disk::Tmpfs(_) => 400,
        };
        let image = at.with_added_extension("image");
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        let mut words = tool.split(' ');
        let made = Command::new(words.next().unwrap())
            .args(words)
            .arg(&image)
            .output();
        let made = made.expect("`cargo xtask test` installs the tools that make file systems");
        assert!(made.status.success(), "{disk:?}: {made:?}");
        let mounted = Self::of(
            &[OsStr::new("-o"), OsStr::new("loop"), image.as_os_str()],
            at,
        );
        std::fs::remove_file(image).unwrap();
        mounted
    }

    /// A directory once more at another; none, with the reason printed, where this machine cannot.
    pub(crate) fn bind(from: impl AsRef<Path>, at: impl AsRef<Path>) -> Option<Self> {
        Self::of(
            &[OsStr::new("--bind"), from.as_ref().as_os_str()],
            at.as_ref(),
        )
    }

    /// An overlay of the directory `lower`, with what changes beside the place where it stands.
    pub(crate) fn overlay(lower: &Path, at: &Path) -> Option<Self> {
        let [upper, work] = ["upper", "work"].map(|name| at.with_added_extension(name));
        for folder in [&upper, &work] {
            std::fs::create_dir(folder).unwrap();
        }
        let [lower, upper, work] = [lower, &upper, &work].map(|path| path.display());
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        Self::of(&["-t", "overlay", "-o", &options, "overlay"], at)
    }

    /// The same file system, for reading only or for writing again.
    pub(crate) fn remount(&self, how: &str) {
        let options = format!("remount,{how}");
        mount(["-o".as_ref(), options.as_ref(), self.at.as_os_str()]).unwrap();
    }

    fn of<W: AsRef<OsStr>, const N: usize>(what: &[W; N], at: &Path) -> Option<Self> {
        if let Err(reason) = OWN_NAMESPACE.with(Clone::clone) {
            skip(&reason);
            return None;
        }
        let words = what.iter().map(AsRef::as_ref).chain([at.as_os_str()]);
        match mount(words) {
            Ok(()) => Some(Self { at: at.to_owned() }),
            Err(reason) if LACKING.iter().any(|lacking| reason.contains(lacking)) => {
                skip(&reason);
                None
            }
            Err(mistake) => panic!("{mistake}"),
        }
    }
}

impl Drop for Mount {
    /// With whatever is mounted below it, and at once, whoever still uses it.
    fn drop(&mut self) {
        let left = nix::mount::umount2(&self.at, MntFlags::MNT_DETACH);
        if !std::thread::panicking() {
            left.unwrap();
        }
    }
}

/// What `mount` says where the kernel lacks something; anything else is a mistake of the test.
const LACKING: [&str; 2] = ["unknown filesystem type", "failed to setup loop device"];

#[expect(clippy::print_stderr, reason = "a test that is skipped says why")]
fn skip(reason: &str) {
    eprintln!("SKIPPED, as this machine cannot: {reason}");
}

thread_local! {
    static OWN_NAMESPACE: Result<(), String> = own_namespace();
}

fn own_namespace() -> Result<(), String> {
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    nix::sched::unshare(CloneFlags::CLONE_NEWNS)
        .and_then(|()| nix::mount::mount(None::<&str>, "/", None::<&str>, private, None::<&str>))
        .map_err(|errno| format!("no mount namespace of its own: {errno}"))
}

fn mount<'a>(words: impl IntoIterator<Item = &'a OsStr>) -> Result<(), String> {
    let ran = Command::new("mount").args(words).output().unwrap();
    if ran.status.success() {
        Ok(())
    } else {
        Err(String::from_utf8_lossy(&ran.stderr).trim().to_owned())
    }
}
