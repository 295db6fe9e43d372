// SPDX-License-Identifier: Apache-2.0
//! Step components on the vendor's machine: built from a crate, or taken as they are.
//!
//! A crate is built with its lock file, for `wasm32-wasip2`, in a target folder of its own and with
//! every path of this machine replaced, so that the same sources give the same bytes wherever they
//! lie. Variables that would change the code (flags, profiles) are taken out of cargo's environment.

use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::process::Output;

use cofferdam_package::digest::Digest;
use serde::Deserialize;

use super::Code;
use super::output::folder_of;
use super::output::read_small;
use crate::failure::Failure;

const TARGET: &str = "wasm32-wasip2";
/// More than the host accepts, so that the host's own refusal is the one that is shown.
const COMPONENT_CAP_BYTES: u64 = 256 << 20;
const LOCK_CAP_BYTES: u64 = 16 << 20;

/// A component, ready to be packed.
#[derive(Debug)]
pub(super) struct Component {
    /// The WebAssembly component.
    pub bytes: Vec<u8>,
    /// How it was built; none for a `.wasm` file.
    pub build: Option<BuildFacts>,
    /// What stands in the way of arriving at the same bytes elsewhere.
    pub warnings: Vec<String>,
}

/// What a rebuild needs to arrive at the same bytes.
#[derive(Debug, Clone)]
pub(super) struct BuildFacts {
    /// What `rustc --version` says.
    pub toolchain: String,
    /// The SHA-256 of `Cargo.lock`.
    pub lock_digest: Digest,
}

/// Takes the component that `path` names: a `.wasm` file, or the folder of a crate to build.
///
/// # Errors
/// `component-missing`, `cargo-missing`, `wasm-target`, `lock-missing`, `step-build`, `no-artifact`.
pub(super) fn obtain(path: &Path) -> Result<Component, Failure> {
    if path
        .extension()
        .is_some_and(|extension| extension == "wasm")
        && path.is_file()
    {
        return Ok(Component {
            bytes: read_small(path, COMPONENT_CAP_BYTES)?,
            build: None,
            warnings: Vec::new(),
        });
    }
    if !path.join("Cargo.toml").is_file() {
        return Err(Code::ComponentMissing.because(format!(
            "`{}` is neither a .wasm file nor a folder with a Cargo.toml",
            path.display()
        )));
    }
    let folder = path
        .canonicalize()
        .map_err(|error| Failure::io(format_args!("`{}`", path.display()), &error))?;
    build(&folder)
}

fn build(folder: &Path) -> Result<Component, Failure> {
    let toolchain = text_of(tool("rustc", folder, &["--version"]), "rustc")?;
    ensure_target(folder)?;
    let workspace = workspace_of(folder, &["--no-deps"])?;
    let lock_path = workspace.root.join("Cargo.lock");
    if !lock_path.is_file() {
        return Err(Code::LockMissing.because(format!(
            "`{}` has no Cargo.lock; a step is built from locked sources only",
            workspace.root.display()
        )));
    }
    let lock_digest = Digest::of(&read_small(&lock_path, LOCK_CAP_BYTES)?);
    let workspace = workspace_of(folder, &["--locked", "--filter-platform", TARGET])?;
    let output = cargo_build(folder, &workspace)?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Code::StepBuild.because(format!(
            "cargo could not build `{}`:\n{}",
            folder.display(),
            said.trim_end()
        )));
    }
    tracing::info!(crate_folder = %folder.display(), "{}", said.trim_end());
    let artifact = artifact_of(&output.stdout, &folder.join("Cargo.toml")).ok_or_else(|| {
        Code::NoArtifact.because(format!(
            "the crate in `{}` built no component",
            folder.display()
        ))
    })?;
    let bytes = read_small(&artifact, COMPONENT_CAP_BYTES)?;
    let warnings = workspace.outside().map(|package| {
        format!(
            "`{}` lies outside the workspace of the step: built from another place, the component \
             has other names of symbols, and so other bytes",
            package.folder().display()
        )
    });
    let warnings = warnings.collect();
    Ok(Component {
        bytes,
        build: Some(BuildFacts {
            toolchain,
            lock_digest,
        }),
        warnings,
    })
}

/// What `cargo metadata` says of a workspace, as far as it matters here.
#[derive(Deserialize)]
struct Workspace {
    target_directory: PathBuf,
    #[serde(rename = "workspace_root")]
    root: PathBuf,
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: PathBuf,
    source: Option<String>,
}

impl Package {
    fn folder(&self) -> &Path {
        folder_of(&self.manifest_path)
    }
}

impl Workspace {
    /// Local packages beyond the workspace's own folder.
    fn outside(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| {
            package.source.is_none() && !package.manifest_path.starts_with(&self.root)
        })
    }
}

fn workspace_of(folder: &Path, options: &[&str]) -> Result<Workspace, Failure> {
    let mut command = command_in("cargo", folder);
    command
        .args(["metadata", "--format-version", "1"])
        .args(options);
    let text = text_of(command.output(), "cargo metadata")?;
    serde_json::from_str(&text).map_err(|error| {
        Code::StepBuild.because(format!(
            "`cargo metadata` answered what was not expected: {error}"
        ))
    })
}

fn cargo_build(folder: &Path, workspace: &Workspace) -> Result<Output, Failure> {
    let mut command = command_in("cargo", folder);
    command
        .args(["build", "--release", "--locked", "--target", TARGET])
        .args([
            "--message-format",
            "json-render-diagnostics",
            "--target-dir",
        ])
        // Other flags than the developer's own builds have: a folder of its own keeps both warm.
        .arg(workspace.target_directory.join("cofferdam"))
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            remapped_prefixes(folder, workspace)?,
        );
    command.output().map_err(|error| missing("cargo", &error))
}

/// Flags that replace this machine's paths, longest last: the compiler takes the last that matches.
fn remapped_prefixes(folder: &Path, workspace: &Workspace) -> Result<OsString, Failure> {
    let sysroot = text_of(tool("rustc", folder, &["--print", "sysroot"]), "rustc")?;
    let mut prefixes = vec![
        (cargo_home(), "/cargo".to_owned()),
        (PathBuf::from(sysroot.trim()), "/rust".to_owned()),
        (workspace.root.clone(), "/workspace".to_owned()),
    ];
    // The same flags for every crate of a workspace: other flags would build all of it again.
    if !folder.starts_with(&workspace.root) {
        prefixes.push((folder.to_owned(), "/step".to_owned()));
    }
    let outside = workspace.outside();
    prefixes.extend(outside.map(|it| (it.folder().to_owned(), format!("/local/{}", it.name))));
    prefixes.sort_by_key(|(path, _)| path.as_os_str().len());
    let mut flags = OsString::new();
    for (path, name) in prefixes {
        if !flags.is_empty() {
            flags.push("\u{1f}");
        }
        flags.push("--remap-path-prefix=");
        flags.push(path);
        flags.push("=");
        flags.push(name);
    }
    Ok(flags)
}

fn cargo_home() -> PathBuf {
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo")))
        .unwrap_or_else(|| PathBuf::from("/nonexistent"))
}

/// Adds the target through rustup when the crate's toolchain does not have it.
fn ensure_target(folder: &Path) -> Result<(), Failure> {
    let libraries = text_of(
        tool(
            "rustc",
            folder,
            &["--print", "target-libdir", "--target", TARGET],
        ),
        "rustc",
    )?;
    if Path::new(libraries.trim()).is_dir() {
        return Ok(());
    }
    let added = tool("rustup", folder, &["target", "add", TARGET]).map_err(|error| {
        Code::WasmTarget.because(format!(
            "the target {TARGET} is not installed, and rustup: {error}"
        ))
    })?;
    if added.status.success() {
        return Ok(());
    }
    Err(Code::WasmTarget.because(format!(
        "the target {TARGET} is not installed, and `rustup target add` failed: {}",
        String::from_utf8_lossy(&added.stderr).trim_end()
    )))
}

/// One line of cargo's JSON output.
#[derive(Deserialize)]
struct Message {
    reason: String,
    #[serde(default)]
    manifest_path: PathBuf,
    #[serde(default)]
    filenames: Vec<PathBuf>,
    target: Option<Target>,
}

#[derive(Deserialize)]
struct Target {
    crate_types: Vec<String>,
}

fn artifact_of(messages: &[u8], manifest: &Path) -> Option<PathBuf> {
    messages
        .split(|byte| *byte == b'\n')
        .filter_map(|line| serde_json::from_slice::<Message>(line).ok())
        .filter(|message| {
            message.reason == "compiler-artifact" && message.manifest_path == manifest
        })
        .filter(|message| {
            message.target.as_ref().is_some_and(|target| {
                target
                    .crate_types
                    .iter()
                    .any(|crate_type| crate_type == "cdylib")
            })
        })
        .flat_map(|message| message.filenames)
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
}

fn tool(name: &str, folder: &Path, arguments: &[&str]) -> io::Result<Output> {
    command_in(name, folder).args(arguments).output()
}

/// A tool in the crate's folder (its toolchain file counts), without what would change its output.
fn command_in(name: &str, folder: &Path) -> Command {
    let mut command = Command::new(name);
    command.current_dir(folder).env("CARGO_TERM_COLOR", "never");
    for (variable, _) in std::env::vars_os() {
        let known = variable.to_string_lossy();
        let changes_code = known == "RUSTFLAGS"
            || known == "CARGO_ENCODED_RUSTFLAGS"
            || known == "CARGO_INCREMENTAL"
            || known.starts_with("CARGO_BUILD_")
            || known.starts_with("CARGO_PROFILE_")
            || known.starts_with("CARGO_TARGET_WASM32_");
        if changes_code {
            command.env_remove(&variable);
        }
    }
    command
}

fn text_of(output: io::Result<Output>, name: &str) -> Result<String, Failure> {
    let output = output.map_err(|error| missing(name, &error))?;
    if !output.status.success() {
        return Err(Code::StepBuild.because(format!(
            "{name} failed: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        )));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

fn missing(name: &str, error: &io::Error) -> Failure {
    Code::CargoMissing.because(format!("`{name}` could not be started: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wasm_file_is_taken_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.wasm");
        std::fs::write(&path, b"bytes").unwrap();
        let component = obtain(&path).unwrap();
        assert_eq!(component.bytes, b"bytes");
        assert!(component.build.is_none());
    }

    #[test]
    fn what_is_neither_a_crate_nor_a_component_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = obtain(folder.path()).unwrap_err();
        assert_eq!(refused.code, "component-missing");
        assert!(
            refused
                .message
                .contains(&folder.path().display().to_string())
        );
    }

    #[test]
    fn a_crate_without_a_lock_file_is_not_built() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("src")).unwrap();
        std::fs::write(folder.path().join("src/lib.rs"), "").unwrap();
        std::fs::write(
            folder.path().join("Cargo.toml"),
            "[package]\nname = \"a\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[workspace]\n",
        )
        .unwrap();
        assert_eq!(obtain(folder.path()).unwrap_err().code, "lock-missing");
    }

    #[test]
    fn the_artifact_is_the_component_of_this_crate_only() {
        let messages = br#"{"reason":"compiler-artifact","manifest_path":"/o/Cargo.toml","target":{"crate_types":["cdylib"]},"filenames":["/o.wasm"]}
not json
{"reason":"compiler-artifact","manifest_path":"/s/Cargo.toml","target":{"crate_types":["lib"]},"filenames":["/s.rlib"]}
{"reason":"compiler-artifact","manifest_path":"/s/Cargo.toml","target":{"crate_types":["cdylib"]},"filenames":["/s.d","/s.wasm"]}
"#;
        let found = artifact_of(messages, Path::new("/s/Cargo.toml"));
        assert_eq!(found, Some(PathBuf::from("/s.wasm")));
        assert_eq!(artifact_of(messages, Path::new("/t/Cargo.toml")), None);
    }
}
