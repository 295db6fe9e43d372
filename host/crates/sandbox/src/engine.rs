// SPDX-License-Identifier: Apache-2.0
//! Components: from bytes to code that passed the gate. The compiling itself is a child's.

use crate::cache::Cache;
use crate::child::Role;
use crate::child::line::LineError;
use crate::child::messages::Compiled;
use crate::child::spawn;
use crate::child::spawn::End;
use crate::child::spawn::Held;
use crate::child::spawn::Program;
use crate::code::Code;
use crate::confine::Cgroups;
use crate::confine::Wall;
use crate::features;
use crate::imports;
use crate::imports::CompileError;
use crate::imports::Import;
use crate::limits::COMPILE_ADDRESS_BYTES;
use crate::limits::COMPILE_CPU;
use crate::limits::COMPILE_PATIENCE;
use crate::limits::COMPONENT_BYTES;
use crate::limits::STACK_BYTES;
use crate::limits::START_TIME;
use crate::switches::Switches;
use cofferdam_package::digest::Digest;
use std::fmt;
use std::hash::Hash;
use std::hash::Hasher;
use std::sync::OnceLock;
use std::time::Duration;
use std::time::Instant;
use thiserror::Error;
use wasmparser::WasmFeatures;
use wasmtime::Config;
use wasmtime::OptLevel;
use wasmtime::WasmBacktraceDetails;

/// Compiles and runs components, each in a child process of its own. One is enough for a process;
/// steps run one after another or, from several threads, at the same time.
#[derive(Debug, Default)]
pub struct Engine {
    /// What is started as a child.
    pub program: Program,
    /// Where compiled code is kept; nowhere by default.
    pub cache: Option<Cache>,
    /// Whether nothing is run when a wall of the kernel is missing.
    pub require_confinement: bool,
    /// CPU time that compiling one component may take, in place of two minutes.
    pub compile_time: Option<Duration>,
    /// Walls that a test has pulled down.
    pub switches: Switches,
    /// Where the children's cgroups are made.
    pub cgroups: Cgroups,
}

/// A component that imports only what is on offer, compiled.
#[derive(Clone)]
pub struct Component {
    pub(crate) code: Code,
    imports: Vec<Import>,
    digest: Digest,
    from_cache: bool,
}

/// Why a component could not even be looked at.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// No child process, or not a useful one.
    #[error("the sandbox cannot start: {0}")]
    Start(String),
    /// A wall is missing, and the policy requires it.
    #[error("the wall `{}` does not stand ({}), and the policy requires it", .0.wall, .0.detail)]
    Unconfined(Wall),
    /// The component is refused.
    #[error(transparent)]
    Compile(#[from] CompileError),
}

impl SandboxError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Start(_) => "sandbox-engine",
            Self::Unconfined(_) => "sandbox-unconfined",
            Self::Compile(error) => error.code(),
        }
    }
}

impl Engine {
    /// The walls that stand around a child on this machine, seen on one that was started for it.
    ///
    /// # Errors
    /// No child can be started; one that is required does not stand.
    pub fn walls(&self) -> Result<Vec<Wall>, SandboxError> {
        let (_, walls) = self.compiler()?;
        Ok(walls)
    }

    /// Lets a component in: its imports are judged first, then it is compiled, unless the cache has it.
    ///
    /// # Errors
    /// When it asks for what is not on offer (all of it is named), is not a component that exports a
    /// step, is too large, or costs too much to compile; when no child can be started.
    pub fn compile(&self, component: &[u8]) -> Result<Component, SandboxError> {
        if component.len() > COMPONENT_BYTES {
            return Err(CompileError::TooLarge {
                found: component.len(),
                allowed: COMPONENT_BYTES,
            }
            .into());
        }
        let digest = Digest::of(component);
        let Some(cache) = &self.cache else {
            return self.compile_anew(component, digest).map(|(found, _)| found);
        };
        let name = cached_as(digest)?;
        if let Some(found) = cache.find(name) {
            return Ok(Component {
                code: found.code,
                imports: found.imports,
                digest,
                from_cache: true,
            });
        }
        let (compiled, code) = self.compile_anew(component, digest)?;
        // What cannot be kept is compiled again next time; that is all that is lost.
        let _ = cache.keep(name, &compiled.imports, &code);
        Ok(compiled)
    }

    fn compile_anew(
        &self,
        component: &[u8],
        digest: Digest,
    ) -> Result<(Component, Vec<u8>), SandboxError> {
        let (child, _) = self.compiler()?;
        let patience = self.compile_cpu().saturating_mul(COMPILE_PATIENCE);
        let deadline = Instant::now().checked_add(patience);
        let (imports, code) = match exchange(&child, component, deadline) {
            Ok(compiled) => compiled?,
            Err(error) => return Err(self.broken(child, &error)),
        };
        let start = |error: std::io::Error| SandboxError::Start(error.to_string());
        let compiled = Component {
            code: Code::seal(&code).map_err(start)?,
            imports,
            digest,
            from_cache: false,
        };
        Ok((compiled, code))
    }

    /// A compiler whose walls stand.
    fn compiler(&self) -> Result<(Held, Vec<Wall>), SandboxError> {
        let child = spawn::start(
            &self.program,
            Role::Compiler,
            None,
            COMPILE_ADDRESS_BYTES,
            &self.cgroups,
        )
        .map_err(|error| SandboxError::Start(error.to_string()))?;
        let deadline = Some(Instant::now() + START_TIME);
        let told = child.line.send(&self.compile_cpu(), deadline);
        let mut walls: Vec<Wall> = match told.and_then(|()| child.line.receive(deadline)) {
            Ok(walls) => walls,
            Err(error) => {
                return Err(SandboxError::Start(format!(
                    "no word from a child: {error}"
                )));
            }
        };
        walls.push(child.wall());
        if self.require_confinement
            && let Some(missing) = walls.iter().find(|wall| wall.can_be_required() && !wall.up)
        {
            return Err(SandboxError::Unconfined(missing.clone()));
        }
        Ok((child, walls))
    }

    fn compile_cpu(&self) -> Duration {
        self.compile_time.unwrap_or(COMPILE_CPU)
    }

    /// What it means that a compiler ended, or went on, without an answer.
    fn broken(&self, child: Held, error: &LineError) -> SandboxError {
        let cpu = self.compile_cpu();
        let costly = |found: String| CompileError::TooCostly(found).into();
        match error {
            LineError::TimedOut => costly(format!("not done after {:?}", cpu * COMPILE_PATIENCE)),
            LineError::Closed => match child.end() {
                Ok(End::Signal(libc::SIGXCPU | libc::SIGKILL)) => costly(format!(
                    "the limit of {cpu:?} of CPU time, or of memory, was reached"
                )),
                Ok(End::Signal(libc::SIGABRT)) => costly(format!(
                    "more than {} MiB of memory",
                    COMPILE_ADDRESS_BYTES >> 20
                )),
                Ok(end) => {
                    CompileError::Invalid(format!("the compiler broke down on it ({end})")).into()
                }
                Err(error) => SandboxError::Start(error.to_string()),
            },
            LineError::Bad(_) | LineError::Io(_) => SandboxError::Start(error.to_string()),
        }
    }
}

/// A compiler's answer: imports and code.
type Answer = Result<(Vec<Import>, Vec<u8>), CompileError>;

/// Gives a compiler its component and takes its answer.
fn exchange(
    child: &Held,
    component: &[u8],
    deadline: Option<Instant>,
) -> Result<Answer, LineError> {
    child.line.send_bytes(component, deadline)?;
    match child.line.receive::<Compiled>(deadline)? {
        Ok(imports) => Ok(Ok((imports, child.line.receive_bytes(deadline)?))),
        Err(error) => Ok(Err(error)),
    }
}

/// The name of a component's code in a cache: whatever decides what the code is goes into it.
fn cached_as(component: Digest) -> Result<Digest, SandboxError> {
    let mut text = format!(
        "cofferdam code/1\n{component}\n{}\n",
        env!("CARGO_PKG_VERSION")
    );
    for interface in imports::offered() {
        text.push_str(interface);
        text.push('\n');
    }
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(wasmtimes_own()?);
    Ok(Digest::of(&bytes))
}

/// What wasmtime says that its code depends on: its version, the engine's settings, the target and the
/// processor's features. None of them changes while a process lives.
fn wasmtimes_own() -> Result<&'static [u8], SandboxError> {
    static FOUND: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(found) = FOUND.get() {
        return Ok(found);
    }
    let engine = wasmtime::Engine::new(&config())
        .map_err(|error| SandboxError::Start(format!("{error:#}")))?;
    let mut gathered = Gathered(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut gathered);
    Ok(FOUND.get_or_init(|| gathered.0))
}

/// Takes down what is hashed, so that a lasting digest can be made of it.
struct Gathered(Vec<u8>);

impl Hasher for Gathered {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
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

    /// How long its code is, which is held in memory as long as this is.
    pub fn code_bytes(&self) -> u64 {
        self.code.bytes()
    }

    /// Whether its code was found in the cache.
    pub fn from_cache(&self) -> bool {
        self.from_cache
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
pub(crate) fn config() -> Config {
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        .consume_fuel(true)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES)
        // An instance is used once: an image in a memory file, to copy pages from, would cost more
        // than it saves, and a runner another system call.
        .memory_init_cow(false)
        // Line numbers would need the component's debug information, which is not to be trusted with
        // this process's time; the panic's own message has them.
        .wasm_backtrace_details(WasmBacktraceDetails::Disable)
        .wasm_features(WasmFeatures::all(), false)
        .wasm_features(features::COMPILED, true);
    config
}
