// SPDX-License-Identifier: Apache-2.0
//! State into the next tree: everything that is not the package's, with inodes of its own.
//!
//! Files keep owner, mode, extended attributes, time and holes; hard links among them stay links
//! among the copies. Live files alone are shared with the live tree. Sockets belong to a process
//! and are left behind; fifos are made anew; symlinks are carried, never followed.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::os::fd::OwnedFd;
use std::sync::Mutex;

use cap_std::fs::Dir;
use cofferdam_package::glob::GlobSet;
use rustix::fs::AtFlags;
use rustix::fs::FileType;
use rustix::fs::Gid;
use rustix::fs::Mode;
use rustix::fs::Uid;
use rustix::io::Errno;

use crate::attributes;
use crate::classify::Action;
use crate::classify::Classified;
use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::progress::Meter;
use crate::progress::ProgressSink;
use crate::root;
use crate::stage::Stage;
use crate::verify;
use crate::walk::Found;
use crate::walk::FoundNode;
use crate::walk::LiveTree;
use crate::walk::Stamp;

/// Whether the program of the install may be writing while state is copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It is stopped: any change during the copy is an error.
    Stopped,
    /// It runs, as for a plan: state is copied as found, and what vanishes is left out.
    Running,
}

/// What the state of the live tree looked like when it was copied.
#[derive(Debug, Clone, Default)]
pub struct StateWitness {
    seen: BTreeMap<String, (FoundNode, Stamp)>,
}

impl StateWitness {
    /// The paths of the state of `live` that changed, came or went since it was copied.
    ///
    /// Directories count only as far as what stands in them.
    ///
    /// # Errors
    ///
    /// A tree that cannot be walked.
    pub fn changed_since(
        &self,
        live: &Dir,
        classified: &Classified,
        live_patterns: &GlobSet,
    ) -> Result<Vec<String>, TreeError> {
        let now = Self::of(&LiveTree::read(live, live_patterns)?, classified);
        let mut changed = BTreeSet::new();
        for (path, (node, stamp)) in &self.seen {
            let same = now.seen.get(path).is_some_and(|(node_now, stamp_now)| {
                node == node_now && (*node == FoundNode::Directory || stamp == stamp_now)
            });
            if !same {
                changed.insert(path.clone());
            }
        }
        changed.extend(
            now.seen
                .into_keys()
                .filter(|path| !self.seen.contains_key(path)),
        );
        Ok(changed.into_iter().collect())
    }

    /// What was found at a path of the state.
    pub(super) fn found(&self, path: &str) -> Option<&(FoundNode, Stamp)> {
        self.seen.get(path)
    }

    fn of(live: &LiveTree, classified: &Classified) -> Self {
        let state = live.found.iter().filter(|(path, found)| {
            found.node != FoundNode::Socket
                && !classified.is_live(path, found)
                && classified.is_state(path, found)
        });
        let seen = state
            .map(|(path, found)| (path.clone(), (found.node.clone(), found.stamp)))
            .collect();
        Self { seen }
    }
}

/// What is to be made of the state found in the live tree.
#[derive(Default)]
struct Work {
    directories: BTreeSet<String>,
    files: Vec<String>,
    /// Further names of a file, after the first: path and the first.
    further_names: Vec<(String, String)>,
    shared: Vec<String>,
    symlinks: Vec<String>,
    fifos: Vec<String>,
}

impl Stage {
    /// Copies the state of the live tree.
    ///
    /// # Errors
    ///
    /// `changed-while-copied` when something writes though the service is stopped; `device-node`,
    /// `mount-below` and the other refusals of what cannot be carried; `state-in-the-way` for state
    /// that came to stand at a managed path since it was classified; `disk-full`.
    pub fn copy_state(
        &mut self,
        service: Service,
        progress: ProgressSink<'_>,
    ) -> Result<(), TreeError> {
        let live = LiveTree::read(&self.live.handle()?, &self.live_patterns)?;
        if let Some(odd) = live.odd().first() {
            return Err(odd.clone().into_error());
        }
        let work = self.sort_state(&live)?;
        self.make_directories(
            work.directories
                .iter()
                .map(|path| (path.clone(), None))
                .collect(),
        )?;

        let bytes_of = |path: &str| live.found.get(path).map_or(0, |found| found.stamp.bytes);
        let bytes = work.files.iter().map(|path| bytes_of(path)).sum();
        let meter = Meter::new(work.files.len() as u64, bytes, progress);
        let carried = Mutex::new(Vec::with_capacity(work.files.len()));
        let groups = verify::by_directory(work.files, bytes_of);
        parallel::for_each(&groups, |(directory, paths)| {
            let Some((from, to)) = self.pair(directory, service)? else {
                return Ok(());
            };
            for path in paths {
                let Some(found) = live.found.get(path) else {
                    continue;
                };
                if let Some(stamp) = self.copy_file(&from, &to, path, found, service)? {
                    parallel::lock(&carried).push((path.clone(), Some(stamp)));
                }
                meter.add(1, found.stamp.bytes);
            }
            Ok(())
        })?;
        let carried = carried
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        self.carried.extend(carried);
        self.link_further_names(&work.further_names)?;
        for path in &work.shared {
            let Some(found) = live.found.get(path) else {
                continue;
            };
            self.share(path, found, service)?;
        }
        for path in work.symlinks.iter().chain(&work.fifos) {
            let Some(found) = live.found.get(path) else {
                continue;
            };
            let stamp = self.recreate(path, found)?;
            if !self.classified.is_live(path, found) {
                self.carried.insert(path.clone(), Some(stamp));
            }
        }
        self.restore_directory_times(&work.directories, &live)?;
        for path in work.directories {
            if let Some(standing) = self.look(&path)? {
                self.access.insert(path.clone(), standing.access);
            }
            self.carried.insert(path, None);
        }
        self.witness = StateWitness::of(&live, &self.classified);
        Ok(())
    }

    /// Decides for each object of the live tree whether and how it is carried.
    fn sort_state(&self, live: &LiveTree) -> Result<Work, TreeError> {
        let mut work = Work::default();
        let mut in_the_way = Vec::new();
        let mut first_names: BTreeMap<((u32, u32), u64), &String> = BTreeMap::new();
        for (path, found) in &live.found {
            let gives_way = |path: &str| self.classified.replaced.contains(path);
            if gives_way(path) || name::ancestors(path).any(gives_way) {
                continue;
            }
            let shared = self.classified.is_live(path, found);
            if !shared && !self.classified.is_state(path, found) {
                if self.came_to_stand(path, found) {
                    in_the_way.push(path.clone());
                }
                continue;
            }
            work.directories
                .extend(name::ancestors(path).map(str::to_owned));
            match found.node {
                FoundNode::Directory => {
                    work.directories.insert(path.clone());
                }
                FoundNode::File if shared => work.shared.push(path.clone()),
                FoundNode::File => {
                    let first = (found.links > 1)
                        .then(|| *first_names.entry(found.stamp.identity()).or_insert(path))
                        .filter(|first| *first != path);
                    match first {
                        Some(first) => work.further_names.push((path.clone(), first.clone())),
                        None => work.files.push(path.clone()),
                    }
                }
                FoundNode::Symlink(_) => work.symlinks.push(path.clone()),
                FoundNode::Fifo => work.fifos.push(path.clone()),
                FoundNode::Socket | FoundNode::Device => {}
            }
        }
        if in_the_way.is_empty() {
            Ok(work)
        } else {
            Err(TreeError::StateInTheWay { paths: in_the_way })
        }
    }

    /// Whether something that is not the package's stands at a managed path, and is not what was
    /// classified there.
    fn came_to_stand(&self, path: &str, found: &Found) -> bool {
        if self.classified.managed(path).is_some() {
            return false;
        }
        match self.classified.actions.get(path) {
            Some(Action::Link { stamp, .. } | Action::Remode { stamp, .. }) => {
                stamp.identity() != found.stamp.identity()
            }
            Some(Action::Symlink { target }) => found.node != FoundNode::Symlink(target.clone()),
            Some(Action::Write { .. } | Action::Directory { .. }) => true,
            _ => false,
        }
    }

    /// The same directory of both trees; nothing when the live one may vanish, and did.
    fn pair(
        &self,
        directory: &str,
        service: Service,
    ) -> Result<Option<(OwnedFd, OwnedFd)>, TreeError> {
        let from = match service {
            Service::Stopped => self.live.open_directory(directory)?,
            Service::Running => match self.live.find_directory(directory)? {
                Some(from) => from,
                None => return Ok(None),
            },
        };
        Ok(Some((from, self.slot.open_directory(directory)?)))
    }

    fn copy_file(
        &self,
        from: &OwnedFd,
        to: &OwnedFd,
        path: &str,
        found: &Found,
        service: Service,
    ) -> Result<Option<Stamp>, TreeError> {
        let raw_name = root::last_name(path)?;
        let changed = || TreeError::ChangedWhileCopied {
            path: path.to_owned(),
        };
        if service == Service::Stopped {
            let stat = root::stat_at(from, &raw_name, path)?.ok_or_else(changed)?;
            if Stamp::of(&stat) != found.stamp {
                return Err(changed());
            }
        }
        let seen = (service == Service::Stopped).then_some(&found.stamp);
        match self.copy_with_attributes((from, &raw_name), (to, &raw_name), path, seen) {
            // It vanished or became something else before it was opened.
            Err(TreeError::ChangedWhileCopied { .. }) if service == Service::Running => Ok(None),
            other => other.map(Some),
        }
    }

    /// Hard links among state, as links among the copies.
    fn link_further_names(&mut self, names: &[(String, String)]) -> Result<(), TreeError> {
        for (path, first) in names {
            if !self.carried.contains_key(first) {
                continue;
            }
            let from = self.slot.open_directory(name::split(first).0)?;
            let to = self.slot.open_directory(name::split(path).0)?;
            let (first_name, raw_name) = (root::last_name(first)?, root::last_name(path)?);
            rustix::fs::linkat(&from, &*first_name, &to, &*raw_name, AtFlags::empty())
                .map_err(|errno| TreeError::io("link", path, errno))?;
        }
        // Each new link changed the inode: the stamps are taken again.
        let all = names
            .iter()
            .flat_map(|(path, first)| [path, first])
            .collect::<BTreeSet<_>>();
        for path in all {
            if let Some(standing) = self.look(path)? {
                self.grouped.insert(standing.stamp.identity());
                self.carried.insert(path.clone(), Some(standing.stamp));
            }
        }
        Ok(())
    }

    /// One live file for all generations.
    fn share(&self, path: &str, found: &Found, service: Service) -> Result<(), TreeError> {
        let Some((from, to)) = self.pair(name::split(path).0, service)? else {
            return Ok(());
        };
        let raw_name = root::last_name(path)?;
        match rustix::fs::linkat(&from, &*raw_name, &to, &*raw_name, AtFlags::empty()) {
            Ok(()) => {}
            // A log was rotated away.
            Err(Errno::NOENT) => return Ok(()),
            Err(errno) => return Err(TreeError::io("link", path, errno)),
        }
        let stat = root::stat_at(&to, &raw_name, path)?;
        let is_file = stat.as_ref().is_some_and(|stat| {
            FileType::from_raw_mode(u32::from(stat.stx_mode)) == FileType::RegularFile
        });
        let same = stat.is_some_and(|stat| Stamp::of(&stat).identity() == found.stamp.identity());
        // A rotation may put another file there, a stopped service nothing else.
        if is_file && (same || service == Service::Running) {
            Ok(())
        } else {
            Err(TreeError::ChangedWhileCopied {
                path: path.to_owned(),
            })
        }
    }

    /// A symlink or fifo like the one found.
    fn recreate(&self, path: &str, found: &Found) -> Result<Stamp, TreeError> {
        if let FoundNode::Symlink(target) = &found.node {
            self.make_symlink(path, target)?;
        } else {
            let directory = self.slot.open_directory(name::split(path).0)?;
            let mode = Mode::from_raw_mode(0o600);
            let raw_name = root::last_name(path)?;
            rustix::fs::mknodat(&directory, &*raw_name, FileType::Fifo, mode, 0)
                .map_err(|errno| TreeError::io("create the fifo", path, errno))?;
        }
        let directory = self.slot.open_directory(name::split(path).0)?;
        let raw_name = root::last_name(path)?;
        give_owner(&directory, path, found.uid, found.gid)?;
        if found.node == FoundNode::Fifo {
            // Not a symlink, because it was just made in a directory that only we can reach.
            let mode = Mode::from_raw_mode(found.mode);
            rustix::fs::chmodat(&directory, &*raw_name, mode, AtFlags::empty())
                .map_err(|errno| TreeError::io("set the mode of", path, errno))?;
        }
        let times = attributes::modified(found.stamp.mtime);
        rustix::fs::utimensat(&directory, &*raw_name, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| TreeError::io("set the time of", path, errno))?;
        let stat = root::stat_at(&directory, &raw_name, path)?;
        stat.as_ref()
            .map(Stamp::of)
            .ok_or_else(|| TreeError::io("look at", path, Errno::NOENT))
    }

    /// Makes a symlink, owned like the live one at its place, or like the directory above.
    pub(super) fn make_symlink(&self, path: &str, target: &str) -> Result<Stamp, TreeError> {
        let directory = self.slot.open_directory(name::split(path).0)?;
        let raw_name = root::last_name(path)?;
        let raw_target = name::unescape(target)
            .ok_or_else(|| TreeError::io("read the target of", path, Errno::INVAL))?;
        rustix::fs::symlinkat(&*raw_target, &directory, &*raw_name)
            .map_err(|errno| TreeError::io("create the symlink", path, errno))?;
        let before = match self.live.find_directory(name::split(path).0)? {
            Some(above) => root::stat_at(&above, &raw_name, path)?,
            None => None,
        };
        let (uid, gid) = match before {
            Some(stat) => (stat.stx_uid, stat.stx_gid),
            None => self.above(path).map(|above| (above.uid, above.gid))?,
        };
        give_owner(&directory, path, uid, gid)?;
        let stat = root::stat_at(&directory, &raw_name, path)?;
        stat.as_ref()
            .map(Stamp::of)
            .ok_or_else(|| TreeError::io("look at", path, Errno::NOENT))
    }

    /// Filling a directory changed its time: state's own directories get theirs back.
    fn restore_directory_times(
        &self,
        directories: &BTreeSet<String>,
        live: &LiveTree,
    ) -> Result<(), TreeError> {
        let directories: Vec<&String> = directories.iter().collect();
        parallel::for_each(&directories, |path| {
            let Some(found) = live.found.get(*path) else {
                return Ok(());
            };
            let directory = self.slot.open_directory(path)?;
            rustix::fs::futimens(&directory, &attributes::modified(found.stamp.mtime))
                .map_err(|errno| TreeError::io("set the time of", path, errno))
        })
    }
}

/// Gives what stands at `path`, itself and not what it leads to, to an owner.
fn give_owner(directory: &OwnedFd, path: &str, uid: u32, gid: u32) -> Result<(), TreeError> {
    let raw_name = root::last_name(path)?;
    let stat = root::stat_at(directory, &raw_name, path)?;
    if stat.is_some_and(|stat| (stat.stx_uid, stat.stx_gid) == (uid, gid)) {
        return Ok(());
    }
    let owner = (Uid::from_raw(uid), Gid::from_raw(gid));
    let flags = AtFlags::SYMLINK_NOFOLLOW;
    rustix::fs::chownat(directory, &*raw_name, Some(owner.0), Some(owner.1), flags).map_err(
        |errno| TreeError::OwnerNotKept {
            path: path.to_owned(),
            uid,
            gid,
            source: errno.into(),
        },
    )
}
