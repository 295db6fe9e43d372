// SPDX-License-Identifier: Apache-2.0
//! Compiled code: kept in memory that nobody can change any more, and brought to life in one place.
//!
//! This is the only module of the product with `unsafe` in it.

use crate::limits::CODE_BYTES;
use rustix::fs::MemfdFlags;
use rustix::fs::SealFlags;
use std::fs::File;
use std::io;
use std::io::Read;
use std::io::Seek;
use std::io::Write;
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
        memory.rewind()?;
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
pub(crate) struct Handed(Vec<u8>);

impl Handed {
    /// Reads it from the descriptor that the host gave for it: sealed memory, which the host filled from
    /// a compiler's answer or from a cache file whose authentication code it had checked.
    pub(crate) fn read(memory: &File, bytes: u64) -> io::Result<Self> {
        if bytes > CODE_BYTES {
            return Err(io::Error::other(format!("{bytes} bytes of code")));
        }
        let mut code = vec![0; bytes as usize];
        let mut reader: &File = memory;
        reader.rewind()?;
        reader.read_exact(&mut code)?;
        Ok(Self(code))
    }

    /// Brings it to life. Code of another version of wasmtime, or of an engine with other settings, is
    /// refused by the engine itself; tampering would not be noticed here.
    #[expect(
        unsafe_code,
        reason = "the one place where code that was compiled earlier becomes executable"
    )]
    pub(crate) fn revive(
        &self,
        engine: &wasmtime::Engine,
    ) -> wasmtime::Result<wasmtime::component::Component> {
        // SAFETY: `deserialize` demands unmodified output of `serialize`. A value of this type is made
        // only in a runner, from sealed memory, and the host fills that only with what a compiler child
        // gave it, directly or by way of the cache under its authentication code (`cache.rs`). A
        // compiler child that a component took over could give anything: that code then runs here,
        // where a step's own code would run, confined (`confine.rs`) and with nothing but its grants
        // in reach. This is why no other process may call this.
        unsafe { wasmtime::component::Component::deserialize(engine, &self.0) }
    }
}
