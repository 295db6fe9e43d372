// SPDX-License-Identifier: Apache-2.0
//! What happens to state and to live files.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;
use std::time::UNIX_EPOCH;

use super::world::Package;
use super::world::World;
use super::world::globs;
use crate::inventory::Inventory;
use crate::live;
use crate::preflight;
use crate::preflight::Space;
use crate::stage::Service;
use crate::verify;
use crate::verify::Scope;

fn carried(world: &World) -> crate::stage::Staged {
    world
        .update(&Inventory::default(), &Package::default())
        .expect("update")
}

#[test]
fn state_is_copied_with_its_time_mode_and_content() {
    let world = World::new();
    world.write("live/data/deep/records", "records");
    world.chmod("live/data/deep/records", 0o4600);
    world.chmod("live/data", 0o2770);
    let old = UNIX_EPOCH + Duration::new(1_000_000_000, 123_456_789);
    for path in ["live/data/deep/records", "live/data"] {
        let file = fs::File::open(world.path(path)).expect("open");
        file.set_times(fs::FileTimes::new().set_modified(old))
            .expect("time");
    }
    let staged = carried(&world);
    assert_eq!(world.read("slot/data/deep/records"), "records");
    assert!(!world.same_inode("slot/data/deep/records", "live/data/deep/records"));
    assert_eq!(world.mode("slot/data/deep/records"), 0o4600);
    assert_eq!(world.mode("slot/data"), 0o2770);
    for path in ["slot/data/deep/records", "slot/data"] {
        assert_eq!(world.facts(path).modified().expect("time"), old, "{path}");
    }
    assert_eq!(staged.changes.state, []);
}

#[test]
fn empty_directories_of_the_operator_are_kept() {
    let world = World::new();
    fs::create_dir_all(world.path("live/spool/empty")).expect("directory");
    carried(&world);
    assert!(world.path("slot/spool/empty").is_dir());
}

#[test]
fn the_new_root_takes_mode_and_time_does_not_matter() {
    let world = World::new();
    world.chmod("live", 0o2751);
    carried(&world);
    assert_eq!(world.mode("slot"), 0o2751);
}

#[test]
fn hard_links_among_state_stay_links_among_the_copies() {
    let world = World::new();
    world.write("live/a", "one inode");
    fs::create_dir(world.path("live/b")).expect("directory");
    fs::hard_link(world.path("live/a"), world.path("live/b/c")).expect("link");
    let staged = carried(&world);
    assert!(world.same_inode("slot/a", "slot/b/c"));
    assert!(!world.same_inode("slot/a", "live/a"));
    assert_eq!(world.facts("slot/a").nlink(), 2);
    assert_eq!(staged.changes.state, []);
}

#[test]
fn holes_stay_holes() {
    let world = World::new();
    world.write("live/sparse", vec![1_u8; 8192]);
    let file = fs::File::options()
        .write(true)
        .open(world.path("live/sparse"))
        .expect("open");
    file.set_len(64 * 1024 * 1024).expect("hole");
    carried(&world);
    let (from, to) = (world.facts("live/sparse"), world.facts("slot/sparse"));
    assert_eq!(to.len(), from.len());
    assert!(
        to.blocks() <= from.blocks() + 64,
        "{} blocks of {}",
        to.blocks(),
        from.blocks()
    );
    assert!(
        fs::read(world.path("slot/sparse")).expect("read")
            == fs::read(world.path("live/sparse")).expect("read")
    );
}

#[test]
fn names_that_are_not_utf8_are_carried_and_recorded() {
    let world = World::new();
    let raw = OsStr::from_bytes(b"caf\xe9\\n");
    fs::create_dir(world.path("live").join(raw)).expect("directory");
    fs::write(
        world
            .path("live")
            .join(raw)
            .join(OsStr::from_bytes(b"\xff")),
        "odd",
    )
    .expect("file");
    std::os::unix::fs::symlink(OsStr::from_bytes(b"\xfe"), world.path("live/link")).expect("link");
    let staged = carried(&world);
    let copy = world
        .path("slot")
        .join(raw)
        .join(OsStr::from_bytes(b"\xff"));
    assert_eq!(fs::read_to_string(copy).expect("copy"), "odd");
    assert_eq!(
        fs::read_link(world.path("slot/link"))
            .expect("link")
            .as_os_str()
            .as_bytes(),
        b"\xfe"
    );
    assert!(staged.inventory.entries.contains_key("caf\\xe9\\\\n/\\xff"));
    let bytes = staged.inventory.to_json().expect("json");
    assert_eq!(Inventory::parse(&bytes).expect("parse"), staged.inventory);
    let drift = verify::drift(
        &world.open("slot"),
        &staged.inventory,
        Scope::All,
        &globs(&[]),
    );
    assert_eq!(drift.expect("verify"), []);
}

#[test]
fn symlinks_are_carried_and_those_that_lead_out_are_listed() {
    let world = World::new();
    fs::create_dir(world.path("live/a")).expect("directory");
    for (path, target) in [
        ("in", "a"),
        ("a/up", "../in"),
        ("out", "/etc/passwd"),
        ("a/out", "../../x"),
        ("gone", "z"),
    ] {
        std::os::unix::fs::symlink(target, world.path("live").join(path)).expect("link");
    }
    let staged = carried(&world);
    assert_eq!(staged.changes.symlinks_out, ["a/out", "out"]);
    assert_eq!(
        fs::read_link(world.path("slot/out"))
            .expect("link")
            .as_os_str(),
        "/etc/passwd"
    );
    assert!(world.exists("slot/gone"));
}

#[test]
fn sockets_are_left_behind_and_fifos_are_made_anew() {
    let world = World::new();
    let _socket = std::os::unix::net::UnixListener::bind(world.path("live/socket")).expect("bind");
    let live = world.open("live");
    rustix::fs::mknodat(
        &live,
        "pipe",
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o620),
        0,
    )
    .expect("fifo");
    world.chmod("live/pipe", 0o622);
    let staged = carried(&world);
    assert!(!world.exists("slot/socket"));
    assert!(world.facts("slot/pipe").file_type().is_fifo());
    assert_eq!(world.mode("slot/pipe"), 0o622);
    let drift = verify::drift(&live, &staged.inventory, Scope::All, &globs(&[])).expect("verify");
    assert_eq!(drift, [], "a socket is in no comparison");
}

#[test]
fn a_device_node_is_refused() {
    let world = World::new();
    let device = rustix::fs::makedev(1, 3);
    let mode = rustix::fs::Mode::from_raw_mode(0o666);
    let kind = rustix::fs::FileType::CharacterDevice;
    if rustix::fs::mknodat(world.open("live"), "null", kind, mode, device).is_err() {
        // Only root makes device nodes; another user cannot have this problem.
        return;
    }
    assert_eq!(
        preflight::refuse_odd(&world.tree())
            .expect_err("odd")
            .code(),
        "device-node"
    );
    let error = world
        .update(&Inventory::default(), &Package::default())
        .expect_err("refused");
    assert_eq!(error.code(), "device-node");
}

#[test]
fn live_files_are_shared_and_seen_by_no_comparison() {
    let mut world = World::new();
    world.live_patterns = globs(&["logs/**"]);
    world.write("live/logs/agent.log", "line 1\n");
    world.write("live/data", "state");
    let staged = carried(&world);
    assert!(world.same_inode("live/logs/agent.log", "slot/logs/agent.log"));
    assert!(!staged.inventory.entries.contains_key("logs/agent.log"));
    world.write("live/logs/agent.log", "line 1\nline 2\n");
    world.write("live/logs/agent.log.1", "rotated\n");
    let live = world.open("live");
    let changed = staged
        .witness
        .changed_since(
            &live,
            &world
                .classify(&Inventory::default(), &Package::default(), &[])
                .expect("classify"),
            &world.live_patterns,
        )
        .expect("compare");
    assert_eq!(changed, Vec::<String>::new());
    let drift = verify::drift(&live, &staged.inventory, Scope::All, &world.live_patterns);
    assert_eq!(drift.expect("verify"), []);
}

#[test]
fn live_files_follow_into_a_tree_that_was_left_earlier() {
    let mut world = World::new();
    world.live_patterns = globs(&["logs/**"]);
    world.write("live/logs/agent.log", "old name");
    let staged = carried(&world);
    fs::rename(
        world.path("live/logs/agent.log"),
        world.path("live/logs/agent.log.1"),
    )
    .expect("rotate");
    world.write("live/logs/agent.log", "new");
    world.write("live/logs/sub/other.log", "new directory");
    for _ in 0..2 {
        live::share_live_files(
            &world.open("live"),
            &world.open("slot"),
            &staged.inventory,
            &world.live_patterns,
        )
        .expect("share");
        for path in ["logs/agent.log", "logs/agent.log.1", "logs/sub/other.log"] {
            assert!(
                world.same_inode(&format!("live/{path}"), &format!("slot/{path}")),
                "{path}"
            );
        }
    }
    fs::remove_file(world.path("live/logs/agent.log.1")).expect("remove");
    live::share_live_files(
        &world.open("live"),
        &world.open("slot"),
        &staged.inventory,
        &world.live_patterns,
    )
    .expect("share");
    assert!(!world.exists("slot/logs/agent.log.1"));
}

#[test]
fn state_that_changes_after_the_copy_is_noticed() {
    let world = World::new();
    world.write("live/data/a", "1");
    world.write("live/data/b", "1");
    let staged = carried(&world);
    let classified = world
        .classify(&Inventory::default(), &Package::default(), &[])
        .expect("classify");
    let changed = || {
        let live = world.open("live");
        staged
            .witness
            .changed_since(&live, &classified, &globs(&[]))
            .expect("compare")
    };
    assert_eq!(changed(), Vec::<String>::new());
    world.write("live/data/a", "2");
    fs::remove_file(world.path("live/data/b")).expect("remove");
    world.write("live/data/c", "1");
    assert_eq!(changed(), ["data/a", "data/b", "data/c"]);
}

#[test]
fn state_that_comes_to_stand_in_the_way_while_the_service_runs_is_refused() {
    let world = World::new();
    let package = Package::default().file("lib/new", "package", 0o644);
    let classified = world
        .classify(&Inventory::default(), &package, &[])
        .expect("classify");
    let mut stage = world.begin(classified).expect("begin");
    stage.fetch_from(&package, &mut |_| ()).expect("fetch");
    stage.link_unchanged(false).expect("link");
    world.write("live/lib/new", "written meanwhile");
    let error = stage
        .copy_state(Service::Stopped, &mut |_| ())
        .expect_err("refused");
    assert_eq!(
        (error.code(), error.paths()),
        ("state-in-the-way", vec!["lib/new"])
    );
}

#[test]
fn a_seed_that_comes_to_stand_while_the_service_runs_is_kept() {
    let world = World::new();
    let package = Package::default().seed("conf", "default");
    let classified = world
        .classify(&Inventory::default(), &package, &[])
        .expect("classify");
    let mut stage = world.begin(classified).expect("begin");
    stage.fetch_from(&package, &mut |_| ()).expect("fetch");
    stage.link_unchanged(false).expect("link");
    world.write("live/conf", "mine");
    stage
        .copy_state(Service::Stopped, &mut |_| ())
        .expect("state");
    stage.place_payload().expect("place");
    let staged = stage.finish().expect("finish");
    assert_eq!(world.read("slot/conf"), "mine");
    assert_eq!(staged.changes.seeds_installed, []);
}

#[test]
fn space_counts_changed_files_state_and_budgets_but_no_links() {
    let world = World::new();
    let package = Package::default().file("big", &"x".repeat(1 << 20), 0o644);
    let old = world.install(&package);
    let writes = globs(&["*.txt"]);
    let classified = world.classify(&old, &package, &[]).expect("classify");
    let none = globs(&[]);
    let space = |write, bytes, files| Space::of(&world.tree(), &classified, write, bytes, files);
    let base = space(&none, 0, 0);
    assert!(
        base.bytes < (1 << 20) + (8 << 20),
        "the unchanged file is linked"
    );
    let with_step = space(&writes, 1 << 24, 100);
    assert!(
        with_step.bytes >= base.bytes + (1 << 24) + (1 << 20),
        "a step that reaches the file's directory needs a copy of it"
    );
    assert!(with_step.inodes >= base.inodes + 101);
    world.write("live/state", vec![7; 1 << 20]);
    let with_state = space(&none, 0, 0);
    assert!(with_state.bytes >= base.bytes + (1 << 20));
    base.refuse_unless_within(&preflight::free(&world.open("live")).expect("free"))
        .expect("fits");
}
