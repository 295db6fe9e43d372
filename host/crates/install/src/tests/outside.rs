// SPDX-License-Identifier: Apache-2.0
//! Config files outside the install: what somebody else wrote is never overwritten, and a file that
//! cannot be renamed on its own is refused before anything is written.

use super::world::NEW_CONFIG;
use super::world::World;
use crate::durable::fault;
use crate::durable::fault::Fault;
use crate::journal::TxState;

/// Version 2 is exchanged, and its config file still waits.
fn cut_off_after_the_exchange() -> World {
    for number in 1.. {
        let world = World::new();
        fault::arm(number, Fault::Crash);
        let result = world.apply(2, NEW_CONFIG);
        let (_, struck) = fault::disarm();
        assert!(struck, "no operation was between exchange and rename");
        assert!(result.is_err());
        let state = world
            .open()
            .journal()
            .transaction
            .as_ref()
            .map(|transaction| transaction.state.clone());
        let program = std::fs::read(world.dir.join("bin/app")).unwrap();
        if matches!(state, Some(TxState::Committing { .. })) && program == b"version 2" {
            return world;
        }
    }
    unreachable!("the loop returns or fails")
}

#[test]
fn an_edit_between_exchange_and_rename_is_kept_and_needs_a_person() {
    let world = cut_off_after_the_exchange();
    let theirs = "port = 99\n";
    let mut install = world.open();
    std::fs::write(&world.config, theirs).unwrap();
    let error = crate::recover::finish(&mut install, &[0]).unwrap_err();
    assert_eq!(error.code(), "needs-person");
    assert_eq!(std::fs::read_to_string(&world.config).unwrap(), theirs);
    assert_eq!(world.recover().unwrap_err().code(), "needs-person");
    std::fs::write(&world.config, NEW_CONFIG).unwrap();
    drop(world.ready());
    assert_eq!(world.seen(), world.expected(2, NEW_CONFIG));
}
