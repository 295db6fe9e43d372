// SPDX-License-Identifier: Apache-2.0
//! The offer: each interface that a step can import, linked one by one.
//!
//! There is no "all of WASI" here on purpose: an interface that is not named in this function does
//! not exist for a step, whatever a later wasmtime adds to its own lists.

use crate::bindings::Step;
use crate::bindings::StepPre;
use crate::state::State;
use wasmtime::component::HasSelf;
use wasmtime::component::InstancePre;
use wasmtime::component::Linker;
use wasmtime_wasi::p2::bindings::sync as wasi;

/// A component with everything that it imports.
///
/// # Errors
/// It imports what is not on offer: an interface, a function of one, or one with another type.
pub(crate) fn linked(
    engine: &wasmtime::Engine,
    component: &wasmtime::component::Component,
) -> wasmtime::Result<InstancePre<State>> {
    let mut linker = Linker::new(engine);
    offer(&mut linker)?;
    linker.instantiate_pre(component)
}

/// The same, ready to be instantiated as a step.
///
/// # Errors
/// It does not export a step.
pub(crate) fn step(linked: InstancePre<State>) -> wasmtime::Result<StepPre<State>> {
    StepPre::new(linked)
}

/// Links everything on offer.
fn offer(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type Own = HasSelf<State>;

    Step::add_to_linker::<_, Own>(linker, |state| state)?;

    wasi::io::error::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::io::poll::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::io::streams::add_to_linker::<_, Own>(linker, |state| state)?;

    wasi::filesystem::types::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::filesystem::preopens::add_to_linker::<_, Own>(linker, |state| state)?;

    wasi::clocks::wall_clock::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::clocks::monotonic_clock::add_to_linker::<_, Own>(linker, |state| state)?;

    wasi::random::random::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::random::insecure::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::random::insecure_seed::add_to_linker::<_, Own>(linker, |state| state)?;

    wasi::cli::environment::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::exit::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::stdin::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::stdout::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::stderr::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::terminal_input::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::terminal_output::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::terminal_stdin::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::terminal_stdout::add_to_linker::<_, Own>(linker, |state| state)?;
    wasi::cli::terminal_stderr::add_to_linker::<_, Own>(linker, |state| state)?;
    Ok(())
}
