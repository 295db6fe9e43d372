// SPDX-License-Identifier: Apache-2.0
//! The models tried out on small programs: which disks a power cut after them may leave.

use std::collections::BTreeSet;

use super::cuts::Cuts;
use super::cuts::Leaves;
use crate::disk::Disk;
use crate::laid;
use crate::oplog::Change;
use crate::oplog::Log;
use crate::tests::Bench;
use crate::tracer::Actor;

/// A log as if the shell were the program that is tried out.
fn log(bench: &Bench, script: &str) -> Log {
    let mut log = bench.log(script);
    for entry in &mut log.entries {
        entry.by = Actor::Product;
    }
    log
}

/// Every disk that may be found after the last call, as `tell` tells it.
fn found(
    log: &Log,
    wanted: fn(Leaves) -> bool,
    tell: impl Fn(&Disk) -> String,
) -> BTreeSet<String> {
    let cuts = Cuts::of(log);
    let leaves = cuts
        .at(cuts.end())
        .into_iter()
        .filter(|leaves| wanted(*leaves));
    let disks = leaves.map(|leaves| cuts.built(cuts.end(), leaves).disk);
    disks.map(|disk| tell(&disk)).collect()
}

fn any(_: Leaves) -> bool {
    true
}

fn in_order(leaves: Leaves) -> bool {
    matches!(leaves, Leaves::Before { .. })
}

/// What stands at a path: `-` when nothing does.
fn text(bench: &Bench, disk: &Disk, path: &str) -> String {
    let path = bench.root().join(path);
    match disk.file(&path) {
        Some(bytes) => String::from_utf8_lossy(bytes).replace('\0', "0"),
        None if disk.at(&path).is_some() => "/".to_owned(),
        None => "-".to_owned(),
    }
}

/// What may stand at some paths after a script.
fn after(script: &str, paths: &[&str], wanted: fn(Leaves) -> bool) -> BTreeSet<String> {
    let bench = Bench::new();
    let log = log(&bench, script);
    found(&log, wanted, |disk| {
        let texts: Vec<String> = paths.iter().map(|path| text(&bench, disk, path)).collect();
        texts.join(" ")
    })
}

fn set<const N: usize>(texts: [&str; N]) -> BTreeSet<String> {
    texts.map(str::to_owned).into()
}

#[test]
fn a_file_that_was_not_synced_is_there_or_not_with_all_some_or_none_of_its_bytes() {
    let found = after("printf 12345678 > x", &["x"], any);
    assert_eq!(found, set(["-", "", "1234", "00005678", "12345678"]));
}

#[test]
fn a_synced_file_may_still_have_no_name() {
    let found = after("printf 12345678 > x; sync x", &["x"], any);
    assert_eq!(found, set(["-", "12345678"]));
}

#[test]
fn what_was_synced_with_its_directory_is_there() {
    for script in [
        "printf 12345678 > x; sync x; sync .",
        "printf 12345678 > x; sync -f .",
    ] {
        assert_eq!(after(script, &["x"], any), set(["12345678"]), "{script}");
    }
}

#[test]
fn a_rename_may_survive_what_was_renamed() {
    let replaced = "printf new > t; mv t a";
    assert!(after(replaced, &["t", "a"], any).contains("- "));
    let synced = "printf new > t; sync t; mv t a";
    assert_eq!(after(synced, &["a"], any), set(["hello", "new"]));
    let durable = "printf new > t; sync t; mv t a; sync .";
    assert_eq!(after(durable, &["t", "a"], any), set(["- new"]));
}

#[test]
fn a_rename_between_directories_is_there_or_not_until_both_are_synced() {
    let half = "mkdir e; sync .; mv d/b e/b; sync e";
    assert_eq!(
        after(half, &["d/b", "e/b"], any),
        set(["there -", "- there"])
    );
    let whole = "mkdir e; sync .; mv d/b e/b; sync e; sync d";
    assert_eq!(after(whole, &["d/b", "e/b"], any), set(["- there"]));
}

#[test]
fn a_directory_has_one_name() {
    let found = after("mv d e; mv e f", &["d", "e", "f"], any);
    assert_eq!(found, set(["/ - -", "- / -", "- - /"]));
}

#[test]
fn in_order_a_later_change_of_a_name_is_not_there_without_an_earlier_one() {
    let script = "mkdir p; mkdir q";
    assert!(after(script, &["p", "q"], any).contains("- /"));
    assert_eq!(after(script, &["p", "q"], in_order), set(["- -", "/ -"]));
}

#[test]
fn in_order_a_sync_of_a_file_keeps_what_was_done_before_it() {
    let script = "mkdir p; printf 12 > x; sync x; mkdir q";
    assert_eq!(after(script, &["p", "x", "q"], in_order), set(["/ 12 -"]));
}

#[test]
fn in_order_bytes_may_be_lost_although_a_later_name_is_there() {
    let script = "printf 1234 > x; mkdir p; mkdir q";
    let found = after(script, &["x", "p"], in_order);
    assert_eq!(
        found,
        set(["- -", " -", "1234 -", "12 -", " /", "1234 /", "12 /"])
    );
}

#[test]
fn an_attribute_needs_a_sync_of_the_inode_and_not_of_its_bytes() {
    let mode = |script: &str| {
        let bench = Bench::new();
        let log = log(&bench, script);
        found(&log, any, |disk| {
            format!("{:o}", disk.at(&bench.root().join("a")).unwrap().mode)
        })
    };
    assert_eq!(mode("chmod 600 a").len(), 2);
    assert_eq!(mode("chmod 600 a; sync -d a").len(), 2);
    assert_eq!(mode("chmod 600 a; sync a"), set(["600"]));
}

#[test]
fn two_file_systems_are_cut_independently() {
    let bench = Bench::new();
    let mut log = log(&bench, "printf 1 > x; printf 2 > d/y");
    let Some(d) = log.start.paths().get(&bench.root().join("d")).copied() else {
        panic!("there is no `d`");
    };
    log.start.nodes.get_mut(&d).unwrap().device = 4711;
    for change in log.entries.iter_mut().flat_map(|entry| &mut entry.changes) {
        if let Change::Create {
            name: Some(name),
            node,
            ..
        } = change
            && name.directory == d
        {
            node.device = 4711;
        }
    }
    let is_whole = |leaves| matches!(leaves, Leaves::Only(_) | Leaves::All | Leaves::Nothing);
    let found = found(&log, is_whole, |disk| {
        text(&bench, disk, "x") + &text(&bench, disk, "d/y")
    });
    assert_eq!(found, set(["--", "1-", "-2", "12"]));
}

#[test]
fn with_everything_left_each_point_is_the_disk_that_was_there() {
    let bench = Bench::new();
    let log = log(
        &bench,
        "echo one > new; mv new d/moved; ln a d/hard; rm d/b; chmod 600 a; mkdir e; mv d/moved a",
    );
    let cuts = Cuts::of(&log);
    let mut disk = log.start.clone();
    for (point, entry) in (1..).zip(&log.entries) {
        assert_eq!(
            cuts.built(point, Leaves::All).disk.differences(&disk),
            Vec::<String>::new()
        );
        for change in &entry.changes {
            disk.apply(change).unwrap();
        }
    }
    assert_eq!(
        cuts.built(cuts.end(), Leaves::All)
            .disk
            .differences(&log.end),
        Vec::<String>::new()
    );
}

#[test]
fn what_a_service_does_is_not_cut() {
    let bench = Bench::new();
    let by_others = bench.log("printf 1 > x");
    let found = found(&by_others, any, |disk| text(&bench, disk, "x"));
    assert_eq!(found, set(["1"]));
}

#[test]
fn the_journal_names_the_directories_as_they_are_now() {
    let journal = "{\n  \"live_tree\": 7,\n  \"note\": \"a \\\" \\\\\",\n  \"tree\": \"built\",\n  \
                   \"old\": 8,\n  \"new\": 9\n}";
    let whole = |journal: &str| {
        let text = format!("{{\n  \"checksum\": \"\",\n  \"journal\": {journal}\n}}\n");
        let sum = laid::checksum(&text).unwrap();
        text.replace("\"checksum\": \"\"", &format!("\"checksum\": \"{sum}\""))
    };
    let now = [(7, 70), (8, 80)].into();
    let nowhere = (u64::MAX - 9).to_string();
    let expected = journal
        .replace(": 7", ": 70")
        .replace(": 8", ": 80")
        .replace(": 9", &format!(": {nowhere}"));
    assert_eq!(
        laid::renumbered(&whole(journal), &now),
        Some(whole(&expected))
    );
    let torn = &whole(journal)[..40];
    assert_eq!(laid::renumbered(torn, &now), None);
}

#[test]
fn a_state_laid_down_is_the_state_that_was_built() {
    let bench = Bench::new();
    let log = log(
        &bench,
        "mkdir e; ln a e/hard; mv d/b e/b; chmod 700 e; printf 12 > e/new",
    );
    let cuts = Cuts::of(&log);
    for leaves in cuts.at(cuts.end()) {
        let disk = cuts.built(cuts.end(), leaves).disk;
        disk.write().unwrap();
        let (found, _) = Disk::read(&[bench.root().to_owned()]).unwrap();
        assert_eq!(disk.differences(&found), Vec::<String>::new(), "{leaves:?}");
    }
}
