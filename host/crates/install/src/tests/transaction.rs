// SPDX-License-Identifier: Apache-2.0
//! What a transaction does to the journal and to the generations, and what it must never do.

use super::world::Failed;
use super::world::NEW_CONFIG;
use super::world::NOW;
use super::world::OLD_CONFIG;
use super::world::World;
use super::world::invariant_at_rest;
use super::world::names;
use crate::Building;
use crate::Ended;
use crate::Failure;
use crate::Install;
use crate::RecoveredAction;
use crate::Sealed;
use crate::State;
use crate::TxKind;
use crate::TxResult;
use crate::durable::fault;
use crate::durable::fault::Fault;
use cofferdam_package::digest::Digest;

fn built(world: &World, version: u64, kind: TxKind, txid: &str) -> Building {
    let package = world.package(version);
    match World::build(world.ready(), &package, kind, txid) {
        Ok(Ok(building)) => building,
        Ok(Err((_, error))) => panic!("{error}"),
        Err(error) => panic!("{error:?}"),
    }
}

fn sealed(world: &World, config: &str) -> Sealed {
    built(world, 2, TxKind::Apply, "tx")
        .seal(&[world.config_change(config)], NOW)
        .unwrap_or_else(|failure| panic!("{}", failure.error()))
}

#[test]
fn an_apply_makes_the_next_generation_and_keeps_the_last() {
    let world = World::new();
    world.apply(2, NEW_CONFIG).unwrap();
    assert_eq!(world.seen(), world.expected(2, NEW_CONFIG));
    drop(world.ready());
    invariant_at_rest(&world);
    let status = world.open().status().unwrap();
    assert_eq!((status.generation, status.confirmed), (2, true));
    assert_eq!(status.floors.version.unwrap().to_string(), "2.0.0");
    assert_eq!(status.last.unwrap().result, TxResult::Committed);
    let kept = world.state().join("generations/1");
    assert_eq!(
        std::fs::read(kept.join("tree/bin/app")).unwrap(),
        b"version 1"
    );
    let copy = kept
        .join("config")
        .join(Digest::of(OLD_CONFIG.as_bytes()).to_string());
    assert_eq!(std::fs::read_to_string(copy).unwrap(), OLD_CONFIG);
    assert!(world.open().verify_kept(1).is_ok());
}

#[test]
fn a_commit_is_unconfirmed_until_somebody_says_so() {
    let world = World::new();
    let Ok(mut ready) = sealed(&world, NEW_CONFIG).commit(NOW) else {
        panic!("not committed")
    };
    assert!(!ready.journal().is_confirmed());
    assert!(ready.journal().service_owed);
    assert_eq!(ready.journal().floors.data_format, 1);
    assert!(ready.prune().unwrap().is_empty());
    ready.confirm().unwrap();
    assert_eq!(ready.journal().floors.data_format, 2);
}

#[test]
fn a_plan_leaves_nothing_but_its_record() {
    let world = World::new();
    let before = world.seen();
    let building = built(&world, 2, TxKind::Plan, "plan");
    let Ok(sealed) = building.seal(&[], NOW) else {
        panic!("not sealed")
    };
    assert_eq!(sealed.changes().unwrap().added.len(), 1);
    let ready = sealed.discard(Ended::planned(), NOW).unwrap();
    assert_eq!(
        ready.journal().last.as_ref().unwrap().result,
        TxResult::Planned
    );
    assert!(!ready.journal().service_owed);
    drop(ready);
    assert_eq!(world.seen(), before);
    drop(world.ready());
    invariant_at_rest(&world);
}

#[test]
fn a_failed_build_is_thrown_away_with_its_reason() {
    let world = World::new();
    let before = world.seen();
    let building = built(&world, 2, TxKind::Apply, "tx");
    let ended = Ended::with(TxResult::Refused, "step-refused", "the data is too old");
    let ready = building.discard(ended, NOW).unwrap();
    let last = ready.journal().last.clone().unwrap();
    assert_eq!(
        (last.result, last.code.as_deref()),
        (TxResult::Refused, Some("step-refused"))
    );
    assert!(ready.journal().service_owed);
    assert_eq!(world.seen(), before);
    assert_eq!(names(&world.state().join("generations")), ["1"]);
}

#[test]
fn a_config_file_that_somebody_else_wrote_aborts_the_commit_and_is_kept() {
    let world = World::new();
    let before = world.seen();
    let sealed = sealed(&world, NEW_CONFIG);
    std::fs::write(&world.config, "port = 99\n").unwrap();
    let Err(Failure::Undone { ready, error }) = sealed.commit(NOW) else {
        panic!("committed")
    };
    assert_eq!(error.code(), "config-changed");
    assert!(ready.journal().transaction.is_none());
    drop(ready);
    assert_eq!(world.seen().tree, before.tree);
    assert_eq!(
        std::fs::read_to_string(&world.config).unwrap(),
        "port = 99\n"
    );
    drop(world.ready());
    invariant_at_rest(&world);
}

#[test]
fn the_new_config_file_has_mode_and_owner_of_the_old() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = World::new();
    std::fs::set_permissions(&world.config, std::fs::Permissions::from_mode(0o640)).unwrap();
    world.apply(2, NEW_CONFIG).unwrap();
    let mode = std::fs::metadata(&world.config)
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o640);
}

#[test]
fn a_config_file_that_is_a_symlink_is_replaced_where_it_leads() {
    let world = World::new();
    let real = world.config.with_file_name("real.toml");
    std::fs::rename(&world.config, &real).unwrap();
    std::os::unix::fs::symlink("real.toml", &world.config).unwrap();
    world.apply(2, NEW_CONFIG).unwrap();
    assert_eq!(std::fs::read_to_string(&real).unwrap(), NEW_CONFIG);
    assert!(world.config.is_symlink());
}

#[test]
fn state_that_changed_after_it_was_copied_is_told_before_the_commit() {
    let world = World::new();
    let sealed = sealed(&world, NEW_CONFIG);
    assert_eq!(sealed.state_changed().unwrap(), Vec::<String>::new());
    super::world::write(&world.dir.join("data/late"), b"late");
    assert_eq!(sealed.state_changed().unwrap(), ["data/late"]);
    let _ready = sealed
        .discard(Ended::with(TxResult::Failed, "state-moved", "x"), NOW)
        .unwrap();
}

#[test]
fn two_crashes_after_the_stop_condemn_the_package_until_it_is_allowed() {
    let world = World::new();
    for crash in 1..=2 {
        drop(built(&world, 2, TxKind::Apply, "tx"));
        let (_, recovered) = world.recover().unwrap();
        assert_eq!(recovered.action, RecoveredAction::Undone);
        assert_eq!(recovered.condemned.is_some(), crash == 2);
    }
    let digest = world.package(2).digest();
    let condemned = world.open().condemnation_of(&digest).unwrap().unwrap();
    assert_eq!(
        condemned.why,
        "cut off 2 times after the service was stopped"
    );
    world.ready().allow(&[condemned]).unwrap();
    drop(built(&world, 2, TxKind::Apply, "tx"));
    assert!(world.recover().unwrap().1.condemned.is_none());
}

#[test]
fn what_cannot_be_removed_is_told_and_collected_by_the_next_command() {
    let mut told = 0;
    for number in 1.. {
        let world = World::new();
        let building = built(&world, 2, TxKind::Apply, "tx");
        let ended = Ended::with(TxResult::Failed, "state-moved", "x");
        fault::arm(number, Fault::Error);
        let discarded = building.discard(ended, NOW);
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        if let Ok(mut ready) = discarded {
            let left = ready.take_left_over();
            assert!(
                !left.is_empty(),
                "operation {number} failed, and nobody was told"
            );
            told += 1;
        }
        drop(world.ready());
        invariant_at_rest(&world);
    }
    assert!(told > 1, "told {told} times");
}

#[test]
fn a_crash_of_a_plan_condemns_nobody() {
    let world = World::new();
    for _ in 0..3 {
        drop(built(&world, 2, TxKind::Plan, "plan"));
        assert!(world.recover().unwrap().1.condemned.is_none());
    }
}

#[test]
fn old_generations_go_after_the_confirmation_and_never_the_live_one() {
    let world = World::new();
    for version in 2..=5 {
        world.apply(version, NEW_CONFIG).unwrap();
    }
    assert_eq!(names(&world.state().join("generations")), ["3", "4", "5"]);
    drop(world.ready());
    invariant_at_rest(&world);
}

#[test]
fn a_second_command_is_told_who_holds_the_install() {
    let world = World::new();
    let held = world.ready();
    let error = Install::open(&world.dir)
        .unwrap()
        .lock("apply", NOW)
        .unwrap_err();
    assert_eq!(error.code(), "busy");
    assert!(error.to_string().contains("`recover`"), "{error}");
    assert!(matches!(
        world.open().status().unwrap().state,
        State::Working { .. }
    ));
    drop(held);
    assert_eq!(world.open().status().unwrap().state, State::Idle);
}

#[test]
fn status_tells_what_recovery_would_do_and_changes_nothing() {
    let world = World::new();
    drop(built(&world, 2, TxKind::Apply, "tx"));
    let journal = std::fs::read(world.state().join("transaction.json")).unwrap();
    let State::Interrupted {
        kind,
        stage,
        recovery,
    } = world.open().status().unwrap().state
    else {
        panic!("not interrupted")
    };
    assert_eq!(
        (kind, stage, recovery),
        (TxKind::Apply, "stopped", RecoveredAction::Undone)
    );
    assert_eq!(
        std::fs::read(world.state().join("transaction.json")).unwrap(),
        journal
    );
}

#[test]
fn a_missing_install_directory_needs_a_person_and_nothing_is_touched() {
    let world = World::new();
    drop(built(&world, 2, TxKind::Apply, "tx"));
    let away = world.dir.with_file_name("away");
    let locked = world.open().lock("recover", NOW).unwrap();
    std::fs::rename(&world.dir, &away).unwrap();
    let error = locked.recover(NOW).unwrap_err();
    assert_eq!(error.code(), "needs-person");
    std::fs::rename(&away, &world.dir).unwrap();
    assert_eq!(world.recover().unwrap().1.action, RecoveredAction::Undone);
}

#[test]
fn a_transaction_whose_name_could_be_a_path_is_refused() {
    let world = World::new();
    let package = world.package(2);
    let refused = World::build(world.ready(), &package, TxKind::Apply, "../x");
    assert!(matches!(refused, Err(Failed::Undone("bad-txid"))));
    invariant_at_rest(&world);
}

#[test]
fn readers_see_one_consistent_install_while_it_is_updated() {
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering;
    let world = World::new();
    let done = AtomicBool::new(false);
    let looks = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Relaxed) || looks == 0 {
                let status = world.open().status().unwrap();
                let version = status.version.unwrap().to_string();
                assert_eq!(version, format!("{}.0.0", status.generation));
                assert!(
                    matches!(status.state, State::Idle | State::Working { .. }),
                    "{:?}",
                    status.state
                );
                looks += 1;
            }
            looks
        });
        for version in 2..=6 {
            world
                .apply(
                    version,
                    if version % 2 == 0 {
                        NEW_CONFIG
                    } else {
                        OLD_CONFIG
                    },
                )
                .unwrap();
        }
        done.store(true, Ordering::Relaxed);
        reader.join().unwrap()
    });
    assert!(looks > 0);
}

#[test]
fn an_install_whose_directory_is_gone_says_so_to_those_who_look() {
    let world = World::new();
    std::fs::rename(&world.dir, world.dir.with_file_name("away")).unwrap();
    let State::NeedsPerson { found } = world.open().status().unwrap().state else {
        panic!("at rest")
    };
    assert!(found.contains("no directory"), "{found}");
    assert_eq!(world.recover().unwrap_err().code(), "needs-person");
    std::fs::write(&world.dir, b"a file").unwrap();
    assert_eq!(world.recover().unwrap_err().code(), "needs-person");
}
