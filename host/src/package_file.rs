// SPDX-License-Identifier: Apache-2.0
//! Opens package files: regular files only, and never waiting for one.

use std::fs::File;
use std::path::Path;

use cofferdam_package::archive::PackageFile;
use cofferdam_package::limits::Limits;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::failure::Exit;
use crate::failure::Failure;

/// Opens a package for verification; nothing of it is believed yet.
///
/// # Errors
/// As [`open_file`]; the archive is malformed.
pub fn open(path: &Path) -> Result<PackageFile, Failure> {
    Ok(PackageFile::open(open_file(path)?, Limits::default())?)
}

/// Opens a package file for reading.
///
/// # Errors
/// There is no such file, or it is not a regular one.
pub fn open_file(path: &Path) -> Result<File, Failure> {
    let what = format!("package `{}`", path.display());
    let failed = |error: std::io::Error| Failure::io(&what, &error);
    // A fifo in the file's place must not hang the host.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| failed(error.into()))?);
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(Failure::new(
            Exit::Refused,
            "not-a-file",
            format!("{what} is not a regular file"),
            "name a regular file",
        ));
    }
    Ok(file)
}
