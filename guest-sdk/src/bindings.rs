// SPDX-License-Identifier: Apache-2.0
//! Generated from `wit/step.wit`: the step's side of the contract. Nothing else lives here.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    reason = "generated"
)]

wit_bindgen::generate!({
    path: "../wit",
    world: "step",
    pub_export_macro: true,
    export_macro_name: "export_world",
    default_bindings_module: "cofferdam_sdk::bindings",
});
