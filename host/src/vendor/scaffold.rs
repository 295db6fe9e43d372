// SPDX-License-Identifier: Apache-2.0
//! A ready crate for a new step, with the SDK and the interface beside it, so that it builds anywhere.
//!
//! Everything is compiled into the binary: nothing is fetched. The crate appears whole or not at all.

use std::path::Path;
use std::path::PathBuf;

use super::Code;
use super::output::folder_of;
use crate::failure::Failure;

/// The longest name: that of a step in a manifest.
const NAME_BYTES: usize = 64;

/// Names that cargo or Rust keep for themselves, beside keywords.
const RESERVED: &[&str] = &[
    "alloc",
    "build",
    "cofferdam-sdk",
    "core",
    "deps",
    "examples",
    "incremental",
    "proc-macro",
    "proc_macro",
    "std",
    "test",
    "wit-bindgen",
];

const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "crate",
    "do", "dyn", "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl",
    "in", "let", "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref",
    "return", "self", "static", "struct", "super", "trait", "true", "try", "type", "typeof",
    "unsafe", "unsized", "use", "virtual", "where", "while", "yield",
];

/// The crate's own files.
const CRATE: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("scaffold/Cargo.toml.in")),
    ("README.md", include_str!("scaffold/README.md.in")),
    (".gitignore", include_str!("scaffold/gitignore.in")),
    ("package.toml", include_str!("scaffold/package.toml.in")),
    ("src/lib.rs", include_str!("scaffold/lib.rs.in")),
];

/// What cargo resolved for that crate. Its own entry is put in when it gets its name.
const LOCK: &str = include_str!("scaffold/Cargo.lock.in");

macro_rules! embedded {
    ($($path:literal),+ $(,)?) => {
        &[$(($path, include_str!(concat!("../../../", $path)))),+]
    };
}

/// The SDK and the interface that it is generated from, as they lie in the repository.
const SDK: &[(&str, &str)] = embedded![
    "guest-sdk/Cargo.toml",
    "guest-sdk/README.md",
    "guest-sdk/src/bindings.rs",
    "guest-sdk/src/config.rs",
    "guest-sdk/src/config/backend.rs",
    "guest-sdk/src/config/value.rs",
    "guest-sdk/src/context.rs",
    "guest-sdk/src/export.rs",
    "guest-sdk/src/failure.rs",
    "guest-sdk/src/lib.rs",
    "guest-sdk/src/log.rs",
    "guest-sdk/src/verdict.rs",
    "wit/step.wit",
];

/// Where the SDK lies in a new crate.
const SDK_FOLDER: &str = "cofferdam-sdk";

/// Writes a crate named `name` into the new folder `folder`. With `sdk`, the crate uses the SDK in
/// that folder instead of a copy of its own.
///
/// # Errors
/// `name-refused`, `already-exists`, `component-missing` when `sdk` holds no SDK, or an error of the
/// file system.
pub fn write_crate(folder: &Path, name: &str, sdk: Option<&Path>) -> Result<Vec<PathBuf>, Failure> {
    check_name(name)?;
    let failed =
        |error: std::io::Error| Failure::io(format_args!("`{}`", folder.display()), &error);
    if folder.symlink_metadata().is_ok() {
        return Err(Code::AlreadyExists.because(format!("`{}` is there already", folder.display())));
    }
    let sdk_path = match sdk {
        None => format!("{SDK_FOLDER}/guest-sdk"),
        Some(sdk) => {
            let place = sdk.canonicalize().map_err(|error| {
                Failure::io(format_args!("the SDK in `{}`", sdk.display()), &error)
            })?;
            if !place.join("Cargo.toml").is_file() {
                return Err(Code::ComponentMissing.because(format!(
                    "`{}` holds no Cargo.toml of the SDK",
                    sdk.display()
                )));
            }
            place.display().to_string()
        }
    };
    let mut files: Vec<(String, String)> = CRATE
        .iter()
        .map(|(path, text)| ((*path).to_owned(), filled(text, name, &sdk_path)))
        .collect();
    files.push(("Cargo.lock".to_owned(), lock_for(name)));
    if sdk.is_none() {
        let copies = SDK
            .iter()
            .map(|(path, text)| (format!("{SDK_FOLDER}/{path}"), (*text).to_owned()));
        files.extend(copies);
    }
    // Written beside the target and renamed, so that half a crate is never there.
    let staging = tempfile::Builder::new()
        .prefix(".cofferdam-")
        .tempdir_in(folder_of(folder))
        .map_err(failed)?;
    let half = staging.path().join("crate");
    for (path, text) in &files {
        let target = half.join(path);
        std::fs::create_dir_all(folder_of(&target)).map_err(failed)?;
        std::fs::write(&target, text).map_err(failed)?;
    }
    std::fs::rename(&half, folder).map_err(failed)?;
    Ok(files
        .into_iter()
        .map(|(path, _)| folder.join(path))
        .collect())
}

/// The lines for package.toml.
pub fn snippet(name: &str) -> String {
    filled(include_str!("scaffold/package.toml.in"), name, "")
}

fn check_name(name: &str) -> Result<(), Failure> {
    let refused = |why: &str| {
        Err(Code::NameRefused.because(format!("a step's crate cannot be named `{name}`: {why}")))
    };
    if name.is_empty() || name.len() > NAME_BYTES {
        return refused("it has no letter, or more than 64");
    }
    if !name.starts_with(|first: char| first.is_ascii_lowercase()) {
        return refused("it does not start with a lower-case letter");
    }
    if !name
        .bytes()
        .all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-'))
    {
        return refused("it has other characters than lower-case letters, digits and hyphens");
    }
    if name.ends_with('-') || name.contains("--") {
        return refused("a hyphen stands where a letter or digit is expected");
    }
    if RESERVED.contains(&name) || KEYWORDS.contains(&name) {
        return refused("cargo or Rust uses that name itself");
    }
    Ok(())
}

fn filled(text: &str, name: &str, sdk: &str) -> String {
    let wit = match sdk.strip_suffix("/guest-sdk") {
        Some(above) => format!("`{above}/wit/step.wit`"),
        None => "`wit/step.wit` beside the SDK".to_owned(),
    };
    text.replace("@NAME@", name)
        .replace("@FILE@", &name.replace('-', "_"))
        .replace("@SDK@", sdk)
        .replace("@WIT@", &wit)
}

/// The lock file with the crate under its own name, in the order in which cargo writes it.
fn lock_for(name: &str) -> String {
    let own = format!(
        "name = \"{name}\"\nversion = \"0.1.0\"\ndependencies = [\n \"cofferdam-sdk\",\n]\n"
    );
    let mut parts = LOCK.split("[[package]]\n");
    let head = parts.next().unwrap_or_default();
    let mut packages: Vec<String> = parts.map(|part| format!("{}\n", part.trim_end())).collect();
    packages.push(own);
    packages.sort_by(|a, b| a.lines().take(2).cmp(b.lines().take(2)));
    let packages: Vec<String> = packages
        .into_iter()
        .map(|package| format!("[[package]]\n{package}"))
        .collect();
    format!("{head}{}", packages.join("\n"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn below(root: &Path, folder: &str, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                below(root, &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn the_whole_sdk_is_embedded() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut expected = BTreeSet::new();
        below(root, "guest-sdk", &mut expected);
        below(root, "wit", &mut expected);
        // Other languages have their own ways to a component.
        let others = ["c", "example", "javascript", "python", "target", "tool"];
        expected.retain(|path| {
            !others
                .iter()
                .any(|other| path.starts_with(&format!("guest-sdk/{other}/")))
        });
        let embedded: BTreeSet<String> = SDK.iter().map(|(path, _)| (*path).to_owned()).collect();
        assert_eq!(embedded, expected);
    }

    #[test]
    fn a_crate_appears_whole_and_only_where_nothing_is() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("convert-records");
        let files = write_crate(&place, "convert-records", None).unwrap();
        assert!(files.iter().all(|file| file.is_file()));
        let text = std::fs::read_to_string(place.join("Cargo.toml")).unwrap();
        assert!(text.contains("name = \"convert-records\""));
        assert!(text.contains("cofferdam-sdk/guest-sdk"));
        let refused = write_crate(&place, "convert-records", None).unwrap_err();
        assert_eq!(refused.code, "already-exists");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_that_cargo_or_a_manifest_would_refuse_are_refused() {
        for name in [
            "",
            "A",
            "1a",
            "a_b",
            "a--b",
            "a-",
            "fn",
            "test",
            "../a",
            "cofferdam-sdk",
        ] {
            assert_eq!(
                check_name(name).unwrap_err().code,
                "name-refused",
                "{name:?}"
            );
        }
        assert!(check_name("move-net-section").is_ok());
    }

    #[test]
    fn the_lock_file_lists_the_crate_in_its_place() {
        for name in ["aaa", "move-it", "zzz"] {
            let lock = lock_for(name);
            let names: Vec<&str> = lock
                .lines()
                .filter_map(|line| line.strip_prefix("name = "))
                .collect();
            assert!(names.contains(&format!("\"{name}\"").as_str()));
            assert!(names.is_sorted(), "{names:?}");
            assert!(lock.starts_with("# This file is automatically @generated"));
        }
    }

    #[test]
    fn no_placeholder_is_left() {
        for (path, text) in CRATE {
            assert!(!filled(text, "a", "b").contains('@'), "{path}");
        }
    }
}
