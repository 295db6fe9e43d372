// SPDX-License-Identifier: Apache-2.0
//! The way back takes program, state and config together, and never loses anything unasked.

use cofferdam_tree::classify;
use cofferdam_tree::stage::Service;
use cofferdam_tree::walk::LiveTree;

use super::world::Failed;
use super::world::NEW_CONFIG;
use super::world::NOW;
use super::world::OLD_CONFIG;
use super::world::World;
use super::world::invariant_at_rest;
use super::world::write;
use crate::Begin;
use crate::ChangedState;
use crate::Program;
use crate::TxKind;

fn updated() -> World {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    world
}

#[test]
fn program_state_and_config_come_back_together() {
    let world = updated();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_eq!(world.seen(), world.expected(1, OLD_CONFIG));
    drop(world.ready());
    invariant_at_rest(&world);
    let status = world.open().status().unwrap();
    assert_eq!((status.generation, status.confirmed), (1, true));
}

#[test]
fn a_rollback_lowers_the_floors_and_condemns_what_it_leaves() {
    let world = updated();
    assert_eq!(world.open().journal().floors.data_format, 2);
    world.roll_back(None, ChangedState::Refuse).unwrap();
    let install = world.open();
    assert_eq!(install.journal().floors.data_format, 1);
    let condemned = install.condemned().unwrap();
    assert_eq!(condemned.len(), 1);
    assert_eq!(condemned[0].package, world.package(2).digest());
    let mut ready = world.ready();
    let version = condemned[0].version.as_ref().unwrap();
    assert_eq!(ready.condemned_as(version).unwrap(), condemned);
    ready.allow(&condemned).unwrap();
    assert_eq!(ready.install().condemned().unwrap(), []);
    let again = ready.condemned_as(version);
    assert_eq!(again.unwrap_err().code(), "not-condemned");
}

#[test]
fn the_generation_that_was_left_can_be_gone_back_to() {
    let world = updated();
    let newer = world.seen();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    world.roll_back(Some(2), ChangedState::Refuse).unwrap();
    assert_eq!(world.seen(), newer);
}

#[test]
fn state_that_changed_since_is_a_refusal_with_counts() {
    let world = updated();
    write(&world.dir.join("data/records"), b"more");
    write(&world.dir.join("data/added"), b"added");
    let before = world.seen();
    assert_eq!(
        world.roll_back(None, ChangedState::Refuse),
        Err(Failed::Undone("state-changed"))
    );
    assert_eq!(world.seen(), before);
    let (changes, paths) = world.open().state_changes(1).unwrap();
    assert_eq!((changes.added, changes.changed, changes.removed), (1, 1, 0));
    assert_eq!(paths, ["data/added", "data/records"]);
    world.roll_back(None, ChangedState::LeaveBehind).unwrap();
    assert!(!world.dir.join("data/added").exists());
    let left = world.state().join("generations/2/tree/data/added");
    assert_eq!(std::fs::read(left).unwrap(), b"added");
}

#[test]
fn a_config_file_outside_that_changed_since_counts_as_state() {
    let world = updated();
    std::fs::write(&world.config, "port = 3\n").unwrap();
    assert_eq!(
        world.roll_back(None, ChangedState::Refuse),
        Err(Failed::Undone("state-changed"))
    );
    assert_eq!(
        std::fs::read_to_string(&world.config).unwrap(),
        "port = 3\n"
    );
    world.roll_back(None, ChangedState::LeaveBehind).unwrap();
    assert_eq!(std::fs::read_to_string(&world.config).unwrap(), OLD_CONFIG);
    world.roll_back(Some(2), ChangedState::LeaveBehind).unwrap();
    assert_eq!(
        std::fs::read_to_string(&world.config).unwrap(),
        "port = 3\n"
    );
}

#[test]
fn a_kept_tree_that_was_edited_in_place_is_refused() {
    let world = updated();
    let shared = world.dir.join("bin/same");
    std::fs::write(&shared, b"edited through the shared inode").unwrap();
    let refused = world.roll_back(None, ChangedState::LeaveBehind);
    assert_eq!(refused, Err(Failed::Undone("generation-damaged")));
    assert!(world.open().journal().transaction.is_none());
}

#[test]
fn drift_that_was_known_when_a_generation_was_left_is_no_damage() {
    let world = World::new();
    write(&world.dir.join("bin/app"), b"patched by hand");
    let before = world.seen();
    world.apply(2, NEW_CONFIG).unwrap();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_eq!(world.seen(), before);
}

#[test]
fn live_files_are_today_s_in_every_generation() {
    let world = updated();
    let today = world.dir.join("logs/today");
    std::fs::write(&today, b"line\nanother\n").unwrap();
    std::fs::rename(&today, world.dir.join("logs/yesterday")).unwrap();
    write(&today, b"fresh\n");
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_eq!(std::fs::read(&today).unwrap(), b"fresh\n");
    assert_eq!(
        std::fs::read(world.dir.join("logs/yesterday")).unwrap(),
        b"line\nanother\n"
    );
}

#[test]
fn a_generation_that_is_not_there_is_refused_with_those_that_are() {
    let world = updated();
    let error = world.open().rollback_target(Some(7)).unwrap_err();
    assert_eq!(error.code(), "no-generation");
    assert!(error.to_string().contains("kept are 1"), "{error}");
    let world = World::new();
    assert_eq!(
        world.open().rollback_target(None).unwrap_err().code(),
        "no-generation"
    );
}

/// Today's state in an older program: refused where the older program cannot read it.
#[test]
fn todays_state_is_not_given_to_a_program_that_cannot_read_it() {
    let world = updated();
    let ready = world.ready();
    let install = ready.install();
    let patterns = install.settings().unwrap().live.clone();
    let live = LiveTree::read(&install.live_tree().unwrap(), &patterns).unwrap();
    let older_tree = LiveTree::read(&install.kept_tree(1).unwrap(), &patterns).unwrap();
    let (older, old) = (
        install.inventory(1).unwrap(),
        install.live_inventory().unwrap(),
    );
    let classified = classify::carry_state(&older, &older_tree, &old, &live, &[]).unwrap();
    let begun = ready.begin(Begin {
        kind: TxKind::Rollback,
        txid: "keep".to_owned(),
        program: Program::Generation(1),
        classified,
        condemn: None,
        now_unix_s: NOW,
    });
    let Err(failure) = begun else { panic!("begun") };
    let (ready, error) = failure.into_parts();
    assert_eq!(error.code(), "state-format-lower");
    assert!(ready.is_some());
}

#[test]
fn todays_state_goes_into_an_older_program_of_the_same_format() {
    let world = updated();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    write(&world.dir.join("data/records"), b"today's");
    let ready = world.ready();
    let install = ready.install();
    let patterns = install.settings().unwrap().live.clone();
    let live = LiveTree::read(&install.live_tree().unwrap(), &patterns).unwrap();
    let other_tree = LiveTree::read(&install.kept_tree(2).unwrap(), &patterns).unwrap();
    let (other, old) = (
        install.inventory(2).unwrap(),
        install.live_inventory().unwrap(),
    );
    let classified = classify::carry_state(&other, &other_tree, &old, &live, &[]).unwrap();
    let begun = ready.begin(Begin {
        kind: TxKind::Rollback,
        txid: "keep".to_owned(),
        program: Program::Generation(2),
        classified,
        condemn: None,
        now_unix_s: NOW,
    });
    let Ok(mut building) = begun else {
        panic!("refused")
    };
    building.stage().link_unchanged(false).unwrap();
    building.service_stopping(false).unwrap();
    building
        .stage()
        .copy_state(Service::Stopped, &mut |_| {})
        .unwrap();
    building.stage().place_payload().unwrap();
    let Ok(sealed) = building.seal(&[], NOW) else {
        panic!("not sealed")
    };
    let Ok(ready) = sealed.commit(NOW) else {
        panic!("not committed")
    };
    assert_eq!(
        (ready.journal().live, ready.journal().is_confirmed()),
        (3, false)
    );
    assert_eq!(
        std::fs::read(world.dir.join("data/records")).unwrap(),
        b"today's"
    );
    assert_eq!(
        std::fs::read(world.dir.join("bin/app")).unwrap(),
        b"version 2"
    );
    assert!(ready.install().verify_manifest(3).unwrap().is_some());
}
