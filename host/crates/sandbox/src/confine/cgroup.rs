// SPDX-License-Identifier: Apache-2.0
//! A cgroup for one child, where one can be made.
//!
//! Version 2 needs its controllers delegated to this process's own group; version 1 has a hierarchy
//! for each controller. Where neither can be used the limits of the process stand alone: they bound
//! the same things, only not the children that a process has no right to make anyway.

use std::fs;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Processes and threads of one child.
const PIDS: &str = "64";

/// The groups that one child is in; dropping it removes them, after the child has ended.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
    /// `v1` or `v2`.
    pub(crate) version: &'static str,
}

/// Puts a process into a group of its own with this much memory; none where that is not possible.
pub(crate) fn hold(pid: u32, memory_bytes: u64) -> Option<Cgroup> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("cofferdam-{}-{count}", std::process::id());
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let own = fs::read_to_string("/proc/self/cgroup").ok()?;
    let memory = memory_bytes.to_string();
    version_2(&mounts, &own, &name, pid, &memory)
        .or_else(|| version_1(&mounts, &own, &name, pid, &memory))
}

fn version_2(mounts: &str, own: &str, name: &str, pid: u32, memory: &str) -> Option<Cgroup> {
    let mount = mount(mounts, |kind, _| kind == "cgroup2")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let parent = mount.join(path);
    // Without the controllers a group of ours would have none of the files below.
    let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
    if !["memory", "pids"]
        .iter()
        .all(|c| controllers.split_whitespace().any(|w| w == *c))
    {
        return None;
    }
    let folder = parent.join(name);
    let group = made(vec![folder.clone()], "v2")?;
    write(&folder, "memory.max", memory).ok()?;
    write(&folder, "pids.max", PIDS).ok()?;
    write(&folder, "cgroup.procs", &pid.to_string()).ok()?;
    Some(group)
}

fn version_1(mounts: &str, own: &str, name: &str, pid: u32, memory: &str) -> Option<Cgroup> {
    let folder = |controller: &str| {
        let mount = mount(mounts, |kind, options| {
            kind == "cgroup" && options.split(',').any(|option| option == controller)
        })?;
        let path = own.lines().find_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(":/")?;
            controllers
                .split(',')
                .any(|c| c == controller)
                .then_some(path)
        })?;
        Some(mount.join(path).join(name))
    };
    let (memory_folder, pids_folder) = (folder("memory")?, folder("pids")?);
    let group = made(vec![memory_folder.clone(), pids_folder.clone()], "v1")?;
    write(&memory_folder, "memory.limit_in_bytes", memory).ok()?;
    write(&pids_folder, "pids.max", PIDS).ok()?;
    for folder in &group.folders {
        write(folder, "cgroup.procs", &pid.to_string()).ok()?;
    }
    Some(group)
}

/// Makes the folders; what was made is removed again when one cannot be made.
fn made(folders: Vec<PathBuf>, version: &'static str) -> Option<Cgroup> {
    let mut group = Cgroup {
        folders: Vec::new(),
        version,
    };
    for folder in folders {
        fs::create_dir(&folder).ok()?;
        group.folders.push(folder);
    }
    Some(group)
}

fn write(folder: &Path, file: &str, text: &str) -> io::Result<()> {
    fs::write(folder.join(file), text)
}

fn mount(mounts: &str, fits: impl Fn(&str, &str) -> bool) -> Option<PathBuf> {
    mounts.lines().find_map(|line| {
        let mut fields = line.split(' ').skip(1);
        let (path, kind, options) = (fields.next()?, fields.next()?, fields.next()?);
        fits(kind, options).then(|| PathBuf::from(path))
    })
}

impl Drop for Cgroup {
    /// An empty group is removed at once. One that is not empty stays: a stray folder bounds what is
    /// in it and costs nothing else.
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}
