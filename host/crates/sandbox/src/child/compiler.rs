// SPDX-License-Identifier: Apache-2.0
//! The compiler child: a component's bytes in, its imports and its code out.
//!
//! Nothing in wasmtime bounds what compiling costs, and a component can be made for that; nothing is
//! in reach here but memory and CPU time, and both have an end.

use super::line::LineError;
use super::messages::Compiled;
use crate::confine;
use crate::confine::Calls;
use crate::confine::Ceilings;
use crate::confine::MemoryCeiling;
use crate::confine::Reach;
use crate::engine;
use crate::imports;
use crate::imports::CompileError;
use crate::imports::Import;
use crate::limits::COMPILE_ADDRESS_BYTES;
use crate::link;
use crate::switches::Switches;

/// Confines this process, then compiles what comes over the line.
pub(super) fn work() -> Result<(), LineError> {
    let line = super::runner::line()?;
    let ceilings = Ceilings {
        cpu: line.receive(None)?,
        memory: MemoryCeiling::AddressSpace(COMPILE_ADDRESS_BYTES),
        file_bytes: 0,
        descriptors: 16,
    };
    let mut walls = confine::before_threads(&ceilings, &Reach::Nothing, Switches::default());
    walls.extend(confine::for_all_threads(
        Calls::Compiler,
        Switches::default(),
    ));
    line.send(&walls, None)?;
    let component = match line.receive_bytes(None) {
        // The host only wanted to know which walls stand.
        Err(LineError::Closed) => return Ok(()),
        component => component?,
    };
    match compile(&component) {
        Ok((imports, code)) => {
            line.send::<Compiled>(&Ok(imports), None)?;
            line.send_bytes(&code, None)
        }
        Err(error) => line.send::<Compiled>(&Err(error), None),
    }
}

fn compile(component: &[u8]) -> Result<(Vec<Import>, Vec<u8>), CompileError> {
    let imports = imports::gate(component)?;
    let invalid = |error: wasmtime::Error| CompileError::Invalid(format!("{error:#}"));
    let engine = wasmtime::Engine::new(&engine::config()).map_err(invalid)?;
    let compiled =
        wasmtime::component::Component::from_binary(&engine, component).map_err(invalid)?;
    let linked = link::linked(&engine, &compiled)
        .map_err(|error| CompileError::Unlinked(format!("{error:#}")))?;
    link::step(linked).map_err(|error| CompileError::Exports(format!("{error:#}")))?;
    let code = compiled.serialize().map_err(invalid)?;
    Ok((imports, code))
}
