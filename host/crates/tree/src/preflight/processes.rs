// SPDX-License-Identifier: Apache-2.0
//! Which processes use a directory: as working directory, by an open file, or by running from it; by
//! whatever name, since it may be mounted once more, or for a container that sees nothing else of us.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::path::PathBuf;

use serde::Serialize;

use super::mounts;
use super::mounts::Mount;
use crate::error::TreeError;

/// What could be seen of the processes that use a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InUse {
    /// One entry per process, by process id.
    pub holders: Vec<Holder>,
    /// Processes that this user may not look into.
    pub hidden: u32,
}

/// A process and the strongest use that it makes of something below the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holder {
    /// Its process id.
    pub pid: u32,
    /// Its name, as the kernel shows it.
    pub command: String,
    /// How it uses the path: `exe` (it runs from there), `fd` (it may write), `fd-read`, `cwd`, `root` or
    /// `maps`; the first of these that it does.
    pub how: &'static str,
    /// What it uses, for display.
    pub path: String,
}

/// Finds processes other than this one that use anything at or below `directory`, which is an
/// absolute path without symlinks.
///
/// # Errors
///
/// When the list of processes cannot be read at all.
pub fn in_use(directory: &Path) -> Result<InUse, TreeError> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let processes = fs::read_dir("/proc").map_err(|error| TreeError::io("list", "/proc", error))?;
    let mounts = mounts::read(Path::new(mounts::OWN))?;
    let mut names = Names {
        directory,
        ours: mounts::names(directory, &mounts, &mounts),
        namespace: fs::read_link("/proc/self/ns/mnt").ok(),
        mounts,
        elsewhere: HashMap::new(),
    };
    let mut in_use = InUse::default();
    for process in processes.flatten() {
        let name = process.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        if i32::try_from(pid) == Ok(own) {
            continue;
        }
        match uses(&process.path(), names.of(&process.path())) {
            Seen::Nothing => {}
            Seen::Hidden => in_use.hidden += 1,
            Seen::Uses(how, path) => {
                let command = fs::read(process.path().join("comm")).unwrap_or_default();
                let command = String::from_utf8_lossy(&command).trim_end().to_owned();
                let path = path.to_string_lossy().into_owned();
                in_use.holders.push(Holder {
                    pid,
                    command,
                    how,
                    path,
                });
            }
        }
    }
    in_use.holders.sort_by_key(|holder| holder.pid);
    Ok(in_use)
}

/// The names that a directory has for processes.
struct Names<'a> {
    directory: &'a Path,
    mounts: Vec<Mount>,
    /// Where this process is.
    namespace: Option<PathBuf>,
    ours: Vec<PathBuf>,
    /// In other mount namespaces, each of which many processes may share.
    elsewhere: HashMap<PathBuf, Vec<PathBuf>>,
}

impl Names<'_> {
    /// Its names for one process; ours where that process does not let us look.
    fn of(&mut self, process: &Path) -> &[PathBuf] {
        let namespace = fs::read_link(process.join("ns/mnt")).ok();
        let Some(other) = namespace.filter(|other| Some(other) != self.namespace.as_ref()) else {
            return &self.ours;
        };
        self.elsewhere.entry(other).or_insert_with(|| {
            match mounts::read(&process.join("mountinfo")) {
                Ok(theirs) => mounts::names(self.directory, &self.mounts, &theirs),
                Err(_) => self.ours.clone(),
            }
        })
    }
}

enum Seen {
    Nothing,
    Hidden,
    Uses(&'static str, PathBuf),
}

/// The strongest use that a process makes of a directory with these names: running from it, writing below
/// it, and only then reading, standing in it and mapping.
fn uses(process: &Path, names: &[PathBuf]) -> Seen {
    let is_below = |path: &Path| names.iter().any(|name| path.starts_with(name));
    let leads_to = |name: &str| match fs::read_link(process.join(name)) {
        Ok(path) if is_below(&path) => Ok(Some(path)),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Err(error),
        // A kernel thread has none, and a process that ended has nothing.
        Ok(_) | Err(_) => Ok(None),
    };
    let (Ok(exe), Ok(cwd), Ok(root)) = (leads_to("exe"), leads_to("cwd"), leads_to("root")) else {
        return Seen::Hidden;
    };
    if let Some(path) = exe {
        return Seen::Uses("exe", path);
    }
    let mut read = None;
    for descriptor in fs::read_dir(process.join("fd"))
        .into_iter()
        .flatten()
        .flatten()
    {
        if let Ok(path) = fs::read_link(descriptor.path())
            && is_below(&path)
        {
            if is_writable(process, &descriptor.file_name()) {
                return Seen::Uses("fd", path);
            }
            read.get_or_insert(path);
        }
    }
    let weaker = [("fd-read", read), ("cwd", cwd), ("root", root)];
    if let Some((how, path)) = weaker
        .into_iter()
        .find_map(|(how, path)| Some((how, path?)))
    {
        return Seen::Uses(how, path);
    }
    let maps = fs::read(process.join("maps")).unwrap_or_default();
    mapped(&maps)
        .find(|path| is_below(path))
        .map_or(Seen::Nothing, |path| Seen::Uses("maps", path.to_owned()))
}

/// Whether a descriptor may be written; one that cannot be asked about counts as such.
fn is_writable(process: &Path, descriptor: &OsStr) -> bool {
    const ACCESS_MODE: u32 = 0o3;
    let facts = fs::read_to_string(process.join("fdinfo").join(descriptor)).unwrap_or_default();
    let flags = facts.lines().find_map(|line| line.strip_prefix("flags:"));
    let flags = flags.and_then(|octal| u32::from_str_radix(octal.trim(), 8).ok());
    flags.is_none_or(|flags| flags & ACCESS_MODE != 0)
}

/// The paths at the end of the lines of a process's list of mappings.
fn mapped(maps: &[u8]) -> impl Iterator<Item = &Path> {
    maps.split(|byte| *byte == b'\n').filter_map(|line| {
        let start = line.iter().position(|byte| *byte == b'/')?;
        Some(Path::new(OsStr::from_bytes(&line[start..])))
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::process::Stdio;

    use super::*;

    fn directory() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().expect("directory");
        let real = fs::canonicalize(directory.path()).expect("real path");
        (directory, real)
    }

    #[test]
    fn a_process_with_its_working_directory_inside_is_named() {
        let (_guard, real) = directory();
        let mut child = Command::new("cat")
            .current_dir(&real)
            .stdin(Stdio::piped())
            .spawn()
            .expect("child");
        let in_use = in_use(&real).expect("list");
        let holder = in_use
            .holders
            .iter()
            .find(|holder| holder.pid == child.id());
        let how = holder.map(|holder| holder.how);
        drop(child.stdin.take());
        child.wait().expect("end");
        assert_eq!(how, Some("cwd"));
    }

    #[test]
    fn a_process_with_an_open_file_inside_is_named_and_this_one_is_not() {
        let (_guard, real) = directory();
        let file = fs::File::create(real.join("log")).expect("file");
        let mut child = Command::new("cat")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(file.try_clone().expect("handle"))
            .spawn()
            .expect("child");
        let in_use = in_use(&real).expect("list");
        drop(child.stdin.take());
        let id = child.id();
        child.wait().expect("end");
        let holders: Vec<_> = in_use
            .holders
            .iter()
            .map(|holder| (holder.pid, holder.how))
            .collect();
        assert_eq!(holders, [(id, "fd")]);
    }

    #[test]
    fn mapped_files_are_read_with_blanks() {
        let maps = b"7f00-7f01 r-xp 00000000 08:01 12   /srv/a b/lib.so\n7f02-7f03 rw-p 0 0:0 0\n";
        assert_eq!(
            mapped(maps).collect::<Vec<_>>(),
            [Path::new("/srv/a b/lib.so")]
        );
    }
}
