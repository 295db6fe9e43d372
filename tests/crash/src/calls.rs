// SPDX-License-Identifier: Apache-2.0
//! The calls that change a disk, or make what was changed durable: one table, from which both the
//! kernel's filter and the tracer's understanding are made.
//!
//! What the table does not know is not seen. Three ways round it are closed or watched: `io_uring`
//! is refused by the filter, a shared writable mapping of a file counts as an operation that the log
//! cannot follow, and the log of a whole run is replayed and compared with the disk, so that a call
//! that is missing here shows.

use std::fmt;

/// What a call does to a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Opens a file, creating it when it is missing, perhaps emptying it.
    Create,
    /// Creates a file without a name.
    CreateUnnamed,
    /// Empties a file that is there.
    Empty,
    /// Opens a file, changing nothing: only seen where faults are tried out.
    Open,
    /// Writes bytes.
    Write,
    /// Copies bytes from another file.
    Copy,
    /// Shares the bytes of another file.
    Clone,
    /// Sets the length of a file.
    SetLength,
    /// Reserves or punches space.
    Allocate,
    /// Creates a directory.
    MakeDirectory,
    /// Creates a device, a fifo or a socket.
    MakeNode,
    /// Renames, perhaps over something.
    Rename,
    /// Exchanges two names.
    Exchange,
    /// Gives a file one more name.
    Link,
    /// Creates a symlink.
    Symlink,
    /// Removes a name.
    Unlink,
    /// Removes a directory.
    RemoveDirectory,
    /// Sets mode bits.
    Mode,
    /// Sets owner or group.
    Owner,
    /// Sets times.
    Times,
    /// Sets or removes an extended attribute.
    Attribute,
    /// Makes a file or a directory durable.
    Sync,
    /// Makes a whole file system durable.
    SyncFileSystem,
    /// Makes every file system durable.
    SyncEverything,
    /// Starts or awaits writing without a promise.
    SyncRange,
    /// Maps a file for writing: what is written there is not seen.
    Map,
}

impl Operation {
    /// The word for it in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::CreateUnnamed => "create unnamed",
            Self::Empty => "empty",
            Self::Open => "open",
            Self::Write => "write",
            Self::Copy => "copy",
            Self::Clone => "clone",
            Self::SetLength => "set length",
            Self::Allocate => "allocate",
            Self::MakeDirectory => "make directory",
            Self::MakeNode => "make node",
            Self::Rename => "rename",
            Self::Exchange => "exchange",
            Self::Link => "link",
            Self::Symlink => "symlink",
            Self::Unlink => "unlink",
            Self::RemoveDirectory => "remove directory",
            Self::Mode => "mode",
            Self::Owner => "owner",
            Self::Times => "times",
            Self::Attribute => "attribute",
            Self::Sync => "sync",
            Self::SyncFileSystem => "sync file system",
            Self::SyncEverything => "sync everything",
            Self::SyncRange => "sync range",
            Self::Map => "map",
        }
    }

    /// Whether it moves bytes into a file, so that it can be cut in the middle.
    pub fn moves_bytes(self) -> bool {
        matches!(self, Self::Write | Self::Copy)
    }

    /// Whether it promises that something is durable.
    pub fn syncs(self) -> bool {
        matches!(
            self,
            Self::Sync | Self::SyncFileSystem | Self::SyncEverything
        )
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Where a call says which file it is about. Numbers are places of arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Spot {
    /// A descriptor.
    Descriptor(usize),
    /// A path, below the working directory.
    Path(usize, Follow),
    /// A directory's descriptor, and behind it a path.
    At(usize, Follow),
}

/// Whether a symlink at the end of a path is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follow {
    /// Never.
    No,
    /// Always.
    Yes,
    /// Unless an argument has this flag.
    Unless(usize, i32),
    /// If an argument has this flag.
    If(usize, i32),
}

/// Where a call says how much it moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Amount {
    /// In an argument.
    Bytes(usize),
    /// In a list of pieces: where it stands, and how many there are.
    Pieces(usize, usize),
}

/// How a call is to be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) operation: Operation,
    /// The file that changes; none where every file system is meant.
    pub(crate) file: Option<Spot>,
    /// The second name of a rename, an exchange or a link; the source of a copy.
    pub(crate) other: Option<Spot>,
    pub(crate) amount: Option<Amount>,
}

const fn shape(operation: Operation, file: Spot) -> Shape {
    Shape {
        operation,
        file: Some(file),
        other: None,
        amount: None,
    }
}

const fn pair(operation: Operation, file: Spot, other: Spot) -> Shape {
    Shape {
        operation,
        file: Some(file),
        other: Some(other),
        amount: None,
    }
}

const fn moving(operation: Operation, file: Spot, other: Option<Spot>, amount: Amount) -> Shape {
    Shape {
        operation,
        file: Some(file),
        other,
        amount: Some(amount),
    }
}

/// Flags of an opening that make it more than a look.
pub(crate) const CHANGES: i32 =
    libc::O_CREAT | libc::O_TRUNC | (libc::O_TMPFILE & !libc::O_DIRECTORY);

/// What an opening with these flags does.
pub(crate) fn opening(flags: i32) -> Operation {
    if flags & libc::O_TMPFILE == libc::O_TMPFILE {
        Operation::CreateUnnamed
    } else if flags & libc::O_CREAT != 0 {
        Operation::Create
    } else if flags & libc::O_TRUNC != 0 {
        Operation::Empty
    } else {
        Operation::Open
    }
}

/// Calls that are always of interest, whatever their arguments.
pub(crate) const ALWAYS: &[i64] = &[
    libc::SYS_write,
    libc::SYS_pwrite64,
    libc::SYS_writev,
    libc::SYS_pwritev,
    libc::SYS_pwritev2,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_copy_file_range,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fallocate,
    libc::SYS_creat,
    libc::SYS_openat2,
    libc::SYS_rename,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_link,
    libc::SYS_linkat,
    libc::SYS_symlink,
    libc::SYS_symlinkat,
    libc::SYS_unlink,
    libc::SYS_unlinkat,
    libc::SYS_rmdir,
    libc::SYS_mkdir,
    libc::SYS_mkdirat,
    libc::SYS_mknod,
    libc::SYS_mknodat,
    libc::SYS_chmod,
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_chown,
    libc::SYS_fchown,
    libc::SYS_lchown,
    libc::SYS_fchownat,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_syncfs,
    libc::SYS_sync,
    libc::SYS_sync_file_range,
];

/// How a call is to be understood; none when it is of no interest.
pub(crate) fn understand(number: i64, arguments: &[u64; 6]) -> Option<Shape> {
    use Operation as Op;
    use Spot::At;
    use Spot::Descriptor;
    use Spot::Path;
    let flags = |place: usize| arguments[place] as i32;
    let unless = |place| Follow::Unless(place, libc::AT_SYMLINK_NOFOLLOW);
    Some(match number {
        libc::SYS_open => shape(
            opening(flags(1)),
            Path(0, Follow::Unless(1, libc::O_NOFOLLOW)),
        ),
        libc::SYS_creat => shape(Op::Create, Path(0, Follow::Yes)),
        libc::SYS_openat => shape(
            opening(flags(2)),
            At(0, Follow::Unless(2, libc::O_NOFOLLOW)),
        ),
        // The flags are in memory; whoever asks reads them there.
        libc::SYS_openat2 => shape(Op::Open, At(0, Follow::Yes)),
        libc::SYS_write | libc::SYS_pwrite64 => {
            moving(Op::Write, Descriptor(0), None, Amount::Bytes(2))
        }
        libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            moving(Op::Write, Descriptor(0), None, Amount::Pieces(1, 2))
        }
        libc::SYS_sendfile => moving(
            Op::Copy,
            Descriptor(0),
            Some(Descriptor(1)),
            Amount::Bytes(3),
        ),
        libc::SYS_splice | libc::SYS_copy_file_range => moving(
            Op::Copy,
            Descriptor(2),
            Some(Descriptor(0)),
            Amount::Bytes(4),
        ),
        libc::SYS_ioctl if is_clone(arguments[1]) => shape(Op::Clone, Descriptor(0)),
        libc::SYS_ioctl if is_set_flags(arguments[1]) => shape(Op::Attribute, Descriptor(0)),
        libc::SYS_truncate => shape(Op::SetLength, Path(0, Follow::Yes)),
        libc::SYS_ftruncate => shape(Op::SetLength, Descriptor(0)),
        libc::SYS_fallocate => shape(Op::Allocate, Descriptor(0)),
        libc::SYS_rename => pair(Op::Rename, Path(0, Follow::No), Path(1, Follow::No)),
        libc::SYS_renameat => pair(Op::Rename, At(0, Follow::No), At(2, Follow::No)),
        libc::SYS_renameat2 => {
            let exchange = arguments[4] & u64::from(libc::RENAME_EXCHANGE) != 0;
            let operation = if exchange { Op::Exchange } else { Op::Rename };
            pair(operation, At(0, Follow::No), At(2, Follow::No))
        }
        libc::SYS_link => pair(Op::Link, Path(1, Follow::No), Path(0, Follow::No)),
        libc::SYS_linkat => pair(
            Op::Link,
            At(2, Follow::No),
            At(0, Follow::If(4, libc::AT_SYMLINK_FOLLOW)),
        ),
        libc::SYS_symlink => shape(Op::Symlink, Path(1, Follow::No)),
        libc::SYS_symlinkat => shape(Op::Symlink, At(1, Follow::No)),
        libc::SYS_unlink => shape(Op::Unlink, Path(0, Follow::No)),
        libc::SYS_unlinkat if flags(2) & libc::AT_REMOVEDIR == 0 => {
            shape(Op::Unlink, At(0, Follow::No))
        }
        libc::SYS_unlinkat => shape(Op::RemoveDirectory, At(0, Follow::No)),
        libc::SYS_rmdir => shape(Op::RemoveDirectory, Path(0, Follow::No)),
        libc::SYS_mkdir => shape(Op::MakeDirectory, Path(0, Follow::No)),
        libc::SYS_mkdirat => shape(Op::MakeDirectory, At(0, Follow::No)),
        libc::SYS_mknod => shape(Op::MakeNode, Path(0, Follow::No)),
        libc::SYS_mknodat => shape(Op::MakeNode, At(0, Follow::No)),
        libc::SYS_chmod => shape(Op::Mode, Path(0, Follow::Yes)),
        libc::SYS_fchmod => shape(Op::Mode, Descriptor(0)),
        libc::SYS_fchmodat => shape(Op::Mode, At(0, Follow::Yes)),
        libc::SYS_fchmodat2 => shape(Op::Mode, At(0, unless(3))),
        libc::SYS_chown => shape(Op::Owner, Path(0, Follow::Yes)),
        libc::SYS_lchown => shape(Op::Owner, Path(0, Follow::No)),
        libc::SYS_fchown => shape(Op::Owner, Descriptor(0)),
        libc::SYS_fchownat => shape(Op::Owner, At(0, unless(4))),
        libc::SYS_utime | libc::SYS_utimes => shape(Op::Times, Path(0, Follow::Yes)),
        libc::SYS_futimesat => shape(Op::Times, At(0, Follow::Yes)),
        libc::SYS_utimensat => shape(Op::Times, At(0, unless(3))),
        libc::SYS_setxattr | libc::SYS_removexattr => shape(Op::Attribute, Path(0, Follow::Yes)),
        libc::SYS_lsetxattr | libc::SYS_lremovexattr => shape(Op::Attribute, Path(0, Follow::No)),
        libc::SYS_fsetxattr | libc::SYS_fremovexattr => shape(Op::Attribute, Descriptor(0)),
        libc::SYS_fsync | libc::SYS_fdatasync => shape(Op::Sync, Descriptor(0)),
        libc::SYS_syncfs => shape(Op::SyncFileSystem, Descriptor(0)),
        libc::SYS_sync_file_range => shape(Op::SyncRange, Descriptor(0)),
        libc::SYS_sync => Shape {
            operation: Op::SyncEverything,
            file: None,
            other: None,
            amount: None,
        },
        libc::SYS_mmap => shape(Op::Map, Descriptor(4)),
        _ => return None,
    })
}

/// `FICLONE` and `FICLONERANGE`.
pub(crate) const CLONES: [u64; 2] = [0x4004_9409, 0x4020_940d];
/// `FS_IOC_SETFLAGS` and `FS_IOC_FSSETXATTR`.
pub(crate) const SETS_FLAGS: [u64; 2] = [0x4008_6602, 0x401c_5820];

fn is_clone(request: u64) -> bool {
    CLONES.contains(&request)
}

fn is_set_flags(request: u64) -> bool {
    SETS_FLAGS.contains(&request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_that_the_filter_asks_about_is_understood() {
        let arguments = [0; 6];
        for number in ALWAYS {
            assert!(
                understand(*number, &arguments).is_some(),
                "call {number} is asked about and not understood"
            );
        }
    }

    #[test]
    fn openings_are_told_apart_by_their_flags() {
        assert_eq!(opening(libc::O_RDONLY), Operation::Open);
        assert_eq!(opening(libc::O_WRONLY | libc::O_TRUNC), Operation::Empty);
        assert_eq!(opening(libc::O_CREAT | libc::O_TRUNC), Operation::Create);
        assert_eq!(
            opening(libc::O_TMPFILE | libc::O_RDWR),
            Operation::CreateUnnamed
        );
        assert_eq!(opening(libc::O_DIRECTORY), Operation::Open);
    }
}
