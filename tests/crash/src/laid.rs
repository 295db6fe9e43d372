// SPDX-License-Identifier: Apache-2.0
//! Lays a disk down at the place of a machine, with the journal as the file system would give it back.
//!
//! A journal names directories by inode, and after a crash they are the same inodes. Here every file
//! is made anew, so the numbers in journals are replaced by those of the same directories as they are
//! now, and the checksum with them. A journal that is torn stays as it is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use sha2::Digest as _;
use sha2::Sha256;

use crate::disk::Disk;
use crate::disk::Object;
use crate::machine::Machine;
use crate::machine::state_of;
use crate::place::Identity;

/// Lays a disk down. `were` tells which files its objects were when the journal was written.
///
/// # Errors
/// The system refuses.
pub(crate) fn lay(
    disk: &Disk,
    were: &BTreeMap<Object, Identity>,
    machine: &Machine,
) -> io::Result<()> {
    disk.write()?;
    let mut now = BTreeMap::new();
    let mut journals = Vec::new();
    let state = state_of(&machine.install());
    for (path, object) in disk.paths() {
        let Some(identity) = were.get(&object) else {
            continue;
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.parent() == Some(&state) && name.contains("transaction.json") {
            journals.push(path);
        } else if path.is_dir() {
            now.insert(identity.inode, path.symlink_metadata()?.ino());
        }
    }
    for path in journals {
        renumber(&path, &now)?;
    }
    Ok(())
}

fn renumber(path: &Path, now: &BTreeMap<u64, u64>) -> io::Result<()> {
    let Ok(text) = fs::read_to_string(path) else {
        return Ok(());
    };
    if let Some(renumbered) = renumbered(&text, now) {
        fs::write(path, renumbered)?;
    }
    Ok(())
}

/// The members of a journal that hold inodes.
const MEMBERS: &[&str] = &["live_tree", "tree", "old", "new"];

/// Those that say when a directory was made, which cannot be laid down: a journal may do without.
const TIMES: &[&str] = &["live_tree_born_ns", "new_born_ns"];

/// The same journal with other numbers; none when it is not whole.
pub(crate) fn renumbered(text: &str, now: &BTreeMap<u64, u64>) -> Option<String> {
    let checksum = format!("\"{}\"", checksum(text)?);
    if !text.contains(&checksum) {
        return None;
    }
    let is_time = |line: &&str| {
        let mut times = TIMES.iter();
        times.any(|time| line.trim_start().starts_with(&format!("\"{time}\": ")))
    };
    let lines = text.lines().filter(|line| !is_time(line));
    let lines: Vec<String> = lines.map(|line| with_number(line, now)).collect();
    let renumbered = lines.join("\n") + "\n";
    let new = format!("\"{}\"", self::checksum(&renumbered)?);
    Some(renumbered.replacen(&checksum, &new, 1))
}

/// A line with the number of a directory replaced. One that is nowhere any more gets a number that no
/// file has.
fn with_number(line: &str, now: &BTreeMap<u64, u64>) -> String {
    for member in MEMBERS {
        let start = format!("\"{member}\": ");
        if let Some((indent, value)) = line.split_once(&start)
            && let Ok(number) = value.trim_end_matches(',').parse::<u64>()
        {
            let comma = if value.ends_with(',') { "," } else { "" };
            let new = now.get(&number).copied().unwrap_or(u64::MAX - number);
            return format!("{indent}{start}{new}{comma}");
        }
    }
    line.to_owned()
}

/// The checksum of the journal in a document: over its bytes without white space.
pub(crate) fn checksum(text: &str) -> Option<String> {
    let (_, journal) = text.split_once("\"journal\": ")?;
    let journal = journal.trim_end().strip_suffix('}')?;
    let mut hasher = Sha256::new();
    let (mut quoted, mut escaped) = (false, false);
    for byte in journal.bytes() {
        if quoted || !byte.is_ascii_whitespace() {
            hasher.update([byte]);
        }
        quoted ^= byte == b'"' && !escaped;
        escaped = quoted && byte == b'\\' && !escaped;
    }
    let mut text = String::new();
    for byte in hasher.finalize() {
        write!(text, "{byte:02x}").ok()?;
    }
    Some(text)
}
