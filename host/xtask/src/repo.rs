// SPDX-License-Identifier: Apache-2.0
//! Where things are: the repository, its target directory, the folders that a task may write.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::tool::Tool;
use crate::tree;
use std::path::Path;
use std::path::PathBuf;

/// The repository.
pub(crate) struct Repo {
    /// Its root.
    pub(crate) root: PathBuf,
    /// cargo's target directory: all scratch lies below it.
    pub(crate) target: PathBuf,
}

/// How to build the product.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// Shared with the tests.
    Dev,
    /// What is shipped.
    Release,
}

impl Repo {
    /// Finds the repository that this program was built from.
    pub(crate) fn find() -> Outcome<Self> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let root = here
            .ancestors()
            .nth(2)
            .ok_or("xtask lies outside of a repository")?;
        let metadata = Tool::cargo()
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .within(root)
            .output()?;
        let metadata: serde_json::Value = serde_json::from_str(&metadata)?;
        let target = metadata["target_directory"].as_str();
        let target = target.ok_or("cargo metadata names no target directory")?;
        Ok(Self {
            root: root.to_owned(),
            target: target.into(),
        })
    }

    /// The workspaces that are not the root's, by their folders, and where each is built.
    pub(crate) fn side_workspaces(&self) -> Vec<(PathBuf, PathBuf)> {
        [
            "steps",
            "packages/acme-agent/program",
            "tests/guests",
            "guest-sdk/tool",
        ]
        .into_iter()
        .map(|folder| {
            (
                self.root.join(folder),
                self.target.join(folder.replace('/', "-")),
            )
        })
        .filter(|(folder, _)| folder.join("Cargo.toml").is_file())
        .collect()
    }

    /// The vendors' tool: its workspace, and where it is built.
    pub(crate) fn guest_tool(&self) -> (PathBuf, PathBuf) {
        let folder = "guest-sdk/tool";
        (
            self.root.join(folder),
            self.target.join(folder.replace('/', "-")),
        )
    }

    /// Where components of steps are built.
    pub(crate) fn steps_target(&self) -> PathBuf {
        self.target.join("steps")
    }

    /// Empties and returns a folder below the target directory.
    pub(crate) fn fresh(&self, name: &str) -> Outcome<PathBuf> {
        let folder = self.target.join(name);
        tree::remove(&folder)?;
        tree::make(&folder)?;
        // Paths are compared with those that the product prints, which are real.
        folder
            .canonicalize()
            .map_err(|error| Failure::at(&folder, &error))
    }

    /// Builds the product and returns its executable.
    pub(crate) fn build_cofferdam(&self, profile: Profile) -> Outcome<PathBuf> {
        // The workspace as a whole: cargo unites features over what is selected, and another selection would
        // build wasmtime once more.
        let (selection, folder): (&[&str], _) = match profile {
            Profile::Dev => (&["--workspace", "--bin", "cofferdam"], "debug"),
            Profile::Release => (&["--package", "cofferdam", "--release"], "release"),
        };
        Tool::cargo()
            .arg("build")
            .args(selection)
            .within(&self.root)
            .run()?;
        Ok(self.target.join(folder).join("cofferdam"))
    }
}
