// SPDX-License-Identifier: Apache-2.0
//! The vendor's part of the story.

use super::machine::Machine;
use crate::failure::Outcome;
use crate::sample::RELEASES;
use crate::say;

/// A key pair.
pub(super) fn makes_keys(machine: &Machine) -> Outcome {
    say::heading("1. The vendor makes a key, once");
    machine.cofferdam("keygen vendor --no-password", 0)
}

/// Five releases become packages.
pub(super) fn packs_and_signs(machine: &Machine) -> Outcome {
    say::heading("2. The vendor packs and signs the releases");
    say::note("Steps are crates beside the packages: `pack` builds them for wasm32-wasip2.");
    for release in &RELEASES {
        let package = release.package();
        machine.cofferdam(&format!("pack vendor/{} -o {package}", release.folder), 0)?;
        machine.cofferdam(&format!("sign {package} --key vendor.key"), 0)?;
    }
    Ok(())
}

/// What a reviewer reads.
pub(super) fn looks_inside(machine: &Machine) -> Outcome {
    say::heading("3. Anyone can look inside: what each step asks for, and what its binary can do");
    machine.cofferdam("inspect acme-agent-1.1.0.upd --trust vendor.pub", 0)
}

/// From the first release to the last, without an install.
pub(super) fn rehearses_the_long_way(machine: &Machine) -> Outcome {
    say::heading("10. 1.2.0 is cumulative: the vendor tries it on 1.0.0, in a scratch folder");
    machine.cofferdam("try acme-agent-1.2.0.upd --from acme-agent-1.0.0.upd", 0)
}
