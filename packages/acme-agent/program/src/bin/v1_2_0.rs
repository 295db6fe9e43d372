// SPDX-License-Identifier: Apache-2.0
//! `acme-agent` 1.2.0.

use std::process::ExitCode;

fn main() -> ExitCode {
    acme_agent::run(&acme_agent::release::V1_2_0)
}
