// SPDX-License-Identifier: Apache-2.0
//! Cut off before every durable operation, and in the middle of every write: the old install or the
//! new one, whole, and recovery needs nobody. The same with one operation failing, and with a disk
//! that is full from one operation on.

use super::world::Failed;
use super::world::NEW_CONFIG;
use super::world::NO_CONFIG;
use super::world::OLD_CONFIG;
use super::world::Seen;
use super::world::World;
use super::world::invariant_at_rest;
use crate::ChangedState;
use crate::RecoveredAction;
use crate::State;
use crate::durable::fault;
use crate::durable::fault::Fault;

/// A command that is cut off, and the two ends that it may have.
struct Scenario {
    make: fn() -> World,
    run: fn(&World) -> Result<(), Failed>,
    new: fn(&World) -> Seen,
}

const APPLY: Scenario = Scenario {
    make: World::new,
    run: |world| world.apply(2, NEW_CONFIG),
    new: |world| world.expected(2, NEW_CONFIG),
};

const ROLL_BACK: Scenario = Scenario {
    make: || {
        let world = World::new();
        world.apply(2, NEW_CONFIG).unwrap();
        world
    },
    run: |world| world.roll_back(None, ChangedState::Refuse),
    new: |world| world.expected(1, OLD_CONFIG),
};

/// The config file comes with the update.
const CREATING_APPLY: Scenario = Scenario {
    make: World::without_config,
    run: |world| world.apply(2, NEW_CONFIG),
    new: |world| world.expected(2, NEW_CONFIG),
};

/// And goes with the way back.
const REMOVING_ROLL_BACK: Scenario = Scenario {
    make: || {
        let world = World::without_config();
        world.apply(2, NEW_CONFIG).unwrap();
        world
    },
    run: |world| world.roll_back(None, ChangedState::Refuse),
    new: |world| world.expected(1, NO_CONFIG),
};

/// With pruning: the fourth generation makes the first one go.
const THIRD_APPLY: Scenario = Scenario {
    make: || {
        let world = World::new();
        world.apply(2, OLD_CONFIG).unwrap();
        world.apply(3, OLD_CONFIG).unwrap();
        world
    },
    run: |world| world.apply(4, NEW_CONFIG),
    new: |world| world.expected(4, NEW_CONFIG),
};

/// Runs a scenario with `fault` at operation `number`; `None` when there is no such operation.
fn strike(
    scenario: &Scenario,
    world: &World,
    number: u64,
    fault: Fault,
) -> Option<Result<(), Failed>> {
    fault::arm(number, fault);
    let result = (scenario.run)(world);
    let (_, struck) = fault::disarm();
    struck.then_some(result)
}

/// After recovery everything is old or everything is new, and recovering again changes nothing.
fn assert_whole(world: &World, old: &Seen, new: &Seen, told: &str) -> bool {
    let (mut ready, _) = world
        .recover()
        .unwrap_or_else(|error| panic!("{told}: {error}"));
    // At rest means for good: the journal says nothing any more of what a power cut could undo.
    assert_eq!(fault::unsynced(), 0, "{told}");
    let seen = world.seen();
    let is_new = seen == *new;
    assert!(
        is_new || seen == *old,
        "{told}: neither old nor new: {seen:#?}"
    );
    ready.service_started().unwrap();
    drop(ready);
    invariant_at_rest(world);
    assert_eq!(world.open().status().unwrap().state, State::Idle, "{told}");
    let (ready, again) = world.recover().unwrap();
    assert_eq!(again.action, RecoveredAction::Nothing, "{told}");
    assert_eq!(
        (again.collected, again.warnings),
        (vec![], vec![]),
        "{told}"
    );
    drop(ready);
    assert_eq!(world.seen(), seen, "{told}");
    is_new
}

fn every_operation(scenario: &Scenario, fault: Fault) {
    let (mut olds, mut news) = (0, 0);
    for number in 1.. {
        let world = (scenario.make)();
        let old = world.seen();
        let new = (scenario.new)(&world);
        let Some(result) = strike(scenario, &world, number, fault) else {
            break;
        };
        let told = format!("{fault:?} at {number}, answered {result:?}");
        if matches!(result, Err(Failed::Undone(_))) {
            assert_eq!(world.seen(), old, "{told}");
            assert!(world.open().journal().transaction.is_none(), "{told}");
        }
        let is_new = assert_whole(&world, &old, &new, &told);
        if result.is_ok() {
            assert!(is_new, "{told}");
        }
        if is_new {
            news += 1;
        } else {
            olds += 1;
            (scenario.run)(&world).unwrap_or_else(|error| panic!("{told}, then {error:?}"));
            assert_eq!(world.seen(), new, "{told}");
        }
    }
    assert!(olds > 10 && news > 3, "{olds} old, {news} new");
}

#[test]
fn an_apply_cut_off_anywhere_is_old_or_new() {
    every_operation(&APPLY, Fault::Crash);
}

#[test]
fn an_apply_cut_off_in_the_middle_of_any_write_is_old_or_new() {
    every_operation(&APPLY, Fault::Torn);
}

#[test]
fn an_apply_with_one_failing_operation_is_old_or_new() {
    every_operation(&APPLY, Fault::Error);
}

#[test]
fn an_apply_on_a_disk_that_fills_up_is_old_or_new() {
    every_operation(&APPLY, Fault::Full);
}

#[test]
fn an_apply_that_prunes_cut_off_anywhere_is_old_or_new() {
    every_operation(&THIRD_APPLY, Fault::Crash);
}

#[test]
fn a_rollback_cut_off_anywhere_is_old_or_new() {
    every_operation(&ROLL_BACK, Fault::Crash);
}

#[test]
fn a_rollback_cut_off_in_the_middle_of_any_write_is_old_or_new() {
    every_operation(&ROLL_BACK, Fault::Torn);
}

#[test]
fn a_rollback_with_one_failing_operation_is_old_or_new() {
    every_operation(&ROLL_BACK, Fault::Error);
}

#[test]
fn an_apply_that_creates_a_config_file_cut_off_anywhere_is_old_or_new() {
    every_operation(&CREATING_APPLY, Fault::Crash);
}

#[test]
fn a_rollback_that_removes_a_config_file_cut_off_anywhere_is_old_or_new() {
    every_operation(&REMOVING_ROLL_BACK, Fault::Crash);
}

#[test]
fn a_rollback_that_removes_a_config_file_with_one_failing_operation_is_old_or_new() {
    every_operation(&REMOVING_ROLL_BACK, Fault::Error);
}

/// Recovery cut off at each of its own operations, after a cut at every operation of the command.
fn nested(scenario: &Scenario) {
    let mut states = 0;
    for outer in 1.. {
        for inner in 1.. {
            let world = (scenario.make)();
            let old = world.seen();
            let new = (scenario.new)(&world);
            if strike(scenario, &world, outer, Fault::Crash).is_none() {
                assert!(states > 100, "{states}");
                return;
            }
            fault::arm(inner, Fault::Crash);
            let recovered = world.recover().map(|_| ());
            let (_, struck) = fault::disarm();
            assert_whole(
                &world,
                &old,
                &new,
                &format!("{outer}, then {inner}: {recovered:?}"),
            );
            states += 1;
            if !struck {
                break;
            }
        }
    }
}

#[test]
fn a_recovery_of_an_apply_cut_off_anywhere_is_finished_by_the_next() {
    nested(&APPLY);
}

#[test]
fn a_recovery_of_a_rollback_cut_off_anywhere_is_finished_by_the_next() {
    nested(&ROLL_BACK);
}

#[test]
fn the_service_is_owed_after_any_crash_between_its_stop_and_its_start() {
    let mut owed = 0;
    for number in 1.. {
        let world = World::new();
        if strike(&APPLY, &world, number, Fault::Crash).is_none() {
            break;
        }
        let journal = world.open().journal().clone();
        let stopped = journal.transaction.as_ref().is_some_and(|transaction| {
            !matches!(transaction.state, crate::journal::TxState::Building {})
        });
        let (_, recovered) = world.recover().unwrap();
        assert_eq!(recovered.service_owed, journal.service_owed);
        assert!(
            !stopped || recovered.service_owed,
            "stopped at {number}, and not owed"
        );
        owed += u32::from(recovered.service_owed);
    }
    assert!(owed > 10);
}

#[test]
fn an_adopt_cut_off_anywhere_leaves_nothing_or_everything() {
    let (mut nothing, mut everything) = (0, 0);
    for fault in [Fault::Crash, Fault::Torn, Fault::Error] {
        for number in 1.. {
            let world = World::bare();
            let before = world.seen();
            fault::arm(number, fault);
            let result = world.adopt();
            let (_, struck) = fault::disarm();
            if !struck {
                break;
            }
            assert_eq!(world.seen(), before);
            if world.state().exists() {
                everything += 1;
                world.declare_config();
            } else {
                nothing += 1;
                assert!(result.is_err());
                world.adopt().unwrap();
            }
            drop(world.ready());
            let left = super::world::names(world.dir.parent().unwrap());
            assert_eq!(
                left,
                ["app", "app.cofferdam", "etc"],
                "{fault:?} at {number}"
            );
            invariant_at_rest(&world);
        }
    }
    assert!(
        nothing > 20 && everything > 0,
        "{nothing} nothing, {everything} everything"
    );
}
