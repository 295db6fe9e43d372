// SPDX-License-Identifier: Apache-2.0
//! A step that fills the disk, the inodes or a directory is kept to its budget, and what it may leave
//! behind is carried, judged and removed by everything that comes later.

use std::collections::BTreeSet;
use std::fs;

use cofferdam_package::digest::Digest;
use serde_json::Value;
use serde_json::json;

use super::attack::ALL;
use super::attack::Attack;
use super::attack::DATA;
use super::attack::Ended;

#[test]
fn a_file_past_the_budget_ends_where_the_budget_does() {
    let attack = Attack::script(&["fill data/big 100", "write data/small x"]);
    let limits = format!("{DATA}limits = {{ written = \"10KiB\" }}");
    let ended = attack.may(&limits).succeeds();
    let record = &ended.steps()[0]["record"];
    assert_eq!(record["spent"], json!(["written-bytes"]));
    assert_eq!(record["usage"]["written_bytes"], 10 << 10);
    assert_eq!(ended.changed, ["/bin/agent", "/data/big", "/data/small"]);
    assert_eq!(ended.read("data/big").len(), 10 << 10);
    ended.undone();
}

#[test]
fn a_sparse_file_is_charged_for_what_it_could_become() {
    let ended = Attack::script(&[
        "cut data/a 1099511627776",
        "writeat data/a 1099511627776 x",
        "writeat data/a 9223372036854775807 x",
        "write data/new x",
        "cut data/new 100000000",
    ])
    .succeeds();
    assert_eq!(ended.went_well(), ["write data/new x: ok "]);
    let record = &ended.steps()[0]["record"];
    assert_eq!(record["spent"], json!(["written-bytes"]));
    assert_eq!(ended.changed, ["/bin/agent", "/data/new"]);
    assert_eq!(ended.read("data/a"), "hello");
}

#[test]
fn what_is_made_counts_whatever_becomes_of_it() {
    let attack = Attack::script(&[
        "new data/1",
        "unlink data/1",
        "symlink a data/2",
        "mkdir data/3",
        "new data/4",
        "mkdir data/5",
        "symlink a data/6",
    ]);
    let limits = format!("{DATA}limits = {{ files = 3 }}");
    let ended = attack.may(&limits).succeeds();
    assert_eq!(ended.went_well().len(), 4, "{:?}", ended.log());
    assert_eq!(ended.steps()[0]["record"]["spent"], json!(["files"]));
    assert_eq!(ended.changed, ["/bin/agent", "/data/2", "/data/3"]);
}

#[test]
pub(super) fn many_files() {
    let ended = Attack::by("many_files").may(DATA).fails("step-over-budget");
    let message = ended.message();
    assert!(
        message.contains("the budget of files created is spent"),
        "{message}"
    );
    assert!(message.contains("making `/data/1`"), "{message}");
    assert_summary_of_all(&ended, &ended.steps()[0]);
}

#[test]
fn a_hundred_thousand_files_are_carried_checked_and_removed_within_bounds() {
    let limits = format!("{DATA}limits = {{ files = 100000, time = \"120s\" }}");
    let ended = Attack::by("many_files").may(&limits).succeeds();
    let step = &ended.steps()[0];
    assert_eq!(step["record"]["usage"]["files"], 100_000);
    assert_summary_of_all(&ended, step);
    assert_eq!(ended.changed.len(), 100_001);
    assert_eq!(ended.read("data/99/998"), "/data/99/998");
    ended.undone();
}

/// The history has a part of the list and a digest over the whole, which `apply` printed.
#[track_caller]
fn assert_summary_of_all(ended: &Ended, step: &Value) {
    let files = step["record"]["files"].as_array().unwrap();
    let lines: Vec<String> = files.iter().map(|file| format!("{file}\n")).collect();
    let digest = Digest::of(lines.concat().as_bytes()).to_string();
    let mut recorded = ended.history().into_iter();
    let recorded = recorded.rfind(|record| record["kind"] == "step").unwrap();
    let size = recorded.to_string().len();
    assert!(size < 256 << 10, "{size} bytes");
    let body = &recorded["body"];
    assert_eq!(
        body["cut"]["record.files"],
        json!({ "entries": files.len(), "digest": digest })
    );
    assert_eq!(body["record"]["totals"], step["record"]["totals"]);
    let totals = &body["record"]["totals"];
    assert_eq!(totals["created"], step["record"]["usage"]["files"]);
    let lines: BTreeSet<String> = lines.into_iter().collect();
    let kept = body["record"]["files"].as_array().unwrap();
    assert!(kept.len() > 100);
    for file in kept {
        assert!(lines.contains(&format!("{file}\n")), "{file}");
    }
}

#[test]
pub(super) fn deep_tree() {
    let limits = format!("{DATA}limits = {{ files = 20000 }}");
    let ended = Attack::by("deep_tree").may(&limits).refused(4, "too-deep");
    let log = ended.log();
    assert!(log[0].starts_with("deep "), "{log:?}");
}

#[test]
pub(super) fn odd_names() {
    let ended = Attack::by("odd_names").may(DATA).succeeds();
    let made = ended.went_well();
    assert_eq!(made, [""; 0]);
    for path in &ended.changed {
        assert!(!path.contains(char::is_control), "{path:?}");
    }
    ended.undone();
}

#[test]
pub(super) fn removes_all() {
    let ended = Attack::by("removes_all").may(DATA).succeeds();
    let beyond: Vec<&String> = ended
        .changed
        .iter()
        .filter(|path| *path != "/bin/agent" && !path.starts_with("/data"))
        .collect();
    assert_eq!(beyond, [""; 0]);
    assert_eq!(ended.read("private/key"), "s3cret");
    ended.undone();

    let ended = Attack::by("removes_all").may(ALL).succeeds();
    for kept in [
        "bin/agent",
        "share/lib",
        "share/deep/er/x",
        "conf/agent.toml",
        "logs/today",
    ] {
        assert!(ended.attack.path(kept).is_file(), "{kept}");
    }
    assert!(fs::symlink_metadata(ended.attack.path("private")).is_err());
    ended.undone();
}
