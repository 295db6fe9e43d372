// SPDX-License-Identifier: Apache-2.0
//! The calls that a step makes on its tree, without a component: for tests that make very many of them.
//!
//! What is called is the same implementation of `wasi:filesystem` and `wasi:io` that a component gets;
//! only the way in is a function instead of a trap into the host. Nothing here decides anything, and
//! whoever can call it holds the tree's handle already. [`heard`] is the other side of the line: what the
//! host makes of the bytes that a child sends. It is no part of the crate's interface.

use crate::access::ConfigAccess;
use crate::access::Observer;
use crate::child::line::Line;
use crate::child::messages::Said;
use crate::fs::Files;
use crate::grants::FileGrants;
use crate::limits::Limits;
use crate::log::Log;
use crate::record::LogLine;
use crate::record::StepRecord;
use crate::record::Touched;
use crate::run::Desk;
use crate::run::cleaned;
use crate::state::State;
use crate::step::Verdict;
use crate::switches::Switches;
use std::fs::File;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::StreamError;
use wasmtime_wasi::p2::bindings::sync::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sync::filesystem::preopens::Host as _;
use wasmtime_wasi::p2::bindings::sync::filesystem::types;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Descriptor;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Host as _;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::HostDescriptor as _;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::HostDirectoryEntryStream as _;
use wasmtime_wasi::p2::bindings::sync::io::streams;
use wasmtime_wasi::p2::bindings::sync::io::streams::HostInputStream as _;
use wasmtime_wasi::p2::bindings::sync::io::streams::HostOutputStream as _;

/// A tree with the grants of a step, and the handles that a step would hold.
pub struct Driven {
    state: State,
    /// The host's end of the line: nobody reads it, but it must be there.
    _host: UnixStream,
}

/// A handle of an open file or directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handle(u32);

/// How a file is opened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "the flags of one call, as WASI has them"
)]
pub struct Open {
    /// Follow a link at the end of the path.
    pub follow: bool,
    /// Make it where there is none.
    pub create: bool,
    /// Fail where there is one.
    pub exclusive: bool,
    /// Cut it to nothing.
    pub truncate: bool,
    /// Fail where it is no directory.
    pub directory: bool,
    /// For reading.
    pub read: bool,
    /// For writing.
    pub write: bool,
}

/// What a step learns of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// WASI's word for its kind.
    pub kind: &'static str,
    /// Its size.
    pub bytes: u64,
}

/// WASI's name of the error; `trap` where the step would have ended, `closed` at a stream's end.
pub type Answer<T = ()> = Result<T, &'static str>;

impl std::fmt::Debug for Driven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driven").finish_non_exhaustive()
    }
}

impl Handle {
    fn own(self) -> Resource<Descriptor> {
        Resource::new_own(self.0)
    }

    fn borrow(self) -> Resource<Descriptor> {
        Resource::new_borrow(self.0)
    }
}

impl Driven {
    /// The tree below `root`, as a step with these grants has it.
    ///
    /// # Errors
    /// Where the kernel cannot resolve paths safely.
    pub fn new(
        root: &File,
        grants: &FileGrants,
        limits: &Limits,
        may_write: bool,
    ) -> std::io::Result<Self> {
        let files = Files::new(root, grants, limits, may_write, Switches::default())?;
        let (host, child) = UnixStream::pair()?;
        let (line, log) = (Arc::new(Line::new(child)), Log::new(limits.log_bytes));
        Ok(Self {
            state: State::new(files, log, line, limits.memory_bytes, [0; 32], 0),
            _host: host,
        })
    }

    /// What the step did to which paths, and how many more paths there were; how many bytes it wrote,
    /// and how many files it made.
    pub fn finish(self) -> (Vec<Touched>, u64, u64, u64) {
        let files = self.state.files;
        let (touched, unlisted) = files.trail.into_entries();
        (
            touched,
            unlisted,
            files.account.written_bytes,
            files.account.files,
        )
    }

    fn told(&mut self, error: FsError) -> &'static str {
        match self.state.convert_error_code(error) {
            Ok(code) => code.name(),
            Err(_) => "trap",
        }
    }

    fn answer<T>(&mut self, done: Result<T, FsError>) -> Answer<T> {
        done.map_err(|error| self.told(error))
    }

    /// The root of the tree.
    ///
    /// # Errors
    /// When there are too many handles.
    pub fn root(&mut self) -> Answer<Handle> {
        let roots = self.state.get_directories().map_err(|_| "trap")?;
        let (root, _) = roots.first().ok_or("trap")?;
        Ok(Handle(root.rep()))
    }

    /// `open-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn open(&mut self, base: Handle, path: &str, how: Open) -> Answer<Handle> {
        let open = [
            (how.create, types::OpenFlags::CREATE),
            (how.exclusive, types::OpenFlags::EXCLUSIVE),
            (how.truncate, types::OpenFlags::TRUNCATE),
            (how.directory, types::OpenFlags::DIRECTORY),
        ];
        let open = open.into_iter().filter(|(wanted, _)| *wanted);
        let open = open.fold(types::OpenFlags::empty(), |all, (_, flag)| all | flag);
        let flags = [
            (how.read, types::DescriptorFlags::READ),
            (how.write, types::DescriptorFlags::WRITE),
        ];
        let flags = flags.into_iter().filter(|(wanted, _)| *wanted);
        let flags = flags.fold(types::DescriptorFlags::empty(), |all, (_, flag)| all | flag);
        let path = path.to_owned();
        let opened = self
            .state
            .open_at(base.borrow(), follow(how.follow), path, open, flags);
        Ok(Handle(self.answer(opened)?.rep()))
    }

    /// Drops a handle.
    ///
    /// # Errors
    /// `trap` when it is none.
    pub fn close(&mut self, handle: Handle) -> Answer {
        types::HostDescriptor::drop(&mut self.state, handle.own()).map_err(|_| "trap")
    }

    /// `read`, at an offset.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn read(&mut self, file: Handle, bytes: u64, offset: u64) -> Answer<Vec<u8>> {
        let read = types::HostDescriptor::read(&mut self.state, file.borrow(), bytes, offset);
        Ok(self.answer(read)?.0)
    }

    /// `write`, at an offset.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn write(&mut self, file: Handle, bytes: &[u8], offset: u64) -> Answer<u64> {
        let bytes = bytes.to_vec();
        let wrote = types::HostDescriptor::write(&mut self.state, file.borrow(), bytes, offset);
        self.answer(wrote)
    }

    /// Reads through a stream.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn stream_in(&mut self, file: Handle, bytes: u64, offset: u64) -> Answer<Vec<u8>> {
        let stream = self.state.read_via_stream(file.borrow(), offset);
        let stream = self.answer(stream)?;
        let read = self
            .state
            .blocking_read(Resource::new_borrow(stream.rep()), bytes);
        streams::HostInputStream::drop(&mut self.state, stream).map_err(|_| "trap")?;
        read.map_err(stream_error)
    }

    /// Writes through a stream, at an offset or at the end.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn stream_out(&mut self, file: Handle, bytes: &[u8], offset: Option<u64>) -> Answer {
        let stream = match offset {
            Some(offset) => self.state.write_via_stream(file.borrow(), offset),
            None => self.state.append_via_stream(file.borrow()),
        };
        let stream = self.answer(stream)?;
        let wrote = self
            .state
            .blocking_write_and_flush(Resource::new_borrow(stream.rep()), bytes.to_vec());
        streams::HostOutputStream::drop(&mut self.state, stream).map_err(|_| "trap")?;
        wrote.map_err(stream_error)
    }

    /// `set-size`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn set_size(&mut self, file: Handle, bytes: u64) -> Answer {
        let done = self.state.set_size(file.borrow(), bytes);
        self.answer(done)
    }

    /// `set-times`, of an open file or directory.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn set_times(&mut self, file: Handle, unix_s: u64) -> Answer {
        let done = types::HostDescriptor::set_times(
            &mut self.state,
            file.borrow(),
            at(unix_s),
            at(unix_s),
        );
        self.answer(done)
    }

    /// `set-times-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn set_times_at(
        &mut self,
        base: Handle,
        path: &str,
        to_follow: bool,
        unix_s: u64,
    ) -> Answer {
        let done = self.state.set_times_at(
            base.borrow(),
            follow(to_follow),
            path.to_owned(),
            at(unix_s),
            at(unix_s),
        );
        self.answer(done)
    }

    /// `stat`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn stat(&mut self, file: Handle) -> Answer<Facts> {
        let stat = types::HostDescriptor::stat(&mut self.state, file.borrow());
        self.answer(stat).map(facts)
    }

    /// `stat-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn stat_at(&mut self, base: Handle, path: &str, to_follow: bool) -> Answer<Facts> {
        let stat = self
            .state
            .stat_at(base.borrow(), follow(to_follow), path.to_owned());
        self.answer(stat).map(facts)
    }

    /// `metadata-hash-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn hash_at(&mut self, base: Handle, path: &str, to_follow: bool) -> Answer<(u64, u64)> {
        let hash = self
            .state
            .metadata_hash_at(base.borrow(), follow(to_follow), path.to_owned());
        self.answer(hash).map(|hash| (hash.lower, hash.upper))
    }

    /// `readlink-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn read_link(&mut self, base: Handle, path: &str) -> Answer<String> {
        let target = self.state.readlink_at(base.borrow(), path.to_owned());
        self.answer(target)
    }

    /// `read-directory`: names and WASI's words for their kinds.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn list(&mut self, directory: Handle) -> Answer<Vec<(String, &'static str)>> {
        let listing = self.state.read_directory(directory.borrow());
        let listing = self.answer(listing)?;
        let mut entries = Vec::new();
        loop {
            let entry = self
                .state
                .read_directory_entry(Resource::new_borrow(listing.rep()));
            match self.answer(entry)? {
                Some(entry) => entries.push((entry.name, word(entry.type_))),
                None => break,
            }
        }
        types::HostDirectoryEntryStream::drop(&mut self.state, listing).map_err(|_| "trap")?;
        Ok(entries)
    }

    /// `create-directory-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn create_directory(&mut self, base: Handle, path: &str) -> Answer {
        let done = self
            .state
            .create_directory_at(base.borrow(), path.to_owned());
        self.answer(done)
    }

    /// `remove-directory-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn remove_directory(&mut self, base: Handle, path: &str) -> Answer {
        let done = self
            .state
            .remove_directory_at(base.borrow(), path.to_owned());
        self.answer(done)
    }

    /// `unlink-file-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn unlink(&mut self, base: Handle, path: &str) -> Answer {
        let done = self.state.unlink_file_at(base.borrow(), path.to_owned());
        self.answer(done)
    }

    /// `rename-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn rename(&mut self, from: (Handle, &str), to: (Handle, &str)) -> Answer {
        let done = self.state.rename_at(
            from.0.borrow(),
            from.1.to_owned(),
            to.0.borrow(),
            to.1.to_owned(),
        );
        self.answer(done)
    }

    /// `symlink-at`.
    ///
    /// # Errors
    /// As WASI names them.
    pub fn symlink(&mut self, target: &str, base: Handle, path: &str) -> Answer {
        let done = self
            .state
            .symlink_at(base.borrow(), target.to_owned(), path.to_owned());
        self.answer(done)
    }

    /// `link-at`.
    ///
    /// # Errors
    /// Always.
    pub fn link(&mut self, from: (Handle, &str), to: (Handle, &str)) -> Answer {
        let done = self.state.link_at(
            from.0.borrow(),
            types::PathFlags::empty(),
            from.1.to_owned(),
            to.0.borrow(),
            to.1.to_owned(),
        );
        self.answer(done)
    }
}

/// The lines that a message added to the log, and the end that it told, if it did.
pub type Heard = (Vec<LogLine>, Option<(Verdict, StepRecord)>);

/// What the host makes of one frame from a child: lines for the log, or the end.
///
/// # Errors
/// When it is no message.
pub fn heard(
    frame: &[u8],
    log_bytes: u64,
    config: &mut dyn ConfigAccess,
    observer: &mut dyn Observer,
) -> Result<Heard, String> {
    let said: Said = rmp_serde::from_slice(frame).map_err(|error| error.to_string())?;
    let mut log = Log::new(log_bytes);
    if let Said::Done(end) = said {
        return Ok((Vec::new(), Some((cleaned(end.0), end.1.without_claims()))));
    }
    let mut desk = Desk {
        config,
        observer,
        log: &mut log,
    };
    desk.serve(said);
    Ok((log.into_lines(), None))
}

fn follow(to_follow: bool) -> types::PathFlags {
    if to_follow {
        types::PathFlags::SYMLINK_FOLLOW
    } else {
        types::PathFlags::empty()
    }
}

fn at(unix_s: u64) -> types::NewTimestamp {
    types::NewTimestamp::Timestamp(Datetime {
        seconds: unix_s,
        nanoseconds: 0,
    })
}

fn facts(stat: types::DescriptorStat) -> Facts {
    Facts {
        kind: word(stat.type_),
        bytes: stat.size,
    }
}

fn word(kind: types::DescriptorType) -> &'static str {
    match kind {
        types::DescriptorType::Directory => "directory",
        types::DescriptorType::RegularFile => "file",
        types::DescriptorType::SymbolicLink => "symlink",
        _ => "other",
    }
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "used as a function value in `map_err`"
)]
fn stream_error(error: StreamError) -> &'static str {
    match error {
        StreamError::Closed => "closed",
        StreamError::LastOperationFailed(_) => "failed",
        StreamError::Trap(_) => "trap",
    }
}
