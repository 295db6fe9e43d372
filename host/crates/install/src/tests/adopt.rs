// SPDX-License-Identifier: Apache-2.0
//! A directory comes under care without being touched, and never twice.

use std::os::unix::fs::PermissionsExt as _;

use cofferdam_package::manifest::PackageId;

use super::world::NOW;
use super::world::World;
use super::world::invariant_at_rest;
use super::world::names;
use super::world::write;
use crate::Adopt;
use crate::AdoptSource;
use crate::Install;
use crate::adopt;
use crate::durable::fault;
use crate::durable::fault::Fault;
use crate::layout::Site;

#[test]
fn what_the_package_lists_is_managed_and_differences_are_drift() {
    let world = World::bare();
    write(&world.dir.join("bin/app"), b"patched by hand");
    let before = world.seen();
    let adopted = world.adopt().unwrap();
    assert_eq!(world.seen(), before);
    let drift: Vec<&str> = adopted
        .drift
        .iter()
        .map(|drift| drift.path.as_str())
        .collect();
    assert_eq!(drift, ["bin/app"]);
    let journal = adopted.install.journal();
    assert_eq!((journal.live, journal.is_confirmed()), (1, true));
    assert_eq!(journal.floors.data_format, 1);
    assert_eq!(
        adopted
            .install
            .live_manifest()
            .unwrap()
            .unwrap()
            .version
            .to_string(),
        "1.0.0"
    );
    assert!(adopted.install.verify_manifest(1).unwrap().is_some());
}

#[test]
fn without_a_package_everything_is_state_and_there_is_no_version() {
    let world = World::bare();
    let adopted = adopt(&Adopt {
        dir: &world.dir,
        source: AdoptSource::Id(PackageId::parse("acme-agent").unwrap()),
        roles: vec!["server".to_owned()],
        trust: vec![world.trusted()],
        live: vec![],
        registry: &world.registry(),
        txid: "adopt".to_owned(),
        now_unix_s: NOW,
    })
    .unwrap();
    let status = adopted.install.status().unwrap();
    assert_eq!(
        (status.version, status.roles),
        (None, vec!["server".to_owned()])
    );
    assert!(adopted.install.live_manifest().unwrap().is_none());
}

#[test]
fn a_directory_is_not_adopted_twice() {
    let world = World::new();
    assert_eq!(world.adopt().unwrap_err().code(), "already-adopted");
    invariant_at_rest(&world);
}

#[test]
fn an_adopt_that_is_refused_takes_no_install_off_the_list() {
    let world = World::new();
    let listed = || -> Vec<_> {
        let entries = world.registry().list().unwrap();
        entries.into_iter().map(Result::unwrap).collect()
    };
    let package = world.package(1);
    let again = |roles: &[&str], txid: &str| {
        adopt(&Adopt {
            dir: &world.dir,
            source: AdoptSource::Package(&package),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            trust: vec![],
            live: vec![],
            registry: &world.registry(),
            txid: txid.to_owned(),
            now_unix_s: NOW,
        })
        .unwrap_err()
        .code()
    };
    assert_eq!(again(&[], "again"), "already-adopted");
    assert_eq!(again(&["No/Role"], "again"), "settings-invalid");
    let parent = world.dir.parent().unwrap();
    let mode = |mode| std::fs::set_permissions(parent, std::fs::Permissions::from_mode(mode));
    mode(0o777).unwrap();
    assert_eq!(again(&[], "again"), "writable-by-others");
    mode(0o755).unwrap();
    let _exclusive = crate::lock::take_directory(&Site::resolve(&world.dir).unwrap()).unwrap();
    assert_eq!(again(&[], "again"), "busy");
    assert_eq!(listed(), [world.dir.canonicalize().unwrap()]);
    let bare = World::bare();
    let file = bare.dir.join("fifo");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &file,
        rustix::fs::FileType::CharacterDevice,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    bare.adopt().unwrap_err();
    assert!(bare.registry().list().unwrap().is_empty());
}

#[test]
fn nothing_inside_an_install_is_adopted() {
    let world = World::new();
    let inner = world.dir.join("data");
    let package = world.package(1);
    let error = adopt(&Adopt {
        dir: &inner,
        source: AdoptSource::Package(&package),
        roles: vec![],
        trust: vec![],
        live: vec![],
        registry: &world.registry(),
        txid: "adopt".to_owned(),
        now_unix_s: NOW,
    })
    .unwrap_err();
    assert_eq!(error.code(), "inside-install");
}

#[test]
fn a_parent_that_others_may_write_is_refused() {
    let world = World::bare();
    let parent = world.dir.parent().unwrap();
    std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(world.adopt().unwrap_err().code(), "writable-by-others");
    std::fs::set_permissions(parent, std::fs::Permissions::from_mode(0o700)).unwrap();
    world.adopt().unwrap();
}

#[test]
fn a_state_directory_that_others_may_enter_is_refused() {
    let world = World::new();
    std::fs::set_permissions(world.state(), std::fs::Permissions::from_mode(0o750)).unwrap();
    assert_eq!(
        Install::open(&world.dir).unwrap_err().code(),
        "state-exposed"
    );
}

#[test]
fn an_install_reached_through_a_symlink_is_the_same_install() {
    let world = World::new();
    let link = world.dir.with_file_name("link");
    std::os::unix::fs::symlink(&world.dir, &link).unwrap();
    let held = world.ready();
    let error = Install::open(&link)
        .unwrap()
        .lock("apply", NOW)
        .unwrap_err();
    assert_eq!(error.code(), "busy");
    drop(held);
}

#[test]
fn an_idle_install_may_be_moved_with_its_state_directory() {
    let world = World::new();
    world.apply(2, super::world::NEW_CONFIG).unwrap();
    let elsewhere = world.dir.with_file_name("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let moved = elsewhere.join("moved");
    std::fs::rename(&world.dir, &moved).unwrap();
    std::fs::rename(world.state(), elsewhere.join("moved.cofferdam")).unwrap();
    let (ready, _) = Install::open(&moved)
        .unwrap()
        .lock("recover", NOW)
        .unwrap()
        .recover(NOW)
        .unwrap();
    assert_eq!(ready.install().rollback_target(None).unwrap(), 1);
}

#[test]
fn release_takes_the_state_directory_and_leaves_the_install() {
    let world = World::new();
    let before = world.seen();
    world.ready().release().unwrap();
    assert_eq!(world.seen(), before);
    assert_eq!(
        super::world::names(world.dir.parent().unwrap()),
        ["app", "etc"]
    );
    assert_eq!(Install::open(&world.dir).unwrap_err().code(), "not-adopted");
    world.adopt().unwrap();
}

#[test]
fn an_adopt_that_fails_at_any_operation_has_changed_nothing() {
    let mut failed = 0;
    for number in 1.. {
        let world = World::bare();
        fault::arm(number, Fault::Error);
        let result = world.adopt();
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        if let Err(error) = result {
            let left = names(world.dir.parent().unwrap());
            assert_eq!(left, ["app", "etc"], "{number}: {error}");
            failed += 1;
        }
    }
    assert!(failed > 20, "{failed}");
}

#[test]
fn a_release_that_fails_at_any_operation_has_changed_nothing() {
    let mut failed = 0;
    for number in 1.. {
        let world = World::new();
        let ready = world.ready();
        fault::arm(number, Fault::Error);
        let result = ready.release();
        let (_, struck) = fault::disarm();
        if !struck {
            break;
        }
        if let Err(error) = result {
            assert!(world.state().exists(), "{number}: {error}");
            // A power cut does not undo the way back.
            assert_eq!(fault::unsynced(), 0, "{number}: {error}");
            drop(world.ready());
            invariant_at_rest(&world);
            failed += 1;
        }
    }
    assert!(failed > 2, "{failed}");
}
