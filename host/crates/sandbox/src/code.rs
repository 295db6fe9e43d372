// SPDX-License-Identifier: Apache-2.0
//! Compiled code: kept in memory that nobody can change any more, and brought to life in one place.
//!
//! This is the only module of the product with `unsafe` in it.

use crate::limits::CODE_BYTES;
use rustix::fs::MemfdFlags;
use rustix::fs::SealFlags;
use std::fs::File;
use std::io;
use std::io::Write;
use std::os::fd::AsRawFd;
use std::sync::Arc;

/// Code of one component, in sealed memory: it can be handed to a child, and changed by nobody.
#[derive(Debug, Clone)]
pub(crate) struct Code {
    memory: Arc<File>,
    bytes: u64,
}

impl Code {
    /// Seals code.
    pub(crate) fn seal(code: &[u8]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let mut memory = File::from(rustix::fs::memfd_create("cofferdam-code", flags)?);
        memory.write_all(code)?;
        let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
        rustix::fs::fcntl_add_seals(&memory, seals)?;
        Ok(Self {
            memory: Arc::new(memory),
            bytes: code.len() as u64,
        })
    }

    /// How long it is.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A descriptor for a child.
    pub(crate) fn handle(&self) -> io::Result<File> {
        self.memory.try_clone()
    }
}

/// Code that the host handed to this process, in a runner.
#[derive(Debug)]
pub(crate) struct Handed<'a>(&'a File);

impl<'a> Handed<'a> {
    /// Takes the descriptor that the host gave for it: sealed memory, which the host filled from a
    /// compiler's answer or from a cache file whose authentication code it had checked.
    pub(crate) fn take(memory: &'a File) -> io::Result<Self> {
        let bytes = memory.metadata()?.len();
        if bytes > CODE_BYTES {
            return Err(io::Error::other(format!("{bytes} bytes of code")));
        }
        Ok(Self(memory))
    }

    /// Brings it to life where it is: the sealed memory is mapped, not copied. That it is opened by a
    /// path once more is for want of a function of wasmtime's that takes an open file; landlock has no
    /// say about it, since memory lies in no directory.
    ///
    /// Code of another version of wasmtime, or of an engine with other settings, is refused by the engine
    /// itself; tampering would not be noticed here.
    #[expect(
        unsafe_code,
        reason = "the one place where code that was compiled earlier becomes executable"
    )]
    pub(crate) fn revive(
        &self,
        engine: &wasmtime::Engine,
    ) -> wasmtime::Result<wasmtime::component::Component> {
        let memory = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        // SAFETY: `deserialize_file` demands unmodified output of `serialize`, and that the file stays as
        // it is. A value of this type is made only in a runner, from sealed memory, and the host fills
        // that only with what a compiler child gave it, directly or by way of the cache under its
        // authentication code (`cache.rs`). A compiler child that a component took over could give
        // anything: that code then runs here, where a step's own code would run, confined (`confine.rs`)
        // and with nothing but its grants in reach. This is why no other process may call this.
        unsafe { wasmtime::component::Component::deserialize_file(engine, memory) }
    }
}
