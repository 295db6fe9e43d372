// SPDX-License-Identifier: Apache-2.0
//! What a component asks for, judged on the vendor's machine exactly as on every host.

use cofferdam_sandbox::Component;
use cofferdam_sandbox::Engine;

use crate::failure::Failure;

/// Compiles a component as a host would: its imports and exports pass the gate first.
///
/// # Errors
/// The sandbox's own code, with the step's name: no host would run the component.
pub(super) fn admit(engine: &Engine, step: &str, component: &[u8]) -> Result<Component, Failure> {
    engine.compile(component).map_err(|error| {
        let mut failure = Failure::from(error);
        failure.message = format!("step `{step}`: {}", failure.message);
        failure
    })
}
