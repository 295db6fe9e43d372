// SPDX-License-Identifier: Apache-2.0
//! Config files outside the install: each with its own, journaled rename.
//!
//! The next content is written beside its target, with the target's mode, owner and attributes,
//! under a name that the journal already knows. It takes the target's place only after the exchange
//! is durable, and only while the target still holds what it held when the transaction read it, which
//! is asked just before: what somebody else wrote is not overwritten, unless within that instant. A file
//! that did not exist is never overwritten: the rename itself refuses.
//!
//! A file that a transaction creates is removed again by a rollback to a generation that was left
//! without it, under the same rule: at the same moment, and only while it holds what was read.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::path::Path;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::fs::ResolveFlags;

use crate::durable;
use crate::error::InstallError;
use crate::error::io_code;
use crate::generation::SavedConfig;
use crate::journal::ConfigSwap;
use crate::journal::recovery::ConfigFound;
use crate::journal::recovery::TargetFound;
use crate::layout;
use crate::layout::Place;
use crate::settings::ConfigFileAt;
use crate::settings::Settings;

/// Stops a target that grew out of all proportion from being read into memory.
const CAP_BYTES: u64 = 16 * 1024 * 1024;

/// A config file outside the install that changes: as the pipeline read it, and as it is to become.
#[derive(Clone, Debug)]
pub struct ConfigOutside {
    /// What the operator calls it.
    pub name: String,
    /// The file; a symlink is followed once, to its real path.
    pub path: PathBuf,
    /// What it held when it was read; none when there was no such file.
    pub before: Option<Vec<u8>>,
    /// What it is to hold.
    pub after: Vec<u8>,
}

/// A file outside, resolved: the directory that holds it, by handle, and its name there.
pub(crate) struct Located {
    pub(crate) path: PathBuf,
    pub(crate) folder: Dir,
    pub(crate) name: String,
}

/// Resolves a config file to its real path; the file itself need not exist, its directory must.
pub(crate) fn locate(path: &Path) -> Result<Located, String> {
    let real = match std::fs::canonicalize(path) {
        Ok(real) => real,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let parent = path.parent().ok_or("it has no directory")?;
            let name = path.file_name().ok_or("it has no name")?;
            let parent = std::fs::canonicalize(parent)
                .map_err(|error| format!("its directory cannot be found: {error}"))?;
            if std::fs::symlink_metadata(parent.join(name)).is_ok() {
                return Err("it is a symlink that leads nowhere".to_owned());
            }
            parent.join(name)
        }
        Err(error) => return Err(format!("it cannot be found: {error}")),
    };
    let name = real.file_name().and_then(|name| name.to_str());
    let name = name.ok_or("its name is not UTF-8")?.to_owned();
    let parent = real.parent().ok_or("it has no directory")?;
    if real.to_str().is_none() {
        return Err("its path is not UTF-8".to_owned());
    }
    let folder =
        open_folder(parent).map_err(|error| format!("its directory cannot be opened: {error}"))?;
    Ok(Located {
        path: real,
        folder,
        name,
    })
}

/// The real path of a config file outside: symlinks are followed once, here. The file itself need
/// not exist, its directory must.
///
/// # Errors
/// What is wrong with the path, in words: it leads nowhere, or is not UTF-8.
pub fn real_path_of_config(path: &Path) -> Result<PathBuf, String> {
    locate(path).map(|located| located.path)
}

/// Whether a real path lies in the install or in its state directory: the exchange would take such
/// a file, and what waits beside it, away with the old tree.
pub(crate) fn is_inside(place: &Place, real: &Path) -> bool {
    real.starts_with(place.path()) || real.starts_with(place.state_path())
}

/// Opens the folder of a config file by its real path. One that leads through a symlink now was swapped
/// since: whoever owns a directory on the way would otherwise choose where root writes and removes.
fn open_folder(real: &Path) -> io::Result<Dir> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match rustix::fs::openat2(rustix::fs::CWD, real, flags, Mode::empty(), resolve) {
        Ok(fd) => Ok(Dir::from_std_file(fd.into())),
        Err(rustix::io::Errno::LOOP) => Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            "there is a symlink now where a directory was",
        )),
        Err(error) => Err(error.into()),
    }
}

/// Opens a file that the journal names.
pub(crate) fn reopen(path: &Path) -> io::Result<(Dir, String)> {
    let invalid = || io::Error::new(io::ErrorKind::InvalidInput, "not the path of a file");
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(invalid)?;
    Ok((
        open_folder(path.parent().ok_or_else(invalid)?)?,
        name.to_owned(),
    ))
}

/// Opens a regular file without following a symlink; `None` when nothing is there.
fn open_regular(folder: &Dir, name: &str) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(folder, name, flags, Mode::empty()) {
        Ok(fd) => File::from(fd),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a regular file",
        ));
    }
    Ok(Some(file))
}

fn read_regular(file: &File) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(CAP_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > CAP_BYTES {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("more than {CAP_BYTES} bytes"),
        ));
    }
    Ok(bytes)
}

/// The content of a located file; `None` when there is no such file.
pub(crate) fn read(located: &Located) -> io::Result<Option<Vec<u8>>> {
    open_regular(&located.folder, &located.name)?
        .map(|file| read_regular(&file))
        .transpose()
}

/// Every config file outside that the operator declares, as it stands; one that does not exist is
/// left out.
pub(crate) fn read_declared(
    place: &Place,
    settings: &Settings,
) -> Result<Vec<(SavedConfig, Vec<u8>)>, InstallError> {
    let mut found = Vec::new();
    for (name, declared) in &settings.config {
        let Some(ConfigFileAt::Outside(path)) = &declared.file else {
            continue;
        };
        // What leads into the install is part of its tree, however it is written.
        if let Some(current) = read_named(name, path)?
            && !is_inside(place, &current.0.target)
        {
            found.push(current);
        }
    }
    Ok(found)
}

/// One config file outside, as it stands; `None` when there is no such file.
pub(crate) fn read_named(
    name: &str,
    path: &Path,
) -> Result<Option<(SavedConfig, Vec<u8>)>, InstallError> {
    let unusable = |reason: String| InstallError::ConfigUnreadable {
        name: name.to_owned(),
        path: path.to_owned(),
        reason,
    };
    let located = locate(path).map_err(unusable)?;
    let Some(bytes) = read(&located).map_err(|error| unusable(error.to_string()))? else {
        return Ok(None);
    };
    let saved = SavedConfig {
        name: name.to_owned(),
        target: located.path,
        digest: Digest::of(&bytes),
    };
    Ok(Some((saved, bytes)))
}

/// The plan of a rename, before anything is written.
pub(crate) fn plan_swap(
    name: &str,
    located: &Located,
    txid: &str,
    before: Option<&[u8]>,
    after: Option<&[u8]>,
) -> ConfigSwap {
    ConfigSwap {
        name: name.to_owned(),
        target: located.path.clone(),
        temporary: located
            .path
            .with_file_name(layout::config_temporary(&located.name, txid)),
        old_digest: before.map(Digest::of),
        new_digest: after.map(Digest::of),
    }
}

/// Writes the next content beside its target, synced with its directory. The journal names the file
/// already.
pub(crate) fn write_waiting(swap: &ConfigSwap, bytes: &[u8]) -> Result<(), InstallError> {
    let failed = |source: io::Error| match io_code(&source) {
        "io" => InstallError::ConfigUnreadable {
            name: swap.name.clone(),
            path: swap.target.clone(),
            reason: source.to_string(),
        },
        _ => InstallError::Io {
            doing: format!("write beside `{}`", swap.target.display()),
            source,
        },
    };
    let write = || -> io::Result<()> {
        let (folder, target) = reopen(&swap.target)?;
        let (_, temporary) = reopen(&swap.temporary)?;
        let like = open_regular(&folder, &target)?;
        // Before: nothing. In the middle and after: a file that recovery removes by its journaled
        // name.
        durable::write_in_the_likeness(&folder, &temporary, bytes, like.as_ref())?;
        durable::sync_directory(&folder)
    };
    write().map_err(failed)
}

/// What stands at a target and beside it. What is no regular file, or is reached through a symlink now, is
/// neither old nor new.
///
/// # Errors
/// The system refused to say, which is no answer.
pub(crate) fn observe(swap: &ConfigSwap) -> io::Result<ConfigFound> {
    let digest_at = |path: &Path| -> io::Result<Option<Digest>> {
        let (folder, name) = reopen(path)?;
        open_regular(&folder, &name)?
            .map(|file| Ok(Digest::of(&read_regular(&file)?)))
            .transpose()
    };
    let target = match digest_at(&swap.target) {
        Ok(found) if found == swap.new_digest => TargetFound::New,
        Ok(found) if found == swap.old_digest => TargetFound::Old,
        // A file that is to be gone is gone with its whole directory too.
        Err(error) if swap.new_digest.is_none() && error.kind() == io::ErrorKind::NotFound => {
            TargetFound::New
        }
        Ok(Some(_) | None) => TargetFound::Neither,
        Err(error) if layout::is_damage(&error) => TargetFound::Neither,
        Err(error) => return Err(error),
    };
    let waiting = match swap.new_digest {
        None => true,
        Some(new) => match digest_at(&swap.temporary) {
            Ok(found) => found == Some(new),
            Err(error) if layout::is_damage(&error) => false,
            Err(error) => return Err(error),
        },
    };
    Ok(ConfigFound { target, waiting })
}

/// Puts the next content in its target's place, or removes the target. Only after the exchange is
/// durable.
pub(crate) fn put_in_place(swap: &ConfigSwap) -> io::Result<()> {
    let (folder, target) = reopen(&swap.target)?;
    // Before: the target is old, and recovery comes here again. After: it is new, or gone; or old
    // again after a power cut, and recovery finishes either.
    match (swap.old_digest, swap.new_digest) {
        (Some(_), Some(_)) => {
            let (_, temporary) = reopen(&swap.temporary)?;
            durable::rename_over(&folder, &temporary, &target)?;
        }
        // A file that somebody else made meanwhile stands in the way, and stays.
        (None, Some(_)) => {
            let (_, temporary) = reopen(&swap.temporary)?;
            durable::move_to_free_name(&folder, &temporary, &folder, &target)?;
        }
        (Some(_) | None, None) => durable::remove_file(&folder, &target)?,
    }
    // After the sync: it is new, or gone.
    durable::sync_directory(&folder)
}

/// Whether nothing stands at a path.
pub(crate) fn is_free(path: &Path) -> io::Result<bool> {
    match std::fs::symlink_metadata(path) {
        Ok(_) => Ok(false),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(error) => Err(error),
    }
}

/// Writes down what the folder of a file has, as far as there is one.
pub(crate) fn sync_folder(target: &Path) -> io::Result<()> {
    match reopen(target) {
        // Before: a power cut may undo a rename or a removal in it. After: it stays as it is.
        Ok((folder, _)) => durable::sync_directory(&folder),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Removes what waits beside a target, whole or torn; that it is gone is as good, and so is its
/// whole directory.
pub(crate) fn remove_waiting(temporary: &Path) -> io::Result<()> {
    match reopen(temporary) {
        Ok((folder, name)) => {
            durable::remove_file(&folder, &name)?;
            // After the sync: gone for good, so the journal need not name it any more.
            durable::sync_directory(&folder)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}
