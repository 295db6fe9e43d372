// SPDX-License-Identifier: Apache-2.0
//! Generated from `wit/step.wit`: the host's side of the contract. Nothing else lives here.
#![allow(
    missing_docs,
    clippy::pedantic,
    reason = "generated; the WIT file is the documentation"
)]

wasmtime::component::bindgen!({
    path: "../../../wit",
    world: "step",
    imports: { default: trappable },
});
