// SPDX-License-Identifier: Apache-2.0
//! What the sandbox remembers of a tree never decides where it acts: the tree changes under a step, by
//! the step's own calls and by somebody else's, and each call still meets what is there.

use crate::bench::Bench;
use cofferdam_sandbox::driven::Driven;
use cofferdam_sandbox::driven::Handle;
use cofferdam_sandbox::driven::Open;
use std::fs;
use std::fs::File;
use std::os::unix::fs::symlink;

const READ: Open = Open {
    follow: true,
    create: false,
    exclusive: false,
    truncate: false,
    directory: false,
    read: true,
    write: false,
};

const EMPTIED: Open = Open {
    truncate: true,
    write: true,
    ..READ
};

/// A step's calls on the bench's tree, in this process: so that the tree can be changed between two.
fn driven(bench: &Bench) -> (Driven, Handle) {
    let tree = File::open(bench.root()).unwrap();
    let mut driven = Driven::new(&tree, &bench.grants, &bench.limits, true).unwrap();
    let root = driven.root().unwrap();
    (driven, root)
}

fn read(driven: &mut Driven, root: Handle, path: &str) -> Result<String, &'static str> {
    let file = driven.open(root, path, READ)?;
    let bytes = driven.read(file, 100, 0)?;
    Ok(String::from_utf8(bytes).unwrap())
}

#[test]
fn a_directory_that_the_step_moved_is_found_where_it_is_now() {
    let bench = Bench::writable().file("data/sub/b", "b");
    let answers = bench.script(&[
        "read /data/sub/b",
        "rename /data/sub /data/moved",
        "stat /data/sub/b",
        "read /data/moved/b",
        "mkdir /data/sub",
        "stat /data/sub/b",
        "write /data/sub/b new",
        "read /data/sub/b",
        "read /data/moved/b",
    ]);
    let expected = [
        "ok b", "ok", "NotFound", "ok b", "ok", "NotFound", "ok", "ok new", "ok b",
    ];
    assert_eq!(answers, expected);
}

#[test]
fn a_directory_that_the_step_removed_and_made_again_is_the_new_one() {
    let bench = Bench::writable().file("data/sub/b", "b");
    let answers = bench.script(&[
        "read /data/sub/b",
        "unlink /data/sub/b",
        "rmdir /data/sub",
        "stat /data/sub/b",
        "mkdir /data/sub",
        "write /data/sub/b new",
        "symlink b /data/sub/link",
        "read /data/sub/link",
    ]);
    let expected = ["ok b", "ok", "ok", "NotFound", "ok", "ok", "ok", "ok new"];
    assert_eq!(answers, expected);
    assert_eq!(bench.text("data/sub/b"), "new");
}

#[test]
fn a_directory_that_somebody_put_a_link_in_the_place_of_leads_nowhere() {
    let bench = Bench::writable().file("data/sub/b", "b");
    let outside = bench.root().join("../outside");
    fs::write(outside.join("b"), "outside").unwrap();
    let (mut driven, root) = driven(&bench);
    assert_eq!(read(&mut driven, root, "data/sub/b").unwrap(), "b");
    fs::rename(bench.path("data/sub"), bench.path("data/old")).unwrap();
    symlink("../../outside", bench.path("data/sub")).unwrap();
    // The first may still be told of the old one. Neither gets a handle.
    for _ in 0..2 {
        read(&mut driven, root, "data/sub/b").unwrap_err();
        driven.open(root, "data/sub/b", EMPTIED).unwrap_err();
    }
    assert_eq!(fs::read_to_string(outside.join("b")).unwrap(), "outside");
    assert_eq!(bench.text("data/old/b"), "b");
}

#[test]
fn a_directory_that_somebody_moved_out_of_the_tree_is_out_of_reach() {
    let bench = Bench::writable().file("data/sub/b", "b");
    let outside = bench.root().join("../outside/sub");
    let (mut driven, root) = driven(&bench);
    assert_eq!(read(&mut driven, root, "data/sub/b").unwrap(), "b");
    fs::rename(bench.path("data/sub"), &outside).unwrap();
    let made = Open {
        create: true,
        ..EMPTIED
    };
    for name in ["b", "new"] {
        let path = format!("data/sub/{name}");
        driven.open(root, &path, made).unwrap_err();
    }
    assert_eq!(fs::read_to_string(outside.join("b")).unwrap(), "b");
    assert!(!outside.join("new").exists());
}

#[test]
fn a_file_in_a_directory_that_somebody_swapped_is_not_taken_for_the_one_that_was_judged() {
    let bench = Bench::writable().file("data/sub/b", "b");
    let (mut driven, root) = driven(&bench);
    assert_eq!(read(&mut driven, root, "data/sub/b").unwrap(), "b");
    fs::rename(bench.path("data/sub"), bench.path("data/old")).unwrap();
    let bench = bench.file("data/sub/b", "other");
    assert_eq!(read(&mut driven, root, "data/sub/b"), Err("access"));
    assert_eq!(read(&mut driven, root, "data/sub/b").unwrap(), "other");
    assert_eq!(bench.text("data/old/b"), "b");
}
