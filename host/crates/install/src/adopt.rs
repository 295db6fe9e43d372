// SPDX-License-Identifier: Apache-2.0
//! Puts a directory under care, as generation 1, without touching anything in it.
//!
//! The state directory is built under a temporary name beside the install, synced whole, and
//! renamed into place: a crash leaves no state directory, or a complete one. What an interrupted
//! adopt left under the temporary name is collected by the next. Two adopts of one directory, and an
//! adopt and a release, exclude each other by a lock on the directory itself; whoever wants to work
//! in what is being put under care meets the lock of the state directory.
//!
//! Before anything is promised, the file system is asked to do once what every update will need:
//! exchange two directories, hard-link a file of the install, and rename the install's directory
//! (which is tried in vain, onto a directory that is not empty, so that it cannot succeed: the
//! answer alone is of interest).

use std::path::Path;
use std::path::PathBuf;

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobError;
use cofferdam_package::keyring::TrustedKey;
use cofferdam_package::manifest::PackageId;
use cofferdam_package::verify::VerifiedPackage;
use cofferdam_tree::TreeError;
use cofferdam_tree::preflight::is_inability;
use cofferdam_tree::preflight::refuse_files_of_others;
use cofferdam_tree::preflight::trial_exchange;
use cofferdam_tree::preflight::trial_link;
use cofferdam_tree::verify::Drift;
use cofferdam_tree::walk::LiveTree;
use rustix::fs::AtFlags;
use serde_json::json;

use crate::building::check_txid;
use crate::durable;
use crate::durable::SyncFs;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::generation;
use crate::history;
use crate::history::Entry;
use crate::history::RecordKind;
use crate::journal::GenerationRecord;
use crate::journal::Journal;
use crate::journal::codec;
use crate::layout;
use crate::layout::PlaceError;
use crate::layout::Site;
use crate::lock;
use crate::open::Install;
use crate::registry::Registry;
use crate::settings;
use crate::settings::Settings;
use crate::settings::SettingsError;

/// What is put under care, and how.
pub struct Adopt<'a> {
    /// The directory.
    pub dir: &'a Path,
    /// What it holds.
    pub source: AdoptSource<'a>,
    /// What this machine is for.
    pub roles: Vec<String>,
    /// The keys that the operator trusts.
    pub trust: Vec<TrustedKey>,
    /// Patterns of append-only files that all generations share.
    pub live: Vec<String>,
    /// Where this machine's installs are listed.
    pub registry: &'a Registry,
    /// A name unique in this install, of letters, digits and `-`.
    pub txid: String,
    /// Now, in seconds since 1970.
    pub now_unix_s: u64,
}

/// What a directory holds when it comes under care.
pub enum AdoptSource<'a> {
    /// This package: what it lists is managed, and id, version and data format are its.
    Package(&'a VerifiedPackage),
    /// Something that no package describes: every file is state, and there is no version yet.
    Id(PackageId),
}

/// A directory that came under care.
#[derive(Debug)]
pub struct Adopted {
    /// The install, opened.
    pub install: Install,
    /// Managed files that differ from the package.
    pub drift: Vec<Drift>,
    /// Why this machine's list of installs does not have it, if it does not.
    pub unlisted: Option<InstallError>,
}

/// Why a directory did not come under care. Nothing changed, but for `interrupted`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The directories themselves.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// It is under care already.
    #[error("`{path}` is under care already: there is `{state}`")]
    AlreadyAdopted {
        /// The directory.
        path: PathBuf,
        /// Its state directory.
        state: PathBuf,
    },
    /// It is a part of another install.
    #[error("`{path}` lies inside `{install}`, which is under care")]
    InsideInstall {
        /// The directory.
        path: PathBuf,
        /// The install that it is a part of.
        install: PathBuf,
    },
    /// Another install is a part of it.
    #[error("`{install}` lies inside `{path}`, and is under care")]
    HoldsInstall {
        /// The directory.
        path: PathBuf,
        /// The install in it.
        install: PathBuf,
    },
    /// Its parent is on another file system, or it is a subvolume of its own.
    #[error(
        "`{path}` is on another file system, or in another subvolume, than the directory that \
         holds it"
    )]
    DifferentFileSystem {
        /// The directory.
        path: PathBuf,
    },
    /// It cannot be renamed, so it could not be exchanged.
    #[error("`{path}` cannot be renamed")]
    MoveUnsupported {
        /// The directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A pattern of live files.
    #[error(transparent)]
    Glob(#[from] GlobError),
    /// Roles, keys or names that an `install.toml` may not hold.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The file system cannot do what updates need, or the tree cannot be read.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// Anything else.
    #[error(transparent)]
    Install(#[from] InstallError),
}

impl AdoptError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Place(error) => error.code(),
            Self::AlreadyAdopted { .. } => "already-adopted",
            Self::InsideInstall { .. } => "inside-install",
            Self::HoldsInstall { .. } => "holds-install",
            Self::DifferentFileSystem { .. } => "different-file-system",
            Self::MoveUnsupported { .. } => "move-unsupported",
            Self::Glob(_) => "settings-invalid",
            Self::Settings(error) => error.code(),
            Self::Tree(error) => error.code(),
            Self::Install(error) => error.code(),
        }
    }
}

/// Puts a directory under care.
///
/// # Errors
/// Nothing changed; or the directory is under care, could not be taken out of it again, and the error
/// is `interrupted`.
pub fn adopt(request: &Adopt<'_>) -> Result<Adopted, AdoptError> {
    check_txid(&request.txid)?;
    let id = match &request.source {
        AdoptSource::Package(package) => package.manifest().id.clone(),
        AdoptSource::Id(id) => id.clone(),
    };
    // What is written for the operator is judged as if the operator had written it.
    let text = settings::render(&id, &request.roles, &request.trust, &request.live);
    let settings = Settings::parse(&text, layout::SETTINGS)?;

    let site = Site::resolve(request.dir)?;
    let live_tree = layout::open_directory(&site.parent, site.name.as_ref()).map_err(|source| {
        PlaceError::NotADirectory {
            path: site.path.clone(),
            source,
        }
    })?;
    let _exclusive = lock::take_directory(&site)?;
    refuse_existing(&site)?;
    refuse_other_file_system(&site, &live_tree)?;

    // Before: not listed. After: an entry that leads to a directory without care, which recovery passes
    // over; never a forgotten install. Only whoever holds the directory's lock, and found no state
    // directory, takes it off the list again.
    let unlisted = request.registry.add(&site.path).err();
    let scratch_name = layout::scratch_of(&site.name);
    let adopted = durable::remove_tree(&site.parent, &scratch_name).map_err(AdoptError::from);
    let adopted = adopted.and_then(|()| {
        // Before: nothing. After, until the rename: a leftover under the temporary name.
        let state = durable::create_directory(&site.parent, &scratch_name)
            .doing(|| format!("create `{scratch_name}`"))?;
        // Held until all is done: nobody works in a state directory that may be taken away again.
        let _held = lock::take(&state, "adopt", request.now_unix_s).map_err(InstallError::from)?;
        let drift = build(request, &settings, &text, &site, &live_tree, &state)?;
        let install = put_in_place(&site, &scratch_name)?;
        Ok(Adopted {
            install,
            drift,
            unlisted,
        })
    });
    match adopted {
        Ok(adopted) => Ok(adopted),
        Err(error) => {
            if refuse_existing(&site).is_ok()
                && let Err(error) = request.registry.remove(&site.path)
            {
                tracing::debug!(%error, "the list of installs keeps an entry that leads nowhere");
            }
            if let Err(left) = durable::remove_tree(&site.parent, &scratch_name) {
                tracing::warn!(%left, "the unfinished state directory is left for the next adopt");
            }
            Err(error)
        }
    }
}

fn refuse_existing(site: &Site) -> Result<(), AdoptError> {
    let state = site.path.with_file_name(site.state_name());
    if std::fs::symlink_metadata(&state).is_ok() {
        return Err(AdoptError::AlreadyAdopted {
            path: site.path.clone(),
            state,
        });
    }
    for above in site.path.ancestors().skip(1) {
        let Some(name) = above.file_name() else {
            continue;
        };
        let mut beside = name.to_owned();
        beside.push(layout::STATE_SUFFIX);
        let is_install = above.with_file_name(&beside).join(layout::JOURNAL).exists();
        let is_state = name.to_string_lossy().ends_with(layout::STATE_SUFFIX)
            && above.join(layout::JOURNAL).exists();
        if is_install || is_state {
            return Err(AdoptError::InsideInstall {
                path: site.path.clone(),
                install: above.to_owned(),
            });
        }
    }
    Ok(())
}

/// An update would exchange the tree with other installs in it, and leave what they record behind.
fn refuse_installs_below(site: &Site, live: &LiveTree) -> Result<(), AdoptError> {
    let journal = format!("{}/{}", layout::STATE_SUFFIX, layout::JOURNAL);
    let mut below = live.paths().filter_map(|path| path.strip_suffix(&journal));
    match below.next() {
        None => Ok(()),
        Some(install) => Err(AdoptError::HoldsInstall {
            path: site.path.clone(),
            install: site.path.join(install),
        }),
    }
}

fn refuse_other_file_system(site: &Site, live: &Dir) -> Result<(), AdoptError> {
    let device = |dir: &Dir| {
        rustix::fs::statat(dir, ".", AtFlags::empty())
            .map(|stat| stat.st_dev)
            .map_err(|error| PlaceError::Io {
                path: site.path.clone(),
                source: error.into(),
            })
    };
    if device(live)? == device(&site.parent)? {
        Ok(())
    } else {
        Err(AdoptError::DifferentFileSystem {
            path: site.path.clone(),
        })
    }
}

fn build(
    request: &Adopt<'_>,
    settings: &Settings,
    text: &str,
    site: &Site,
    live_tree: &Dir,
    state: &Dir,
) -> Result<Vec<Drift>, AdoptError> {
    let doing = || format!("build the state directory of `{}`", site.path.display());
    let mut sync = SyncFs::open(state).doing(doing)?;
    for name in [layout::INCOMING, layout::CACHE] {
        durable::create_directory(state, name).doing(doing)?;
    }
    let generations = durable::create_directory(state, layout::GENERATIONS).doing(doing)?;
    let folder = durable::create_directory(&generations, "1").doing(doing)?;

    let walked = LiveTree::read(live_tree, &settings.live)?;
    if let Some(odd) = walked.odd().first() {
        return Err(odd.clone().into_error().into());
    }
    refuse_installs_below(site, &walked)?;
    refuse_files_of_others(&walked)?;
    let manifest = match &request.source {
        AdoptSource::Package(package) => Some(package.manifest()),
        AdoptSource::Id(_) => None,
    };
    let (inventory, drift) = cofferdam_tree::adopt::adopt(&walked, manifest, &settings.roles)?;
    try_out(site, &walked, state)?;

    generation::write_inventory(&folder, &inventory)?;
    let mut record = GenerationRecord {
        version: None,
        data_format: 0,
        package: None,
        roles: settings.roles.clone(),
        confirmed: true,
        created_unix_s: request.now_unix_s,
        txid: request.txid.clone(),
    };
    if let AdoptSource::Package(package) = &request.source {
        generation::write_manifest(
            &folder,
            package.manifest_bytes(),
            &package.signature_files(),
        )?;
        record.version = Some(package.manifest().version.clone());
        record.data_format = package.manifest().data_format;
        record.package = Some(package.digest());
    }
    let body = json!({
        "id": settings.id.to_string(),
        "version": record.version.clone(),
        "package_digest": record.package,
        "roles": settings.roles.clone(),
        "drift": drift.len(),
    });
    let entry = Entry {
        at_unix_s: request.now_unix_s,
        txid: Some(request.txid.clone()),
        kind: RecordKind::Adopt,
        body,
    };
    let history = history::append(state, None, vec![entry]).map_err(InstallError::from)?;
    let journal = codec::encode(&Journal {
        live_tree: layout::directory_inode(&site.parent, &site.name).doing(doing)?,
        live_tree_born_ns: layout::born_ns(&site.parent, &site.name),
        history,
        ..Journal::adopted(record)
    });
    durable::write_unsynced(state, layout::SETTINGS, text.as_bytes()).doing(doing)?;
    durable::write_unsynced(state, layout::JOURNAL, &journal).doing(doing)?;
    sync.sync()
        .map_err(|source| InstallError::SyncFailed { source })?;
    Ok(drift)
}

/// Makes the finished state directory the install's, for good. What fails after the rename takes the
/// rename back: an error means that nothing changed.
fn put_in_place(site: &Site, scratch_name: &str) -> Result<Install, InstallError> {
    let doing = || {
        format!(
            "put the state directory of `{}` in place",
            site.path.display()
        )
    };
    let (parent, state_name) = (&site.parent, site.state_name());
    // Before: not under care, and a leftover. After: under care, complete; either after a power
    // cut.
    durable::move_to_free_name(parent, scratch_name, parent, &state_name).doing(doing)?;
    // After the sync: under care.
    let opened = durable::sync_directory(parent)
        .doing(doing)
        .and_then(|()| Install::open(&site.path))
        .and_then(|install| install.settings().map(drop).map(|()| install));
    let error = match opened {
        Ok(install) => return Ok(install),
        Err(error) => error,
    };
    // Before: under care. After: not under care, and a leftover again; either after a power cut.
    let back = durable::move_to_free_name(parent, &state_name, parent, scratch_name)
        // After the sync: what is removed now is a leftover, whatever happens.
        .and_then(|()| durable::sync_directory(parent))
        .doing(doing);
    Err(match back {
        Ok(()) => error,
        Err(source) => InstallError::Interrupted {
            doing: "taking the directory out of care again",
            source: Box::new(source),
        },
    })
}

/// Does once what every update will need.
fn try_out(site: &Site, live: &LiveTree, state: &Dir) -> Result<(), AdoptError> {
    let doing = || "try the file system out".to_owned();
    let trial = durable::create_directory(state, "trial").doing(doing)?;
    durable::write_unsynced(&trial, "mark", b"").doing(doing)?;
    match durable::rename_in_vain(&site.parent, &site.name, state, "trial") {
        Err(source) if is_inability(&source) => {
            let path = site.path.clone();
            return Err(AdoptError::MoveUnsupported { path, source });
        }
        renamed => renamed.doing(doing)?,
    }
    durable::remove_tree(state, "trial")?;
    trial_exchange(&site.parent, state)?;
    trial_link(live, state)?;
    Ok(())
}
