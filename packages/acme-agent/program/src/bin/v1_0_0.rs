// SPDX-License-Identifier: Apache-2.0
//! `acme-agent` 1.0.0.

use std::process::ExitCode;

fn main() -> ExitCode {
    acme_agent::run(&acme_agent::release::V1_0_0)
}
