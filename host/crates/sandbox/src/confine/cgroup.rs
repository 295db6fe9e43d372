// SPDX-License-Identifier: Apache-2.0
//! A cgroup for each child, where one can be made.
//!
//! Version 2 needs its controllers delegated to this process's own group; version 1 has a hierarchy
//! for each controller. Where neither can be used the limits of the process stand alone: they bound
//! the same things, only not the children that a process has no right to make anyway.
//!
//! A group is named after the process that made it, and removed when its child has ended. What a killed
//! process left is removed by the next one that makes a group there, unless it may be a living process's.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

/// Processes and threads of one child.
const PIDS: &str = "64";

/// The groups of one engine's children.
#[derive(Debug, Default)]
pub struct Cgroups {
    /// Looked for once, at the first child.
    hierarchy: OnceLock<Option<Hierarchy>>,
}

/// Where groups are made.
#[derive(Debug)]
struct Hierarchy {
    /// `v1` or `v2`.
    version: &'static str,
    /// The file that limits memory.
    memory_limit: &'static str,
    /// The folder for groups that limit memory.
    memory: PathBuf,
    /// The folder for groups that limit the number of processes; with version 2 it is the same.
    pids: PathBuf,
    /// How the names of this process's groups begin.
    prefix: String,
}

/// The group that one child is in; dropping it removes it, after the child has ended.
#[derive(Debug)]
pub(crate) struct Cgroup {
    folders: Vec<PathBuf>,
    /// `v1` or `v2`.
    pub(crate) version: &'static str,
}

impl Cgroups {
    /// Puts a process into a group of its own with this much memory; none where that is not possible.
    pub(crate) fn hold(&self, pid: u32, memory_bytes: u64) -> Option<Cgroup> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let hierarchy = self.hierarchy.get_or_init(Hierarchy::find).as_ref()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}{count}", hierarchy.prefix);
        let mut group = Cgroup {
            folders: Vec::new(),
            version: hierarchy.version,
        };
        for parent in hierarchy.folders() {
            let folder = parent.join(&name);
            fs::create_dir(&folder).ok()?;
            group.folders.push(folder);
        }
        let limits = [
            (
                &hierarchy.memory,
                hierarchy.memory_limit,
                &*memory_bytes.to_string(),
            ),
            (&hierarchy.pids, "pids.max", PIDS),
        ];
        for (parent, file, limit) in limits {
            write(&parent.join(&name), file, limit).ok()?;
        }
        for folder in &group.folders {
            write(folder, "cgroup.procs", &pid.to_string()).ok()?;
        }
        Some(group)
    }
}

impl Drop for Cgroup {
    /// One that is not empty stays: it bounds what is in it and costs nothing else.
    fn drop(&mut self) {
        for folder in &self.folders {
            let _ = fs::remove_dir(folder);
        }
    }
}

impl Hierarchy {
    /// Looks where this process may make groups, and removes there what killed ones left.
    fn find() -> Option<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        // Process numbers mean something in their own namespace only.
        let namespace = fs::metadata("/proc/self/ns/pid").ok()?.ino();
        let maker = format!("cofferdam-{namespace}-");
        let prefix = format!("{maker}{}-", std::process::id());
        let found =
            version_2(&mounts, &own, &prefix).or_else(|| version_1(&mounts, &own, &prefix))?;
        for folder in found.folders() {
            // What cannot be looked at cannot be cleaned either, and is in nobody's way.
            let _ = collect(folder, &maker, is_running);
        }
        Some(found)
    }

    fn folders(&self) -> impl Iterator<Item = &Path> {
        let pids = (self.pids != self.memory).then_some(self.pids.as_path());
        [self.memory.as_path()].into_iter().chain(pids)
    }
}

fn version_2(mounts: &str, own: &str, prefix: &str) -> Option<Hierarchy> {
    let mount = mount(mounts, |kind, _| kind == "cgroup2")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let parent = mount.join(path);
    // Without the controllers a group of ours would not have the files that limit anything.
    let controllers = fs::read_to_string(parent.join("cgroup.subtree_control")).ok()?;
    let has = |controller| {
        controllers
            .split_whitespace()
            .any(|word| word == controller)
    };
    (has("memory") && has("pids")).then(|| Hierarchy {
        version: "v2",
        memory_limit: "memory.max",
        memory: parent.clone(),
        pids: parent,
        prefix: prefix.to_owned(),
    })
}

fn version_1(mounts: &str, own: &str, prefix: &str) -> Option<Hierarchy> {
    let parent = |controller: &str| {
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
        Some(mount.join(path))
    };
    Some(Hierarchy {
        version: "v1",
        memory_limit: "memory.limit_in_bytes",
        memory: parent("memory")?,
        pids: parent("pids")?,
        prefix: prefix.to_owned(),
    })
}

/// Removes the groups in a folder whose maker is gone.
fn collect(folder: &Path, maker: &str, is_running: impl Fn(i32) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(maker)?.split_once('-')?.0.parse().ok());
        if pid.is_some_and(|pid| !is_running(pid)) {
            // The kernel keeps it while somebody is in it.
            let _ = fs::remove_dir(entry.path());
        }
    }
    Ok(())
}

fn is_running(pid: i32) -> bool {
    let Some(pid) = rustix::process::Pid::from_raw(pid) else {
        return true;
    };
    rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_of_killed_processes_are_removed_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let own = std::process::id();
        let stale = [
            format!("cofferdam-7-{}-0", ended.id()),
            format!("cofferdam-7-{}-12", ended.id()),
        ];
        let others = [
            // A living process's, this one's, and one that somebody is in.
            "cofferdam-7-1-0".to_owned(),
            format!("cofferdam-7-{own}-0"),
            format!("cofferdam-7-{}-full", ended.id()),
            // Of another namespace, where the number may be somebody else's.
            format!("cofferdam-8-{}-0", ended.id()),
            "cofferdam-7-x-0".to_owned(),
            "cofferdam-7-0-0".to_owned(),
            "user.slice".to_owned(),
        ];
        for name in stale.iter().chain(&others) {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::write(folder.path().join(&others[2]).join("somebody"), "").unwrap();
        collect(folder.path(), "cofferdam-7-", is_running).unwrap();
        for name in &stale {
            assert!(!folder.path().join(name).exists(), "{name}");
        }
        for name in &others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
    }
}
