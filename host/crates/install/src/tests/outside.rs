// SPDX-License-Identifier: Apache-2.0
//! Config files outside the install: what somebody else wrote is never overwritten, and a file that
//! cannot be renamed on its own is refused before anything is written.

use super::world::Failed;
use super::world::NEW_CONFIG;
use super::world::NO_CONFIG;
use super::world::NOW;
use super::world::OLD_CONFIG;
use super::world::World;
use super::world::invariant_at_rest;
use super::world::write;
use crate::ChangedState;
use crate::ConfigOutside;
use crate::Install;
use crate::InstallError;
use crate::TxKind;
use crate::durable::fault;
use crate::durable::fault::Fault;
use crate::journal::TxState;

/// The first cut in a commit at which this program is live: with the old one the trees are still to be exchanged,
/// with the new one the config file still waits.
fn cut_off_in_the_commit(
    make: fn() -> World,
    run: fn(&World) -> Result<(), Failed>,
    program: &[u8],
) -> World {
    for number in 1.. {
        let world = make();
        fault::arm(number, Fault::Crash);
        let result = run(&world);
        let (_, struck) = fault::disarm();
        assert!(struck, "no operation was between exchange and rename");
        assert!(result.is_err());
        let state = world
            .open()
            .journal()
            .transaction
            .as_ref()
            .map(|transaction| transaction.state.clone());
        let live = std::fs::read(world.dir.join("bin/app")).unwrap();
        if matches!(state, Some(TxState::Committing { .. })) && live == program {
            return world;
        }
    }
    unreachable!("the loop returns or fails")
}

#[test]
fn an_edit_between_exchange_and_rename_is_kept_and_needs_a_person() {
    let world = cut_off_in_the_commit(World::new, |world| world.apply(2, NEW_CONFIG), b"version 2");
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

/// An apply that is to write these files, up to its seal, which is refused.
fn refused(world: &World, configs: &[ConfigOutside]) -> InstallError {
    let package = world.package(2);
    let built = World::build(world.ready(), &package, TxKind::Apply, "tx");
    let Ok(Ok(building)) = built else {
        panic!("not built")
    };
    let Err(failure) = building.seal(configs, NOW) else {
        panic!("sealed")
    };
    let (ready, error) = failure.into_parts();
    drop(ready);
    error
}

fn change(world: &World, name: &str, path: &std::path::Path) -> ConfigOutside {
    ConfigOutside {
        name: name.to_owned(),
        path: path.to_owned(),
        ..world.config_change(NEW_CONFIG)
    }
}

#[test]
fn a_config_file_outside_that_leads_inside_is_refused_before_anything_is_written() {
    let world = World::new();
    let before = world.seen();
    let link = world.dir.with_file_name("link");
    std::os::unix::fs::symlink(&world.dir, &link).unwrap();
    let paths = [
        world.dir.join("data/records"),
        world.dir.join("data/missing"),
        link.join("data/records"),
        world.state().join("install.toml"),
    ];
    for path in paths {
        let error = refused(&world, &[change(&world, "agent", &path)]);
        assert_eq!(error.code(), "config-inside", "{}", path.display());
        drop(world.ready());
        assert_eq!(world.seen(), before, "{}", path.display());
    }
    drop(world.ready());
}

#[test]
fn a_config_file_beside_the_install_with_a_similar_name_is_outside() {
    let world = World::new();
    let beside = world.dir.with_file_name("app.toml");
    write(&beside, OLD_CONFIG.as_bytes());
    let install: Install = world.open();
    let real = crate::real_path_of_config(&beside).unwrap();
    assert!(!crate::outside::is_inside(install.place(), &real));
}

#[test]
fn a_rollback_leaves_a_config_file_inside_to_the_tree() {
    let world = World::new();
    let path = world.state().join("install.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let inside = world.dir.join("data/records");
    let declared = text.replace(
        &world.config.display().to_string(),
        &inside.display().to_string(),
    );
    std::fs::write(&path, declared).unwrap();
    world.apply(2, OLD_CONFIG).unwrap();
    std::fs::write(&inside, "newer").unwrap();
    world.roll_back(None, ChangedState::LeaveBehind).unwrap();
    assert_eq!(std::fs::read(&inside).unwrap(), b"records");
    drop(world.ready());
    invariant_at_rest(&world);
}

#[test]
fn two_names_for_one_config_file_are_refused_before_anything_is_written() {
    let world = World::new();
    let before = world.seen();
    let link = world.dir.with_file_name("link.toml");
    std::os::unix::fs::symlink(&world.config, &link).unwrap();
    for second in [&world.config, &link] {
        let configs = [
            change(&world, "agent", &world.config),
            change(&world, "other", second),
        ];
        let error = refused(&world, &configs);
        assert_eq!(error.code(), "config-twice");
        let text = error.to_string();
        assert!(text.contains("`agent` and `other`"), "{text}");
        drop(world.ready());
        assert_eq!(world.seen(), before);
    }
    drop(world.ready());
    invariant_at_rest(&world);
}

#[test]
fn a_rollback_brings_a_config_file_with_two_names_back_once() {
    let world = World::new();
    world.declare_config_as("other");
    world.apply(2, NEW_CONFIG).unwrap();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_eq!(world.seen(), world.expected(1, OLD_CONFIG));
}

#[test]
fn a_config_file_that_an_update_created_goes_with_the_rollback_and_comes_back_again() {
    let world = World::without_config();
    world.apply(2, NEW_CONFIG).unwrap();
    assert_eq!(world.seen().config, NEW_CONFIG);
    for _ in 0..2 {
        world.roll_back(Some(1), ChangedState::Refuse).unwrap();
        assert_eq!(world.seen(), world.expected(1, NO_CONFIG));
        drop(world.ready());
        invariant_at_rest(&world);
        world.roll_back(Some(2), ChangedState::Refuse).unwrap();
        assert_eq!(world.seen().config, NEW_CONFIG);
    }
}

#[test]
fn an_edit_of_a_config_file_that_an_update_created_is_state_and_is_saved() {
    let world = World::without_config();
    world.apply(2, NEW_CONFIG).unwrap();
    std::fs::write(&world.config, "port = 3\n").unwrap();
    assert_eq!(
        world.roll_back(None, ChangedState::Refuse),
        Err(Failed::Undone("state-changed"))
    );
    world.roll_back(None, ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, NO_CONFIG);
    world.roll_back(Some(2), ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, "port = 3\n");
}

/// An apply that touches no config file.
fn apply_without_config(world: &World, version: u64) {
    let package = world.package(version);
    let Ok(Ok(building)) = World::build(world.ready(), &package, TxKind::Apply, "tx") else {
        panic!("not built")
    };
    let Ok(sealed) = building.seal(&[], NOW) else {
        panic!("not sealed")
    };
    let Ok(mut ready) = sealed.commit(NOW) else {
        panic!("not committed")
    };
    ready.confirm().unwrap();
}

#[test]
fn a_config_file_that_a_later_update_created_goes_with_a_rollback_past_it() {
    let world = World::without_config();
    apply_without_config(&world, 2);
    world.apply(3, NEW_CONFIG).unwrap();
    world.roll_back(Some(1), ChangedState::Refuse).unwrap();
    assert_eq!(world.seen(), world.expected(1, NO_CONFIG));
    // Its trace does not count against a file that comes from elsewhere.
    apply_without_config(&world, 4);
    std::fs::write(&world.config, OLD_CONFIG).unwrap();
    world.roll_back(Some(1), ChangedState::Refuse).unwrap();
    assert_eq!(world.seen().config, OLD_CONFIG);
}

#[test]
fn a_config_file_that_a_person_created_since_stays_in_a_rollback() {
    let world = World::without_config();
    apply_without_config(&world, 2);
    std::fs::write(&world.config, OLD_CONFIG).unwrap();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_eq!(world.seen().config, OLD_CONFIG);
}

#[test]
fn an_edit_between_exchange_and_removal_is_kept_and_needs_a_person() {
    let world = cut_off_in_the_commit(
        || {
            let world = World::without_config();
            world.apply(2, NEW_CONFIG).unwrap();
            world
        },
        |world| world.roll_back(None, ChangedState::Refuse),
        b"version 1",
    );
    let theirs = "port = 99\n";
    let mut install = world.open();
    std::fs::write(&world.config, theirs).unwrap();
    let error = crate::recover::finish(&mut install, &[0]).unwrap_err();
    assert_eq!(error.code(), "needs-person");
    assert_eq!(std::fs::read_to_string(&world.config).unwrap(), theirs);
    std::fs::remove_dir_all(world.config.parent().unwrap()).unwrap();
    drop(world.ready());
    assert_eq!(world.seen(), world.expected(1, NO_CONFIG));
}

#[test]
fn an_edit_before_the_exchange_is_kept_and_needs_nobody() {
    let world = cut_off_in_the_commit(World::new, |world| world.apply(2, NEW_CONFIG), b"version 1");
    let theirs = "port = 99\n";
    std::fs::write(&world.config, theirs).unwrap();
    drop(world.ready());
    assert_eq!(world.seen(), world.expected(1, theirs));
    invariant_at_rest(&world);
}

#[test]
fn a_commit_whose_config_file_waits_no_more_is_undone() {
    let world = World::new();
    let before = world.seen();
    let package = world.package(2);
    let Ok(Ok(building)) = World::build(world.ready(), &package, TxKind::Apply, "tx") else {
        panic!("not built")
    };
    let Ok(sealed) = building.seal(&[world.config_change(NEW_CONFIG)], NOW) else {
        panic!("not sealed")
    };
    let beside = std::fs::read_dir(world.config.parent().unwrap()).unwrap();
    let waiting = beside
        .map(|entry| entry.unwrap().path())
        .find(|path| *path != world.config);
    std::fs::write(waiting.unwrap(), "damaged").unwrap();
    let Err(failure) = sealed.commit(NOW) else {
        panic!("committed")
    };
    let (ready, error) = failure.into_parts();
    assert_eq!(error.code(), "config-changed");
    drop(ready);
    drop(world.ready());
    assert_eq!(world.seen(), before);
    invariant_at_rest(&world);
}

#[test]
fn a_file_that_somebody_made_where_one_was_to_be_created_stays() {
    let world = cut_off_in_the_commit(
        World::without_config,
        |world| world.apply(2, NEW_CONFIG),
        b"version 2",
    );
    let install = world.open();
    let Some(TxState::Committing { configs, .. }) =
        install.journal().transaction.as_ref().map(|tx| &tx.state)
    else {
        panic!("not committing")
    };
    let theirs = "port = 99\n";
    std::fs::write(&world.config, theirs).unwrap();
    let error = crate::outside::put_in_place(&configs[0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read_to_string(&world.config).unwrap(), theirs);
}

/// Puts a symlink where the folder of the config file was, to a copy of it with everything that waits there.
fn swap_folder_for_a_symlink(world: &World) -> std::path::PathBuf {
    let folder = world.config.parent().unwrap();
    let elsewhere = folder.with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), elsewhere.join(entry.file_name())).unwrap();
    }
    std::fs::rename(folder, folder.with_file_name("real")).unwrap();
    std::os::unix::fs::symlink(&elsewhere, folder).unwrap();
    elsewhere
}

fn put_folder_back(world: &World) {
    let folder = world.config.parent().unwrap();
    std::fs::remove_file(folder).unwrap();
    std::fs::rename(folder.with_file_name("real"), folder).unwrap();
}

#[test]
fn a_folder_of_config_files_that_became_a_symlink_is_not_followed() {
    let sides: [(&[u8], u64, &str, &str); 2] = [
        (b"version 1", 1, OLD_CONFIG, "io"),
        (b"version 2", 2, NEW_CONFIG, "needs-person"),
    ];
    for (program, version, config, code) in sides {
        let world = cut_off_in_the_commit(World::new, |world| world.apply(2, NEW_CONFIG), program);
        let elsewhere = swap_folder_for_a_symlink(&world);
        let names = super::world::names(&elsewhere);
        assert!(names.len() > 1, "nothing waits");
        assert_eq!(world.recover().unwrap_err().code(), code);
        assert_eq!(super::world::names(&elsewhere), names);
        let there = std::fs::read_to_string(elsewhere.join("agent.toml")).unwrap();
        assert_eq!(there, OLD_CONFIG);
        put_folder_back(&world);
        drop(world.ready());
        assert_eq!(world.seen(), world.expected(version, config));
        invariant_at_rest(&world);
    }
}

#[test]
fn a_config_file_that_is_declared_no_more_is_state_and_is_saved() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    let settings = world.state().join("install.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let declared = text.find("[config.agent]").unwrap();
    std::fs::write(&settings, &text[..declared]).unwrap();
    let theirs = "port = 9\n";
    std::fs::write(&world.config, theirs).unwrap();
    apply_without_config(&world, 3);
    assert_eq!(
        world.roll_back(Some(1), ChangedState::Refuse),
        Err(Failed::Undone("state-changed"))
    );
    assert_eq!(world.seen().config, theirs);
    world.roll_back(Some(1), ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, OLD_CONFIG);
    world.roll_back(Some(3), ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, theirs);
}

#[test]
fn a_config_file_whose_name_means_another_one_now_is_saved_too() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    let other = world.config.with_file_name("other.toml");
    write(&other, b"other = 1\n");
    let settings = world.state().join("install.toml");
    let text = std::fs::read_to_string(&settings).unwrap();
    let moved = text.replace(
        &world.config.display().to_string(),
        &other.display().to_string(),
    );
    std::fs::write(&settings, moved).unwrap();
    let theirs = "port = 9\n";
    std::fs::write(&world.config, theirs).unwrap();
    world.roll_back(Some(1), ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, OLD_CONFIG);
    world.roll_back(Some(2), ChangedState::LeaveBehind).unwrap();
    assert_eq!(world.seen().config, theirs);
    assert_eq!(std::fs::read(&other).unwrap(), b"other = 1\n");
}
