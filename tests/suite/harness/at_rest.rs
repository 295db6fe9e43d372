// SPDX-License-Identifier: Apache-2.0
//! An install at rest, remembered: for "the refusal changed nothing, and left nothing behind".

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::Machine;
use super::Snapshot;

/// What a refusal must not change.
pub(crate) struct AtRest {
    tree: Snapshot,
    status: Value,
}

impl AtRest {
    /// The install as it is now.
    #[track_caller]
    pub(crate) fn of(machine: &Machine, install: &str) -> Self {
        Self {
            tree: Snapshot::of(install),
            status: standing(machine, install),
        }
    }

    /// Nothing has changed but the history, and nothing is left of what was tried.
    #[track_caller]
    pub(crate) fn assert_still(&self, machine: &Machine, install: &str) {
        assert_eq!(Snapshot::of(install), self.tree);
        assert_eq!(standing(machine, install), self.status);
        assert_no_leftovers(install, &self.status["generation"]);
    }
}

/// Where the install stands, without how the last transaction ended.
#[track_caller]
fn standing(machine: &Machine, install: &str) -> Value {
    let mut status = machine.status(install);
    assert_eq!(status["state"], "idle", "{status}");
    assert_eq!(status["service_owed"], false, "{status}");
    status.as_object_mut().unwrap().remove("last").unwrap();
    status
}

/// No half-built tree, no fetched blobs.
#[track_caller]
fn assert_no_leftovers(install: &str, live: &Value) {
    let state = format!("{install}.cofferdam");
    let state = Path::new(&state);
    let slot = state.join(format!("generations/{live}/tree"));
    assert!(!slot.exists(), "{} is left over", slot.display());
    if let Ok(incoming) = fs::read_dir(state.join("incoming")) {
        let left: Vec<_> = incoming.map(|entry| entry.unwrap().path()).collect();
        assert!(left.is_empty(), "{left:?} are left over");
    }
}
