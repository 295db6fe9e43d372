// SPDX-License-Identifier: Apache-2.0
//! Gathers what can be believed, under the lock, and changes nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use cap_std::fs::Dir;
use cofferdam_tree::inventory::Inventory;
use cofferdam_tree::walk::LiveTree;
use rustix::fs::AtFlags;

use super::Asked;
use super::Decision;
use super::decide;
use super::evidence::Evidence;
use super::evidence::Folder;
use super::evidence::Made;
use super::evidence::Standing;
use super::evidence::Told;
use super::evidence::Tree;
use super::marker;
use super::plan::Spot;
use crate::agreement::Agreement;
use crate::agreement::left;
use crate::building::check_txid;
use crate::error::Doing as _;
use crate::error::InstallError;
use crate::generation;
use crate::generation::Known;
use crate::history;
use crate::history::HistoryError;
use crate::journal::Journal;
use crate::journal::codec;
use crate::layout;
use crate::layout::InodeId;
use crate::layout::Place;
use crate::lock;
use crate::lock::Lock;
use crate::outside;
use crate::recover::foresee;
use crate::settings::ConfigFileAt;
use crate::settings::Settings;

/// Stops a file that is not ours from being read into memory.
const HISTORY_CAP_BYTES: u64 = 1 << 30;

/// An install whose ordinary recovery is not possible, looked at under its lock. Nothing is changed before
/// [`Salvage::act`].
#[must_use]
#[derive(Debug)]
pub struct Salvage {
    pub(crate) place: Place,
    pub(crate) settings: Settings,
    pub(crate) lock: Lock,
    pub(crate) decision: Decision,
    /// The journal that was there, or the one written ahead.
    pub(crate) old: Option<Journal>,
    pub(crate) is_ahead: bool,
}

impl Salvage {
    /// Takes the lock, looks at everything, and decides. `wanted` is the generation that a person names, `txid` what
    /// the decision is called.
    ///
    /// # Errors
    /// `from-disk-not-needed` where the ordinary recovery is possible; `from-disk-undecided` with how far each tree
    /// agrees with each generation; busy; a mistake in `install.toml`, without whose keys nothing is believed.
    pub fn look(
        dir: &Path,
        wanted: Option<u64>,
        txid: &str,
        now_unix_s: u64,
    ) -> Result<Self, InstallError> {
        check_txid(txid)?;
        let place = Place::open(dir)?;
        let lock = lock::take(place.state(), "recover --from-disk", now_unix_s)?;
        let file = place.state_path().join(layout::SETTINGS);
        let settings = Settings::read(place.state(), &file.display().to_string())?;
        let Journals {
            found,
            old,
            is_ahead,
        } = match journals(&place)? {
            Before::CutOff(marker) => {
                let (old, is_ahead) = (marker.old.clone(), marker.is_ahead);
                let decision = marker.decision();
                if let Some(other) = wanted.filter(|wanted| *wanted != decision.live) {
                    return Err(InstallError::FromDiskUndecided {
                        undecided: decision.instead_of(other),
                    });
                }
                return Ok(Self {
                    place,
                    settings,
                    lock,
                    decision,
                    old,
                    is_ahead,
                });
            }
            Before::Journals(journals) => *journals,
        };
        let asked = Asked {
            wanted,
            txid: txid.to_owned(),
            now_unix_s,
        };
        let evidence = gather(&place, &settings, (old.clone(), is_ahead))?;
        let decision = decide(&evidence, &asked)
            .map_err(|undecided| InstallError::FromDiskUndecided { undecided })?;
        Ok(Self {
            decision: Decision { found, ..decision },
            place,
            settings,
            lock,
            old,
            is_ahead,
        })
    }

    /// What [`Self::act`] will do.
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What the operator decided.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The install, for messages.
    pub fn place(&self) -> &Place {
        &self.place
    }
}

enum Before {
    CutOff(Box<marker::Marker>),
    Journals(Box<Journals>),
}

struct Journals {
    found: String,
    old: Option<Journal>,
    is_ahead: bool,
}

/// What stands where the journal should; an error where it can be believed and followed.
fn journals(place: &Place) -> Result<Before, InstallError> {
    let read = |name| layout::read_file(place.state(), name, codec::JOURNAL_CAP_BYTES);
    let ahead = || {
        let bytes = read(layout::JOURNAL_AHEAD).ok().flatten()?;
        codec::decode(&bytes).ok()
    };
    let unreadable = |found: String| {
        Ok(Before::Journals(Box::new(Journals {
            found,
            old: ahead(),
            is_ahead: true,
        })))
    };
    let bytes = match read(layout::JOURNAL) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return unreadable(format!("`{}` is missing", layout::JOURNAL)),
        Err(error) => {
            return unreadable(format!("`{}` cannot be read: {error}", layout::JOURNAL));
        }
    };
    if let Some(marker) = marker::decode(&bytes) {
        if fits(place, &marker)? {
            return Ok(Before::CutOff(Box::new(marker)));
        }
        return Ok(Before::Journals(Box::new(Journals {
            found: marker.found,
            old: marker.old,
            is_ahead: marker.is_ahead,
        })));
    }
    match codec::decode(&bytes) {
        Err(error) => unreadable(error.to_string()),
        Ok(journal) => match foresee(place, &journal)? {
            Ok(_) => Err(InstallError::FromDiskNotNeeded),
            Err(found) => Ok(Before::Journals(Box::new(Journals {
                found: found.to_string(),
                old: Some(journal),
                is_ahead: false,
            }))),
        },
    }
}

/// Whether each move of a recovery that was cut off is done, or can be done once those before it are.
fn fits(place: &Place, marker: &marker::Marker) -> Result<bool, InstallError> {
    let mut stands = BTreeMap::new();
    for spot in marker.moves.iter().flat_map(|step| [&step.from, &step.to]) {
        stands.insert(spot, inode_at(place, &marker.txid, spot)?);
    }
    for step in &marker.moves {
        let at = |spot| stands.get(spot).copied().flatten();
        if at(&step.to) == Some(step.what) {
            continue;
        }
        if at(&step.from) != Some(step.what) || at(&step.to).is_some() {
            return Ok(false);
        }
        stands.insert(&step.from, None);
        stands.insert(&step.to, Some(step.what));
    }
    Ok(true)
}

/// The directory and the name that a spot stands for; none while that directory is not there.
pub(crate) fn open_spot(
    place: &Place,
    txid: &str,
    spot: &Spot,
) -> Result<Option<(Dir, String)>, InstallError> {
    let opened = match spot {
        Spot::Install => {
            let parent = place.parent().try_clone();
            parent.map(|parent| (parent, place.name().to_owned()))
        }
        Spot::Tree(number) => place
            .open_generation(*number)
            .map(|folder| (folder, layout::TREE.to_owned())),
        Spot::Folder(name) => place.open_generations().map(|all| (all, name.clone())),
        Spot::SetAside(name) => layout::open_directory(place.state(), layout::SET_ASIDE.as_ref())
            .and_then(|all| layout::open_directory(&all, txid.as_ref()))
            .map(|aside| (aside, name.clone())),
    };
    match opened {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).doing(|| looking_at(spot, txid)),
    }
}

/// What stands at a spot, whatever it is.
pub(crate) fn inode_at(
    place: &Place,
    txid: &str,
    spot: &Spot,
) -> Result<Option<InodeId>, InstallError> {
    let Some((folder, name)) = open_spot(place, txid, spot)? else {
        return Ok(None);
    };
    inode_of(&folder, &name).doing(|| looking_at(spot, txid))
}

fn looking_at(spot: &Spot, txid: &str) -> String {
    format!("look at `{}`", spot.shown("DIR", txid))
}

fn inode_of(folder: &Dir, name: &str) -> io::Result<Option<InodeId>> {
    match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(InodeId(stat.st_ino))),
        Err(rustix::io::Errno::NOENT) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Every name in `generations`, sorted; none when that is not there.
pub(crate) fn names_in_generations(place: &Place) -> Result<Vec<String>, InstallError> {
    let list = || -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in place.open_generations()?.entries()? {
            // A name that is not UTF-8 is none of ours, and cannot be written down.
            names.extend(entry?.file_name().to_str().map(str::to_owned));
        }
        names.sort();
        Ok(names)
    };
    match list() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed.doing(|| format!("list `{}`", layout::GENERATIONS)),
    }
}

fn gather(
    place: &Place,
    settings: &Settings,
    (journal, is_ahead): (Option<Journal>, bool),
) -> Result<Evidence, InstallError> {
    let doing = || "look at the generations".to_owned();
    let mut folders = BTreeMap::new();
    let mut inventories = BTreeMap::new();
    let mut strangers = Vec::new();
    let names = names_in_generations(place)?;
    for name in names {
        let inode = place
            .open_generations()
            .and_then(|all| inode_of(&all, &name))
            .doing(doing)?;
        let Some(inode) = inode else {
            continue;
        };
        let number = layout::generation_number(&name);
        let Some(number) = number.filter(|number| place.open_generation(*number).is_ok()) else {
            strangers.push((name, inode));
            continue;
        };
        let believed = believe(place, settings, journal.as_ref(), number);
        let believed = believed.map(|(made, inventory)| {
            inventories.insert(number, inventory);
            made
        });
        let folder = place.open_generation(number).doing(doing)?;
        let was_left = inode_of(&folder, layout::LEFT).doing(doing)?.is_some();
        folders.insert(
            number,
            Folder {
                inode,
                believed,
                tree: None,
                was_left,
            },
        );
    }
    for (number, folder) in &mut folders {
        let spot = Spot::Tree(*number);
        folder.tree = match standing(place, settings, &spot, &inventories)? {
            Standing::Nothing => None,
            found @ (Standing::Other(_) | Standing::Tree(_)) => Some(found),
        };
    }
    Ok(Evidence {
        install: standing(place, settings, &Spot::Install, &inventories)?,
        folders,
        strangers,
        journal,
        is_ahead,
        told: told(place.state()),
        roles: settings.roles.clone(),
        waiting: waiting(settings),
    })
}

/// What stands at a spot, compared with every generation that is believed.
fn standing(
    place: &Place,
    settings: &Settings,
    spot: &Spot,
    inventories: &BTreeMap<u64, Inventory>,
) -> Result<Standing, InstallError> {
    let doing = || looking_at(spot, "");
    let Some((folder, name)) = open_spot(place, "", spot)? else {
        return Ok(Standing::Nothing);
    };
    let Some(inode) = inode_of(&folder, &name).doing(doing)? else {
        return Ok(Standing::Nothing);
    };
    let Ok(dir) = layout::open_directory(&folder, name.as_ref()) else {
        return Ok(Standing::Other(inode));
    };
    let tree = LiveTree::read(&dir, &settings.live)?;
    let mut agreement = BTreeMap::new();
    for (number, inventory) in inventories {
        // How a tree had been edited when its generation was left says nothing of a tree elsewhere: any other
        // edit would agree as well.
        let known = if *spot == Spot::Tree(*number) {
            left(place, *number)
        } else {
            Known::default()
        };
        let compared = Agreement::of(&tree, inventory, &known)?;
        agreement.insert(*number, compared);
    }
    Ok(Standing::Tree(Tree { inode, agreement }))
}

/// A generation's manifest, its signatures verified with today's keys and rule, and its inventory; or why it cannot
/// be believed.
fn believe(
    place: &Place,
    settings: &Settings,
    journal: Option<&Journal>,
    number: u64,
) -> Result<(Made, Inventory), String> {
    let told = |error: InstallError| match error {
        InstallError::GenerationUnreadable { file, reason, .. } => format!("`{file}`: {reason}"),
        error => error.to_string(),
    };
    let inventory = generation::read_inventory(place, number).map_err(told)?;
    let rule = settings.policy.signatures;
    let manifest =
        generation::manifest_in_folder(place, number, &settings.trust, rule).map_err(told)?;
    let recorded = journal.and_then(|journal| journal.generations.get(&number));
    let Some(verified) = manifest else {
        let is_managed = inventory
            .entries
            .values()
            .any(|item| item.kind == cofferdam_tree::inventory::ItemKind::Managed);
        return if is_managed || recorded.is_some_and(|record| record.package.is_some()) {
            Err(format!("`{}` is missing", layout::MANIFEST))
        } else {
            Ok((Made::default(), inventory))
        };
    };
    let manifest = verified.manifest();
    if manifest.id != settings.id {
        return Err(format!(
            "its package is `{}`, expected `{}`",
            manifest.id, settings.id
        ));
    }
    let made = Made {
        version: Some(manifest.version.clone()),
        data_format: manifest.data_format,
        package: Some(verified.digest()),
    };
    Ok((made, inventory))
}

/// What the history tells, as far as its chain holds.
fn told(state: &Dir) -> Told {
    let Ok(Some(bytes)) = layout::read_file(state, layout::HISTORY, HISTORY_CAP_BYTES) else {
        return Told::default();
    };
    let records = match history::verify(&bytes) {
        Ok(history) => history.records,
        Err(HistoryError::Broken { line, .. }) => {
            let sound = usize::try_from(line.saturating_sub(1)).unwrap_or(0);
            let sound: Vec<u8> = bytes
                .split_inclusive(|byte| *byte == b'\n')
                .take(sound)
                .flatten()
                .copied()
                .collect();
            history::verify(&sound).map_or_else(|_| Vec::new(), |history| history.records)
        }
        Err(_) => Vec::new(),
    };
    Told::by(&records)
}

/// What waits beside config files outside the install, left by whatever was cut off.
fn waiting(settings: &Settings) -> Vec<String> {
    let mut waiting = Vec::new();
    for declared in settings.config.values() {
        let Some(ConfigFileAt::Outside(path)) = &declared.file else {
            continue;
        };
        let Ok(located) = outside::locate(path) else {
            continue;
        };
        let beginning = layout::config_temporary(&located.name, "");
        let Ok(entries) = located.folder.entries() else {
            continue;
        };
        for name in entries.flatten().map(|entry| entry.file_name()) {
            if let Some(name) = name.to_str().filter(|name| name.starts_with(&beginning)) {
                let path = located.path.with_file_name(name);
                waiting.push(path.display().to_string());
            }
        }
    }
    waiting.sort();
    waiting
}
