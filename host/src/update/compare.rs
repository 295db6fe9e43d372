// SPDX-License-Identifier: Apache-2.0
//! The live tree against the package: what becomes of each path, and every refusal that needs a look at the
//! trees: odd files, mounts, state in the way, too little space. Nothing is written here.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use cofferdam_install::Install;
use cofferdam_install::InstallError;
use cofferdam_install::Ready;
use cofferdam_package::glob::GlobSet;
use cofferdam_package::glob::KeyGlobSet;
use cofferdam_package::manifest::Phase;
use cofferdam_tree::classify::Classified;
use cofferdam_tree::classify::classify;
use cofferdam_tree::preflight as tree_preflight;
use cofferdam_tree::preflight::Space;
use cofferdam_tree::walk::LiveTree;
use serde_json::json;

use crate::failure::Exit;
use crate::failure::Failure;
use crate::update::build::Update;
use crate::update::grants::EffectiveGrants;
use crate::update::report::Disk;

/// How much longer than it is a config file may become, for all that is known before the steps have run.
const GROWTH_BYTES: u64 = 64 * 1024;

/// Decides what becomes of each path, and whether there is room for it.
pub(super) fn compare(update: &Update<'_>, ready: &Ready) -> Result<(Classified, Disk), Failure> {
    let install = ready.install();
    let settings = install.settings()?;
    refuse_unmovable(install)?;
    let live = LiveTree::read(&install.live_tree()?, &settings.live)?;
    tree_preflight::refuse_odd(&live)?;
    tree_preflight::refuse_files_of_others(&live)?;
    let classified = classify(
        &install.live_inventory()?,
        &live,
        update.package.manifest(),
        &update.preflight.roles,
        &update.request.replace,
    )?;
    classified.refuse_state_in_the_way()?;
    let (mut budget_bytes, mut budget_files, mut write) = (0_u64, 0_u64, Vec::new());
    for (_, grants) in update
        .preflight
        .chosen
        .iter()
        .filter(|(_, grants)| !grants.write.is_empty())
    {
        budget_bytes = budget_bytes.saturating_add(grants.limits.written_bytes);
        budget_files = budget_files.saturating_add(grants.limits.files);
        write.extend(globs_of(grants)?.iter().cloned());
    }
    let mut needed = Space::of(
        &live,
        &classified,
        &GlobSet::new(write),
        budget_bytes,
        budget_files,
    );
    for bytes in beside_the_tree(update, &live) {
        needed.add_file(bytes);
    }
    let free = tree_preflight::free(install.place().state())?;
    needed.refuse_unless_within(&free)?;
    refuse_full_elsewhere(update)?;
    let disk = Disk {
        needed_bytes: needed.bytes,
        free_bytes: free.bytes,
        needed_inodes: needed.inodes,
        free_inodes: free.inodes,
    };
    Ok((classified, disk))
}

/// The lengths of what is written beside the tree: documents of the package, components of health steps,
/// and config files, each once as it was and once as it will be.
fn beside_the_tree(update: &Update<'_>, live: &LiveTree) -> Vec<u64> {
    let package = update.package;
    let signatures = package.signature_files();
    let configs = update.preflight.config_files.lengths(live);
    let health = package.manifest().steps_in(Phase::Health);
    [package.manifest_bytes().len() as u64]
        .into_iter()
        .chain(signatures.iter().map(|(_, bytes)| bytes.len() as u64))
        .chain(health.map(|step| step.bytes))
        .chain(configs.iter().flat_map(|bytes| [*bytes, *bytes]))
        .collect()
}

/// Refuses when there is no room beside a config file outside of the install that a step may change, on whatever
/// file system that is.
fn refuse_full_elsewhere(update: &Update<'_>) -> Result<(), Failure> {
    let mut keys = Vec::new();
    for (_, grants) in &update.preflight.chosen {
        let parsed = KeyGlobSet::parse(&grants.config_write);
        let parsed = parsed.map_err(super::steps::patterns_of_a_verified_manifest)?;
        keys.extend(parsed.iter().cloned());
    }
    let keys = KeyGlobSet::new(keys);
    let mut needed: BTreeMap<u64, (PathBuf, Space)> = BTreeMap::new();
    for path in update.preflight.config_files.outside_within(&keys) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        // A folder that is missing is told by whoever writes there.
        let Some(folder) = real.parent().and_then(|folder| folder.metadata().ok()) else {
            continue;
        };
        let length = real.metadata().map_or(0, |facts| facts.len());
        let (_, space) = needed
            .entry(folder.dev())
            .or_insert_with(|| (real.clone(), Space::default()));
        space.add_file(length.saturating_add(GROWTH_BYTES));
    }
    for (path, space) in needed.values() {
        let folder = path.parent().unwrap_or(path);
        let refused = |source| InstallError::Io {
            doing: format!("write config files in `{}`", folder.display()),
            source,
        };
        let opened = Dir::open_ambient_dir(folder, ambient_authority()).map_err(refused)?;
        let free = tree_preflight::free(&opened)?;
        if free.is_read_only {
            return Err(refused(io::ErrorKind::ReadOnlyFilesystem.into()).into());
        }
        space.refuse_unless_within(&free).map_err(|error| {
            let failure = Failure::from(error);
            Failure {
                message: format!(
                    "config files in `{}`: {}",
                    folder.display(),
                    failure.message
                ),
                ..failure
            }
        })?;
    }
    Ok(())
}

/// Refuses what would keep the trees from changing places, or would travel with one: a mount at or below the
/// install or in its state directory, and attributes that pin the install or the directory that holds it.
pub(crate) fn refuse_unmovable(install: &Install) -> Result<(), Failure> {
    let place = install.place();
    refuse_mounts(place.path())?;
    refuse_mounts(&place.state_path())?;
    tree_preflight::refuse_pinned(place.parent(), "..")?;
    Ok(tree_preflight::refuse_pinned(&install.live_tree()?, ".")?)
}

fn refuse_mounts(directory: &Path) -> Result<(), Failure> {
    let mounts = tree_preflight::mounts_below(directory)?;
    match mounts.first() {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            Exit::Refused,
            "mount-below",
            format!(
                "`{}` is a mount point, expected none at or below `{}`",
                first.display(),
                directory.display()
            ),
            "unmount it, or keep what is mounted outside of the install",
        )
        .with_details(json!({ "mounts": mounts }))),
    }
}

/// What a step may write.
pub(super) fn globs_of(grants: &EffectiveGrants) -> Result<GlobSet, Failure> {
    grants
        .write_globs()
        .map_err(super::steps::patterns_of_a_verified_manifest)
}
