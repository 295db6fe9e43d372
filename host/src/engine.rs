// SPDX-License-Identifier: Apache-2.0
//! The sandbox's engine, as an install or a vendor's machine needs it.

use cofferdam_install::Confinement;
use cofferdam_install::Install;
use cofferdam_sandbox::Cache;
use cofferdam_sandbox::Engine;

use crate::ambient;
use crate::failure::Failure;

/// An engine under an install's policy, with the install's cache of compiled code.
///
/// # Errors
/// `install.toml` cannot be read.
pub fn for_install(install: &Install) -> Result<Engine, Failure> {
    let policy = &install.settings()?.policy;
    Ok(Engine {
        // A cache that cannot be opened costs time, and nothing else.
        cache: install
            .place()
            .open_cache()
            .and_then(|folder| Cache::open(folder, ambient::machine(), ambient::secret_key))
            .inspect_err(|error| tracing::debug!(%error, "no cache of compiled code"))
            .ok(),
        require_confinement: policy.confinement == Confinement::Required,
        compile_time: policy.compile_time,
        ..for_vendor()
    })
}

/// An engine on a machine without an install.
pub fn for_vendor() -> Engine {
    Engine::default()
}
