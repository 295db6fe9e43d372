// SPDX-License-Identifier: Apache-2.0
//! Unchanged managed files as further links to the files that the live tree has.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use cofferdam_package::digest::Digest;
use rustix::fs::AtFlags;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::attributes;
use crate::attributes::Attributes;
use crate::classify;
use crate::classify::Action;
use crate::error::TreeError;
use crate::inode_flags;
use crate::inventory::ItemKind;
use crate::inventory::Node;
use crate::name;
use crate::parallel;
use crate::root;
use crate::root::Root;
use crate::stage::Known;
use crate::stage::Stage;
use crate::verify;
use crate::walk::FoundNode;
use crate::walk::LiveTree;
use crate::walk::Stamp;

impl Stage {
    /// Makes the directories of the next tree and links what does not change into them.
    ///
    /// With `keep_old_managed`, managed files that change or go are linked too, so that `prepare`
    /// steps find the old tree whole; [`Self::place_payload`] replaces and removes them.
    ///
    /// # Errors
    ///
    /// `changed-while-copied` when a file is not the one whose digest was taken, or a failing call.
    pub fn link_unchanged(&mut self, keep_old_managed: bool) -> Result<(), TreeError> {
        let kept = if keep_old_managed {
            self.old_objects()?
        } else {
            OldObjects::default()
        };
        let wanted = self
            .classified
            .actions
            .iter()
            .filter_map(|(path, action)| match action {
                // Where an old file stands for `prepare`, the directory has to wait.
                Action::Directory { mode, .. } if !kept.is_in_the_way(path) => {
                    Some((path.clone(), *mode))
                }
                _ => None,
            });
        let directories = wanted.chain(kept.directories.iter().map(|path| (path.clone(), None)));
        self.make_directories(directories.collect())?;

        let unchanged = self
            .classified
            .actions
            .iter()
            .filter_map(|(path, action)| match action {
                Action::Link { stamp, digest } => Some((path.clone(), (*stamp, *digest))),
                _ => None,
            });
        let unchanged: Vec<_> = unchanged.collect();
        self.known.extend(self.link_all(&self.base, &unchanged)?);
        let kept_files = self.link_all(&self.live, &kept.files)?;
        self.kept.extend(
            kept_files
                .into_iter()
                .map(|(path, known)| (path, known.stamp)),
        );
        for (path, target) in &kept.symlinks {
            let stamp = self.make_symlink(path, target)?;
            self.kept.insert(path.clone(), stamp);
        }
        Ok(())
    }

    /// What the package has in the live tree and has otherwise, or not at all, in the next.
    fn old_objects(&self) -> Result<OldObjects, TreeError> {
        let live = LiveTree::read(&self.live.handle()?, &self.live_patterns)?;
        let mut kept = OldObjects::default();
        let managed = self
            .classified
            .old
            .entries
            .iter()
            .filter(|(_, item)| item.kind == ItemKind::Managed);
        for (path, item) in managed {
            let Some(found) = live.found.get(path) else {
                continue;
            };
            if !classify::is_same_type(&item.node, &found.node) {
                continue;
            }
            let stays = matches!(
                self.classified.actions.get(path),
                Some(Action::Link { .. } | Action::SeedStands { .. } | Action::Directory { .. })
            );
            match (&item.node, &found.node) {
                (Node::Directory, _) => {
                    kept.directories.insert(path.clone());
                }
                (_, FoundNode::Symlink(target)) => {
                    kept.symlinks.push((path.clone(), target.clone()));
                }
                (Node::File { digest, .. }, _) if !stays => {
                    kept.files.push((path.clone(), (found.stamp, *digest)));
                }
                _ => {}
            }
            kept.directories
                .extend(name::ancestors(path).map(str::to_owned));
        }
        Ok(kept)
    }

    fn link_all(
        &self,
        source: &Root,
        files: &[(String, (Stamp, Digest))],
    ) -> Result<Vec<(String, Known)>, TreeError> {
        let facts: HashMap<_, _> = files
            .iter()
            .map(|(path, facts)| (path.as_str(), *facts))
            .collect();
        let paths = files.iter().map(|(path, _)| path.clone()).collect();
        let linked = Mutex::new(Vec::with_capacity(files.len()));
        parallel::for_each(&verify::by_directory(paths, |_| 1), |(directory, paths)| {
            let from = source.open_directory(directory)?;
            let to = self.slot.open_directory(directory)?;
            let mut batch = Vec::with_capacity(paths.len());
            for path in paths {
                let Some((seen, digest)) = facts.get(path.as_str()) else {
                    continue;
                };
                let stamp = self.link(&from, &to, path, seen)?;
                batch.push((
                    path.clone(),
                    Known {
                        digest: *digest,
                        stamp,
                    },
                ));
            }
            parallel::lock(&linked).append(&mut batch);
            Ok(())
        })?;
        Ok(linked
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Links one file, and makes sure that it is the one that was seen, unchanged.
    pub(super) fn link(
        &self,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &str,
        seen: &Stamp,
    ) -> Result<Stamp, TreeError> {
        let raw_name = root::last_name(path)?;
        let changed = || TreeError::ChangedWhileCopied {
            path: path.to_owned(),
        };
        match rustix::fs::linkat(from, &*raw_name, to, &*raw_name, AtFlags::empty()) {
            Ok(()) => {}
            // The file has as many links as the file system can count: it gets an inode of its own.
            Err(Errno::MLINK) => {
                return self.copy_with_attributes(
                    (from, &raw_name),
                    (to, &raw_name),
                    path,
                    Some(seen),
                );
            }
            Err(Errno::NOENT) => return Err(changed()),
            Err(errno) => return Err(TreeError::io("link", path, errno)),
        }
        let stat = root::stat_at(to, &raw_name, path)?.ok_or_else(changed)?;
        let stamp = Stamp::of(&stat);
        if stamp.same_content(seen) {
            Ok(stamp)
        } else {
            Err(changed())
        }
    }

    /// Copies one file with everything that it has.
    ///
    /// With `seen`, it must be that file and stay as it is; without, it is copied as found.
    pub(super) fn copy_with_attributes(
        &self,
        (from, from_name): (&OwnedFd, &OsStr),
        (to, to_name): (&OwnedFd, &OsStr),
        path: &str,
        seen: Option<&Stamp>,
    ) -> Result<Stamp, TreeError> {
        let changed = || TreeError::ChangedWhileCopied {
            path: path.to_owned(),
        };
        let (mut source, before) = root::open_file(from, from_name, path)?;
        if seen.is_some_and(|seen| !seen.same_content(&Stamp::of(&before))) {
            return Err(changed());
        }
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut target = rustix::fs::openat(to, to_name, flags, Mode::RUSR | Mode::WUSR)
            .map(File::from)
            .map_err(|errno| TreeError::io("create", path, errno))?;
        inode_flags::carry(&source, &target);
        self.copier
            .copy(&mut source, &mut target, before.stx_size, path)?;
        let after = root::stat_of(&source, path)?;
        if seen.is_some_and(|seen| !seen.same_content(&Stamp::of(&after))) {
            return Err(changed());
        }
        Attributes::read(&source, &after, path)?.give(&target, path)?;
        rustix::fs::futimens(&target, &attributes::modified(Stamp::of(&after).mtime))
            .map_err(|errno| TreeError::io("set the time of", path, errno))?;
        Ok(Stamp::of(&root::stat_of(&target, path)?))
    }
}

/// Managed objects of the live tree that `prepare` should find.
#[derive(Default)]
struct OldObjects {
    directories: BTreeSet<String>,
    files: Vec<(String, (Stamp, Digest))>,
    symlinks: Vec<(String, String)>,
}

impl OldObjects {
    /// Whether an old file or symlink stands at `path` or above it.
    fn is_in_the_way(&self, path: &str) -> bool {
        let stands = |path: &str| {
            self.files
                .binary_search_by(|(file, _)| file.as_str().cmp(path))
                .is_ok()
                || self
                    .symlinks
                    .binary_search_by(|(link, _)| link.as_str().cmp(path))
                    .is_ok()
        };
        stands(path) || name::ancestors(path).any(stands)
    }
}
