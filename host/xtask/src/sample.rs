// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask sample`: the packages of `packages/acme-agent`, built, packed and signed.
//!
//! What is text lies in the repository; the program is built from its sources. This task lays both
//! together as a vendor would before packing.

use crate::failure::Outcome;
use crate::need;
use crate::repo::Profile;
use crate::repo::Repo;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use std::path::Path;
use std::path::PathBuf;

/// A release of the sample.
pub(crate) struct Release {
    /// Its folder in `packages/acme-agent`.
    pub(crate) folder: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
}

/// Every release, in the order of the story.
pub(crate) const RELEASES: [Release; 5] = [
    Release {
        folder: "1.0.0",
        version: "1.0.0",
    },
    Release {
        folder: "1.1.0",
        version: "1.1.0",
    },
    Release {
        folder: "1.1.1-misbehaving",
        version: "1.1.1",
    },
    Release {
        folder: "1.1.2-unhealthy",
        version: "1.1.2",
    },
    Release {
        folder: "1.2.0",
        version: "1.2.0",
    },
];

impl Release {
    /// The file name of its package.
    pub(crate) fn package(&self) -> String {
        format!("acme-agent-{}.upd", self.version)
    }
}

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    let cofferdam = repo.build_cofferdam(Profile::Dev)?;
    let folder = repo.fresh("sample")?;
    let laid = lay(repo, &folder.join("vendor"))?;
    let tool = || {
        Tool::new(&cofferdam)
            .within(&folder)
            .env("CARGO_TARGET_DIR", repo.steps_target())
    };
    tool().args(["keygen", "acme", "--no-password"]).run()?;
    for (release, source) in RELEASES.iter().zip(laid) {
        let package = release.package();
        tool()
            .arg("pack")
            .arg(source)
            .args(["-o", &package])
            .run()?;
        tool().args(["sign", &package, "--key", "acme.key"]).run()?;
    }
    say::holds(&format!("packages and key are in {}", folder.display()));
    Ok(())
}

/// Builds the program and lays every release below `folder`; returns the folders to pack.
pub(crate) fn lay(repo: &Repo, folder: &Path) -> Outcome<Vec<PathBuf>> {
    let source = repo.root.join("packages/acme-agent");
    let target = repo.target.join("packages-acme-agent-program");
    Tool::cargo()
        .args(["build", "--quiet", "--release", "--locked"])
        .within(&source.join("program"))
        .env("CARGO_TARGET_DIR", &target)
        .run()?;
    let mut laid = Vec::new();
    for release in &RELEASES {
        let from = source.join(release.folder);
        let to = folder.join(release.folder);
        tree::copy(&from.join("payload"), &to.join("payload"))?;
        let program = format!("release/acme-agent-{}", release.version.replace('.', "-"));
        tree::copy_file(&target.join(program), &to.join("payload/bin/acme-agent"))?;
        let script = "payload/bin/acme-agentctl";
        tree::copy_file(&source.join("program/acme-agentctl"), &to.join(script))?;
        let text = tree::read(&from.join("package.toml"))?;
        tree::write(&to.join("package.toml"), &with_steps_of(repo, &text))?;
        laid.push(to);
    }
    Ok(laid)
}

/// The same package file, for a folder that does not lie beside the steps.
fn with_steps_of(repo: &Repo, text: &str) -> String {
    let steps = repo.root.join("steps").display().to_string();
    text.replace(
        "component = \"../../../steps/",
        &format!("component = \"{steps}/"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_component_of_the_sample_is_found_from_elsewhere() {
        let repo = Repo::find().unwrap();
        for release in &RELEASES {
            let source = repo.root.join("packages/acme-agent").join(release.folder);
            let text = tree::read(&source.join("package.toml")).unwrap();
            assert!(text.contains(&format!("version = \"{}\"", release.version)));
            for line in with_steps_of(&repo, &text).lines() {
                if let Some(path) = line.strip_prefix("component = ") {
                    let path = Path::new(path.trim_matches('"'));
                    assert!(
                        path.is_absolute() && path.join("Cargo.toml").is_file(),
                        "{line}"
                    );
                }
            }
        }
    }
}
