// SPDX-License-Identifier: Apache-2.0
//! Files of a state directory, opened for reading: regular ones, below a cap, without waiting.

use std::fs::File;
use std::io;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;

use cap_std::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;

/// Whether what stands at a name is at fault, and not the machine: nothing is there, or something else than was
/// expected. An error of the disk, or of a process that has no descriptor left, says nothing of what is there.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound
            | io::ErrorKind::NotADirectory
            | io::ErrorKind::IsADirectory
            | io::ErrorKind::InvalidData
            | io::ErrorKind::FileTooLarge
    ) || error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
}

/// Reads a whole file of a state directory, or `None` when it is not there; never more than
/// `cap_bytes`.
pub(crate) fn read_file(dir: &Dir, name: &str, cap_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_file(dir, name, cap_bytes)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    file.take(cap_bytes).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

/// Opens a file of a state directory for reading, or `None` when it is not there; a regular file of
/// at most `cap_bytes`, which nobody has to be waited for.
pub(crate) fn open_file(dir: &Dir, name: &str, cap_bytes: u64) -> io::Result<Option<File>> {
    let fd = match rustix::fs::openat(
        dir,
        name,
        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK,
        Mode::empty(),
    ) {
        Ok(fd) => fd,
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let file = File::from(fd);
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "not a regular file",
        ));
    }
    if metadata.size() > cap_bytes {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{} bytes, expected at most {cap_bytes}", metadata.size()),
        ));
    }
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use rustix::io::Errno;

    use super::is_damage;

    #[test]
    fn what_the_machine_refuses_to_tell_is_no_damage() {
        for machine in [
            Errno::IO,
            Errno::MFILE,
            Errno::NFILE,
            Errno::NOMEM,
            Errno::ACCESS,
        ] {
            assert!(!is_damage(&machine.into()), "{machine}");
        }
        for there in [Errno::NOENT, Errno::NOTDIR, Errno::LOOP] {
            assert!(is_damage(&there.into()), "{there}");
        }
    }
}
