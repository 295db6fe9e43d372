// SPDX-License-Identifier: Apache-2.0
//! Builds a package from a description in the test: payload files, `package.toml`, steps.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::path::PathBuf;

use super::CREATED;
use super::Machine;

/// A package in the making: `package.toml` and a payload folder.
pub(crate) struct Source<'a> {
    machine: &'a Machine,
    version: String,
    folder: PathBuf,
    head: String,
    requires: String,
    rest: String,
}

impl<'a> Source<'a> {
    pub(super) fn new(machine: &'a Machine, version: &str) -> Self {
        let folder = machine.path(format!("packages/{version}"));
        fs::create_dir_all(folder.join("payload")).unwrap();
        Self {
            machine,
            version: version.to_owned(),
            folder,
            head: "data-format = 1\n".to_owned(),
            requires: "from = \"*\"\nhost = \">=0.1.0\"\n".to_owned(),
            rest: String::new(),
        }
    }

    /// Sets the data format.
    pub(crate) fn data_format(mut self, format: u64) -> Self {
        self.head = format!("data-format = {format}\n");
        self
    }

    /// Sets which versions the package updates from.
    pub(crate) fn from(mut self, range: &str) -> Self {
        self.requires = format!("from = \"{range}\"\nhost = \">=0.1.0\"\n");
        self
    }

    /// Adds a payload file.
    pub(crate) fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.file_with_mode(path, content, 0o644)
    }

    /// Adds a payload file with a mode.
    pub(crate) fn file_with_mode(self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> Self {
        let path = self.folder.join("payload").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        self
    }

    /// Adds a payload symlink.
    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        let path = self.folder.join("payload").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
        self
    }

    /// Adds a seed.
    pub(crate) fn seed(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        write!(
            self.rest,
            "[[payload.set]]\nmatch = \"{path}\"\nkeep = true\n"
        )
        .unwrap();
        self.file(path, content)
    }

    /// Adds text to `package.toml`.
    pub(crate) fn toml(mut self, text: &str) -> Self {
        self.rest.push_str(text);
        self.rest.push('\n');
        self
    }

    /// Adds a step that is the named guest, with more members of its `[[step]]` table.
    pub(crate) fn step(self, name: &str, phase: &str, guest: &str, members: &str) -> Self {
        let component = super::guest(guest);
        self.toml(&format!(
            "[[step]]\nname = \"{name}\"\nphase = \"{phase}\"\ncomponent = \"{}\"\nreason = \"a test\"\n{members}",
            component.display()
        ))
    }

    /// Packs and signs it with the vendor's key.
    pub(crate) fn pack(self) -> PathBuf {
        let machine = self.machine;
        let package = self.pack_unsigned();
        machine
            .run([
                "sign",
                package.to_str().unwrap(),
                "--key",
                machine.str("acme.key"),
            ])
            .expect(0);
        package
    }

    /// Packs it.
    pub(crate) fn pack_unsigned(self) -> PathBuf {
        let text = format!(
            "[package]\nid = \"agent\"\nversion = \"{}\"\nsummary = \"a test\"\n{}[requires]\n{}[payload]\ndir = \"payload\"\n{}",
            self.version, self.head, self.requires, self.rest
        );
        fs::write(self.folder.join("package.toml"), text).unwrap();
        let package = self
            .machine
            .path(format!("packages/agent-{}.upd", self.version));
        let folder: &Path = &self.folder;
        let arguments = [
            "pack".as_ref(),
            folder.as_os_str(),
            "-o".as_ref(),
            package.as_os_str(),
            "--created".as_ref(),
            CREATED.as_ref(),
        ];
        self.machine.run(arguments).expect(0);
        package
    }
}
