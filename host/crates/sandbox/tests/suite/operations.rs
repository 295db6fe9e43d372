// SPDX-License-Identifier: Apache-2.0
//! Every operation on files at every kind of place: what a step is answered, and that nothing changes
//! but what the answer says.

use crate::bench::Bench;
use std::fs;
use std::path::Path;

/// The operations, in the order of the table's columns; `{}` stands for the place, `data/a` and
/// `data/other` for what is granted.
const OPERATIONS: [&str; 20] = [
    "read {}",
    "write {} new",
    "append {} more",
    "new {}",
    "cut {} 1",
    "copy {} data/other",
    "copy data/a {}",
    "rename {} data/other",
    "rename data/a {}",
    "unlink {}",
    "rmdir {}",
    "mkdir {}",
    "link {} data/other",
    "link data/a {}",
    "symlink a {}",
    "readlink {}",
    "stat {}",
    "lstat {}",
    "list {}",
    "touch {}",
];

/// What is answered, a letter for each operation: `+` done, `.` permission denied, `n` not found,
/// `e` exists already, `d` not a directory, `i` is a directory, `v` invalid, `y` not empty (for which the
/// guest's library has no word).
///
/// Columns: read, write, append, create, cut; copy from and to; rename from and to; unlink, rmdir,
/// mkdir; link from and to; symlink, readlink; stat, lstat, list, set times.
const TABLE: &[(&str, &str)] = &[
    // Granted for writing: a file, nothing, an empty directory, a full one, one with a managed file.
    ("data/a", "+++e+ ++ ++ +de .. ev ++d+"),
    ("data/new", "n+n+n n+ n+ nn+ .. +n nnnn"),
    ("data/empty", "iiiei vi +i i+e .. ev +++i"),
    ("data/full", "iiiei vi +i iye .. ev +++i"),
    // Written as a directory's.
    ("data/a/", "ddddd dd dd ddd .. dd dddd"),
    ("data/alias/", "ddddd dd dd ddd .. dd dddd"),
    ("data/new/", "ninin ni nd nn+ .. nn nnnn"),
    ("secret/key/", "..... .. .. ... .. .. ...."),
    ("data/a/.", "ddddd dd dd ddd .. dd dddd"),
    ("data/a/./.", "ddddd dd dd ddd .. dd dddd"),
    ("data/a/..", "ddddd dd dd ddd .. dd dddd"),
    ("data/alias/.", "ddddd dd dd ddd .. dd dddd"),
    ("data/new/.", "ninin ni nd nn+ .. nn nnnn"),
    ("secret/key/.", "..... .. .. ... .. .. ...."),
    ("data", "iiiei vi .. i.e .. .v +++i"),
    // Granted for reading; and a directory that only leads to what is granted.
    ("shared/a", "+..e. +. .. ..e .. .v ++d."),
    ("shared/new", "n.n.n n. n. nn. .. .n nnnn"),
    ("shared", "iiiei vi .. i.e .. .v +++i"),
    ("way", "iiiei vi .. i.e .. .. +++i"),
    // Not granted.
    ("secret/key", "..... .. .. ... .. .. ...."),
    ("secret/new", "..... .. .. ... .. .. ...."),
    ("secret", "..... .. .. ... .. .. ...."),
    ("new", "..... .. .. ... .. .. ...."),
    // Not granted, where there may be something that is: a file, a link to what is not granted, nothing.
    ("leads/key", "n.n.n n. n. nn. .. .. nnnn"),
    ("leads/door", "n.n.n n. n. nn. .. .. nnnn"),
    ("leads/new", "n.n.n n. n. nn. .. .. nnnn"),
    ("leads/key/", "n.n.n n. n. nn. .. .. nnnn"),
    ("leads/key/x", "nnnnn nn nn nnn .. nn nnnn"),
    ("leads/door/x", "nnnnn nn nn nnn .. nn nnnn"),
    ("leads/new/x", "nnnnn nn nn nnn .. nn nnnn"),
    // The same for writing: there a directory can be made.
    ("made/key", "n.n.n n. n. nn. .. .. nnnn"),
    ("made/new", "n.n.n n. n. nn+ .. .. nnnn"),
    // Within what is granted: a configuration file, the package's own, a program, a folder of programs, a
    // file with a second name outside, a fifo.
    ("data/hidden", "..... .. .. ... .. .. ...."),
    ("data/managed", "+..e. +. .. ..e .. .v ++d."),
    ("data/tool", "+..e. +. .. .de .. ev ++d."),
    ("data/bin/new", "n.n.n n. n. nn+ .. .n nnnn"),
    ("data/linked", "+..e. +. ++ +de .. ev ++d."),
    ("data/fifo", "..... .. .+ +de .. ev ++.."),
    // Links to what is granted, to what is not, and out of the tree.
    ("data/alias", "+++e+ ++ ++ +de .. e+ ++d+"),
    ("data/door", "..... .. ++ +de .. e+ .+.."),
    ("data/door/key", "..... .. .. ... .. .. ...."),
    ("data/out", "..... .. .+ +de .. e+ .+.."),
    ("data/out/canary", "..... .. .. ... .. .. ...."),
    ("data/absolute", "..... .. .+ +de .. e+ .+.."),
    // Ways round.
    ("../outside/canary", "..... .. .. ... .. .. ...."),
    ("data/../secret/key", "..... .. .. ... .. .. ...."),
    ("/etc/passwd", "..... .. .. ... .. .. ...."),
];

fn bench() -> Bench {
    let mut bench = Bench::new()
        .file("shared/a", "shared")
        .file("data/full/a", "")
        .file("data/hidden", "hidden")
        .file("data/managed", "managed")
        .file("data/tool", "tool")
        .mode("data/tool", 0o755)
        .file("data/bin/tool", "tool")
        .file("data/linked", "linked")
        .file("way/to/x", "")
        .file("leads/key", "key")
        .symlink("../secret/key", "leads/door")
        .file("made/key", "key")
        .symlink("a", "data/alias")
        .symlink("../secret", "data/door")
        .symlink("../../outside", "data/out")
        .symlink("/etc/passwd", "data/absolute")
        .read(&["shared/**", "way/*/x", "leads/**/*.txt"])
        .write(&["data/**", "made/*/x"])
        .hidden(&["data/hidden"])
        .protected(&["data/managed"]);
    bench.grants.no_new_in = ["data/bin".to_owned()].into();
    fs::create_dir(bench.path("data/empty")).unwrap();
    let shared = bench.root().parent().unwrap().join("outside/linked");
    fs::hard_link(bench.path("data/linked"), shared).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path("data/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    bench
}

fn letter(answer: &str) -> char {
    match answer.split(' ').next().unwrap() {
        "ok" => '+',
        "PermissionDenied" => '.',
        "NotFound" => 'n',
        "AlreadyExists" => 'e',
        "NotADirectory" => 'd',
        "IsADirectory" => 'i',
        "InvalidInput" => 'v',
        "Uncategorized" => 'y',
        other => panic!("no letter for `{other}`"),
    }
}

/// Operations that change nothing when they are carried out.
const LOOKS: [&str; 5] = ["read", "readlink", "stat", "lstat", "list"];

#[test]
fn what_is_refused_at_a_place_is_refused_as_the_table_says_and_changes_nothing() {
    for (place, letters) in TABLE {
        let cells = cells(place, letters);
        let refused: Vec<_> = cells.iter().filter(|(_, letter)| *letter != '+').collect();
        let lines: Vec<&str> = refused.iter().map(|(line, _)| line.as_str()).collect();
        let bench = bench();
        let before = bench.snapshot();
        let answers = bench.script(&lines);
        assert_eq!(answers.len(), lines.len(), "{place}");
        for ((line, expected), answer) in refused.iter().zip(&answers) {
            assert_eq!(letter(answer), *expected, "{line}");
        }
        assert_eq!(bench.snapshot(), before, "{place}");
    }
}

#[test]
fn what_is_done_at_a_place_changes_that_place_and_no_other() {
    for (place, letters) in TABLE {
        for (line, letter_of_it) in cells(place, letters) {
            if letter_of_it != '+' {
                continue;
            }
            let bench = bench();
            let before = bench.snapshot();
            let answer = bench.script(&[&line]).remove(0);
            assert_eq!(letter(&answer), '+', "{line}: {answer}");
            let after = bench.snapshot();
            let moved = [format!("tree/{place}"), "tree/data/other".to_owned()];
            // A directory has as many links as directories in it, a file as many as names.
            let parent = Path::new(&moved[0]).parent().unwrap();
            let besides = ["tree/data/a", "tree/data", "outside/linked"];
            let looks = LOOKS.contains(&line.split(' ').next().unwrap());
            for path in before.keys().chain(after.keys()) {
                let changed = before.get(path) != after.get(path);
                let may = moved.iter().any(|may| path.starts_with(may))
                    || besides.iter().any(|may| path == Path::new(may))
                    || path == parent;
                let may = may && !looks;
                assert!(!changed || may, "{line} changed {}", path.display());
            }
            let shared = bench.root().parent().unwrap().join("outside/linked");
            assert_eq!(fs::read_to_string(shared).unwrap(), "linked", "{line}");
        }
    }
}

/// The lines for a place, each with the letter of its answer.
fn cells(place: &str, letters: &str) -> Vec<(String, char)> {
    let letters: Vec<char> = letters.chars().filter(|letter| *letter != ' ').collect();
    assert_eq!(letters.len(), OPERATIONS.len(), "{place}");
    let lines = OPERATIONS.map(|line| line.replace("{}", place));
    lines.into_iter().zip(letters).collect()
}
