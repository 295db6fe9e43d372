// SPDX-License-Identifier: Apache-2.0
//! Everything that belongs to one run of one step. A fresh one for each run, never used again.

use crate::child::line::Line;
use crate::child::messages::Reply;
use crate::child::messages::Request;
use crate::child::messages::Said;
use crate::fs::Files;
use crate::limits::HANDLES;
use crate::limits::INSTANCES;
use crate::limits::TABLE_ELEMENTS;
use crate::log::Log;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;
use wasmtime::ResourceLimiter;
use wasmtime::component::ResourceTable;

/// The data of a step's store.
pub(crate) struct State {
    pub(crate) table: ResourceTable,
    pub(crate) files: Files,
    pub(crate) log: Log,
    line: Arc<Line>,
    pub(crate) memory: Memory,
    pub(crate) random: ChaCha20Rng,
    pub(crate) created_unix_s: u64,
}

impl State {
    pub(crate) fn new(
        files: Files,
        log: Log,
        line: Arc<Line>,
        memory_bytes: u64,
        seed: [u8; 32],
        created_unix_s: u64,
    ) -> Self {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES);
        Self {
            table,
            files,
            log,
            line,
            memory: Memory {
                limit_bytes: memory_bytes,
                ..Memory::default()
            },
            random: ChaCha20Rng::from_seed(seed),
            created_unix_s,
        }
    }

    /// Tells the host something that has no answer.
    pub(crate) fn tell(&self, said: &Said) {
        // A line that has gone ends the run at the latest with the verdict, which nobody takes then.
        let _ = self.line.send(said, None);
    }

    /// Asks the host for a key and waits for the answer.
    pub(crate) fn ask(&self, request: Request) -> wasmtime::Result<Reply> {
        let gone = |error| wasmtime::format_err!("the host cannot be asked: {error}");
        self.line.send(&Said::Asked(request), None).map_err(gone)?;
        self.line.receive(None).map_err(gone)
    }
}

/// Counts linear memory and tables over all instances of a component.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    limit_bytes: u64,
    used_bytes: u64,
    elements: usize,
    /// The last request that was refused.
    pub(crate) refused: Option<Refused>,
}

/// What a component asked for beyond its limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Linear memory.
    Memory,
    /// Elements of tables.
    Elements,
}

impl Memory {
    /// The most memory so far: linear memories never shrink.
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.used_bytes
    }
}

impl ResourceLimiter for Memory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self
            .used_bytes
            .saturating_add(desired.saturating_sub(current) as u64);
        if used > self.limit_bytes {
            self.refused = Some(Refused::Memory);
            return Ok(false);
        }
        self.used_bytes = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let elements = self
            .elements
            .saturating_add(desired.saturating_sub(current));
        if elements > TABLE_ELEMENTS {
            self.refused = Some(Refused::Elements);
            return Ok(false);
        }
        self.elements = elements;
        Ok(true)
    }

    fn instances(&self) -> usize {
        INSTANCES
    }

    fn tables(&self) -> usize {
        INSTANCES
    }

    fn memories(&self) -> usize {
        INSTANCES
    }
}
