// SPDX-License-Identifier: Apache-2.0
//! What happens to managed files and seeds.

use std::fs;
use std::fs::FileTimes;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use super::world::Package;
use super::world::World;
use super::world::globs;
use crate::inventory::ItemKind;
use crate::stage::Service;
use crate::stage::StateChangeKind;
use crate::verify;
use crate::verify::DriftKind;
use crate::verify::Scope;

fn old_package() -> Package {
    Package::default()
        .file("bin/agent", "agent 1", 0o755)
        .file("bin/helper", "helper", 0o755)
        .file("plugins/retired", "retired", 0o644)
        .symlink("current", "bin/agent")
        .seed("conf/agent.toml", "port = 1")
}

fn new_package() -> Package {
    Package::default()
        .file("bin/agent", "agent 2", 0o755)
        .file("bin/helper", "helper", 0o755)
        .file("lib/added/deep", "added", 0o600)
        .symlink("current", "bin/helper")
        .seed("conf/agent.toml", "port = 2")
}

#[test]
fn an_update_writes_what_changed_links_what_did_not_and_removes_what_went() {
    let world = World::new();
    let old = world.install(&old_package());
    let staged = world.update(&old, &new_package()).expect("update");
    assert_eq!(world.read("slot/bin/agent"), "agent 2");
    assert_eq!(world.read("live/bin/agent"), "agent 1");
    assert!(world.same_inode("slot/bin/helper", "live/bin/helper"));
    assert_eq!(world.mode("slot/lib/added/deep"), 0o600);
    assert!(
        !world.exists("slot/plugins"),
        "a managed directory goes when it is empty"
    );
    assert_eq!(
        fs::read_link(world.path("slot/current"))
            .expect("link")
            .as_os_str(),
        "bin/helper"
    );
    let paths = |list: &[crate::stage::ManagedChange]| {
        list.iter()
            .map(|change| change.path.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        paths(&staged.changes.added),
        ["lib", "lib/added", "lib/added/deep"]
    );
    assert_eq!(paths(&staged.changes.changed), ["bin/agent", "current"]);
    assert_eq!(staged.changes.removed, ["plugins", "plugins/retired"]);
    assert_eq!(staged.changes.state, []);
}

#[test]
fn the_inventory_of_a_finished_tree_finds_no_drift_in_it() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/data/records", "records");
    let staged = world.update(&old, &new_package()).expect("update");
    let drift = verify::drift(
        &world.open("slot"),
        &staged.inventory,
        Scope::All,
        &globs(&[]),
    );
    assert_eq!(drift.expect("verify"), []);
    let kind = |path: &str| staged.inventory.entries.get(path).map(|item| item.kind);
    assert_eq!(kind("bin/agent"), Some(ItemKind::Managed));
    assert_eq!(kind("conf/agent.toml"), Some(ItemKind::Seed));
    assert_eq!(kind("data/records"), Some(ItemKind::State));
    assert_eq!(kind("bin"), Some(ItemKind::Managed));
    assert_eq!(kind("data"), Some(ItemKind::State));
}

#[test]
fn same_size_and_time_do_not_make_a_file_unchanged() {
    let world = World::new();
    let old = world.install(&Package::default().file("a", "old!", 0o644));
    let pinned = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_mins(8_319_375));
    let file = fs::File::options()
        .write(true)
        .open(world.path("live/a"))
        .expect("file");
    file.set_times(pinned).expect("times");
    world
        .update(&old, &Package::default().file("a", "new!", 0o644))
        .expect("update");
    assert_eq!(world.read("slot/a"), "new!");
}

#[test]
fn a_new_mode_alone_takes_an_inode_of_its_own() {
    let world = World::new();
    let old = world.install(&Package::default().file("tool", "same", 0o644));
    let staged = world
        .update(&old, &Package::default().file("tool", "same", 0o755))
        .expect("update");
    assert_eq!(
        (world.mode("slot/tool"), world.mode("live/tool")),
        (0o755, 0o644)
    );
    assert!(!world.same_inode("slot/tool", "live/tool"));
    assert_eq!(staged.changes.changed.len(), 1);
}

#[test]
fn a_drifted_managed_file_is_replaced_and_reported() {
    let world = World::new();
    let package = old_package();
    let old = world.install(&package);
    world.write("live/bin/helper", "hacked");
    fs::remove_file(world.path("live/bin/agent")).expect("remove");
    world.chmod("live/plugins/retired", 0o666);
    let staged = world.update(&old, &package).expect("update");
    assert_eq!(world.read("slot/bin/helper"), "helper");
    assert_eq!(world.read("slot/bin/agent"), "agent 1");
    assert_eq!(world.mode("slot/plugins/retired"), 0o644);
    let drift: Vec<_> = staged
        .changes
        .drift
        .iter()
        .map(|drift| (drift.path.as_str(), &drift.what))
        .collect();
    assert_eq!(
        drift,
        [
            ("bin/agent", &DriftKind::Missing),
            ("bin/helper", &DriftKind::Content),
            (
                "plugins/retired",
                &DriftKind::Mode {
                    expected: 0o644,
                    found: 0o666
                }
            ),
        ]
    );
}

#[test]
fn a_seed_is_installed_once_and_then_belongs_to_the_operator() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/conf/agent.toml", "port = 8080 # mine");
    let staged = world.update(&old, &new_package()).expect("update");
    assert_eq!(world.read("slot/conf/agent.toml"), "port = 8080 # mine");
    assert!(!world.same_inode("slot/conf/agent.toml", "live/conf/agent.toml"));
    assert_eq!(staged.changes.seeds_changed.len(), 1);
    assert_eq!(staged.changes.seeds_installed, []);
    assert_eq!(staged.changes.drift, []);
}

#[test]
fn a_seed_is_installed_where_nothing_stands() {
    let world = World::new();
    let old = world.install(&Package::default());
    let staged = world.update(&old, &new_package()).expect("update");
    assert_eq!(world.read("slot/conf/agent.toml"), "port = 2");
    assert_eq!(world.mode("slot/conf/agent.toml"), 0o640);
    assert_eq!(staged.changes.seeds_installed.len(), 1);
}

#[test]
fn state_in_the_way_of_a_new_file_is_refused_and_left_alone() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/lib/added/deep", "mine");
    let error = world.update(&old, &new_package()).expect_err("refused");
    assert_eq!(error.code(), "state-in-the-way");
    assert_eq!(error.paths(), ["lib/added/deep"]);
    assert_eq!(world.read("live/lib/added/deep"), "mine");
    assert_eq!(fs::read_dir(world.path("slot")).expect("slot").count(), 0);
}

#[test]
fn state_that_is_the_same_becomes_managed() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/lib/added/deep", "added");
    world.chmod("live/lib/added/deep", 0o600);
    let staged = world.update(&old, &new_package()).expect("update");
    assert!(staged.inventory.is_managed("lib/added/deep"));
    assert!(world.same_inode("live/lib/added/deep", "slot/lib/added/deep"));
}

#[test]
fn the_operator_may_let_state_be_replaced() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/lib/added", "a file where a directory is wanted");
    let staged = world
        .update_with(&old, &new_package(), &["lib/added"], |_| Ok(()))
        .expect("update");
    assert_eq!(world.read("slot/lib/added/deep"), "added");
    assert_eq!(staged.changes.replaced, ["lib/added"]);
}

#[test]
fn a_managed_directory_with_state_in_it_cannot_become_a_file() {
    let world = World::new();
    let old = world.install(&Package::default().file("lib/a", "a", 0o644));
    world.write("live/lib/mine", "mine");
    let error = world
        .update(&old, &Package::default().file("lib", "file", 0o644))
        .expect_err("refused");
    assert_eq!(error.code(), "state-in-the-way");
}

#[test]
fn a_managed_file_can_become_a_directory_and_back() {
    let world = World::new();
    let file = Package::default().file("lib", "file", 0o644);
    let directory = Package::default().file("lib/a", "a", 0o644);
    let old = world.install(&file);
    let staged = world.update(&old, &directory).expect("update");
    assert_eq!(world.read("slot/lib/a"), "a");
    world.commit();
    world.empty_slot();
    world.update(&staged.inventory, &file).expect("update back");
    assert_eq!(world.read("slot/lib"), "file");
}

#[test]
fn a_retired_directory_with_state_in_it_stays_as_state() {
    let world = World::new();
    let old = world.install(&old_package());
    world.write("live/plugins/mine", "mine");
    let staged = world.update(&old, &new_package()).expect("update");
    assert_eq!(world.read("slot/plugins/mine"), "mine");
    assert!(!world.exists("slot/plugins/retired"));
    assert_eq!(staged.inventory.entries["plugins"].kind, ItemKind::State);
    assert_eq!(staged.changes.removed, ["plugins/retired"]);
    assert_eq!(staged.changes.state, []);
}

#[test]
fn prepare_finds_the_old_files_and_the_payload_wins_afterwards() {
    let world = World::new();
    let old = world.install(&old_package());
    let package = new_package();
    let mut stage = world
        .begin(world.classify(&old, &package, &[]).expect("classify"))
        .expect("begin");
    stage.fetch_from(&package, &mut |_| ()).expect("fetch");
    stage.link_unchanged(true).expect("link");
    stage
        .copy_state(Service::Stopped, &mut |_| ())
        .expect("state");
    assert_eq!(world.read("slot/bin/agent"), "agent 1");
    assert_eq!(world.read("slot/plugins/retired"), "retired");
    assert_eq!(
        fs::read_link(world.path("slot/current"))
            .expect("link")
            .as_os_str(),
        "bin/agent"
    );
    // What a step might leave behind.
    fs::remove_dir_all(world.path("slot/lib")).expect("remove");
    world.write("slot/lib", "in the way of a directory");
    world.write("slot/data/converted", "new state");
    stage.place_payload().expect("place");
    let staged = stage.finish().expect("finish");
    assert_eq!(world.read("slot/bin/agent"), "agent 2");
    assert_eq!(world.read("slot/lib/added/deep"), "added");
    assert!(!world.exists("slot/plugins"));
    assert_eq!(world.read("live/bin/agent"), "agent 1");
    let changed: Vec<_> = staged
        .changes
        .state
        .iter()
        .map(|change| (change.path.as_str(), change.change))
        .collect();
    assert_eq!(
        changed,
        [
            ("data", StateChangeKind::Added),
            ("data/converted", StateChangeKind::Added)
        ]
    );
}

#[test]
fn files_that_prepare_finds_are_not_there_without_it() {
    let world = World::new();
    let old = world.install(&old_package());
    let classified = world.classify(&old, &new_package(), &[]).expect("classify");
    let mut stage = world.begin(classified).expect("begin");
    stage.link_unchanged(false).expect("link");
    assert!(!world.exists("slot/bin/agent") && !world.exists("slot/plugins"));
    assert!(world.exists("slot/bin/helper"));
}

#[test]
fn bytes_that_are_not_what_was_signed_never_reach_the_tree() {
    let world = World::new();
    let old = world.install(&old_package());
    let error = world
        .update(&old, &new_package().corrupted())
        .expect_err("refused");
    assert_eq!(error.code(), "digest-mismatch");
    assert_eq!(world.read("live/bin/agent"), "agent 1");
}

#[test]
fn modes_are_the_manifests_for_listed_directories_too() {
    let world = World::new();
    let old = world.install(&Package::default().directory("spool", 0o755));
    world
        .update(&old, &Package::default().directory("spool", 0o750))
        .expect("update");
    assert_eq!(
        (world.mode("slot/spool"), world.mode("live/spool")),
        (0o750, 0o755)
    );
}

#[test]
fn what_a_step_does_to_state_is_reported() {
    let world = World::new();
    let old = world.install(&Package::default());
    world.write("live/data/kept", "kept");
    world.write("live/data/changed", "one");
    world.write("live/data/removed", "gone");
    let staged = world
        .update_with(&old, &Package::default(), &[], |_| {
            world.write("slot/data/changed", "two");
            world.write("slot/data/added", "new");
            fs::remove_file(world.path("slot/data/removed")).expect("remove");
            Ok(())
        })
        .expect("update");
    let state: Vec<_> = staged
        .changes
        .state
        .iter()
        .map(|change| (change.path.as_str(), change.change))
        .collect();
    assert_eq!(
        state,
        [
            ("data/added", StateChangeKind::Added),
            ("data/changed", StateChangeKind::Changed),
            ("data/removed", StateChangeKind::Removed),
        ]
    );
    assert_eq!(world.read("live/data/changed"), "one");
}

#[test]
fn state_that_a_step_made_anew_with_another_mode_or_as_another_kind_is_told() {
    let world = World::new();
    let old = world.install(&Package::default());
    for directory in ["closed", "file", "same"] {
        world.write(&format!("live/data/{directory}/x"), "x");
    }
    world.chmod("live/data/closed", 0o700);
    let anew = |directory: &str| {
        let at = world.path(&format!("slot/data/{directory}"));
        fs::remove_dir_all(&at).expect("removed");
        fs::create_dir(&at).expect("made");
        world.chmod(&format!("slot/data/{directory}"), 0o755);
    };
    let staged = world
        .update_with(&old, &Package::default(), &[], |_| {
            anew("closed");
            anew("same");
            fs::remove_dir_all(world.path("slot/data/file")).expect("removed");
            world.write("slot/data/file", "x");
            Ok(())
        })
        .expect("update");
    let changed = staged.changes.state.iter();
    let changed = changed.filter(|change| change.change == StateChangeKind::Changed);
    let changed: Vec<(&str, String)> = changed
        .map(|change| {
            (
                change.path.as_str(),
                change.object.as_ref().expect("stands").to_string(),
            )
        })
        .collect();
    let digest = cofferdam_package::digest::Digest::of(b"x");
    let file = format!("0644 {digest}");
    let expected = [
        ("data/closed", "0755 directory".to_owned()),
        ("data/file", file),
    ];
    assert_eq!(changed, expected);
}

#[test]
fn after_unshare_a_step_cannot_write_through_to_the_live_tree() {
    let world = World::new();
    let package = Package::default()
        .file("data/table", "shipped", 0o644)
        .file("bin/agent", "agent", 0o755);
    let old = world.install(&package);
    let staged = world
        .update_with(&old, &package, &[], |stage| {
            assert!(world.same_inode("live/data/table", "slot/data/table"));
            let unshared = stage.unshare(&globs(&["data/version"]))?;
            assert_eq!(unshared.files, 1);
            assert!(!world.same_inode("live/data/table", "slot/data/table"));
            assert!(world.same_inode("live/bin/agent", "slot/bin/agent"));
            world.write("slot/data/table", "written by a step");
            Ok(())
        })
        .expect("update");
    assert_eq!(world.read("live/data/table"), "shipped");
    assert_eq!(
        staged.changes.changed.len(),
        1,
        "what a step wrote is found by its digest"
    );
}

#[test]
fn adoption_records_the_package_and_reports_what_differs() {
    let world = World::new();
    world.install(&old_package());
    world.write("live/bin/helper", "patched by hand");
    world.write("live/notes", "mine");
    let (inventory, drift) = world.adopt(&old_package());
    assert_eq!(drift.len(), 1);
    assert_eq!(
        (drift[0].path.as_str(), &drift[0].what),
        ("bin/helper", &DriftKind::Content)
    );
    assert_eq!(inventory.entries["notes"].kind, ItemKind::State);
    let (inventory, drift) = world.adopt(&Package::default());
    assert_eq!(drift, []);
    assert_eq!(
        inventory.paths_of(ItemKind::State).count(),
        inventory.entries.len()
    );
}
