// SPDX-License-Identifier: Apache-2.0
//! The vendor's part of the story.

use super::machine::Machine;
use crate::failure::Outcome;
use crate::sample::RELEASES;
use crate::say;

/// A key pair.
pub(super) fn makes_keys(machine: &Machine) -> Outcome {
    say::heading("1. The vendor makes a key, once");
    machine.cofferdam("keygen acme --no-password", 0)
}

/// Five releases become packages.
pub(super) fn packs_and_signs(machine: &Machine) -> Outcome {
    say::heading("2. The vendor packs and signs the releases");
    say::note("Steps are crates beside the packages: `pack` builds them for wasm32-wasip2.");
    for release in &RELEASES {
        let package = release.package();
        machine.cofferdam(&format!("pack vendor/{} -o {package}", release.folder), 0)?;
        machine.cofferdam(&format!("sign {package} --key acme.key"), 0)?;
    }
    Ok(())
}

/// From the first release to the second, without an install.
pub(super) fn rehearses(machine: &Machine) -> Outcome {
    say::heading("3. The vendor rehearses an update in a scratch folder");
    machine.cofferdam("try acme-agent-1.1.0.upd --from acme-agent-1.0.0.upd", 0)
}

/// What a reviewer reads.
pub(super) fn looks_inside(machine: &Machine) -> Outcome {
    say::heading("4. Anyone can look inside, before anything runs");
    say::note("Who signed, what each step asks for, and all that its binary could call.");
    machine.cofferdam("inspect acme-agent-1.1.1.upd --trust acme.pub", 0)
}
