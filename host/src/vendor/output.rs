// SPDX-License-Identifier: Apache-2.0
//! Files that appear whole or not at all: written beside their place, synced, then renamed.
//!
//! Never writes to the final name before the last byte is on disk, and never replaces what it was not
//! told to replace.

use std::fs::File;
use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use tempfile::NamedTempFile;

use super::Code;
use crate::failure::Failure;

/// What to do when the final name is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Refuse with `already-exists`; the existing file is not touched.
    Keep,
    /// Exchange it for the new file.
    Replace,
}

/// A file on its way to its final name; dropping it leaves nothing behind.
#[derive(Debug)]
#[must_use = "an output that is not put in place is removed"]
pub struct Output {
    temporary: NamedTempFile,
    target: PathBuf,
}

impl Output {
    /// Opens a temporary file beside `target`, with `mode` less the umask.
    ///
    /// # Errors
    /// `not-found`, `permission-denied`, `disk-full` or `io` when the folder does not take it.
    pub fn beside(target: &Path, mode: u32) -> Result<Self, Failure> {
        let temporary = tempfile::Builder::new()
            .prefix(".cofferdam-")
            .permissions(Permissions::from_mode(mode))
            .tempfile_in(folder_of(target))
            .map_err(|error| Failure::io(format_args!("`{}`", target.display()), &error))?;
        Ok(Self {
            temporary,
            target: target.to_owned(),
        })
    }

    /// The file to write to (and to read back from).
    pub fn file(&mut self) -> &mut File {
        self.temporary.as_file_mut()
    }

    /// A second handle, positioned on its own, to read back what was written.
    ///
    /// # Errors
    /// As [`Output::beside`].
    pub fn reopen(&self) -> Result<File, Failure> {
        self.temporary
            .reopen()
            .map_err(|error| Failure::io(format_args!("`{}`", self.target.display()), &error))
    }

    /// Gives the file exactly this mode, whatever the umask.
    ///
    /// # Errors
    /// As [`Output::beside`].
    pub fn set_mode(&mut self, mode: u32) -> Result<(), Failure> {
        self.temporary
            .as_file()
            .set_permissions(Permissions::from_mode(mode))
            .map_err(|error| Failure::io(format_args!("`{}`", self.target.display()), &error))
    }

    /// Syncs the file, gives it its name, and syncs the folder.
    ///
    /// # Crash safety
    /// Before the rename the old file (or none) is at the name and a `.cofferdam-…` file may be left
    /// beside it; afterwards the new one is, whole.
    ///
    /// # Errors
    /// `already-exists` under [`Existing::Keep`]; otherwise as [`Output::beside`].
    pub fn put_in_place(self, existing: Existing) -> Result<(), Failure> {
        let target = self.target;
        let named = |error: &std::io::Error| {
            if error.kind() == std::io::ErrorKind::AlreadyExists {
                Code::AlreadyExists.because(format!("`{}` is there already", target.display()))
            } else {
                Failure::io(format_args!("`{}`", target.display()), error)
            }
        };
        self.temporary
            .as_file()
            .sync_all()
            .map_err(|error| named(&error))?;
        let placed = match existing {
            Existing::Keep => self.temporary.persist_noclobber(&target),
            Existing::Replace => self.temporary.persist(&target),
        };
        placed.map_err(|error| named(&error.error))?;
        File::open(folder_of(&target))
            .and_then(|folder| folder.sync_all())
            .map_err(|error| named(&error))
    }
}

/// Writes a small file in one go.
///
/// # Errors
/// As [`Output::put_in_place`].
pub fn write_file(
    target: &Path,
    mode: u32,
    bytes: &[u8],
    existing: Existing,
) -> Result<(), Failure> {
    let mut output = Output::beside(target, mode)?;
    output
        .file()
        .write_all(bytes)
        .map_err(|error| Failure::io(format_args!("`{}`", target.display()), &error))?;
    output.put_in_place(existing)
}

/// Reads a file that is expected to be small, and refuses one that is not.
///
/// # Errors
/// `file-too-large` beyond `cap_bytes`; `not-a-file` for anything but a regular file; otherwise the
/// error of the file system.
pub fn read_small(path: &Path, cap_bytes: u64) -> Result<Vec<u8>, Failure> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| Failure::io(format_args!("`{}`", path.display()), &error);
    // A fifo would block in `open`, so the kind is looked at first.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(Code::NotAFile.because(format!("`{}` is not a regular file", path.display())));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(cap_bytes + 1).read_to_end(&mut bytes))
        .map_err(failed)?;
    if bytes.len() as u64 > cap_bytes {
        return Err(Code::FileTooLarge.because(format!(
            "`{}` has more than {cap_bytes} bytes",
            path.display()
        )));
    }
    Ok(bytes)
}

/// The folder that holds `path`; the current one for a bare name.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_that_is_dropped_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let output = Output::beside(&folder.path().join("a"), 0o644).unwrap();
        drop(output);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_existing_file_is_kept_unless_it_is_to_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        write_file(&target, 0o600, b"one", Existing::Keep).unwrap();
        let refused = write_file(&target, 0o600, b"two", Existing::Keep).unwrap_err();
        assert_eq!(refused.code, "already-exists");
        assert_eq!(std::fs::read(&target).unwrap(), b"one");
        write_file(&target, 0o600, b"two", Existing::Replace).unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"two");
        assert_eq!(
            std::fs::metadata(&target).unwrap().permissions().mode() & 0o7777,
            0o600
        );
    }

    #[test]
    fn a_file_beyond_its_cap_and_a_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        write_file(&target, 0o600, b"12345", Existing::Keep).unwrap();
        assert_eq!(read_small(&target, 5).unwrap(), b"12345");
        assert_eq!(read_small(&target, 4).unwrap_err().code, "file-too-large");
        assert_eq!(read_small(folder.path(), 4).unwrap_err().code, "not-a-file");
    }
}
