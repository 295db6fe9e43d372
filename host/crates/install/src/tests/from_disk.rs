// SPDX-License-Identifier: Apache-2.0
//! When the journal is gone, damaged or of another time, what is live is decided by what is there: nothing is
//! removed, nothing is guessed, and a cut anywhere is carried on.

mod cuts;

use std::path::Path;

use super::world::NEW_CONFIG;
use super::world::NOW;
use super::world::OLD_CONFIG;
use super::world::Seen;
use super::world::World;
use super::world::names;
use super::world::write;
use crate::ChangedState;
use crate::Decision;
use crate::InstallError;
use crate::RecoveredAction;
use crate::Salvage;
use crate::State;
use crate::durable::fault;
use crate::durable::fault::Fault;
use crate::journal::Journal;
use crate::journal::codec;
use crate::layout;

/// Generation 2 is live and confirmed, 1 is kept.
fn updated() -> World {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    world
}

fn journal_path(world: &World) -> std::path::PathBuf {
    world.state().join("transaction.json")
}

fn cut_journal(world: &World) {
    let bytes = std::fs::read(journal_path(world)).unwrap();
    std::fs::write(journal_path(world), &bytes[..bytes.len() / 2]).unwrap();
}

fn look(world: &World, wanted: Option<u64>) -> Result<Salvage, InstallError> {
    Salvage::look(&world.dir, wanted, "salvage-1", NOW)
}

fn from_disk(world: &World, wanted: Option<u64>) -> Result<Decision, InstallError> {
    let salvage = look(world, wanted)?;
    let decision = salvage.decision().clone();
    let (_ready, warnings) = salvage.act(false, NOW)?;
    assert_eq!(warnings, Vec::<String>::new());
    Ok(decision)
}

fn journal(world: &World) -> Journal {
    world.open().journal().clone()
}

fn known(world: &World) -> Vec<u64> {
    journal(world).generations.keys().copied().collect()
}

fn aside(world: &World) -> Vec<String> {
    names(&world.state().join("set-aside/salvage-1"))
}

fn tree(world: &World, generation: u64) -> std::path::PathBuf {
    world.state().join(format!("generations/{generation}/tree"))
}

/// The code of the error that every command that writes answers with.
#[track_caller]
fn assert_refused(world: &World, code: &str) {
    match world.recover() {
        Ok((_, recovered)) => panic!("recovered: {recovered:?}"),
        Err(error) => assert_eq!(error.code(), code, "{error}"),
    }
}

/// At rest, and the next update and the way back from it work.
#[track_caller]
fn assert_works(world: &World) {
    assert_eq!(world.open().status().unwrap().state, State::Idle);
    let (_, recovered) = world.recover().unwrap();
    assert_eq!(recovered.action, RecoveredAction::Nothing);
    assert_eq!(recovered.warnings, Vec::<String>::new());
    world.open().history(1).unwrap();
    world.apply(5, OLD_CONFIG).unwrap();
    world.roll_back(None, ChangedState::Refuse).unwrap();
    drop(world.ready());
}

/// Every directory and file gets another inode, under the same name, as if a backup had been unpacked.
fn copy_in_place(world: &World) {
    let copy = |from: &Path| {
        let mut name = from.file_name().unwrap().to_owned();
        name.push(".copy");
        let to = from.with_file_name(name);
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .args([from, &to])
            .status();
        assert!(copied.unwrap().success());
        std::fs::remove_dir_all(from).unwrap();
        (to, from.to_owned())
    };
    for (to, from) in [copy(&world.dir), copy(&world.state())] {
        std::fs::rename(to, from).unwrap();
    }
}

#[test]
fn a_cut_journal_is_written_anew_from_the_trees_and_manifests() {
    let world = updated();
    let seen = world.seen();
    cut_journal(&world);
    let damaged = std::fs::read(journal_path(&world)).unwrap();
    assert_refused(&world, "journal-unreadable");
    let decision = from_disk(&world, None).unwrap();
    assert_eq!((decision.live, decision.confirmed), (2, false));
    assert_eq!(decision.moves, []);
    assert_eq!(world.seen(), seen);
    let journal = journal(&world);
    assert_eq!(journal.next_generation, 3);
    assert_eq!(journal.floors.version, Some("2.0.0".parse().unwrap()));
    assert_eq!(journal.floors.data_format, 2);
    assert_eq!(known(&world), [1, 2]);
    let kept = world.state().join("set-aside/salvage-1/transaction.json");
    assert_eq!(std::fs::read(kept).unwrap(), damaged);
    let history = world.open().history(1).unwrap();
    let last = history.records.last().unwrap();
    assert_eq!(last.kind, crate::RecordKind::Recover);
    assert_eq!(last.body["generation"], 2);
    world.roll_back(Some(1), ChangedState::Refuse).unwrap();
    assert_works(&world);
}

#[test]
fn a_missing_journal_is_written_anew() {
    let world = updated();
    let seen = world.seen();
    std::fs::remove_file(journal_path(&world)).unwrap();
    assert_eq!(from_disk(&world, None).unwrap().live, 2);
    assert_eq!(world.seen(), seen);
    assert_works(&world);
}

/// Without this, recovery would take the kept tree of generation 1 for a leftover in the live slot, and remove it.
#[test]
fn an_older_journal_restored_over_a_newer_install_is_a_contradiction_and_removes_nothing() {
    let world = World::new();
    let old = std::fs::read(journal_path(&world)).unwrap();
    world.apply(2, NEW_CONFIG).unwrap();
    let seen = world.seen();
    std::fs::write(journal_path(&world), &old).unwrap();
    assert_refused(&world, "needs-person");
    assert!(matches!(
        world.open().status().unwrap().state,
        State::NeedsPerson { .. }
    ));
    assert!(tree(&world, 1).is_dir() && world.state().join("generations/2").is_dir());
    assert_eq!(from_disk(&world, None).unwrap().live, 2);
    assert_eq!(world.seen(), seen);
    assert_eq!(known(&world), [1, 2]);
    let floors = journal(&world).floors;
    assert_eq!(floors.version, Some("2.0.0".parse().unwrap()));
    assert_works(&world);
}

/// What a copy of the state directory of that time holds is all that is known; the files of the newer version are
/// drift then, and that is told once.
#[test]
fn an_older_state_directory_restored_over_a_newer_install_is_told_by_recovery_and_by_verify() {
    let world = World::new();
    let backup = world.state().with_extension("backup");
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([world.state(), backup.clone()])
        .status();
    assert!(copied.unwrap().success());
    world.apply(2, NEW_CONFIG).unwrap();
    std::fs::remove_dir_all(world.state()).unwrap();
    std::fs::rename(&backup, world.state()).unwrap();
    let (_, recovered) = world.recover().unwrap();
    assert_eq!(recovered.warnings.len(), 1, "{:?}", recovered.warnings);
    let drift = world
        .open()
        .drift(cofferdam_tree::verify::Scope::Managed)
        .unwrap();
    assert_eq!(drift.len(), 2, "{drift:?}");
    let (_, recovered) = world.recover().unwrap();
    assert_eq!(recovered.warnings, Vec::<String>::new());
}

/// Some file systems give the inode of a directory that was removed to the next one that is made.
#[test]
fn an_older_backup_that_got_the_inode_of_the_install_is_not_taken_for_it() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    std::fs::remove_dir_all(&world.dir).unwrap();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .args([tree(&world, 1), world.dir.clone()])
        .status();
    assert!(copied.unwrap().success());
    let install = world.open();
    let place = install.place();
    let journal = Journal {
        live_tree: layout::directory_inode(place.parent(), place.name()).unwrap(),
        ..journal(&world)
    };
    let is_told = journal.live_tree_born_ns.is_some();
    std::fs::write(journal_path(&world), codec::encode(&journal)).unwrap();
    let seen = world.seen();
    if is_told {
        assert_refused(&world, "needs-person");
    }
    assert_eq!(world.seen(), seen);
}

#[test]
fn a_missing_install_is_replaced_by_the_one_tree_that_is_left() {
    let world = updated();
    let was = world.expected(1, NEW_CONFIG);
    std::fs::remove_dir_all(&world.dir).unwrap();
    assert_refused(&world, "needs-person");
    let decision = from_disk(&world, None).unwrap();
    assert_eq!(decision.live, 1);
    assert_eq!(world.seen(), was);
    assert_eq!(known(&world), [1]);
    assert_eq!(aside(&world), ["generation-2", "transaction.json"]);
    assert_works(&world);
}

#[test]
fn a_foreign_directory_in_the_way_is_set_aside_whole() {
    let world = updated();
    std::fs::remove_dir_all(&world.dir).unwrap();
    write(&world.dir.join("thesis.txt"), b"mine");
    assert_refused(&world, "needs-person");
    assert!(world.dir.join("thesis.txt").exists());
    let decision = from_disk(&world, None).unwrap();
    assert_eq!(decision.live, 1);
    let thesis = world.state().join("set-aside/salvage-1/install/thesis.txt");
    assert_eq!(std::fs::read(thesis).unwrap(), b"mine");
    assert!(world.dir.join("bin/app").exists());
    assert_works(&world);
}

#[test]
fn a_file_in_the_place_of_the_install_is_set_aside_too() {
    let world = updated();
    std::fs::remove_dir_all(&world.dir).unwrap();
    std::fs::write(&world.dir, b"a file").unwrap();
    assert_eq!(from_disk(&world, None).unwrap().live, 1);
    assert!(aside(&world).contains(&"install".to_owned()));
    assert_works(&world);
}

#[test]
fn trees_exchanged_by_hand_are_recognised_and_put_where_they_belong() {
    let world = updated();
    let other = world.dir.with_extension("other");
    std::fs::rename(&world.dir, &other).unwrap();
    std::fs::rename(tree(&world, 1), &world.dir).unwrap();
    std::fs::rename(&other, tree(&world, 1)).unwrap();
    assert_refused(&world, "needs-person");
    assert_eq!(from_disk(&world, None).unwrap().live, 1);
    assert_eq!(known(&world), [1, 2]);
    assert!(tree(&world, 2).is_dir() && !tree(&world, 1).exists());
    // It was confirmed, and the journal said so.
    assert!(journal(&world).is_confirmed());
    assert_works(&world);
}

#[test]
fn an_install_at_rest_that_was_copied_simply_works() {
    let world = updated();
    copy_in_place(&world);
    let seen = world.seen();
    assert_eq!(world.open().status().unwrap().state, State::Idle);
    assert_eq!(
        look(&world, None).unwrap_err().code(),
        "from-disk-not-needed"
    );
    let (ready, recovered) = world.recover().unwrap();
    assert_eq!(recovered.action, RecoveredAction::Nothing);
    assert_eq!((recovered.warnings, recovered.collected), (vec![], vec![]));
    drop(ready);
    assert_eq!(world.seen(), seen);
    world.roll_back(None, ChangedState::Refuse).unwrap();
    assert_works(&world);
}

#[test]
fn a_copied_install_whose_files_were_edited_works_and_is_told() {
    let world = updated();
    std::fs::write(world.dir.join("bin/app"), b"edited").unwrap();
    copy_in_place(&world);
    let (_, recovered) = world.recover().unwrap();
    assert_eq!(recovered.warnings.len(), 1, "{:?}", recovered.warnings);
    assert_works(&world);
}

#[test]
fn a_transaction_in_the_middle_of_a_copy_is_recovered_or_decided_from_the_disk() {
    let (mut decided, mut recovered) = (0, 0);
    for number in 1.. {
        let world = World::new();
        let old = world.seen();
        let new = world.expected(2, NEW_CONFIG);
        fault::arm(number, Fault::Crash);
        let _cut = world.apply(2, NEW_CONFIG);
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        copy_in_place(&world);
        match world.recover() {
            Ok(_) => recovered += 1,
            Err(error) => {
                assert_eq!(error.code(), "needs-person", "{number}");
                from_disk(&world, None).unwrap_or_else(|error| panic!("{number}: {error}"));
                decided += 1;
            }
        }
        let seen = world.seen();
        assert!(seen.tree == old.tree || seen.tree == new.tree, "{number}");
        assert_eq!(
            world.open().status().unwrap().state,
            State::Idle,
            "{number}"
        );
        // A config file that was not renamed yet waits, and is only named.
        drop(world.ready());
    }
    assert!(
        decided > 5 && recovered > 20,
        "{decided} decided, {recovered} recovered"
    );
}

#[test]
fn a_tree_of_no_generation_in_full_is_undecided_unless_a_person_names_the_nearest() {
    let world = updated();
    std::fs::write(world.dir.join("bin/app"), b"edited").unwrap();
    cut_journal(&world);
    let before = (world.seen(), std::fs::read(journal_path(&world)).unwrap());
    for wanted in [None, Some(1), Some(7)] {
        let error = look(&world, wanted).unwrap_err();
        assert_eq!(error.code(), "from-disk-undecided", "{error}");
    }
    let after = (world.seen(), std::fs::read(journal_path(&world)).unwrap());
    assert_eq!(after, before);
    assert!(!world.state().join("set-aside").exists());
    assert_eq!(from_disk(&world, Some(2)).unwrap().live, 2);
    assert_eq!(world.seen(), before.0);
    assert_works(&world);
}

#[test]
fn of_several_kept_trees_a_person_names_the_one_for_a_missing_install() {
    let world = updated();
    world.apply(3, NEW_CONFIG).unwrap();
    std::fs::remove_dir_all(&world.dir).unwrap();
    let undecided = look(&world, None).unwrap_err();
    assert_eq!(undecided.code(), "from-disk-undecided");
    assert_eq!(from_disk(&world, Some(2)).unwrap().live, 2);
    assert_eq!(known(&world), [1, 2]);
    assert_works(&world);
}

#[test]
fn a_generation_whose_manifest_is_not_signed_by_a_trusted_key_is_not_believed() {
    let world = updated();
    cut_journal(&world);
    let manifest = world.state().join("generations/2/manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("2.0.0", "9.0.0")).unwrap();
    match look(&world, None).unwrap_err() {
        InstallError::FromDiskUndecided { undecided } => {
            assert!(undecided.not_believed.contains_key(&2), "{undecided}");
        }
        error => panic!("{error}"),
    }
}

#[test]
fn a_tree_that_was_built_but_never_live_is_set_aside() {
    let mut seen_one = false;
    for number in 1.. {
        let world = World::new();
        fault::arm(number, Fault::Crash);
        let _cut = world.apply(2, NEW_CONFIG);
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        let is_built = tree(&world, 1).is_dir();
        let is_old = std::fs::read(world.dir.join("bin/app")).unwrap() == b"version 1";
        if !is_built || !is_old {
            continue;
        }
        std::fs::remove_file(journal_path(&world)).unwrap();
        let decision = from_disk(&world, None).unwrap();
        assert_eq!((decision.live, decision.generations), (1, vec![1]));
        assert!(aside(&world).contains(&"tree-1".to_owned()));
        assert!(!tree(&world, 1).exists());
        seen_one = true;
    }
    assert!(seen_one);
}
