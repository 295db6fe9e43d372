// SPDX-License-Identifier: Apache-2.0
//! An owner of the tree who works against the walk, and trees made to exhaust it.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;

use super::world::Package;
use super::world::World;
use super::world::globs;
use crate::inventory::Inventory;
use crate::preflight;
use crate::remove;
use crate::stage::Service;
use crate::verify;
use crate::verify::DriftKind;
use crate::verify::Scope;
use crate::walk::LiveTree;

#[test]
fn a_managed_directory_swapped_for_a_symlink_is_drift_and_is_not_followed() {
    let world = World::new();
    let package = Package::default().file("bin/agent", "agent", 0o755);
    let old = world.install(&package);
    world.write("outside/agent", "agent");
    fs::remove_dir_all(world.path("live/bin")).expect("remove");
    symlink(world.path("outside"), world.path("live/bin")).expect("symlink");
    let staged = world.update(&old, &package).expect("update");
    assert!(
        world
            .path("slot/bin")
            .symlink_metadata()
            .expect("bin")
            .is_dir()
    );
    assert_eq!(world.read("slot/bin/agent"), "agent");
    assert!(!world.same_inode("slot/bin/agent", "outside/agent"));
    assert!(
        matches!(
            staged.changes.drift[0].what,
            DriftKind::Type {
                found: "symlink",
                ..
            }
        ),
        "{:?}",
        staged.changes.drift
    );
}

#[test]
fn a_state_directory_swapped_for_a_symlink_after_the_walk_is_not_followed() {
    let world = World::new();
    let package = Package::default().file("lib/kept", "kept", 0o644);
    let old = world.install(&package);
    world.write("outside/kept", "secret");
    let classified = world.classify(&old, &package, &[]).expect("classify");
    let mut stage = world.begin(classified).expect("begin");
    fs::rename(world.path("live/lib"), world.path("live/moved")).expect("move");
    symlink(world.path("outside"), world.path("live/lib")).expect("symlink");
    let error = stage.link_unchanged(false).expect_err("refused");
    assert_eq!(error.code(), "symlink-swapped");
}

#[test]
fn a_file_swapped_between_hashing_and_linking_is_refused() {
    let world = World::new();
    let package = Package::default().file("kept", "kept", 0o644);
    let old = world.install(&package);
    let classified = world.classify(&old, &package, &[]).expect("classify");
    let mut stage = world.begin(classified).expect("begin");
    fs::remove_file(world.path("live/kept")).expect("remove");
    world.write("live/other", "evil");
    fs::rename(world.path("live/other"), world.path("live/kept")).expect("rename");
    assert_eq!(
        stage.link_unchanged(false).expect_err("refused").code(),
        "changed-while-copied"
    );
}

#[test]
fn a_linked_file_written_before_the_seal_is_refused() {
    let world = World::new();
    let package = Package::default().file("kept", "kept", 0o644);
    let old = world.install(&package);
    let error = world
        .update_with(&old, &package, &[], |_| {
            world.write("live/kept", "evil");
            Ok(())
        })
        .expect_err("refused");
    assert_eq!(error.code(), "changed-while-copied");
}

#[test]
fn a_symlink_or_fifo_in_the_place_of_a_file_is_neither_followed_nor_waited_for() {
    let world = World::new();
    let package = Package::default()
        .file("a", "a", 0o644)
        .file("b", "b", 0o644);
    let old = world.install(&package);
    world.write("outside", "b");
    fs::remove_file(world.path("live/a")).expect("remove");
    fs::remove_file(world.path("live/b")).expect("remove");
    let mode = rustix::fs::Mode::from_raw_mode(0o644);
    let kind = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(world.open("live"), "a", kind, mode, 0).expect("fifo");
    symlink(world.path("outside"), world.path("live/b")).expect("symlink");
    let staged = world.update(&old, &package).expect("update");
    assert_eq!(
        (world.read("slot/a"), world.read("slot/b")),
        ("a".to_owned(), "b".to_owned())
    );
    assert_eq!(staged.changes.drift.len(), 2);
    assert_eq!(world.read("outside"), "b");
}

#[test]
fn a_walk_during_endless_swaps_never_leaves_the_tree() {
    let world = World::new();
    world.write("live/dir/inside", "inside");
    world.write("outside/secret", "secret");
    let (dir, parked, link): (PathBuf, PathBuf, PathBuf) = (
        world.path("live/dir"),
        world.path("live/parked"),
        world.path("link"),
    );
    symlink(world.path("outside"), &link).expect("symlink");
    let stop = AtomicBool::new(false);
    let escaped = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                // The directory goes away, a symlink appears in its place, and back.
                let _ = fs::rename(&dir, &parked);
                let _ = fs::rename(&link, &dir);
                let _ = fs::rename(&dir, &link);
                let _ = fs::rename(&parked, &dir);
            }
        });
        let escaped = (0..200).any(|_| walk_and_copy(&world));
        stop.store(true, Ordering::Relaxed);
        escaped
    });
    assert!(!escaped);
}

/// Whether a walk, or a copy of the state, brought in what lies outside of the tree.
fn walk_and_copy(world: &World) -> bool {
    let seen = LiveTree::read(&world.open("live"), &globs(&[]))
        .is_ok_and(|tree| tree.paths().any(|path| path.contains("secret")));
    let classified = world.classify(&Inventory::default(), &Package::default(), &[]);
    if let Ok(mut stage) = classified.and_then(|classified| world.begin(classified)) {
        // Either may win: what matters is what the copy holds.
        let _ = stage.copy_state(Service::Running, &mut |_| ());
    }
    let copied = LiveTree::read(&world.open("slot"), &globs(&[]))
        .is_ok_and(|tree| tree.paths().any(|path| path.contains("secret")));
    world.empty_slot();
    seen || copied
}

#[test]
fn a_tree_nested_without_end_is_refused_and_can_be_removed() {
    let world = World::new();
    let mut directory = world.open("live");
    for _ in 0..300 {
        directory.create_dir("d").expect("directory");
        directory = directory.open_dir("d").expect("open");
    }
    directory.write("file", "deep").expect("file");
    let error = preflight::refuse_odd(&world.tree()).expect_err("refused");
    assert_eq!(error.code(), "too-deep");
    remove::remove(&world.open("."), "live").expect("remove");
    assert!(!world.exists("live"));
}

#[test]
fn removing_a_tree_does_not_follow_symlinks_out_of_it() {
    let world = World::new();
    world.write("outside/kept", "kept");
    symlink(world.path("outside"), world.path("live/link")).expect("symlink");
    world.write("live/a/b/c", "c");
    world.chmod("live/a/b", 0o500);
    remove::remove(&world.open("."), "live").expect("remove");
    remove::remove(&world.open("."), "live").expect("twice is the same as once");
    assert!(!world.exists("live"));
    assert_eq!(world.read("outside/kept"), "kept");
    symlink(world.path("outside"), world.path("live")).expect("symlink");
    remove::remove(&world.open("."), "live").expect("remove");
    assert!(!world.exists("live") && world.exists("outside/kept"));
}

#[test]
fn trials_leave_nothing_behind() {
    let world = World::new();
    world.write("live/a", "a");
    fs::create_dir(world.path("parent")).expect("directory");
    let state = world.open("incoming");
    for _ in 0..2 {
        preflight::trial_link(&world.tree(), &state).expect("link");
        preflight::trial_exchange(&world.open("parent"), &state).expect("exchange");
    }
    for name in ["incoming", "parent"] {
        assert_eq!(
            fs::read_dir(world.path(name)).expect("list").count(),
            0,
            "{name}"
        );
    }
}

#[test]
fn drift_names_every_way_in_which_a_tree_can_differ() {
    let world = World::new();
    let old = world.install(
        &Package::default()
            .file("content", "aaaa", 0o644)
            .file("gone", "gone", 0o644)
            .file("mode", "mode", 0o644)
            .file("type", "type", 0o644)
            .symlink("target", "content"),
    );
    world.write("live/content", "bbbb");
    world.write("live/unknown", "new");
    world.chmod("live/mode", 0o600);
    for path in ["gone", "type", "target"] {
        fs::remove_file(world.path("live").join(path)).expect("remove");
    }
    fs::create_dir(world.path("live/type")).expect("directory");
    symlink("elsewhere", world.path("live/target")).expect("symlink");
    let drift = |scope| verify::drift(&world.open("live"), &old, scope, &globs(&[]));
    let all = drift(Scope::All).expect("verify");
    let found: Vec<_> = all
        .iter()
        .map(|drift| (drift.path.as_str(), drift.what.clone()))
        .collect();
    assert_eq!(
        found,
        [
            ("content", DriftKind::Content),
            ("gone", DriftKind::Missing),
            (
                "mode",
                DriftKind::Mode {
                    expected: 0o644,
                    found: 0o600
                }
            ),
            ("target", DriftKind::Target),
            (
                "type",
                DriftKind::Type {
                    expected: "file",
                    found: "directory"
                }
            ),
            ("unknown", DriftKind::Unexpected),
        ]
    );
    assert_eq!(drift(Scope::Managed).expect("verify").len(), 5);
    assert_eq!(drift(Scope::State).expect("verify").len(), 1);
}
