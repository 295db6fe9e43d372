// SPDX-License-Identifier: Apache-2.0
//! Stops the durable operations of one test thread at a chosen one: a crash, or an error that the
//! system reports.
//!
//! After a simulated crash every later operation fails too, so whatever the code does on its way
//! out leaves no trace, as if the process were gone.

use std::cell::Cell;
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::File;
use std::io;
use std::io::Write as _;

use cap_std::fs::Dir;
use rustix::fs::AtFlags;

use super::step::Step;

/// What happens at the chosen operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The process is gone just before it.
    Crash,
    /// The process is gone in the middle of it, where it is a write.
    Torn,
    /// It fails once; what follows works again.
    Error,
    /// It fails, and so does everything after it that writes.
    Full,
}

thread_local! {
    /// Directories in which a name was moved and that were not synced since, by device and inode.
    static UNSYNCED: RefCell<BTreeSet<(u64, u64)>> = const { RefCell::new(BTreeSet::new()) };
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static AT: Cell<Option<(u64, Fault)>> = const { Cell::new(None) };
    static DEAD: Cell<bool> = const { Cell::new(false) };
}

/// Arms a fault at operation `number` (from 1), counted from now.
pub(crate) fn arm(number: u64, fault: Fault) {
    COUNT.set(0);
    DEAD.set(false);
    AT.set(Some((number, fault)));
}

/// Disarms; returns how many operations ran since [`arm`] or the last [`disarm`], and whether the
/// fault struck.
pub(crate) fn disarm() -> (u64, bool) {
    let struck = AT.get().is_some_and(|(number, _)| COUNT.get() >= number);
    AT.set(None);
    DEAD.set(false);
    (COUNT.replace(0), struck)
}

/// Called just before each durable operation.
pub(crate) fn before(operation: &str) -> io::Result<()> {
    strike(operation, None)
}

/// Called just after each step that was taken.
pub(super) fn after(step: Step<'_>) {
    let place = |directory: &Dir| {
        let stat = rustix::fs::statat(directory, ".", AtFlags::empty()).unwrap();
        (stat.st_dev, stat.st_ino)
    };
    UNSYNCED.with_borrow_mut(|unsynced| match step {
        Step::Rename { from, to, .. } => unsynced.extend([place(from.0), place(to.0)]),
        Step::SyncDirectory(directory) => {
            unsynced.remove(&place(directory));
        }
        Step::SyncFileSystem(fd) => {
            let device = rustix::fs::fstat(fd).unwrap().st_dev;
            unsynced.retain(|(other, _)| *other != device);
        }
        Step::SyncFile(_) | Step::Remove { .. } => {}
    });
}

/// How many directories this thread moved names in, crashes included, whose names a power cut may still
/// undo.
pub(crate) fn unsynced() -> usize {
    UNSYNCED.with_borrow(BTreeSet::len)
}

/// Called just before bytes are written.
pub(crate) fn before_write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    strike("write", Some((file, bytes)))
}

fn strike(operation: &str, write: Option<(&mut File, &[u8])>) -> io::Result<()> {
    if DEAD.get() {
        return Err(io::Error::other(format!(
            "simulated: gone before {operation}"
        )));
    }
    let count = COUNT.get() + 1;
    COUNT.set(count);
    let Some((number, fault)) = AT.get() else {
        return Ok(());
    };
    if count < number || (count > number && fault != Fault::Full) {
        return Ok(());
    }
    match fault {
        Fault::Crash => DEAD.set(true),
        Fault::Torn => {
            if let Some((file, bytes)) = write {
                file.write_all(&bytes[..bytes.len() / 2])?;
            }
            DEAD.set(true);
        }
        Fault::Error => {}
        Fault::Full => {
            if !matches!(operation, "write" | "create-file" | "create-directory") {
                return Ok(());
            }
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
    }
    Err(io::Error::other(format!(
        "simulated: {fault:?} at {operation}"
    )))
}

/// As the tree crate would report it.
pub(crate) fn as_tree_error(source: io::Error) -> cofferdam_tree::TreeError {
    cofferdam_tree::TreeError::Io {
        action: "remove",
        path: String::new(),
        source,
    }
}
