// SPDX-License-Identifier: Apache-2.0
//! Changed content into `incoming`, hashed while it is written, over the cores.
//!
//! Each file stands in `incoming` under the number of its entry, complete with mode, owner and
//! access list, so that placing it later is one rename.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::sync::Mutex;

use cofferdam_package::digest::Digest;
use cofferdam_package::error::PackageError;
use cofferdam_package::verify::VerifiedPackage;
use rustix::fs::Mode;
use rustix::fs::OFlags;

use crate::attributes::Attributes;
use crate::classify::Action;
use crate::content;
use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::progress::Meter;
use crate::progress::ProgressSink;
use crate::root;
use crate::root::Root;
use crate::stage::Known;
use crate::stage::Stage;
use crate::walk::Stamp;

/// Where proved content comes from.
pub(crate) trait Blobs: Sync {
    /// Writes the content named `digest`, of which every byte has been proved at the end.
    fn copy(&self, digest: &Digest, path: &str, target: &mut dyn Write) -> Result<u64, TreeError>;
}

impl Blobs for VerifiedPackage {
    fn copy(&self, digest: &Digest, path: &str, target: &mut dyn Write) -> Result<u64, TreeError> {
        self.copy_blob(digest, target).map_err(|error| match error {
            PackageError::Write { source, .. } => TreeError::io("write", path, source),
            source => TreeError::Package {
                path: path.to_owned(),
                source,
            },
        })
    }
}

/// One file to write.
struct Job<'a> {
    index: usize,
    path: &'a str,
    mode: u32,
    bytes: u64,
    /// With the live file it is a copy of, when only the mode changes.
    copy_of: Option<Stamp>,
    digest: Digest,
}

impl Stage {
    /// Writes every changed or added file into `incoming`, and reads whatever else is in the package: a
    /// damaged package is refused on every machine alike, also where what is damaged is not needed.
    ///
    /// # Errors
    ///
    /// A package error for content that is not what was signed, `disk-full`, `owner-not-kept`,
    /// `attribute-not-kept`, or a file of the live tree that changes meanwhile. `incoming` is then
    /// left unfinished, and is the caller's to discard.
    pub fn fetch(
        &mut self,
        package: &VerifiedPackage,
        progress: ProgressSink<'_>,
    ) -> Result<(), TreeError> {
        let taken = self.fetch_from(package, progress)?;
        let blobs = package.manifest().blobs.iter();
        let mut rest: Vec<(&Digest, &u64)> = blobs
            .filter(|(digest, _)| !taken.contains(digest))
            .collect();
        rest.sort_by_key(|(_, bytes)| std::cmp::Reverse(**bytes));
        parallel::for_each(&rest, |(digest, _)| {
            Blobs::copy(package, digest, ".", &mut std::io::sink()).map(drop)
        })
    }

    /// Answers with what was taken from `blobs`.
    pub(crate) fn fetch_from(
        &mut self,
        blobs: &dyn Blobs,
        progress: ProgressSink<'_>,
    ) -> Result<BTreeSet<Digest>, TreeError> {
        let mut jobs: Vec<Job<'_>> = self
            .classified
            .actions
            .iter()
            .filter_map(|(path, action)| Job::of(path, action))
            .collect();
        // The biggest file bounds the whole: it is begun first.
        jobs.sort_by_key(|job| std::cmp::Reverse(job.bytes));
        let bytes = jobs.iter().map(|job| job.bytes).sum();
        let meter = Meter::new(jobs.len() as u64, bytes, progress);
        let written = Mutex::new(Vec::with_capacity(jobs.len()));
        parallel::for_each(&jobs, |job| {
            let known = self.write(job, blobs)?;
            parallel::lock(&written).push((job.path.to_owned(), known));
            meter.add(1, job.bytes);
            Ok(())
        })?;
        let written = written
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let taken = jobs.iter().filter(|job| job.copy_of.is_none());
        let taken = taken.map(|job| job.digest).collect();
        self.known.extend(written);
        Ok(taken)
    }

    fn write(&self, job: &Job<'_>, blobs: &dyn Blobs) -> Result<Known, TreeError> {
        let mut file = create(&self.incoming, &job.index.to_string(), job.path)?;
        let attributes = if let Some(seen) = job.copy_of {
            let changed = || TreeError::ChangedWhileCopied {
                path: job.path.to_owned(),
            };
            let raw_path = name::unescape(job.path).ok_or_else(changed)?;
            let (mut source, stat) = root::open_file(&self.live, &raw_path, job.path)?;
            if Stamp::of(&stat).identity() != seen.identity() {
                return Err(changed());
            }
            let found = content::copy_hashed(&mut source, &mut file, stat.stx_size, job.path)?;
            if found != job.digest {
                return Err(changed());
            }
            Attributes {
                mode: job.mode,
                ..Attributes::read(&source, &stat, job.path)?
            }
        } else {
            blobs.copy(&job.digest, job.path, &mut file)?;
            self.attributes_for_file(job.path, job.mode)?
        };
        attributes.give(&file, job.path)?;
        let stamp = Stamp::of(&root::stat_of(&file, job.path)?);
        Ok(Known {
            digest: job.digest,
            stamp,
        })
    }

    /// As the live file at `path`, or as one added to the directory above it.
    fn attributes_for_file(&self, path: &str, mode: u32) -> Result<Attributes, TreeError> {
        if self.replaces_a_file(path)
            && let Some(raw_path) = name::unescape(path)
        {
            let (file, stat) = root::open_file(&self.live, &raw_path, path)?;
            return Ok(Attributes::read(&file, &stat, path)?.for_new_content(mode));
        }
        Ok(self.above(path)?.for_added_file(mode))
    }

    fn replaces_a_file(&self, path: &str) -> bool {
        let Ok(Some(directory)) = self.live.find_directory(name::split(path).0) else {
            return false;
        };
        let Ok(raw_name) = root::last_name(path) else {
            return false;
        };
        let stat = root::stat_at(&directory, &raw_name, path).ok().flatten();
        stat.is_some_and(|stat| {
            rustix::fs::FileType::from_raw_mode(u32::from(stat.stx_mode))
                == rustix::fs::FileType::RegularFile
        })
    }
}

impl<'a> Job<'a> {
    fn of(path: &'a str, action: &Action) -> Option<Self> {
        let (index, digest, bytes, mode, copy_of) = match action {
            Action::Write {
                index,
                digest,
                bytes,
                mode,
            }
            | Action::Seed {
                index,
                digest,
                bytes,
                mode,
            } => (index, digest, *bytes, mode, None),
            Action::Remode {
                index,
                stamp,
                digest,
                mode,
            } => (index, digest, stamp.bytes, mode, Some(*stamp)),
            Action::Link { .. }
            | Action::SeedStands { .. }
            | Action::SeedOfOlder { .. }
            | Action::Directory { .. }
            | Action::Symlink { .. } => return None,
        };
        Some(Self {
            index: *index,
            path,
            mode: *mode,
            bytes,
            copy_of,
            digest: *digest,
        })
    }
}

/// A new file in `folder` that only we may open until it is given its mode.
pub(super) fn create(folder: &Root, file_name: &str, path: &str) -> Result<File, TreeError> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(folder, file_name, flags, Mode::RUSR | Mode::WUSR)
        .map(File::from)
        .map_err(|errno| TreeError::io("create", path, errno))
}
