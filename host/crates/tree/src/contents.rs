// SPDX-License-Identifier: Apache-2.0
//! What stands at single paths of a tree, with the digests of files: for the record of a step.
//!
//! A record is kept for years and read by many, so no digest of a secret may be in it: a short text
//! can be found by trying. A file in which a secret stands is therefore [`Content::Withheld`], under
//! whatever name it lies. Nothing is followed, and nothing that is not a regular file is opened.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::Mutex;

use cap_std::fs::Dir;
use cofferdam_package::digest::Digest;
use rustix::fs::FileType;
use rustix::io::Errno;

use crate::content;
use crate::error::TreeError;
use crate::name;
use crate::parallel;
use crate::root;
use crate::root::Root;
use crate::verify;
use crate::walk::Stamp;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File {
        /// Its length.
        bytes: u64,
        /// The digest of its content.
        digest: Digest,
    },
    /// A directory.
    Directory,
    /// A symlink, with its target in escaped form.
    Symlink(String),
    /// A fifo, a socket or a device.
    Other,
    /// A file in which a secret stands.
    Withheld,
    /// It changed while it was looked at, or cannot be looked at.
    Unknown,
}

/// What was found at a path, and how to tell that it is still the same.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) content: Content,
    pub(crate) stamp: Stamp,
}

/// A secret of fewer bytes stands in nearly every file: only a file that holds nothing else is withheld.
const SHORT_BYTES: usize = 4;
/// Of a longer secret the beginning is looked for: it is withheld all the more.
const LONG_BYTES: usize = 4096;
/// A file with a short secret has no more than that, and white space.
const ALONE_BYTES: u64 = 16;

/// What no digest may be told of.
#[derive(Default)]
pub struct Secrets {
    texts: BTreeSet<Vec<u8>>,
    alone: BTreeSet<Vec<u8>>,
    files: BTreeSet<Digest>,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Adds the text of a secret.
    pub fn add_text(&mut self, text: &[u8]) {
        let text = text.trim_ascii();
        if text.len() >= SHORT_BYTES {
            let start = &text[..text.len().min(LONG_BYTES)];
            self.texts.insert(start.to_owned());
        } else if !text.is_empty() {
            self.alone.insert(text.to_owned());
        }
    }

    /// Adds the content of a file that holds secrets: copies of it are withheld, too.
    pub fn add_file(&mut self, content: &[u8]) {
        self.files.insert(Digest::of(content));
    }

    fn overlap(&self) -> usize {
        let lengths = self.texts.iter().map(Vec::len);
        lengths.max().unwrap_or(0).saturating_sub(1)
    }
}

/// Looks for secrets in a file that passes by in pieces.
struct Sieve<'a> {
    secrets: &'a Secrets,
    overlap: usize,
    window: Vec<u8>,
    small: bool,
    caught: bool,
}

impl<'a> Sieve<'a> {
    fn new(secrets: &'a Secrets, bytes: u64) -> Self {
        Self {
            secrets,
            overlap: secrets.overlap(),
            window: Vec::new(),
            small: bytes <= ALONE_BYTES,
            caught: false,
        }
    }

    fn pass(&mut self, piece: &[u8]) {
        let keep = if self.small { usize::MAX } else { self.overlap };
        if keep == 0 || self.caught {
            return;
        }
        self.window.extend_from_slice(piece);
        let texts = &self.secrets.texts;
        self.caught = texts.iter().any(|text| contains(&self.window, text));
        let passed = self.window.len().saturating_sub(keep);
        self.window.drain(..passed);
    }

    fn catches(&self, digest: &Digest) -> bool {
        let alone = self.small && self.secrets.alone.contains(self.window.trim_ascii());
        self.caught || alone || self.secrets.files.contains(digest)
    }
}

fn contains(window: &[u8], text: &[u8]) -> bool {
    let Some((first, rest)) = text.split_first() else {
        return true;
    };
    let mut ahead = window;
    while let Some(at) = ahead.iter().position(|byte| byte == first) {
        ahead = &ahead[at + 1..];
        if ahead.starts_with(rest) {
            return true;
        }
    }
    false
}

/// What stands at each of these paths of `tree`, which are UTF-8 as the system has them; nothing is
/// said of a path where nothing stands.
///
/// # Errors
/// A failing call.
pub fn of<'p>(
    tree: &Dir,
    paths: impl IntoIterator<Item = &'p str>,
    secrets: &Secrets,
) -> Result<BTreeMap<&'p str, Content>, TreeError> {
    let named: Vec<(&str, String)> = paths
        .into_iter()
        .map(|path| (path, escaped(path)))
        .collect();
    let texts = named.iter().map(|(_, text)| text.clone()).collect();
    let mut seen = look(&Root::new(tree)?, texts, &BTreeMap::new(), secrets)?;
    let found = named.into_iter().filter_map(|(path, text)| {
        let seen = seen.remove(&text)??;
        Some((path, seen.content))
    });
    Ok(found.collect())
}

/// A path that is UTF-8, as the text for it.
pub(crate) fn escaped(path: &str) -> String {
    name::escape(OsStr::from_bytes(path.as_bytes()))
}

/// Looks at paths, over the cores. What is `known` and has kept its stamp is not read again.
pub(crate) fn look(
    tree: &Root,
    paths: Vec<String>,
    known: &BTreeMap<String, Option<Seen>>,
    secrets: &Secrets,
) -> Result<BTreeMap<String, Option<Seen>>, TreeError> {
    let found = Mutex::new(BTreeMap::new());
    let (plain, odd): (Vec<_>, Vec<_>) = paths
        .into_iter()
        .partition(|path| name::is_path(path) && path.len() <= root::LONGEST_BYTES);
    parallel::for_each(&verify::by_directory(plain, |_| 1), |(directory, paths)| {
        let directory = tree.find_directory(directory)?;
        let mut batch = Vec::with_capacity(paths.len());
        for path in paths {
            let seen = match &directory {
                Some(directory) => seen(directory, path, known.get(path), secrets)?,
                None => None,
            };
            batch.push((path.clone(), seen));
        }
        parallel::lock(&found).extend(batch);
        Ok(())
    })?;
    let mut found = found
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    found.extend(odd.into_iter().map(|path| (path, None)));
    Ok(found)
}

fn seen(
    directory: &OwnedFd,
    path: &str,
    known: Option<&Option<Seen>>,
    secrets: &Secrets,
) -> Result<Option<Seen>, TreeError> {
    let raw_name = root::last_name(path)?;
    let Some(stat) = root::stat_at(directory, &raw_name, path)? else {
        return Ok(None);
    };
    let stamp = Stamp::of(&stat);
    if let Some(Some(known)) = known
        && known.stamp == stamp
    {
        return Ok(Some(known.clone()));
    }
    let content = match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
        FileType::RegularFile => match file(directory, path, &stamp, secrets) {
            Err(TreeError::ChangedWhileCopied { .. }) => Content::Unknown,
            seen => return seen.map(Some),
        },
        FileType::Directory => Content::Directory,
        FileType::Symlink => match rustix::fs::readlinkat(directory, &*raw_name, Vec::new()) {
            Ok(target) => Content::Symlink(name::escape(OsStr::from_bytes(target.to_bytes()))),
            Err(Errno::NOENT | Errno::INVAL) => Content::Unknown,
            Err(errno) => return Err(TreeError::io("read the symlink", path, errno)),
        },
        _ => Content::Other,
    };
    Ok(Some(Seen { content, stamp }))
}

fn file(
    directory: &OwnedFd,
    path: &str,
    seen: &Stamp,
    secrets: &Secrets,
) -> Result<Seen, TreeError> {
    let mut sieve = Sieve::new(secrets, seen.bytes);
    let (digest, stamp) =
        content::digest_passing(directory, path, seen, |piece| sieve.pass(piece))?;
    let content = if sieve.catches(&digest) {
        Content::Withheld
    } else {
        Content::File {
            bytes: stamp.bytes,
            digest,
        }
    };
    Ok(Seen { content, stamp })
}
