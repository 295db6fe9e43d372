// SPDX-License-Identifier: Apache-2.0
//! Where the configuration files of an update really are, read and written by handle.
//!
//! The vendor says what a file is called and where it lies in the install; the operator may say that it
//! lies somewhere else. Inside the install it is part of the tree and goes live with the exchange;
//! outside it is handed to the commit, which has a journaled rename for it.

mod said;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::Read;
use std::path::Path;

use cap_std::fs::Dir;
use cofferdam_config::Format;
use cofferdam_install::ConfigOutside;
use cofferdam_install::Install;
use cofferdam_install::settings::ConfigFileAt;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlob;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::path::PayloadPath;
use cofferdam_tree::single::read_file;
use cofferdam_tree::single::replace_file;
use cofferdam_tree::walk::LiveTree;
use serde_json::json;

use crate::config_session::ConfigFile;
use crate::config_session::ConfigSession;
use crate::failure::Exit;
use crate::failure::Failure;

/// The declared configuration files of one package on one install.
#[derive(Clone, Debug, Default)]
pub struct ConfigFiles {
    declared: BTreeMap<String, Declared>,
    inside: BTreeSet<PayloadPath>,
    named: BTreeSet<String>,
}

#[derive(Clone, Debug)]
struct Declared {
    at: ConfigFileAt,
    format: Format,
    secret: KeyGlobSet,
}

impl ConfigFiles {
    /// The package's files, where the operator's settings put them.
    ///
    /// What is hidden and what is secret is more than what this package declares: what any package before
    /// it declared and what the operator names counts too, whatever it is called. A package cannot make a
    /// secret readable by forgetting that it is one; only the operator can release it.
    ///
    /// # Errors
    /// `config-twice` when two names mean one file; `config-inside` for a file in the state directory;
    /// `config-format` for one with secrets whose keys two declarations spell differently.
    pub fn locate(manifest: &Manifest, install: &Install) -> Result<Self, Failure> {
        let settings = install.settings()?;
        let said = said::all(manifest, install)?;
        let mut declared: BTreeMap<String, Declared> = BTreeMap::new();
        for (name, file) in &manifest.config {
            let at = said::place_of(name, &file.file, install)?;
            if let Some((other, _)) = declared.iter().find(|(_, declared)| declared.at == at) {
                return Err(config_twice(name, other, &at));
            }
            let place = settings.config.get(name);
            let mut secret: Vec<String> = place
                .iter()
                .flat_map(|place| place.secret.patterns())
                .collect();
            let same = || said.iter().filter(|said| said.at == at);
            secret.extend(same().flat_map(|said| said.secret.iter().cloned()));
            secret.sort();
            secret.dedup();
            let stated = place.and_then(|place| place.format);
            let format = stated.unwrap_or(file.format);
            let mut others = same().filter_map(|said| said.format);
            if stated.is_none()
                && !secret.is_empty()
                && let Some(other) = others.find(|other| *other != format)
            {
                return Err(config_format(name, &at, format, other));
            }
            declared.insert(
                name.clone(),
                Declared {
                    at,
                    format: format_of(format),
                    secret: unnamed(&secret)?,
                },
            );
        }
        let inside = said.into_iter().filter_map(|said| match said.at {
            ConfigFileAt::Inside(path) => Some(path),
            ConfigFileAt::Outside(_) => None,
        });
        let named = said::declared(manifest, install)?.into_iter();
        Ok(Self {
            declared,
            inside: inside.collect(),
            named: named.map(|config| config.file.to_string()).collect(),
        })
    }

    /// Every path that this package or one before it calls a config file, wherever the operator has it: what lies there may hold secrets, even where no key leads to it any more.
    pub fn named(&self) -> BTreeSet<String> {
        self.named.clone()
    }

    /// Every configuration file inside the install that anybody declares: no file grant opens them.
    pub fn inside(&self) -> impl Iterator<Item = &PayloadPath> {
        self.inside.iter()
    }

    /// How long each of the package's files is, where it is there.
    pub fn lengths(&self, live: &LiveTree) -> Vec<u64> {
        let length = |declared: &Declared| match &declared.at {
            ConfigFileAt::Inside(path) => live.bytes_of(path.as_str()),
            ConfigFileAt::Outside(path) => path.metadata().ok().map(|facts| facts.len()),
        };
        self.declared.values().filter_map(length).collect()
    }

    /// Those outside of the install that have a key within these patterns.
    pub fn outside_within<'a>(&'a self, keys: &'a KeyGlobSet) -> impl Iterator<Item = &'a Path> {
        self.declared.iter().filter_map(|(name, declared)| {
            let means = |glob: &KeyGlob| glob.file().is_none_or(|file| file == name);
            match &declared.at {
                ConfigFileAt::Outside(path) => keys.iter().any(means).then_some(path.as_path()),
                ConfigFileAt::Inside(_) => None,
            }
        })
    }

    /// Opens a session over the files as they stand in `tree` and outside of it.
    ///
    /// # Errors
    /// A file cannot be read, or its format cannot be parsed.
    pub fn open(&self, tree: &Dir) -> Result<Session, Failure> {
        let mut files = BTreeMap::new();
        let mut before = BTreeMap::new();
        for (name, declared) in &self.declared {
            let found = declared.read(name, tree)?;
            if let ConfigFileAt::Outside(_) = declared.at {
                before.insert(name.clone(), found.clone());
            }
            let (format, secret) = (declared.format, declared.secret.clone());
            files.insert(
                name.clone(),
                ConfigFile {
                    found,
                    format,
                    secret,
                },
            );
        }
        let keys =
            ConfigSession::open(files).map_err(|(name, error)| Failure::config(&name, &error))?;
        Ok(Session {
            files: self.clone(),
            keys,
            before,
        })
    }
}

/// The configuration files of one update, open.
#[derive(Debug)]
pub struct Session {
    files: ConfigFiles,
    /// Their keys, as steps see them.
    pub keys: ConfigSession,
    before: BTreeMap<String, Option<Vec<u8>>>,
}

impl Session {
    /// Takes in files that the payload has brought: seeds where nothing stood before.
    ///
    /// # Errors
    /// A seed cannot be read, or its format cannot be parsed.
    pub fn take_in_seeds(&mut self, tree: &Dir) -> Result<(), Failure> {
        for name in self.keys.missing() {
            let Some(declared) = self.files.declared.get(&name) else {
                continue;
            };
            if let ConfigFileAt::Inside(_) = declared.at {
                let found = declared.read(&name, tree)?;
                if let Some(bytes) = found {
                    self.keys
                        .appeared(&name, bytes)
                        .map_err(|error| Failure::config(&name, &error))?;
                }
            }
        }
        Ok(())
    }

    /// Writes changed files that lie inside the install into the staged tree, as new files: whatever
    /// shares an inode with the old one is not touched.
    ///
    /// The tree is not live and is synced as a whole later: a crash here leaves an unfinished tree.
    ///
    /// # Errors
    /// `config-managed` for a file that the package owns, `config-live` for one that all generations
    /// share; the file system refuses.
    pub fn write_inside(&self, tree: &Dir, may_write: &Writable<'_>) -> Result<(), Failure> {
        for (name, bytes) in self.keys.changed_files() {
            if let Some(Declared {
                at: ConfigFileAt::Inside(path),
                ..
            }) = self.files.declared.get(name)
            {
                may_write.judge(name, path)?;
                replace_file(tree, path, bytes)?;
            }
        }
        Ok(())
    }

    /// The changed files outside of the install, as they were found and as they should become.
    pub fn outside(&self) -> Vec<ConfigOutside> {
        let mut outside = Vec::new();
        for (name, bytes) in self.keys.changed_files() {
            if let Some(Declared {
                at: ConfigFileAt::Outside(path),
                ..
            }) = self.files.declared.get(name)
            {
                outside.push(ConfigOutside {
                    name: name.to_owned(),
                    path: path.clone(),
                    before: self.before.get(name).cloned().flatten(),
                    after: bytes.to_vec(),
                });
            }
        }
        outside
    }
}

impl Declared {
    fn read(&self, name: &str, tree: &Dir) -> Result<Option<Vec<u8>>, Failure> {
        let cap = cofferdam_config::MAX_BYTES as u64;
        match &self.at {
            ConfigFileAt::Inside(path) => Ok(read_file(tree, path, cap)?),
            ConfigFileAt::Outside(path) => read_outside(path, cap).map_err(|error| {
                let place = path.display();
                Failure::io(format!("configuration file `{name}` at `{place}`"), &error)
            }),
        }
    }
}

/// Which configuration files inside an install a step's keys may change.
#[derive(Debug)]
pub struct Writable<'a> {
    /// Paths that the package owns.
    pub managed: &'a BTreeSet<String>,
    /// Whether the steps may write those.
    pub managed_writes: bool,
    /// The operator's live files.
    pub live: &'a GlobSet,
}

impl Writable<'_> {
    fn judge(&self, name: &str, path: &PayloadPath) -> Result<(), Failure> {
        if self.managed.contains(path.as_str()) && !self.managed_writes {
            return Err(Failure::new(
                Exit::Refused,
                "config-managed",
                format!("a step changes keys of `{name}`, but `{path}` is the package's own file"),
                "the vendor marks it as a seed (keep = true), so that it is the operator's",
            ));
        }
        if self.live.matches(path.as_str()) {
            return Err(Failure::new(
                Exit::Refused,
                "config-live",
                format!("a step changes keys of `{name}`, but `{path}` is a live file"),
                "take it out of [state] live in install.toml",
            ));
        }
        Ok(())
    }
}

/// Reads without waiting: a fifo in the file's place must not hang the host.
fn read_outside(path: &Path, cap_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    use rustix::fs::Mode;
    use rustix::fs::OFlags;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let invalid = |text: String| io::Error::new(io::ErrorKind::InvalidData, text);
    if !file.metadata()?.is_file() {
        return Err(invalid("it is not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(cap_bytes + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > cap_bytes {
        return Err(invalid(format!("it has more than {cap_bytes} bytes")));
    }
    Ok(Some(bytes))
}

/// Patterns of several declarations of one file: the name that each gave it does not matter.
fn unnamed(patterns: &[String]) -> Result<KeyGlobSet, Failure> {
    let unnamed = |pattern: &String| {
        let glob = KeyGlob::parse(pattern)?;
        let named = glob.file().and_then(|name| pattern.strip_prefix(name));
        KeyGlob::parse(named.map_or(pattern, |rest| rest.trim_start_matches(':')))
    };
    let globs: Result<Vec<KeyGlob>, _> = patterns.iter().map(unnamed).collect();
    globs
        .map(KeyGlobSet::new)
        .map_err(super::steps::patterns_of_a_verified_manifest)
}

fn config_twice(name: &str, other: &str, at: &ConfigFileAt) -> Failure {
    let place = said::shown(at);
    Failure::new(
        Exit::Refused,
        "config-twice",
        format!("`{name}` and `{other}` are the same configuration file, `{place}`"),
        "give each name a file of its own under [config] in install.toml",
    )
}

fn config_format(
    name: &str,
    at: &ConfigFileAt,
    found: ConfigFormat,
    expected: ConfigFormat,
) -> Failure {
    let place = said::shown(at);
    Failure::new(
        Exit::Refused,
        "config-format",
        format!(
            "this package declares `{name}`, `{place}`, as {found}; it was declared as {expected}, and has \
             secrets, whose keys another format spells differently"
        ),
        format!(
            "look at `{place}`, and state its format under [config.{name}] in install.toml, with the keys \
             that are secret as that format spells them"
        ),
    )
    .with_details(json!({
        "config": name,
        "found": found.as_str(),
        "expected": expected.as_str(),
    }))
}

fn format_of(format: ConfigFormat) -> Format {
    match format {
        ConfigFormat::Toml => Format::Toml,
        ConfigFormat::Json => Format::Json,
        ConfigFormat::Ini => Format::Ini,
        ConfigFormat::Env => Format::Env,
        ConfigFormat::Yaml => Format::Yaml,
    }
}
