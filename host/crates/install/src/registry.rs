// SPDX-License-Identifier: Apache-2.0
//! The installs of this machine, for `recover --all` at boot: one small file each, in a folder that
//! the caller names.
//!
//! An entry is only a reminder to look there; what is true of an install stands in its own state
//! directory. So an entry is added before `adopt` puts the state directory in place and removed
//! after `release` took it away: a crash in between leaves an entry that leads to a directory
//! without care, which is passed over, never a forgotten install.

use std::io;
use std::path::Path;
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use serde::Deserialize;
use serde::Serialize;

use crate::durable;
use crate::durable::SyncFs;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::layout;

/// The first member of an entry.
const FORMAT: &str = "registered/1";
/// Stops a file that is not ours from being read into memory.
const CAP_BYTES: u64 = 64 * 1024;
/// How entries end.
const SUFFIX: &str = ".json";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Registered {
    cofferdam: String,
    dir: PathBuf,
}

/// The folder of entries.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
}

impl Registry {
    /// The registry in `folder`, which need not exist yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            folder: folder.into(),
        }
    }

    /// Adds an install by its real path; adding it twice is adding it once.
    ///
    /// # Errors
    /// The path does not exist or is not UTF-8, or the system refused.
    ///
    /// # Panics
    /// Never: the path was checked to be UTF-8.
    pub fn add(&self, dir: &Path) -> Result<(), InstallError> {
        let real = layout::Site::resolve(dir)?.path;
        std::fs::create_dir_all(&self.folder)
            .doing(|| format!("create `{}`", self.folder.display()))?;
        let folder = self.open()?;
        // Before: the folder, and those above it that are new, may be gone after a power cut, with what is
        // in them. After: they stay.
        SyncFs::open(&folder)
            .and_then(|mut made| made.sync())
            .doing(|| format!("write `{}` down", self.folder.display()))?;
        let name = entry_name(&real);
        let entry = Registered {
            cofferdam: FORMAT.to_owned(),
            dir: real,
        };
        let mut bytes =
            serde_json::to_vec_pretty(&entry).expect("the path was checked to be UTF-8");
        bytes.push(b'\n');
        durable::replace_file(&folder, &name, &bytes).doing(|| format!("write `{name}`"))
    }

    /// Removes an install; that it was not there is as good.
    ///
    /// # Errors
    /// The system refused.
    pub fn remove(&self, dir: &Path) -> Result<(), InstallError> {
        let real = std::fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned());
        if !self.folder.exists() {
            return Ok(());
        }
        let folder = self.open()?;
        let name = entry_name(&real);
        durable::remove_file(&folder, &name)
            .and_then(|()| durable::sync_directory(&folder))
            .doing(|| format!("remove `{name}`"))
    }

    /// Every install, sorted by path. An entry that cannot be read is an error of its own, beside
    /// the others.
    ///
    /// # Errors
    /// The folder cannot be read; a folder that does not exist is empty.
    pub fn list(&self) -> Result<Vec<Result<PathBuf, InstallError>>, InstallError> {
        let doing = || format!("read `{}`", self.folder.display());
        let folder = match Dir::open_ambient_dir(&self.folder, ambient_authority()) {
            Ok(folder) => folder,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => {
                return Err(InstallError::Io {
                    doing: doing(),
                    source,
                });
            }
        };
        let mut names = Vec::new();
        for entry in folder.entries().doing(doing)? {
            let name = entry.doing(doing)?.file_name();
            match name.to_str() {
                Some(name) if name.ends_with(SUFFIX) && !name.starts_with('.') => {
                    names.push(name.to_owned());
                }
                Some(_) | None => {}
            }
        }
        let mut installs: Vec<_> = names.iter().map(|name| read_entry(&folder, name)).collect();
        installs.sort_by(|a, b| a.as_ref().ok().cmp(&b.as_ref().ok()));
        Ok(installs)
    }

    fn open(&self) -> Result<Dir, InstallError> {
        Dir::open_ambient_dir(&self.folder, ambient_authority())
            .doing(|| format!("open `{}`", self.folder.display()))
    }
}

fn read_entry(folder: &Dir, name: &str) -> Result<PathBuf, InstallError> {
    let unreadable = |reason: String| InstallError::RegistryUnreadable {
        entry: name.to_owned(),
        reason,
    };
    let bytes = layout::read_file(folder, name, CAP_BYTES)
        .map_err(|error| unreadable(error.to_string()))?
        .ok_or_else(|| unreadable("it is gone".to_owned()))?;
    let entry: Registered =
        serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
    if entry.cofferdam != FORMAT {
        return Err(unreadable(format!(
            "its format is `{}`, expected `{FORMAT}`",
            entry.cofferdam
        )));
    }
    if !entry.dir.is_absolute() || entry_name(&entry.dir) != name {
        return Err(unreadable(format!(
            "it leads to `{}`, for which this is not the entry",
            entry.dir.display()
        )));
    }
    Ok(entry.dir)
}

fn entry_name(real: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    format!("{}{SUFFIX}", Digest::of(real.as_os_str().as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn installs_are_listed_once_and_forgotten_when_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let registry = Registry::new(temporary.path().join("registry"));
        assert!(registry.list().unwrap().is_empty());
        let install = temporary.path().join("app");
        std::fs::create_dir(&install).unwrap();
        registry.add(&install).unwrap();
        registry.add(&install).unwrap();
        let listed: Vec<_> = registry
            .list()
            .unwrap()
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert_eq!(listed, [install.canonicalize().unwrap()]);
        registry.remove(&install).unwrap();
        assert!(registry.list().unwrap().is_empty());
    }

    #[test]
    fn a_damaged_entry_does_not_hide_the_others() {
        let temporary = tempfile::tempdir().unwrap();
        let registry = Registry::new(temporary.path().join("registry"));
        let install = temporary.path().join("app");
        std::fs::create_dir(&install).unwrap();
        registry.add(&install).unwrap();
        let elsewhere = format!(r#"{{ "cofferdam": "{FORMAT}", "dir": "/elsewhere" }}"#);
        let relative = elsewhere.replace("/elsewhere", "here");
        let named = entry_name(Path::new("here"));
        for (name, damaged) in [
            ("bad.json", "{"),
            ("other.json", &elsewhere),
            (&named, &relative),
        ] {
            let damaged_at = temporary.path().join("registry").join(name);
            std::fs::write(&damaged_at, damaged).unwrap();
            let listed = registry.list().unwrap();
            assert_eq!(listed.iter().filter(|entry| entry.is_ok()).count(), 1);
            let code = listed
                .iter()
                .find_map(|entry| entry.as_ref().err())
                .unwrap()
                .code();
            assert_eq!(code, "registry-unreadable");
            std::fs::remove_file(damaged_at).unwrap();
        }
    }
}
