// SPDX-License-Identifier: Apache-2.0
//! Where the configuration files of an update really are, read and written by handle.
//!
//! The vendor says what a file is called and where it lies in the install; the operator may say that it
//! lies somewhere else. Inside the install it is part of the tree and goes live with the exchange;
//! outside it is handed to the commit, which has a journaled rename for it.

use std::collections::BTreeMap;
use std::io;
use std::io::Read;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use cap_std::fs::OpenOptionsExt as _;
use cofferdam_config::Format;
use cofferdam_install::ConfigOutside;
use cofferdam_install::settings::ConfigFileAt;
use cofferdam_install::settings::Settings;
use cofferdam_package::glob::GlobError;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::manifest::ConfigFormat;
use cofferdam_package::manifest::Manifest;
use cofferdam_package::path::PayloadPath;

use crate::config_session::ConfigFile;
use crate::config_session::ConfigSession;
use crate::failure::Failure;

/// The declared configuration files of one package on one install.
#[derive(Clone, Debug, Default)]
pub struct ConfigFiles {
    declared: BTreeMap<String, Declared>,
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
    /// # Errors
    /// Never for patterns of a verified manifest and of settings that were read.
    pub fn locate(manifest: &Manifest, settings: &Settings) -> Result<Self, GlobError> {
        let mut declared = BTreeMap::new();
        for (name, file) in &manifest.config {
            let place = settings.config.get(name);
            let mut secret = file.secret.clone();
            secret.extend(place.iter().flat_map(|place| place.secret.patterns()));
            let at = place.and_then(|place| place.file.clone());
            let format = place.and_then(|place| place.format).unwrap_or(file.format);
            declared.insert(
                name.clone(),
                Declared {
                    at: at.unwrap_or_else(|| ConfigFileAt::Inside(file.file.clone())),
                    format: format_of(format),
                    secret: KeyGlobSet::parse(&secret)?,
                },
            );
        }
        Ok(Self { declared })
    }

    /// The paths inside the install, which no file grant opens.
    pub fn inside(&self) -> impl Iterator<Item = &PayloadPath> {
        self.declared
            .values()
            .filter_map(|declared| match &declared.at {
                ConfigFileAt::Inside(path) => Some(path),
                ConfigFileAt::Outside(_) => None,
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
            let found = declared
                .read(tree)
                .map_err(|error| unreadable(name, declared, &error))?;
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
                let found = declared
                    .read(tree)
                    .map_err(|error| unreadable(&name, declared, &error))?;
                if let Some(bytes) = found {
                    self.keys
                        .appeared(&name, bytes)
                        .map_err(|error| Failure::config(&name, &error))?;
                }
            }
        }
        Ok(())
    }

    /// Writes changed files that lie inside the install into the staged tree.
    ///
    /// The tree is not live and is synced as a whole later: a crash here leaves an unfinished tree.
    ///
    /// # Errors
    /// The file system refuses.
    pub fn write_inside(&self, tree: &Dir) -> Result<(), Failure> {
        for (name, bytes) in self.keys.changed_files() {
            if let Some(Declared {
                at: ConfigFileAt::Inside(path),
                ..
            }) = self.files.declared.get(name)
            {
                write(tree, path.as_str(), bytes)
                    .map_err(|error| Failure::io(format!("configuration file `{path}`"), &error))?;
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
    fn path(&self) -> PathBuf {
        match &self.at {
            ConfigFileAt::Inside(path) => PathBuf::from(path.as_str()),
            ConfigFileAt::Outside(path) => path.clone(),
        }
    }

    fn read(&self, tree: &Dir) -> io::Result<Option<Vec<u8>>> {
        let opened = match &self.at {
            ConfigFileAt::Inside(path) => open_inside(tree, path.as_str()),
            ConfigFileAt::Outside(path) => open_outside(path),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is not a regular file",
            ));
        }
        let mut bytes = Vec::new();
        let cap = cofferdam_config::MAX_BYTES as u64;
        file.take(cap + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > cap {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("it has more than {cap} bytes"),
            ));
        }
        Ok(Some(bytes))
    }
}

/// Opens without waiting: a fifo in the file's place must not hang the host. Links stay in the tree.
fn open_inside(tree: &Dir, path: &str) -> io::Result<std::fs::File> {
    let mut options = OpenOptions::new();
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    options.read(true).custom_flags(nonblocking);
    tree.open_with(path, &options)
        .map(cap_std::fs::File::into_std)
}

/// Opens without waiting: a fifo in the file's place must not hang the host.
fn open_outside(path: &Path) -> io::Result<std::fs::File> {
    use rustix::fs::Mode;
    use rustix::fs::OFlags;
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(rustix::fs::open(path, flags, Mode::empty())?.into())
}

fn write(tree: &Dir, path: &str, bytes: &[u8]) -> io::Result<()> {
    if let Some((parent, _)) = path.rsplit_once('/') {
        tree.create_dir_all(parent)?;
    }
    let mut options = OpenOptions::new();
    let mut file = tree.open_with(path, options.write(true).create(true).truncate(true))?;
    file.write_all(bytes)
}

fn unreadable(name: &str, declared: &Declared, error: &io::Error) -> Failure {
    Failure::io(
        format!(
            "configuration file `{name}` at `{}`",
            declared.path().display()
        ),
        error,
    )
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
