// SPDX-License-Identifier: Apache-2.0
//! Directories of the next tree: made once, with the attributes that they should have.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Mode;
use rustix::io::Errno;

use crate::attributes;
use crate::attributes::Attributes;
use crate::error::TreeError;
use crate::inode_flags;
use crate::inventory::Item;
use crate::name;
use crate::parallel;
use crate::remove;
use crate::root;
use crate::stage::Stage;
use crate::walk::Stamp;
use crate::wanted;

impl Stage {
    /// Makes `directories` (path and the mode that the package wants), parents first, over the
    /// cores. What stands already is only given the wanted mode.
    pub(super) fn make_directories(
        &self,
        directories: Vec<(String, Option<u32>)>,
    ) -> Result<(), TreeError> {
        let mut levels: Vec<Vec<(String, Option<u32>)>> = Vec::new();
        for directory in directories {
            let depth = name::ancestors(&directory.0).count();
            if levels.len() <= depth {
                levels.resize_with(depth + 1, Vec::new);
            }
            levels[depth].push(directory);
        }
        for level in &levels {
            parallel::for_each(level, |(path, mode)| self.make_directory(path, *mode))?;
        }
        Ok(())
    }

    fn make_directory(&self, path: &str, mode: Option<u32>) -> Result<(), TreeError> {
        let parent = self.slot.open_directory(name::split(path).0)?;
        let raw_name = root::last_name(path)?;
        match rustix::fs::mkdirat(&parent, &*raw_name, Mode::RWXU) {
            Ok(()) => {}
            Err(Errno::EXIST) => {
                let Some(mode) = mode else { return Ok(()) };
                let directory = self.slot.open_directory(path)?;
                let stat = root::stat_of(&directory, path)?;
                if attributes::permissions(&stat) != mode {
                    rustix::fs::fchmod(&directory, Mode::from_raw_mode(mode))
                        .map_err(|errno| TreeError::io("set the mode of", path, errno))?;
                }
                return Ok(());
            }
            Err(errno) => return Err(TreeError::io("make the directory", path, errno)),
        }
        let directory = self.slot.open_directory(path)?;
        // As the live directory at `path`, or as one added to the nearest directory above it.
        let attributes = if let Some(like) = self.standing_directory(path)? {
            inode_flags::carry(&like, &directory);
            let stat = root::stat_of(&like, path)?;
            let mut attributes = Attributes::read(&like, &stat, path)?;
            attributes.mode = mode.unwrap_or(attributes.mode);
            attributes
        } else {
            let mode = mode.unwrap_or(wanted::NEW_DIRECTORY_MODE);
            self.above(path)?.for_added_directory(mode)
        };
        attributes.give(&directory, path)
    }

    /// The directory at `path` of the live tree, or of the one that the next is built from.
    fn standing_directory(&self, path: &str) -> Result<Option<OwnedFd>, TreeError> {
        match self.live.find_directory(path)? {
            None => self.base.find_directory(path),
            found => Ok(found),
        }
    }

    /// Attributes of the nearest directory of the live tree above `path`.
    pub(super) fn above(&self, path: &str) -> Result<Arc<Attributes>, TreeError> {
        let parent = name::split(path).0;
        for directory in std::iter::once(parent)
            .chain(name::ancestors(parent))
            .chain([""])
        {
            if let Some(known) = parallel::lock(&self.inherited).get(directory) {
                return Ok(Arc::clone(known));
            }
            let Some(opened) = self.live.find_directory(directory)? else {
                continue;
            };
            let stat = root::stat_of(&opened, directory)?;
            let attributes = Arc::new(Attributes::read(&opened, &stat, directory)?);
            let mut inherited = parallel::lock(&self.inherited);
            inherited.insert(directory.to_owned(), Arc::clone(&attributes));
            return Ok(attributes);
        }
        Err(TreeError::io(
            "open the directory above",
            path,
            Errno::NOENT,
        ))
    }

    /// What stands at `path` of the slot: its directory, its facts, and whether it is a directory.
    pub(super) fn look(&self, path: &str) -> Result<Option<Standing>, TreeError> {
        let Some(directory) = self.slot.find_directory(name::split(path).0)? else {
            return Ok(None);
        };
        let Some(stat) = root::stat_at(&directory, &root::last_name(path)?, path)? else {
            return Ok(None);
        };
        let file_type = FileType::from_raw_mode(u32::from(stat.stx_mode));
        let stamp = Stamp::of(&stat);
        Ok(Some(Standing {
            directory,
            file_type,
            access: Access {
                mode: attributes::permissions(&stat),
                uid: stat.stx_uid,
                gid: stat.stx_gid,
            },
            stamp,
            links: stat.stx_nlink,
        }))
    }

    /// Removes whatever stands at `path` of the slot, with everything below it.
    pub(super) fn clear(&self, path: &str) -> Result<(), TreeError> {
        let Some(standing) = self.look(path)? else {
            return Ok(());
        };
        let raw_name = root::last_name(path)?;
        if standing.file_type == FileType::Directory {
            return remove::below(&standing.directory, &raw_name, path);
        }
        rustix::fs::unlinkat(&standing.directory, &*raw_name, AtFlags::empty())
            .map_err(|errno| TreeError::io("remove", path, errno))
    }
}

/// What stands at a path of the slot.
pub(super) struct Standing {
    pub(super) directory: OwnedFd,
    pub(super) file_type: FileType,
    pub(super) access: Access,
    pub(super) stamp: Stamp,
    pub(super) links: u32,
}

/// Who may do what with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Access {
    pub(super) fn of(item: &Item) -> Self {
        Self {
            mode: item.mode,
            uid: item.uid,
            gid: item.gid,
        }
    }
}
