// SPDX-License-Identifier: Apache-2.0
//! From a core module to a component: what compilers for `wasm32-wasi` link is not one yet.

use anyhow::Context as _;
use anyhow::Result;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wit_component::ComponentEncoder;

/// Makes a component of a module that was linked with the object file of the bindings, and that imports
/// WASI preview 1 besides what the bindings import.
///
/// # Errors
/// It is no core module, exports no `run`, or imports something else.
pub(crate) fn component(module: &[u8]) -> Result<Vec<u8>> {
    ComponentEncoder::default()
        .module(module)
        .and_then(|encoder| {
            encoder.adapter(
                WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME,
                WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
            )
        })
        .and_then(|encoder| encoder.validate(true).encode())
        .context("not a module made with the bindings of `wit/step.wit`")
}
