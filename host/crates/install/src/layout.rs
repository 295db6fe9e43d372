// SPDX-License-Identifier: Apache-2.0
//! The names of everything on disk, in one table, and the three directories that an install is made
//! of.
//!
//! A [`Place`] holds handles to the parent of the install directory and to its state directory;
//! whatever this crate does later goes through them, so that nobody can swap a path component in
//! between. It must never follow a symlink below those handles, and it must never create anything:
//! opening is reading.
//!
//! Who may write in these directories may decide what root runs next. So opening refuses a state
//! directory that is not ours alone, and a parent in which others could put another directory at
//! our names. The one exception is a parent that is sticky *and* owned by root (such as `/tmp`):
//! there, others can add names of their own, but cannot rename, replace or remove ours.

mod files;
mod inode;

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use rustix::fs::Mode;
use rustix::fs::OFlags;

pub(crate) use self::files::is_damage;
pub(crate) use self::files::open_file;
pub(crate) use self::files::read_file;
pub use self::inode::InodeId;
pub(crate) use self::inode::born_ns;
pub(crate) use self::inode::directory_inode;

/// Beside `DIR` stands `DIR.cofferdam`.
pub const STATE_SUFFIX: &str = ".cofferdam";
/// The operator's file.
pub const SETTINGS: &str = "install.toml";
/// The journal: one document.
pub const JOURNAL: &str = "transaction.json";
/// The journal as it will read once the commit under way is done, written ahead so that finishing
/// needs no space.
pub const JOURNAL_AHEAD: &str = ".transaction.json.ahead";
/// The lock file: who holds the install.
pub const LOCK: &str = "lock";
/// One folder for each generation.
pub const GENERATIONS: &str = "generations";
/// One folder for each transaction: blobs on their way.
pub const INCOMING: &str = "incoming";
/// Records, one line each.
pub const HISTORY: &str = "history.jsonl";
/// Packages condemned here.
pub const REFUSED: &str = "refused.json";
/// Compiled components; safe to delete.
pub const CACHE: &str = "cache";
/// In a generation's folder: its files, unless it is live.
pub const TREE: &str = "tree";
/// In a generation's folder: the package's manifest, byte for byte.
pub const MANIFEST: &str = "manifest.json";
/// In a generation's folder: the package's signatures.
pub const SIGNATURES: &str = "signatures";
/// In a generation's folder: the components of its health steps, each named by its digest.
pub const COMPONENTS: &str = "components";
/// In a generation's folder: the configuration files that packages declared before it.
pub const DECLARED: &str = "declared.json";
/// In a generation's folder: every file of the tree when it was sealed.
pub const INVENTORY: &str = "inventory.json";
/// In a generation's folder: config files outside the install, as its commit put them.
pub const MADE: &str = "made.json";
/// In a generation's folder: managed files that differed from the inventory when the generation was
/// left.
pub const LEFT: &str = "left.json";
/// In a generation's folder: config files outside the install, as they were when it was left.
pub const CONFIG: &str = "config";

/// In the state directory: what a recovery from the disk moved out of the way, one folder for each.
pub const SET_ASIDE: &str = "set-aside";

/// The number of the generation whose folder is `name`; none for a name that is not spelt as we spell numbers.
pub fn generation_number(name: &str) -> Option<u64> {
    name.parse()
        .ok()
        .filter(|number: &u64| number.to_string() == name)
}

/// The temporary name under which `name` is written before it is replaced.
pub fn temporary_of(name: &str) -> String {
    format!(".{name}.new")
}

/// The temporary name of a new config file outside the install, beside its target.
pub fn config_temporary(target: &str, txid: &str) -> String {
    format!(".{target}{STATE_SUFFIX}-{txid}")
}

/// Where `adopt` builds a state directory, and where `release` puts one on its way out: never a
/// valid state.
pub fn scratch_of(install: &str) -> String {
    format!(".{install}{STATE_SUFFIX}-scratch")
}

/// Why a directory cannot be opened as an install.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// Nothing there, or not a directory.
    #[error("`{path}` is not a directory")]
    NotADirectory {
        /// What was asked for.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The root directory has no room beside it.
    #[error(
        "`{path}` has no parent directory: there is no place beside it for its state directory"
    )]
    NoParent {
        /// What was asked for.
        path: PathBuf,
    },
    /// Names are kept in JSON documents.
    #[error("`{path}` is not valid UTF-8")]
    NotUtf8 {
        /// What was asked for.
        path: PathBuf,
    },
    /// A state directory is not an install.
    #[error("`{path}` is the state directory of an install, not an install")]
    IsState {
        /// What was asked for.
        path: PathBuf,
    },
    /// No state directory beside it.
    #[error("`{path}` is not under care: there is no `{state}`")]
    NotAdopted {
        /// The install directory.
        path: PathBuf,
        /// The state directory that was looked for.
        state: PathBuf,
    },
    /// Others could replace our names.
    #[error(
        "others may write in `{path}`: its mode is {mode:04o} and its owner is {owner}, expected no write access \
         for group and others and {expected} or root as owner"
    )]
    OpenToOthers {
        /// The directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
        /// Our user id.
        expected: u32,
    },
    /// The state directory is not ours alone.
    #[error(
        "`{path}` has mode {mode:04o} and owner {owner}, expected mode 0700 and owner {expected}"
    )]
    StateExposed {
        /// The state directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
        /// Our user id.
        expected: u32,
    },
    /// The system refused.
    #[error("cannot open `{path}`")]
    Io {
        /// What was being opened.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl PlaceError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotADirectory { .. } => "not-a-directory",
            Self::NoParent { .. } => "no-parent-directory",
            Self::NotUtf8 { .. } => "path-not-utf8",
            Self::IsState { .. } => "is-state-directory",
            Self::NotAdopted { .. } => "not-adopted",
            Self::OpenToOthers { .. } => "writable-by-others",
            Self::StateExposed { .. } => "state-exposed",
            Self::Io { source, .. } => crate::error::io_code(source),
        }
    }
}

/// An install directory, resolved once, with handles to its parent and to its state directory.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    name: String,
    parent: Dir,
    state: Dir,
}

/// An install directory before it has a state directory.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) parent: Dir,
}

impl Site {
    /// Resolves `path` to its real path, and checks that nobody else can replace it.
    pub(crate) fn resolve(path: &Path) -> Result<Self, PlaceError> {
        let real = std::fs::canonicalize(path).map_err(|source| {
            let path = path.to_owned();
            if is_damage(&source) {
                PlaceError::NotADirectory { path, source }
            } else {
                PlaceError::Io { path, source }
            }
        })?;
        let name = real
            .file_name()
            .ok_or_else(|| PlaceError::NoParent { path: real.clone() })?
            .to_str()
            .ok_or_else(|| PlaceError::NotUtf8 { path: real.clone() })?
            .to_owned();
        if real.to_str().is_none() {
            return Err(PlaceError::NotUtf8 { path: real });
        }
        let parent_path = real
            .parent()
            .ok_or_else(|| PlaceError::NoParent { path: real.clone() })?;
        let metadata =
            std::fs::symlink_metadata(&real).map_err(|source| PlaceError::NotADirectory {
                path: real.clone(),
                source,
            })?;
        if !metadata.is_dir() {
            return Err(PlaceError::NotADirectory {
                path: real,
                source: io::Error::from(io::ErrorKind::NotADirectory),
            });
        }
        if name.ends_with(STATE_SUFFIX) && real.join(JOURNAL).exists() {
            return Err(PlaceError::IsState { path: real });
        }
        let parent = Dir::open_ambient_dir(parent_path, ambient_authority()).map_err(|source| {
            PlaceError::Io {
                path: parent_path.to_owned(),
                source,
            }
        })?;
        refuse_if_others_write(&parent, parent_path)?;
        Ok(Self {
            path: real,
            name,
            parent,
        })
    }

    /// The place of an install whose directory is gone, or is not a directory any more.
    fn of_missing(path: &Path) -> Result<Self, PlaceError> {
        let no_parent = || PlaceError::NoParent {
            path: path.to_owned(),
        };
        let name = path.file_name().ok_or_else(no_parent)?;
        let name = name.to_str().ok_or_else(|| PlaceError::NotUtf8 {
            path: path.to_owned(),
        })?;
        let above = match path.parent() {
            Some(above) if !above.as_os_str().is_empty() => above,
            Some(_) | None => Path::new("."),
        };
        let io = |source| PlaceError::Io {
            path: above.to_owned(),
            source,
        };
        let above = std::fs::canonicalize(above).map_err(io)?;
        let parent = Dir::open_ambient_dir(&above, ambient_authority()).map_err(|source| {
            PlaceError::Io {
                path: above.clone(),
                source,
            }
        })?;
        refuse_if_others_write(&parent, &above)?;
        Ok(Self {
            path: above.join(name),
            name: name.to_owned(),
            parent,
        })
    }

    /// The name of the state directory in the parent.
    pub(crate) fn state_name(&self) -> String {
        format!("{}{STATE_SUFFIX}", self.name)
    }

    /// Opens the state directory beside it.
    pub(crate) fn open_state(self) -> Result<Place, PlaceError> {
        let state_name = self.state_name();
        let state_path = self.path.with_file_name(&state_name);
        let state = open_directory(&self.parent, OsStr::new(&state_name)).map_err(|source| {
            if source.kind() == io::ErrorKind::NotFound {
                PlaceError::NotAdopted {
                    path: self.path.clone(),
                    state: state_path.clone(),
                }
            } else {
                PlaceError::Io {
                    path: state_path.clone(),
                    source,
                }
            }
        })?;
        let metadata = state.dir_metadata().map_err(|source| PlaceError::Io {
            path: state_path.clone(),
            source,
        })?;
        let mode = cap_std::fs::MetadataExt::mode(&metadata) & 0o7777;
        let owner = cap_std::fs::MetadataExt::uid(&metadata);
        let expected = our_user_id();
        if mode & 0o077 != 0 || owner != expected {
            return Err(PlaceError::StateExposed {
                path: state_path,
                mode,
                owner,
                expected,
            });
        }
        Ok(Place {
            path: self.path,
            name: self.name,
            parent: self.parent,
            state,
        })
    }
}

impl Place {
    /// Opens the install at `path`, following symlinks to its real path.
    ///
    /// # Errors
    /// Not a directory, no state directory, or directories that others may write.
    pub fn open(path: &Path) -> Result<Self, PlaceError> {
        match Site::resolve(path) {
            Ok(site) => site.open_state(),
            Err(missing @ PlaceError::NotADirectory { .. }) => {
                // Somebody took the directory away, but not what we know of it: recovery says so.
                Site::of_missing(path)
                    .and_then(Site::open_state)
                    .map_err(|_| missing)
            }
            Err(error) => Err(error),
        }
    }

    /// The real path of the install directory: for messages and for the service's benefit, never to
    /// open files by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The real path of the state directory: for messages.
    pub fn state_path(&self) -> PathBuf {
        self.path
            .with_file_name(format!("{}{STATE_SUFFIX}", self.name))
    }

    /// The name of the install directory in its parent.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The directory that holds the install directory and the state directory.
    pub fn parent(&self) -> &Dir {
        &self.parent
    }

    /// The state directory.
    pub fn state(&self) -> &Dir {
        &self.state
    }

    /// Opens the live tree.
    ///
    /// # Errors
    /// It is gone, or no directory.
    pub fn open_live(&self) -> io::Result<Dir> {
        open_directory(&self.parent, OsStr::new(&self.name))
    }

    /// Opens `generations/`.
    ///
    /// # Errors
    /// It is gone, or no directory.
    pub fn open_generations(&self) -> io::Result<Dir> {
        open_directory(&self.state, OsStr::new(GENERATIONS))
    }

    /// Opens the folder of generation `number`.
    ///
    /// # Errors
    /// It is gone, or no directory.
    pub fn open_generation(&self, number: u64) -> io::Result<Dir> {
        open_directory(&self.open_generations()?, OsStr::new(&number.to_string()))
    }

    /// Opens `cache/`, for what may be deleted at any time; makes it when somebody did.
    ///
    /// # Errors
    /// It cannot be made, or is no directory.
    pub fn open_cache(&self) -> io::Result<Dir> {
        match open_directory(&self.state, OsStr::new(CACHE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mode = rustix::fs::Mode::RWXU;
                rustix::fs::mkdirat(&self.state, CACHE, mode)?;
                open_directory(&self.state, OsStr::new(CACHE))
            }
            opened => opened,
        }
    }
}

/// Our effective user id: the only owner that a state directory may have.
pub(crate) fn our_user_id() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Opens directory `name` in `parent`; a symlink is not a directory.
pub(crate) fn open_directory(parent: &Dir, name: &OsStr) -> io::Result<Dir> {
    let fd = rustix::fs::openat(
        parent,
        name,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    Ok(Dir::from_std_file(fd.into()))
}

/// One rule for "nobody else can put another file at our names in this directory".
pub(crate) fn refuse_if_others_write(directory: &Dir, path: &Path) -> Result<(), PlaceError> {
    let metadata = directory.dir_metadata().map_err(|source| PlaceError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mode = cap_std::fs::MetadataExt::mode(&metadata) & 0o7777;
    let owner = cap_std::fs::MetadataExt::uid(&metadata);
    let ours = our_user_id();
    let sticky_root = mode & 0o1000 != 0 && owner == 0;
    let closed = mode & 0o022 == 0 && (owner == ours || owner == 0);
    if closed || sticky_root {
        Ok(())
    } else {
        Err(PlaceError::OpenToOthers {
            path: path.to_owned(),
            mode,
            owner,
            expected: ours,
        })
    }
}
