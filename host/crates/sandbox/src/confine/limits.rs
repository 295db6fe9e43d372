// SPDX-License-Identifier: Apache-2.0
//! Resource limits and capabilities of a child.

use super::Reach;
use super::Wall;
use super::WallKind;
use caps::CapSet;
use caps::Capability;
use caps::CapsHashSet;
use rustix::process::Resource;
use rustix::process::Rlimit;
use rustix::process::setrlimit;
use std::time::Duration;

/// The most that a child's process may use, over its whole life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ceilings {
    /// CPU time of all threads together.
    pub(crate) cpu: Duration,
    /// Memory.
    pub(crate) memory: MemoryCeiling,
    /// The size of the largest file that it may make or lengthen.
    pub(crate) file_bytes: u64,
    /// Open descriptors.
    pub(crate) descriptors: u64,
}

/// Which kind of memory is bounded.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MemoryCeiling {
    /// Everything that is mapped. Not for a child that runs wasm: an instance reserves 4 GiB of
    /// addresses and guard pages behind them, and the mitigations against Spectre depend on both.
    AddressSpace(u64),
    /// Private memory that can be written; reserved addresses do not count.
    Data(u64),
}

/// Lowers the limits, for good: the hard ones go down with the soft ones.
pub(super) fn lower(ceilings: &Ceilings) -> Wall {
    const KIND: WallKind = WallKind::Limits;
    let cpu_s = ceilings.cpu.as_secs().saturating_add(1);
    let memory = match ceilings.memory {
        MemoryCeiling::AddressSpace(bytes) => (Resource::As, bytes),
        MemoryCeiling::Data(bytes) => (Resource::Data, bytes),
    };
    for (resource, most) in [
        (Resource::Core, 0),
        (Resource::Cpu, cpu_s),
        (Resource::Fsize, ceilings.file_bytes),
        (Resource::Nofile, ceilings.descriptors),
        memory,
    ] {
        let current = rustix::process::getrlimit(resource);
        let most = current.maximum.map_or(most, |now| now.min(most));
        let limit = Rlimit {
            current: Some(most),
            maximum: Some(most),
        };
        if let Err(error) = setrlimit(resource, limit) {
            return Wall::down(KIND, format!("{resource:?}: {error}"));
        }
    }
    Wall::up(KIND, format!("{cpu_s} s of CPU, {} MiB", memory.1 >> 20))
}

/// Files of a service belong to its account; a runner replaces them as the host does.
const RUNNER: [Capability; 4] = [
    Capability::CAP_CHOWN,
    Capability::CAP_DAC_OVERRIDE,
    Capability::CAP_FOWNER,
    Capability::CAP_FSETID,
];

/// Gives up every right of root that the child does not need. The bounding set stays: it bounds what a
/// program that is started may get back, and no program can be started.
pub(super) fn drop_capabilities(reach: &Reach<'_>) -> Wall {
    const KIND: WallKind = WallKind::Capabilities;
    let kept: CapsHashSet = match reach {
        Reach::Nothing => CapsHashSet::new(),
        Reach::Tree { .. } => RUNNER.into_iter().collect(),
    };
    let reduce = || -> Result<usize, caps::errors::CapsError> {
        let held = caps::read(None, CapSet::Permitted)?;
        let left: CapsHashSet = held.intersection(&kept).copied().collect();
        caps::clear(None, CapSet::Inheritable)?;
        caps::set(None, CapSet::Effective, &left)?;
        caps::set(None, CapSet::Permitted, &left)?;
        Ok(left.len())
    };
    match reduce() {
        Ok(0) => Wall::up(KIND, "none"),
        Ok(left) => Wall::up(KIND, format!("{left} left, for files of other owners")),
        Err(error) => Wall::down(KIND, error),
    }
}
