// SPDX-License-Identifier: Apache-2.0
//! The payload into its place, after `prepare` and before `migrate`.
//!
//! The payload wins over whatever `prepare` left at a managed path. A seed gives way to anything
//! that stands in its place.

use std::sync::Mutex;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::classify::Action;
use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::root;
use crate::stage::Known;
use crate::stage::Stage;
use crate::verify;
use crate::walk::Stamp;

impl Stage {
    /// Renames fetched files in, removes what the package no longer has, makes its symlinks and
    /// directories, and removes its directories that became empty.
    ///
    /// # Errors
    ///
    /// A failing call; the slot is then the caller's to discard.
    pub fn place_payload(&mut self) -> Result<(), TreeError> {
        self.remove_kept()?;
        self.make_payload_directories()?;
        self.place_files()?;
        self.place_symlinks()?;
        self.place_older_seeds()?;
        self.remove_retired_directories()?;
        self.placed = true;
        self.forget_replaced()
    }

    /// Removes old objects that stood for `prepare`, unless a step put something else there, or a
    /// new file is about to replace them in one rename.
    fn remove_kept(&mut self) -> Result<(), TreeError> {
        for (path, stamp) in &std::mem::take(&mut self.kept) {
            let replaced = matches!(
                self.classified.actions.get(path),
                Some(Action::Write { .. } | Action::Remode { .. })
            );
            if !replaced
                && let Some(standing) = self.look(path)?
                && standing.stamp.identity() == stamp.identity()
            {
                let raw_name = root::last_name(path)?;
                rustix::fs::unlinkat(&standing.directory, &*raw_name, AtFlags::empty())
                    .map_err(|errno| TreeError::io("remove", path, errno))?;
            }
        }
        Ok(())
    }

    fn make_payload_directories(&self) -> Result<(), TreeError> {
        let directories: Vec<(String, Option<u32>)> = self
            .classified
            .actions
            .iter()
            .filter_map(|(path, action)| match action {
                Action::Directory { mode, .. } => Some((path.clone(), *mode)),
                _ => None,
            })
            .collect();
        for (path, _) in &directories {
            if self
                .look(path)?
                .is_some_and(|found| found.file_type != FileType::Directory)
            {
                self.clear(path)?;
            }
        }
        self.make_directories(directories)
    }

    fn place_files(&mut self) -> Result<(), TreeError> {
        let paths = self
            .classified
            .written()
            .filter(|path| self.known.contains_key(*path));
        let groups = verify::by_directory(paths.map(str::to_owned).collect(), |_| 1);
        let placed = Mutex::new(Vec::new());
        parallel::for_each(&groups, |(directory, paths)| {
            let to = self.slot.open_directory(directory)?;
            let mut batch = Vec::with_capacity(paths.len());
            for path in paths {
                let (index, is_seed) = match self.classified.actions.get(path) {
                    Some(Action::Seed { index, .. }) => (*index, true),
                    Some(Action::Write { index, .. } | Action::Remode { index, .. }) => {
                        (*index, false)
                    }
                    _ => continue,
                };
                let fetched = index.to_string();
                let raw_name = root::last_name(path)?;
                if is_seed && root::stat_at(&to, &raw_name, path)?.is_some() {
                    rustix::fs::unlinkat(&self.incoming, &fetched, AtFlags::empty())
                        .map_err(|errno| TreeError::io("remove", path, errno))?;
                    batch.push((path.clone(), None));
                    continue;
                }
                let rename = || rustix::fs::renameat(&self.incoming, &fetched, &to, &*raw_name);
                match rename() {
                    Err(Errno::ISDIR) => {
                        self.clear(path)?;
                        rename()
                    }
                    other => other,
                }
                .map_err(|errno| TreeError::io("place", path, errno))?;
                // The rename changed the inode's time: the stamp is taken again.
                let stat = root::stat_at(&to, &raw_name, path)?;
                batch.push((path.clone(), stat.as_ref().map(Stamp::of)));
            }
            parallel::lock(&placed).append(&mut batch);
            Ok(())
        })?;
        let placed = placed
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        for (path, stamp) in placed {
            match (stamp, self.known.get_mut(&path)) {
                (Some(stamp), Some(Known { stamp: known, .. })) => *known = stamp,
                _ => {
                    self.known.remove(&path);
                }
            }
        }
        Ok(())
    }

    fn place_symlinks(&self) -> Result<(), TreeError> {
        for (path, action) in &self.classified.actions {
            if let Action::Symlink { target } = action {
                self.clear(path)?;
                self.make_symlink(path, target)?;
            }
        }
        Ok(())
    }

    fn place_older_seeds(&self) -> Result<(), TreeError> {
        for (path, action) in &self.classified.actions {
            let Action::SeedOfOlder { stamp, .. } = action else {
                continue;
            };
            if self.look(path)?.is_none() {
                let from = self.base.open_directory(name::split(path).0)?;
                let to = self.slot.open_directory(name::split(path).0)?;
                let raw_name = root::last_name(path)?;
                self.copy_with_attributes((&from, &raw_name), (&to, &raw_name), path, Some(stamp))?;
            }
        }
        Ok(())
    }

    /// Deepest first; one that still holds something stays, and is state from now on.
    fn remove_retired_directories(&self) -> Result<(), TreeError> {
        for path in self.classified.retired_directories.iter().rev() {
            let Some(standing) = self.look(path)? else {
                continue;
            };
            if standing.file_type != FileType::Directory {
                continue;
            }
            let raw_name = root::last_name(path)?;
            match rustix::fs::unlinkat(&standing.directory, &*raw_name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => {}
                Err(errno) => return Err(TreeError::io("remove", path, errno)),
            }
        }
        Ok(())
    }
}
