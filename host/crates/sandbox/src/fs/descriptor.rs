// SPDX-License-Identifier: Apache-2.0
//! `wasi:filesystem` itself: handles in, answers out; no rule lives here.
//!
//! A method that a later WASI adds does not compile until somebody writes it here.

use super::FileInput;
use super::FileOutput;
use super::Node;
use super::listing::Kind;
use super::listing::Listing;
use super::open::Facts;
use super::open::How;
use super::refusal::Outcome;
use super::refusal::Refusal;
use super::refusal::code;
use super::rename::Moved;
use super::shown::hash;
use super::shown::type_of;
use crate::limits::HELD_ENTRIES;
use crate::state::State;
use crate::step::Budget;
use crate::table;
use crate::wasi::Input;
use crate::wasi::Output;
use rustix::fs::FileType;
use rustix::fs::Stat;
use rustix::fs::Timespec;
use rustix::fs::Timestamps;
use rustix::fs::UTIME_OMIT;
use rustix::io::Errno;
use std::sync::Arc;
use wasmtime::component::Resource;
use wasmtime_wasi::p2::FsError;
use wasmtime_wasi::p2::FsResult;
use wasmtime_wasi::p2::bindings::sync::clocks::wall_clock::Datetime;
use wasmtime_wasi::p2::bindings::sync::filesystem::preopens;
use wasmtime_wasi::p2::bindings::sync::filesystem::types;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::Descriptor;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::DirectoryEntryStream;
use wasmtime_wasi::p2::bindings::sync::filesystem::types::ErrorCode;
use wasmtime_wasi::p2::bindings::sync::io::streams::Error;
use wasmtime_wasi::p2::bindings::sync::io::streams::InputStream;
use wasmtime_wasi::p2::bindings::sync::io::streams::OutputStream;

impl preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let root = table::push(&mut self.table, Node::Directory { path: "".into() })?;
        Ok(vec![(root, "/".to_owned())])
    }
}

impl State {
    fn node(&self, handle: &Resource<Descriptor>) -> wasmtime::Result<&Node> {
        Ok(table::get(&self.table, handle)?)
    }

    fn directory(&self, handle: &Resource<Descriptor>) -> FsResult<Arc<str>> {
        match self.node(handle).map_err(FsError::trap)? {
            Node::Directory { path } => Ok(Arc::clone(path)),
            Node::File(_) => Err(Refusal::NOT_A_DIRECTORY.into()),
        }
    }

    fn file(&self, handle: &Resource<Descriptor>) -> FsResult<super::OpenFile> {
        match self.node(handle).map_err(FsError::trap)? {
            Node::File(file) => Ok(file.clone()),
            Node::Directory { .. } => Err(Refusal::IS_A_DIRECTORY.into()),
        }
    }

    /// A new handle; when there are too many, an error rather than a trap.
    fn hand_out<E: Send + 'static, R: 'static>(&mut self, entry: E) -> FsResult<Resource<R>> {
        table::push(&mut self.table, entry)
            .map_err(|_| self.files.account.overdraw(Budget::Handles).into())
    }

    /// What the step may know of an open file or directory.
    fn facts(&self, handle: &Resource<Descriptor>) -> FsResult<Facts> {
        Ok(match self.node(handle).map_err(FsError::trap)? {
            Node::Directory { .. } => Facts {
                kind: FileType::Directory,
                size: 0,
            },
            Node::File(file) => {
                let glanced = self.files.glanced(&file.path);
                let same = |stat: &Stat| (stat.st_dev, stat.st_ino) == file.identity;
                match glanced.filter(same) {
                    Some(stat) => Facts::of(&stat),
                    None => Facts::of(&rustix::fs::fstat(&*file.file).map_err(Refusal::from)?),
                }
            }
        })
    }

    fn stat_of(&self, facts: Facts) -> types::DescriptorStat {
        let stand = Some(Datetime {
            seconds: self.created_unix_s,
            nanoseconds: 0,
        });
        types::DescriptorStat {
            type_: type_of(facts.kind),
            link_count: 1,
            size: facts.size,
            data_access_timestamp: stand,
            data_modification_timestamp: stand,
            status_change_timestamp: stand,
        }
    }

    fn times(
        &self,
        access: types::NewTimestamp,
        change: types::NewTimestamp,
    ) -> Outcome<Timestamps> {
        Ok(Timestamps {
            last_access: self.time(access)?,
            last_modification: self.time(change)?,
        })
    }

    fn time(&self, new: types::NewTimestamp) -> Outcome<Timespec> {
        let (seconds, nanoseconds) = match new {
            types::NewTimestamp::NoChange => {
                return Ok(Timespec {
                    tv_sec: 0,
                    tv_nsec: UTIME_OMIT,
                });
            }
            types::NewTimestamp::Now => (self.created_unix_s, 0),
            types::NewTimestamp::Timestamp(time) => (time.seconds, time.nanoseconds),
        };
        if nanoseconds >= 1_000_000_000 {
            return Err(Refusal::INVALID);
        }
        let tv_sec = i64::try_from(seconds).map_err(|_| Refusal::INVALID)?;
        Ok(Timespec {
            tv_sec,
            tv_nsec: nanoseconds.into(),
        })
    }

    /// The entries of all listings that are open.
    fn listed(&mut self) -> usize {
        let listings = self.table.iter_mut();
        listings
            .filter_map(|entry| entry.downcast_ref::<Listing>())
            .map(|listing| listing.held)
            .sum()
    }

    /// Lets open handles follow what was moved.
    fn follow(&mut self, moved: &Moved) {
        for entry in self.table.iter_mut() {
            if let Some(node) = entry.downcast_mut::<Node>() {
                moved.follow(node.path_mut());
            } else if let Some(Input::File(input)) = entry.downcast_mut::<Input>() {
                moved.follow(input.path_mut());
            } else if let Some(Output::File(output)) = entry.downcast_mut::<Output>() {
                moved.follow(output.path_mut());
            }
        }
    }
}

impl types::Host for State {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        Ok(error.downcast()?.into())
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        let error = self.table.get(&error)?.downcast_ref::<std::io::Error>();
        Ok(error
            .and_then(Errno::from_io_error)
            .and_then(code)
            .map(Into::into))
    }
}

impl types::HostDescriptor for State {
    fn read_via_stream(
        &mut self,
        handle: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<InputStream>> {
        let file = self.file(&handle)?;
        if !file.may_read {
            return Err(Refusal::BAD_HANDLE.into());
        }
        self.hand_out(Input::File(FileInput { file, offset }))
    }

    fn write_via_stream(
        &mut self,
        handle: Resource<Descriptor>,
        offset: u64,
    ) -> FsResult<Resource<OutputStream>> {
        let file = self.file(&handle)?;
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE.into());
        }
        self.hand_out(Output::File(FileOutput {
            file,
            offset: Some(offset),
            cuts: None,
        }))
    }

    fn append_via_stream(
        &mut self,
        handle: Resource<Descriptor>,
    ) -> FsResult<Resource<OutputStream>> {
        let file = self.file(&handle)?;
        if !file.may_write {
            return Err(Refusal::BAD_HANDLE.into());
        }
        self.hand_out(Output::File(FileOutput {
            file,
            offset: None,
            cuts: None,
        }))
    }

    fn advise(
        &mut self,
        handle: Resource<Descriptor>,
        _offset: u64,
        _length: u64,
        _advice: types::Advice,
    ) -> FsResult<()> {
        self.file(&handle).map(drop)
    }

    fn sync_data(&mut self, _handle: Resource<Descriptor>) -> FsResult<()> {
        // The whole tree is synced at once, before anything of it goes live.
        Ok(())
    }

    fn sync(&mut self, _handle: Resource<Descriptor>) -> FsResult<()> {
        Ok(())
    }

    fn get_flags(&mut self, handle: Resource<Descriptor>) -> FsResult<types::DescriptorFlags> {
        let mut flags = types::DescriptorFlags::empty();
        match self.node(&handle).map_err(FsError::trap)? {
            Node::Directory { .. } => {
                flags |= types::DescriptorFlags::READ | types::DescriptorFlags::MUTATE_DIRECTORY;
            }
            Node::File(file) => {
                if file.may_read {
                    flags |= types::DescriptorFlags::READ;
                }
                if file.may_write {
                    flags |= types::DescriptorFlags::WRITE;
                }
            }
        }
        Ok(flags)
    }

    fn get_type(&mut self, handle: Resource<Descriptor>) -> FsResult<types::DescriptorType> {
        Ok(match self.node(&handle).map_err(FsError::trap)? {
            Node::Directory { .. } => types::DescriptorType::Directory,
            Node::File(_) => types::DescriptorType::RegularFile,
        })
    }

    fn set_size(&mut self, handle: Resource<Descriptor>, size: u64) -> FsResult<()> {
        let file = self.file(&handle)?;
        Ok(self.files.resize(&file, size)?)
    }

    fn set_times(
        &mut self,
        handle: Resource<Descriptor>,
        access: types::NewTimestamp,
        change: types::NewTimestamp,
    ) -> FsResult<()> {
        let times = self.times(access, change)?;
        let path = match self.node(&handle).map_err(FsError::trap)? {
            Node::File(file) if !file.may_write => return Err(Refusal::BAD_HANDLE.into()),
            Node::File(file) => Arc::clone(&file.path),
            Node::Directory { path } => Arc::clone(path),
        };
        Ok(self.files.set_times("", &path, false, &times)?)
    }

    fn read(
        &mut self,
        handle: Resource<Descriptor>,
        length: u64,
        offset: u64,
    ) -> FsResult<(Vec<u8>, bool)> {
        let file = self.file(&handle)?;
        Ok(self.files.read_at(&file, length, offset)?)
    }

    fn write(
        &mut self,
        handle: Resource<Descriptor>,
        bytes: Vec<u8>,
        offset: u64,
    ) -> FsResult<u64> {
        let file = self.file(&handle)?;
        self.files.write_at(&file, &bytes, offset, 0)?;
        Ok(bytes.len() as u64)
    }

    fn read_directory(
        &mut self,
        handle: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let path = self.directory(&handle)?;
        let listing = self.files.list(&path)?;
        if self.listed().saturating_add(listing.held) > HELD_ENTRIES {
            return Err(self.files.account.overdraw(Budget::Handles).into());
        }
        self.hand_out(listing)
    }

    fn create_directory_at(&mut self, handle: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&handle)?;
        Ok(self.files.create_directory(&base, &path)?)
    }

    fn stat(&mut self, handle: Resource<Descriptor>) -> FsResult<types::DescriptorStat> {
        let facts = self.facts(&handle)?;
        Ok(self.stat_of(facts))
    }

    fn stat_at(
        &mut self,
        handle: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::DescriptorStat> {
        let base = self.directory(&handle)?;
        let (facts, _) = self.files.look(&base, &path, follows(flags))?;
        Ok(self.stat_of(facts))
    }

    fn set_times_at(
        &mut self,
        handle: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
        access: types::NewTimestamp,
        change: types::NewTimestamp,
    ) -> FsResult<()> {
        let base = self.directory(&handle)?;
        let times = self.times(access, change)?;
        Ok(self.files.set_times(&base, &path, follows(flags), &times)?)
    }

    fn link_at(
        &mut self,
        _handle: Resource<Descriptor>,
        _flags: types::PathFlags,
        _path: String,
        new_handle: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let base = self.directory(&new_handle)?;
        Err(self.files.hard_link(&base, &new_path).into())
    }

    fn open_at(
        &mut self,
        handle: Resource<Descriptor>,
        path_flags: types::PathFlags,
        path: String,
        open_flags: types::OpenFlags,
        flags: types::DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let base = self.directory(&handle)?;
        let how = How {
            follow: follows(path_flags),
            create: open_flags.contains(types::OpenFlags::CREATE),
            exclusive: open_flags.contains(types::OpenFlags::EXCLUSIVE),
            truncate: open_flags.contains(types::OpenFlags::TRUNCATE),
            directory: open_flags.contains(types::OpenFlags::DIRECTORY),
            read: flags.contains(types::DescriptorFlags::READ),
            write: flags.contains(types::DescriptorFlags::WRITE),
        };
        let node = self.files.open(&base, &path, how)?;
        self.hand_out(node)
    }

    fn readlink_at(&mut self, handle: Resource<Descriptor>, path: String) -> FsResult<String> {
        let base = self.directory(&handle)?;
        Ok(self.files.read_link(&base, &path)?)
    }

    fn remove_directory_at(&mut self, handle: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&handle)?;
        Ok(self.files.remove_directory(&base, &path)?)
    }

    fn rename_at(
        &mut self,
        handle: Resource<Descriptor>,
        path: String,
        new_handle: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let base = self.directory(&handle)?;
        let new_base = self.directory(&new_handle)?;
        if let Some(moved) = self.files.rename((&base, &path), (&new_base, &new_path))? {
            self.follow(&moved);
        }
        Ok(())
    }

    fn symlink_at(
        &mut self,
        handle: Resource<Descriptor>,
        target: String,
        path: String,
    ) -> FsResult<()> {
        let base = self.directory(&handle)?;
        Ok(self.files.symlink(&target, &base, &path)?)
    }

    fn unlink_file_at(&mut self, handle: Resource<Descriptor>, path: String) -> FsResult<()> {
        let base = self.directory(&handle)?;
        Ok(self.files.unlink(&base, &path)?)
    }

    fn is_same_object(
        &mut self,
        handle: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        // Where no two names share an inode that a step may write, the path is the identity.
        Ok(self.node(&handle)?.path() == self.node(&other)?.path())
    }

    fn metadata_hash(
        &mut self,
        handle: Resource<Descriptor>,
    ) -> FsResult<types::MetadataHashValue> {
        Ok(hash(self.node(&handle).map_err(FsError::trap)?.path()))
    }

    fn metadata_hash_at(
        &mut self,
        handle: Resource<Descriptor>,
        flags: types::PathFlags,
        path: String,
    ) -> FsResult<types::MetadataHashValue> {
        let base = self.directory(&handle)?;
        let (_, path) = self.files.look(&base, &path, follows(flags))?;
        Ok(hash(&path))
    }

    fn drop(&mut self, handle: Resource<Descriptor>) -> wasmtime::Result<()> {
        table::delete::<Node, _>(&mut self.table, &handle)?;
        Ok(())
    }
}

impl types::HostDirectoryEntryStream for State {
    fn read_directory_entry(
        &mut self,
        handle: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<types::DirectoryEntry>> {
        let listing: &mut Listing =
            table::get_mut(&mut self.table, &handle).map_err(FsError::trap)?;
        Ok(listing.entries.next().map(|entry| types::DirectoryEntry {
            type_: match entry.kind {
                Kind::Directory => types::DescriptorType::Directory,
                Kind::File => types::DescriptorType::RegularFile,
                Kind::Symlink => types::DescriptorType::SymbolicLink,
                Kind::Other => types::DescriptorType::Unknown,
            },
            name: entry.name,
        }))
    }

    fn drop(&mut self, handle: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        table::delete::<Listing, _>(&mut self.table, &handle)?;
        Ok(())
    }
}

fn follows(flags: types::PathFlags) -> bool {
    flags.contains(types::PathFlags::SYMLINK_FOLLOW)
}
