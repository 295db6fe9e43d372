// SPDX-License-Identifier: Apache-2.0
//! A package's content as plain files, for a reviewer's own tools.
//!
//! Writes into a new folder that appears whole or not at all. Names come from the checked manifest,
//! every file is created anew below a held directory handle, every byte is hashed on its way, and
//! symlinks are made last: nothing is ever written through one.

use std::io::Write as _;
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use cap_std::fs::OpenOptionsExt as _;
use cap_std::fs::Permissions;
use cap_std::fs::PermissionsExt as _;
use cofferdam_package::digest::Digest;
use cofferdam_package::manifest::EntryKind;
use cofferdam_package::manifest::Mode;
use cofferdam_package::verify::Contents;

use super::Code;
use super::output::folder_of;
use crate::failure::Failure;
use crate::watch::Watch;

/// Writes manifest, signatures, payload and components below the new folder `target`.
///
/// # Errors
/// `already-exists`; a blob that does not match its digest; an error of the file system.
pub fn extract(contents: &Contents, target: &Path, watch: &mut dyn Watch) -> Result<(), Failure> {
    if target.symlink_metadata().is_ok() {
        return Err(Code::AlreadyExists.because(format!("`{}` is there already", target.display())));
    }
    let failed =
        |error: std::io::Error| Failure::io(format_args!("`{}`", target.display()), &error);
    let staging = tempfile::Builder::new()
        .prefix(".cofferdam-")
        .tempdir_in(folder_of(target))
        .map_err(failed)?;
    let half = staging.path().join("package");
    std::fs::create_dir(&half).map_err(failed)?;
    let root = Dir::open_ambient_dir(&half, ambient_authority()).map_err(failed)?;
    Extraction {
        contents,
        root: &root,
        watch,
    }
    .run()?;
    rustix::fs::renameat_with(
        rustix::fs::CWD,
        &half,
        rustix::fs::CWD,
        target,
        rustix::fs::RenameFlags::NOREPLACE,
    )
    .map_err(|error| failed(error.into()))
}

struct Extraction<'a> {
    contents: &'a Contents,
    root: &'a Dir,
    watch: &'a mut dyn Watch,
}

impl Extraction<'_> {
    fn run(&mut self) -> Result<(), Failure> {
        let manifest = self.contents.manifest();
        self.write("manifest.json", self.contents.manifest_bytes())?;
        for folder in ["signatures", "steps", "payload"] {
            self.root
                .create_dir(folder)
                .map_err(|error| named(folder, &error))?;
        }
        for (key_id, bytes) in self.contents.signature_files() {
            self.write(&format!("signatures/{key_id}.minisig"), &bytes)?;
        }
        for step in &manifest.steps {
            let mode = PLAIN;
            self.copy(&format!("steps/{}.wasm", step.name), &step.component, mode)?;
        }
        let total = manifest.entries.len() as u64;
        let mut folders = Vec::new();
        let mut links = Vec::new();
        for (done, entry) in (1..).zip(&manifest.entries) {
            let path = format!("payload/{}", entry.path);
            match &entry.kind {
                EntryKind::File { digest, mode, .. } => {
                    self.make_folder_of(&path)?;
                    self.copy(&path, digest, mode.bits())?;
                }
                EntryKind::Directory { mode } => {
                    self.root
                        .create_dir_all(&path)
                        .map_err(|error| named(&path, &error))?;
                    folders.push((path, *mode));
                }
                EntryKind::Symlink { target } => links.push((path, target)),
            }
            self.watch.progress("extracting", done, total);
        }
        for (path, target) in links {
            self.make_folder_of(&path)?;
            self.root
                .symlink(target, &path)
                .map_err(|error| named(&path, &error))?;
        }
        self.set_folder_modes(&folders)
    }

    /// Innermost first: a folder that may not be written takes no more entries.
    fn set_folder_modes(&self, folders: &[(String, Mode)]) -> Result<(), Failure> {
        for (path, mode) in folders.iter().rev() {
            self.root
                .set_permissions(path, Permissions::from_mode(mode.bits()))
                .map_err(|error| named(path, &error))?;
        }
        Ok(())
    }

    fn make_folder_of(&self, path: &str) -> Result<(), Failure> {
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| folder);
        self.root
            .create_dir_all(folder)
            .map_err(|error| named(folder, &error))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        self.create(path, PLAIN)?
            .write_all(bytes)
            .map_err(|error| named(path, &error))
    }

    fn copy(&self, path: &str, digest: &Digest, mode: u32) -> Result<(), Failure> {
        let mut file = self.create(path, mode)?;
        self.contents.copy_blob(digest, &mut file)?;
        file.set_permissions(Permissions::from_mode(mode))
            .map_err(|error| named(path, &error))
    }

    fn create(&self, path: &str, mode: u32) -> Result<cap_std::fs::File, Failure> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode);
        self.root
            .open_with(path, &options)
            .map_err(|error| named(path, &error))
    }
}

/// The mode of what is not payload.
const PLAIN: u32 = 0o644;

fn named(path: &str, error: &std::io::Error) -> Failure {
    Failure::io(format_args!("`{path}`"), error)
}
