// SPDX-License-Identifier: Apache-2.0
//! The gate that looks at a step's component before anything else does.

use cofferdam_sandbox::CODES;
use cofferdam_sandbox::imports;
use cofferdam_sandbox::offered;

use crate::check::known;

/// Takes the bytes of a component.
pub fn target(data: &[u8]) {
    match imports(data) {
        Err(error) => known(error.code(), CODES),
        Ok(found) => {
            assert!(found.asked.is_sorted(), "the same component, the same list");
            for import in &found.asked {
                let interface = import.interface.split_once('@').map(|(name, _)| name);
                let known = interface.is_some_and(|name| offered().any(|offered| offered == name));
                assert!(known || !import.offered, "`{import}` is on offer");
                assert!(import.functions.is_sorted(), "{import}");
            }
            assert_eq!(imports(data).expect("the same answer"), found);
        }
    }
}
