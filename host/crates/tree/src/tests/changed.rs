// SPDX-License-Identifier: Apache-2.0
//! What a step changed is told as it was before and as it is after, whatever came in between.

use std::fs;
use std::os::unix::fs::symlink;

use cofferdam_package::digest::Digest;

use crate::contents;
use crate::contents::Content;
use crate::contents::Secrets;
use crate::stage::Changed;
use crate::stage::Service;
use crate::stage::Stage;
use crate::tests::world::Package;
use crate::tests::world::World;

#[expect(
    clippy::unnecessary_wraps,
    reason = "what is compared with it may be none"
)]
fn file(content: &str) -> Option<Content> {
    Some(Content::File {
        bytes: content.len() as u64,
        digest: Digest::of(content.as_bytes()),
    })
}

fn told(stage: &mut Stage, path: &str) -> (Option<Content>, Option<Content>) {
    let mut told = stage.changed([path], &Secrets::default()).expect("looks");
    let Changed { before, after } = told.remove(path).expect("an answer for each path");
    (before, after)
}

/// An update up to the copied state, of an install with `bin/a` that changes and `bin/b` that goes.
fn with_state(service: Service) -> (World, Stage) {
    let world = World::new();
    let old = Package::default()
        .file("bin/a", "a1", 0o755)
        .file("bin/b", "b1", 0o755)
        .file("bin/same", "same", 0o755);
    let old = world.install(&old);
    world.write("live/data/x", "x1");
    world.write("live/data/deep/y", "y1");
    symlink("x", world.path("live/data/link")).expect("symlink");
    let new = Package::default()
        .file("bin/a", "a2", 0o755)
        .file("bin/same", "same", 0o755)
        .file("lib/new", "new", 0o644);
    let classified = world.classify(&old, &new, &[]).expect("classified");
    let mut stage = world.begin(classified).expect("begins");
    stage.fetch_from(&new, &mut |_| ()).expect("fetched");
    stage.link_unchanged(true).expect("linked");
    stage.copy_state(service, &mut |_| ()).expect("copied");
    (world, stage)
}

/// As a step that was given the path may do: whatever stands there goes first.
fn replace(world: &World, path: &str, content: &str) {
    let at = format!("slot/{path}");
    if world.exists(&at) {
        fs::remove_file(world.path(&at)).expect("removed");
    }
    world.write(&at, content);
}

#[test]
fn state_was_what_the_live_tree_has() {
    let (world, mut stage) = with_state(Service::Stopped);
    world.write("slot/data/x", "x2 and more");
    assert_eq!(
        told(&mut stage, "data/x"),
        (file("x1"), file("x2 and more"))
    );
    fs::remove_file(world.path("slot/data/link")).expect("removed");
    let link = Some(Content::Symlink("x".to_owned()));
    assert_eq!(told(&mut stage, "data/link"), (link, None));
    fs::remove_file(world.path("slot/data/deep/y")).expect("removed");
    fs::remove_dir(world.path("slot/data/deep")).expect("removed");
    assert_eq!(told(&mut stage, "data/deep/y"), (file("y1"), None));
    assert_eq!(
        told(&mut stage, "data/deep"),
        (Some(Content::Directory), None)
    );
    world.write("slot/data/new", "");
    assert_eq!(told(&mut stage, "data/new"), (None, file("")));
}

#[test]
fn what_an_earlier_step_left_is_what_the_next_one_found() {
    let (world, mut stage) = with_state(Service::Stopped);
    world.write("slot/data/x", "x2");
    told(&mut stage, "data/x");
    fs::rename(world.path("slot/data/x"), world.path("slot/data/z")).expect("renamed");
    assert_eq!(told(&mut stage, "data/x"), (file("x2"), None));
    assert_eq!(told(&mut stage, "data/z"), (None, file("x2")));
    stage.place_payload().expect("placed");
    world.write("slot/data/x", "x3");
    assert_eq!(told(&mut stage, "data/x"), (None, file("x3")));
    world.write("slot/data/z", "x4");
    assert_eq!(told(&mut stage, "data/z"), (file("x2"), file("x4")));
}

#[test]
fn managed_files_were_the_old_ones_for_prepare_and_are_the_new_ones_for_migrate() {
    let (world, mut stage) = with_state(Service::Stopped);
    for (path, before) in [("bin/a", "a1"), ("bin/b", "b1"), ("bin/same", "same")] {
        replace(&world, path, "by prepare");
        assert_eq!(told(&mut stage, path), (file(before), file("by prepare")));
    }
    replace(&world, "lib/new", "by prepare");
    assert_eq!(told(&mut stage, "lib/new"), (None, file("by prepare")));
    stage.place_payload().expect("placed");
    let (left, placed) = (file("by prepare"), file("by migrate"));
    for (path, before) in [
        ("bin/a", file("a2")),
        ("bin/b", left.clone()),
        ("bin/same", left),
        ("lib/new", file("new")),
    ] {
        replace(&world, path, "by migrate");
        assert_eq!(told(&mut stage, path), (before, placed.clone()), "{path}");
    }
}

#[test]
fn a_managed_file_that_goes_was_not_there_for_migrate() {
    let (world, mut stage) = with_state(Service::Stopped);
    fs::write(world.path("slot/bin/b"), "in place").expect("the same inode");
    told(&mut stage, "bin/b");
    stage.place_payload().expect("placed");
    assert!(!world.exists("slot/bin/b"));
    replace(&world, "bin/b", "by migrate");
    assert_eq!(told(&mut stage, "bin/b"), (None, file("by migrate")));
}

/// In a plan the service goes on writing: its new content is not taken for what was copied.
#[test]
fn state_that_the_service_changes_meanwhile_is_not_known_and_never_guessed() {
    let (world, mut stage) = with_state(Service::Running);
    world.write("slot/data/x", "x2");
    world.write("live/data/x", "xL");
    let unknown = Some(Content::Unknown);
    assert_eq!(told(&mut stage, "data/x"), (unknown.clone(), file("x2")));
    world.write("slot/data/deep/y", "y2");
    fs::remove_file(world.path("live/data/deep/y")).expect("removed");
    assert_eq!(told(&mut stage, "data/deep/y"), (unknown, file("y2")));
}

#[test]
fn live_files_and_paths_that_are_none_are_not_looked_at() {
    let mut world = World::new();
    world.live_patterns = crate::tests::world::globs(&["logs/**"]);
    let old = world.install(&Package::default().file("bin/a", "a", 0o755));
    world.write("live/logs/today", "line");
    let classified = world.classify(&old, &Package::default(), &[]);
    let mut stage = world
        .begin(classified.expect("classified"))
        .expect("begins");
    let unknown = Some(Content::Unknown);
    for path in [
        "logs/today",
        "../live/bin/a",
        "/etc/passwd",
        "bin/../bin/a",
        "",
    ] {
        assert_eq!(
            told(&mut stage, path),
            (unknown.clone(), unknown.clone()),
            "{path}"
        );
    }
}

#[test]
fn a_file_in_which_a_secret_stands_is_withheld_under_any_name() {
    let world = World::new();
    let mut secrets = Secrets::default();
    secrets.add_text(b"hunter-2-hunter");
    secrets.add_text(b"42");
    secrets.add_text(b" \n");
    secrets.add_file(b"[auth]\n");
    let padded = |length: usize| format!("{}hunter-2-hunter", "x".repeat(length));
    let withheld = [
        "token: hunter-2-hunter\n".to_owned(),
        "42\n".to_owned(),
        "[auth]\n".to_owned(),
        // Across the edge of what is read at once.
        padded((128 << 10) - 3),
        padded((256 << 10) - 15),
    ];
    let told = ["hunter-2", "x = 42\n", "[auth]\nx", "", "\n"].map(str::to_owned);
    for (number, content) in withheld.iter().chain(&told).enumerate() {
        world.write(&format!("live/{number}"), content);
    }
    let names: Vec<String> = (0..withheld.len() + told.len())
        .map(|n| n.to_string())
        .collect();
    let names = names.iter().map(String::as_str);
    let found = contents::of(&world.open("live"), names, &secrets).expect("looks");
    for (number, content) in withheld.iter().chain(&told).enumerate() {
        let expected = if number < withheld.len() {
            Some(Content::Withheld)
        } else {
            file(content)
        };
        assert_eq!(
            found.get(number.to_string().as_str()),
            expected.as_ref(),
            "{number}"
        );
    }
    assert!(!format!("{secrets:?}").contains("hunter"));
}

#[test]
fn nothing_is_followed_and_nothing_else_is_opened() {
    let world = World::new();
    world.write("outside/a", "secret");
    fs::create_dir(world.path("live/data")).expect("directory");
    symlink("../outside", world.path("live/door")).expect("symlink");
    symlink("../../outside/a", world.path("live/data/a")).expect("symlink");
    rustix::fs::mkfifoat(
        world.open("live"),
        "fifo",
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .expect("fifo");
    let paths = ["door/a", "data/a", "fifo", "data/missing"];
    let found = contents::of(&world.open("live"), paths, &Secrets::default()).expect("looks");
    let link = Content::Symlink("../../outside/a".to_owned());
    let found: Vec<_> = found.into_iter().collect();
    assert_eq!(found, [("data/a", link), ("fifo", Content::Other)]);
}
