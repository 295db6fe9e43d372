// SPDX-License-Identifier: Apache-2.0
//! Today's state carried back to an older program.

use super::world::Package;
use super::world::World;
use super::world::globs;
use crate::classify;
use crate::error::TreeError;
use crate::inventory::Inventory;
use crate::inventory::ItemKind;
use crate::stage::Places;
use crate::stage::Service;
use crate::stage::Stage;
use crate::stage::Staged;
use crate::verify;
use crate::verify::Scope;
use crate::walk::LiveTree;

fn first() -> Package {
    Package::default()
        .file("bin/agent", "agent 1", 0o755)
        .file("bin/same", "same", 0o644)
        .file("old/only", "only in 1", 0o644)
        .seed("conf", "port = 1")
}

fn second() -> Package {
    Package::default()
        .file("bin/agent", "agent 2", 0o755)
        .file("bin/same", "same", 0o644)
        .file("new/only", "only in 2", 0o644)
        .seed("conf", "port = 1")
}

/// A world whose live tree is the second generation; the first one's tree is in `older`.
fn updated() -> (World, Inventory, Inventory) {
    let world = World::new();
    world.install(&first());
    world.write("live/data", "state of yesterday");
    let (older, _) = world.adopt(&first());
    let staged = world.update(&older, &second()).expect("update");
    world.commit();
    std::fs::rename(world.path("slot"), world.path("older")).expect("rename");
    std::fs::create_dir(world.path("slot")).expect("slot");
    world.write("live/data", "state of today");
    world.write("live/conf", "port = 8080");
    world.write("live/fresh", "made today");
    (world, older, staged.inventory)
}

fn carry(world: &World, older: &Inventory, live: &Inventory) -> Result<Staged, TreeError> {
    let older_tree = LiveTree::read(&world.open("older"), &globs(&[]))?;
    let classified = classify::carry_state(older, &older_tree, live, &world.tree(), &[])?;
    let (live, base) = (world.open("live"), world.open("older"));
    let (slot, incoming) = (world.open("slot"), world.open("incoming"));
    let places = Places {
        live: &live,
        base: &base,
        slot: &slot,
        incoming: &incoming,
    };
    let mut stage = Stage::begin(places, classified, globs(&[]))?;
    stage.link_unchanged(false)?;
    stage.copy_state(Service::Stopped, &mut |_| ())?;
    stage.place_payload()?;
    stage.finish()
}

#[test]
fn the_older_program_gets_the_state_of_today() {
    let (world, older, live) = updated();
    let staged = carry(&world, &older, &live).expect("carry");
    assert_eq!(world.read("slot/bin/agent"), "agent 1");
    assert!(world.same_inode("slot/bin/agent", "older/bin/agent"));
    assert_eq!(world.read("slot/old/only"), "only in 1");
    assert!(!world.exists("slot/new"));
    assert_eq!(world.read("slot/data"), "state of today");
    assert_eq!(world.read("slot/conf"), "port = 8080");
    assert_eq!(world.read("slot/fresh"), "made today");
    assert_eq!(staged.inventory.entries["conf"].kind, ItemKind::Seed);
    assert!(staged.inventory.is_managed("old/only"));
    let drift = verify::drift(
        &world.open("slot"),
        &staged.inventory,
        Scope::All,
        &globs(&[]),
    );
    assert_eq!(drift.expect("verify"), []);
}

#[test]
fn an_older_program_that_was_edited_is_refused() {
    let (world, older, live) = updated();
    world.write("older/bin/agent", "edited");
    let error = carry(&world, &older, &live).expect_err("refused");
    assert_eq!(
        (error.code(), error.paths()),
        ("digest-mismatch", vec!["bin/agent"])
    );
}

#[test]
fn a_seed_that_is_gone_comes_back_as_it_was() {
    let (world, older, live) = updated();
    std::fs::remove_file(world.path("live/conf")).expect("remove");
    carry(&world, &older, &live).expect("carry");
    assert_eq!(world.read("slot/conf"), "port = 1");
    assert!(!world.same_inode("slot/conf", "older/conf"));
}

#[test]
fn state_in_the_way_of_the_older_program_is_refused() {
    let (world, older, live) = updated();
    world.write("live/old/only", "made today");
    let error = carry(&world, &older, &live).expect_err("refused");
    assert_eq!(error.code(), "state-in-the-way");
}

#[test]
fn a_directory_with_state_in_it_cannot_become_the_older_programs_file() {
    let world = World::new();
    let first = Package::default().file("lib", "file", 0o644);
    let older = world.install(&first);
    let second = Package::default().file("lib/a", "a", 0o644);
    let live = world.update(&older, &second).expect("update").inventory;
    world.commit();
    std::fs::rename(world.path("slot"), world.path("older")).expect("rename");
    std::fs::create_dir(world.path("slot")).expect("slot");
    world.write("live/lib/mine", "mine");
    let error = carry(&world, &older, &live).expect_err("refused");
    assert_eq!(
        (error.code(), error.paths()),
        ("state-in-the-way", vec!["lib"])
    );
}
