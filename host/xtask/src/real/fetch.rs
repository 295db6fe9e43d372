// SPDX-License-Identifier: Apache-2.0
//! Real releases, through the ordinary clients of their registries, unpacked as those would.

use crate::failure::Failure;
use crate::failure::Outcome;
use crate::say;
use crate::tool::Tool;
use crate::tree;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// Whose client to ask.
#[derive(PartialEq, Eq)]
pub(super) enum Registry {
    /// `npm`.
    Npm,
    /// `pip`.
    PyPi,
}

/// Unpacks a wheel with the modes that it records, as its installer does; `zipfile` alone drops them.
const UNPACK_WHEEL: &str = "
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as wheel:
    for entry in wheel.infolist():
        path = wheel.extract(entry, sys.argv[2])
        if not entry.is_dir():
            os.chmod(path, 0o755 if entry.external_attr >> 16 & 0o111 else 0o644)
";

/// The tree of one release below `folder`, fetched when it is not there.
pub(super) fn unpacked(
    folder: &Path,
    registry: &Registry,
    name: &str,
    version: &str,
) -> Outcome<PathBuf> {
    let target = folder.join(format!("{name}-{version}"));
    if target.is_dir() {
        return Ok(target);
    }
    let downloads = folder.join("downloads");
    tree::make(&downloads)?;
    // Unpacked beside and renamed, so that a tree that is there is whole.
    let beside = folder.join(format!("{name}-{version}.unpacking"));
    tree::remove(&beside)?;
    tree::make(&beside)?;
    let archive = match registry {
        Registry::Npm => {
            let archive = archive(&downloads, name, version, || {
                let wanted = format!("{name}@{version}");
                Tool::new("npm")
                    .args(["pack", "--silent", &wanted])
                    .within(&downloads)
            })?;
            Tool::new("tar")
                .arg("-xzf")
                .arg(&archive)
                .arg("-C")
                .arg(&beside)
                .run()?;
            archive
        }
        Registry::PyPi => {
            let archive = archive(&downloads, name, version, || {
                let wanted = format!("{name}=={version}");
                Tool::new("python3")
                    .args(["-m", "pip", "download", "--quiet", "--no-deps"])
                    .args(["--disable-pip-version-check", &wanted])
                    .within(&downloads)
            })?;
            Tool::new("python3")
                .args(["-c", UNPACK_WHEEL])
                .arg(&archive)
                .arg(&beside)
                .run()?;
            archive
        }
    };
    fs::rename(&beside, &target).map_err(|error| Failure::at(&archive, &error))?;
    Ok(target)
}

/// The file of one release in `downloads`.
fn archive(
    downloads: &Path,
    name: &str,
    version: &str,
    client: impl Fn() -> Tool,
) -> Outcome<PathBuf> {
    if let Some(found) = find(downloads, name, version)? {
        return Ok(found);
    }
    say::line(&format!("fetching {name} {version}"));
    client().output()?;
    let found = find(downloads, name, version)?;
    found.ok_or_else(|| {
        format!("{name} {version} was fetched, and no file of that name is there").into()
    })
}

fn find(downloads: &Path, name: &str, version: &str) -> Outcome<Option<PathBuf>> {
    let entries = fs::read_dir(downloads).map_err(|error| Failure::at(downloads, &error))?;
    for entry in entries {
        let path = entry
            .map_err(|error| Failure::at(downloads, &error))?
            .path();
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        let rest = file.strip_prefix(&format!("{name}-{version}"));
        if rest.is_some_and(|rest| rest == ".tgz" || rest.starts_with("-py3-none-")) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
