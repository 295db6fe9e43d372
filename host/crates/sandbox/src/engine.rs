// SPDX-License-Identifier: Apache-2.0
//! The engine, and components that have passed the gate.

use crate::bindings::StepPre;
use crate::imports;
use crate::imports::CompileError;
use crate::imports::Import;
use crate::limits::STACK_BYTES;
use crate::link;
use crate::state::State;
use cofferdam_package::digest::Digest;
use std::fmt;
use thiserror::Error;
use wasmtime::Config;
use wasmtime::OptLevel;
use wasmtime::WasmBacktraceDetails;
use wasmtime::component::Linker;

/// Compiles and runs components. One is enough for a process; steps run one after another or, from
/// several threads, at the same time.
pub struct Engine {
    pub(crate) inner: wasmtime::Engine,
    linker: Linker<State>,
}

/// A component that imports only what is on offer, compiled.
#[derive(Clone)]
pub struct Component {
    pub(crate) ready: StepPre<State>,
    imports: Vec<Import>,
    digest: Digest,
}

/// Why there is no engine.
#[derive(Debug, Error)]
#[error("WebAssembly cannot run on this machine: {0}")]
pub struct SandboxError(String);

impl SandboxError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        "sandbox-engine"
    }
}

impl Engine {
    /// An engine with the one configuration there is.
    ///
    /// # Errors
    /// When the machine lacks what compiled code needs.
    pub fn new() -> Result<Self, SandboxError> {
        let inner = wasmtime::Engine::new(&config()).map_err(|e| SandboxError(format!("{e:#}")))?;
        let mut linker = Linker::new(&inner);
        link::offer(&mut linker).map_err(|e| SandboxError(format!("{e:#}")))?;
        Ok(Self { inner, linker })
    }

    /// Lets a component in: its imports are judged first, then it is compiled.
    ///
    /// # Errors
    /// When it asks for what is not on offer (all of it is named), is not a component that exports a
    /// step, or is too large.
    pub fn compile(&self, component: &[u8]) -> Result<Component, CompileError> {
        let imports = imports::gate(component)?;
        let compiled = wasmtime::component::Component::from_binary(&self.inner, component)
            .map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
        let linked = self
            .linker
            .instantiate_pre(&compiled)
            .map_err(|error| CompileError::Invalid(format!("{error:#}")))?;
        let ready =
            StepPre::new(linked).map_err(|error| CompileError::Exports(format!("{error:#}")))?;
        Ok(Component {
            ready,
            imports,
            digest: Digest::of(component),
        })
    }
}

impl Component {
    /// What it imports, sorted by name.
    pub fn imports(&self) -> &[Import] {
        &self.imports
    }

    /// The SHA-256 of its bytes.
    pub fn digest(&self) -> Digest {
        self.digest
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component")
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Cranelift with everything that bounds and repeats, and none of the proposals that nobody needs.
/// Guard pages stay as they are by default: the mitigations against Spectre depend on them.
fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        // Line numbers would need the component's debug information, which is not to be trusted with
        // this process's time; the panic's own message has them.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_relaxed_simd(false)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        .wasm_custom_page_sizes(false)
        .wasm_wide_arithmetic(false)
        .wasm_tail_call(false);
    config
}
