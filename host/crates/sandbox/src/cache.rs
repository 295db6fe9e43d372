// SPDX-License-Identifier: Apache-2.0
//! Compiled code on disk: used again only when this host wrote it, for this very engine.
//!
//! Whoever can change a file in here could choose what a runner executes, so each carries an
//! authentication code (HMAC-SHA-256) under a key that lies beside it and that only the owner of the
//! state directory can read. The code covers the file's name, the machine and every byte, and exactly
//! the bytes that were authenticated are used. The name is made from the component's digest, this
//! program's version, what is on offer, the version of wasmtime, the engine's settings and the
//! processor's features. A file that is swapped, cut off, damaged, somebody else's, or of another host
//! is as good as none: the component is compiled again. A package never carries compiled code.
//!
//! Nothing here is synced: a file that a power cut leaves torn does not authenticate. All of it may be
//! deleted at any time.

use crate::code::Code;
use crate::imports::Import;
use crate::limits::CACHED_BYTES;
use crate::limits::CACHED_FILES;
use crate::limits::CODE_BYTES;
use cap_std::fs::Dir;
use cap_std::fs::OpenOptions;
use cap_std::fs::OpenOptionsExt;
use cofferdam_package::digest::Digest;
use hmac::Hmac;
use hmac::KeyInit;
use hmac::Mac;
use rustix::fs::Mode;
use rustix::fs::OFlags;
use sha2::Sha256;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Write;
use std::os::unix::fs::MetadataExt;

/// What each file begins with; a change of the layout is a change of this.
const MAGIC: &[u8; 16] = b"cofferdam-code/1";

/// The file that holds the key.
const KEY: &str = "key";

/// How the name of a file with code ends.
const SUFFIX: &str = ".code";

/// Everybody but the owner.
const OTHERS: u32 = 0o077;

const MAC_BYTES: usize = 32;

/// A whole block of the hash function: the longest key that is used as it is.
const KEY_BYTES: usize = 64;

/// A key for authentication codes.
type Key = [u8; KEY_BYTES];

/// A folder with compiled code.
#[derive(Debug)]
pub struct Cache {
    folder: Dir,
    key: Key,
    machine: String,
}

/// What a cache gives for a component.
pub(crate) struct Found {
    pub(crate) imports: Vec<Import>,
    pub(crate) code: Code,
}

impl Cache {
    /// Opens a cache in a folder that only this user can reach. `machine` is what tells this host from
    /// others: copied to another with its key, code is still of the one that made it. `new_key` gives the
    /// key when there is none, or none that can be trusted.
    ///
    /// # Errors
    /// The folder cannot be read or written; there is no new key.
    pub fn open(
        folder: Dir,
        machine: String,
        new_key: impl FnOnce() -> io::Result<[u8; KEY_BYTES]>,
    ) -> io::Result<Self> {
        let key = match read_key(&folder) {
            Some(key) => key,
            None => keep_key(&folder, new_key()?)?,
        };
        Ok(Self {
            folder,
            key,
            machine,
        })
    }

    /// The code for a component and an engine, if this host has put it here.
    pub(crate) fn find(&self, name: Digest) -> Option<Found> {
        let bytes = self.read(&format!("{name}{SUFFIX}"))?;
        let rest = bytes.strip_prefix(MAGIC)?;
        let (tag, rest) = rest.split_at_checked(MAC_BYTES)?;
        self.mac(name, rest).verify_slice(tag).ok()?;
        let (length, rest) = rest.split_at_checked(4)?;
        let length = u32::from_le_bytes(length.try_into().ok()?) as usize;
        let (imports, code) = rest.split_at_checked(length)?;
        Some(Found {
            imports: rmp_serde::from_slice(imports).ok()?,
            code: Code::seal(code).ok()?,
        })
    }

    /// Keeps code for the next time. What cannot be kept is compiled again then, so the caller may
    /// ignore an error.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn keep(&self, name: Digest, imports: &[Import], code: &[u8]) -> io::Result<()> {
        let imports = rmp_serde::to_vec_named(imports).map_err(io::Error::other)?;
        let length = (imports.len() as u32).to_le_bytes();
        let mut mac = self.mac(name, &length);
        mac.update(&imports);
        mac.update(code);
        let tag = mac.finalize().into_bytes();
        let parts: [&[u8]; 5] = [MAGIC, &tag, &length, &imports, code];
        replace(&self.folder, &format!("{name}{SUFFIX}"), &parts)?;
        self.prune()
    }

    fn mac(&self, name: Digest, bytes: &[u8]) -> Hmac<Sha256> {
        let mut mac = keyed(&self.key);
        mac.update(MAGIC);
        mac.update(name.as_bytes());
        mac.update(&(self.machine.len() as u64).to_le_bytes());
        mac.update(self.machine.as_bytes());
        mac.update(bytes);
        mac
    }

    fn read(&self, name: &str) -> Option<Vec<u8>> {
        read_own(&self.folder, name, CODE_BYTES).ok()
    }

    /// Removes the oldest files past the number and the bytes that are kept.
    fn prune(&self) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in self.folder.entries()? {
            let entry = entry?;
            if let Some(name) = entry.file_name().to_str()
                && name.ends_with(SUFFIX)
            {
                let found = entry.metadata()?;
                files.push((found.modified()?, name.to_owned(), found.len()));
            }
        }
        files.sort();
        let mut bytes = 0_u64;
        for (number, (_, name, length)) in files.iter().rev().enumerate() {
            bytes = bytes.saturating_add(*length);
            if number >= CACHED_FILES || bytes > CACHED_BYTES {
                self.folder.remove_file(name)?;
            }
        }
        Ok(())
    }
}

/// A hasher for authentication codes under this key.
fn keyed(key: &Key) -> Hmac<Sha256> {
    Hmac::new(&(*key).into())
}

fn read_key(folder: &Dir) -> Option<Key> {
    read_own(folder, KEY, KEY_BYTES as u64)
        .ok()?
        .try_into()
        .ok()
}

fn keep_key(folder: &Dir, key: Key) -> io::Result<Key> {
    replace(folder, KEY, &[&key])?;
    Ok(key)
}

/// Reads a file that belongs to this user and to nobody else, by its own name only.
fn read_own(folder: &Dir, name: &str, cap_bytes: u64) -> io::Result<Vec<u8>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = File::from(rustix::fs::openat(folder, name, flags, Mode::empty())?);
    let found = file.metadata()?;
    let own = rustix::process::geteuid().as_raw();
    let trusted = found.is_file()
        && found.uid() == own
        && found.mode() & OTHERS == 0
        && found.nlink() == 1
        && found.len() <= cap_bytes;
    if !trusted {
        return Err(io::Error::other(format!(
            "`{name}` is not this user's own file"
        )));
    }
    let mut bytes = Vec::with_capacity(found.len() as usize);
    file.take(cap_bytes + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Puts a file in the place of another, whole or not at all as long as the machine runs.
fn replace(folder: &Dir, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let temporary = format!(".{name}.{}", std::process::id());
    let _ = folder.remove_file(&temporary);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let mut file: File = folder.open_with(&temporary, &options)?.into_std();
    let written = parts
        .iter()
        .try_for_each(|part| file.write_all(part))
        .and_then(|()| folder.rename(&temporary, folder, name));
    if written.is_err() {
        let _ = folder.remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use std::time::SystemTime;

    /// A cache with files of these lengths, each older than the next, and one more that was kept last.
    fn kept_beside(lengths: &[u64]) -> Vec<String> {
        let scratch = tempfile::tempdir().unwrap();
        let folder = Dir::open_ambient_dir(scratch.path(), cap_std::ambient_authority()).unwrap();
        for (number, length) in lengths.iter().enumerate() {
            let file = File::create(scratch.path().join(format!("{number:02}.code"))).unwrap();
            file.set_len(*length).unwrap();
            let made = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64);
            file.set_modified(made).unwrap();
        }
        let cache = Cache::open(folder, String::new(), || Ok([1; KEY_BYTES])).unwrap();
        let name = Digest::of(b"component");
        cache.keep(name, &[], b"code").unwrap();
        assert!(cache.find(name).is_some());
        let names = std::fs::read_dir(scratch.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.len() == "00.code".len()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_oldest_code_goes_when_there_are_too_many_bytes() {
        let kept = kept_beside(&[1, CODE_BYTES, CODE_BYTES, CODE_BYTES, CODE_BYTES]);
        assert_eq!(kept, ["02.code", "03.code", "04.code"]);
    }

    #[test]
    fn the_oldest_code_goes_when_there_are_too_many_files() {
        let kept = kept_beside(&[1; CACHED_FILES + 1]);
        assert_eq!(kept.len(), CACHED_FILES - 1);
        assert_eq!(kept[0], "02.code");
    }
}
