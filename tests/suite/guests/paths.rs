// SPDX-License-Identifier: Apache-2.0
//! No path leads a step out of the tree or around its grants, by whatever way it is written, linked or
//! moved; nothing that the live tree or an old generation shares is ever written.

use std::os::unix::net::UnixListener;

use super::attack::ALL;
use super::attack::Attack;
use super::attack::DATA;

/// None of these lines is carried out, and the update changes nothing but what its payload does.
#[track_caller]
fn none_works(grants: &str, lines: &[String]) {
    let ended = Attack::script(lines).may(grants).succeeds();
    assert_eq!(ended.went_well(), [""; 0]);
    assert_eq!(ended.log().len(), lines.len());
    assert_eq!(ended.changed, ["/bin/agent"]);
}

#[test]
pub(super) fn script() {
    let ended = Attack::script(&["write data/a changed", "read data/a", "answer ok"]).succeeds();
    assert_eq!(ended.went_well().last().unwrap(), "read data/a: ok changed");
    assert_eq!(ended.changed, ["/bin/agent", "/data/a"]);
    ended.undone();
}

/// Every operation on a path, with another that is granted where two are needed.
fn every_operation(path: &str) -> Vec<String> {
    [
        "read {}",
        "write {} x",
        "append {} x",
        "new {}",
        "cut {} 0",
        "writeat {} 0 x",
        "copy {} data/copy",
        "copy data/a {}",
        "rename {} data/moved",
        "rename data/a {}",
        "unlink {}",
        "rmdir {}",
        "purge {}",
        "mkdir {}",
        "link {} data/hard",
        "link data/a {}",
        "symlink a {}",
        "readlink {}",
        "stat {}",
        "lstat {}",
        "list {}",
        "touch {}",
        "hold {} data/a data/moved x",
    ]
    .map(|line| line.replace("{}", path))
    .to_vec()
}

/// Room for what many lines say.
const LONG: &str = "limits = { log = \"1MiB\", time = \"60s\", files = 1000 }\n";

#[test]
fn dots_and_absolute_paths_lead_nowhere_with_any_operation() {
    let ways = [
        "../agent-other/data/a",
        "data/../../agent-other/data/a",
        "data/./.././../agent-other/data/a",
        "/../agent-other/data/a",
        "data/sub/../../../../etc/canary",
        "data/nothere/../../../../etc/canary",
        "../agent.cofferdam/canary",
        "../agent/data/a",
        "../../generations/1/tree/data",
        "/etc/passwd",
        "//etc/passwd",
        "/proc/self/environ",
        "/proc/self/root/etc/passwd",
        "/dev/null",
        "private/key",
        "data/../private/key",
        "data/sub/../../private/key",
    ];
    let lines: Vec<String> = ways.into_iter().flat_map(every_operation).collect();
    none_works(&format!("{DATA}{LONG}"), &lines);
}

#[test]
fn links_of_the_operators_that_lead_away_are_not_followed_by_any_operation() {
    let beyond = [
        "data/door/key",
        "data/door/new",
        "data/absolute/x",
        "data/out/x",
    ];
    let mut lines: Vec<String> = beyond.into_iter().flat_map(every_operation).collect();
    for link in ["data/absolute", "data/out", "data/door"] {
        for operation in [
            "read {}",
            "write {} x",
            "append {} x",
            "cut {} 0",
            "writeat {} 0 x",
            "copy {} data/copy",
            "copy data/a {}",
            "stat {}",
            "list {}",
            "touch {}",
            "link {} data/hard",
        ] {
            lines.push(operation.replace("{}", link));
        }
    }
    // Elsewhere they would lead somewhere else.
    lines.push("rename data/absolute data/sub/absolute".to_owned());
    lines.push("rename data/out data/sub/out".to_owned());
    none_works(&format!("{DATA}{LONG}"), &lines);
}

#[test]
fn what_a_step_plants_itself_leads_it_no_further() {
    let ended = Attack::script(&[
        "symlink ../private data/peek",
        "symlink ../private/key data/key",
        "symlink .. data/up",
        "symlink round data/round",
        "symlink ../share data/libs",
        "symlink /proc/self data/self",
        "symlink ../../etc/canary data/canary",
        "symlink ../../../etc/canary data/sub/canary",
        "symlink sub/../../.. data/dots",
        "symlink a data/../private/planted",
        "read data/key",
        "write data/key x",
        "read data/peek/key",
        "write data/peek/new x",
        "list data/peek",
        "list data/up/..",
        "read data/up/private/key",
        "write data/up/../agent-other/data/a x",
        "write data/up/new x",
        "read data/round",
        "write data/libs/lib x",
        "unlink data/libs/lib",
        "rename data/libs/lib data/lib",
        "rename data/a data/libs/a",
        // Higher up, a link that goes up would lead out.
        "mkdirs data/x/y",
        "symlink ../../../bin data/x/y/bin",
        "rename data/x/y/bin data/bin",
        "rename data/x/y data/y",
    ])
    .succeeds();
    assert_eq!(
        ended.went_well(),
        [
            "symlink ../private data/peek: ok ",
            "symlink ../private/key data/key: ok ",
            "symlink .. data/up: ok ",
            "symlink round data/round: ok ",
            "symlink ../share data/libs: ok ",
            "mkdirs data/x/y: ok ",
            "symlink ../../../bin data/x/y/bin: ok ",
        ]
    );
    assert_eq!(ended.read("private/key"), "s3cret");
    assert_eq!(ended.changed.len(), 1 + 5 + 3, "{:?}", ended.changed);
    ended.undone();
}

#[test]
fn hard_links_join_nothing() {
    let ended = Attack::script(&[
        "link private/key data/hard",
        "link share/lib data/hard",
        "link bin/agent data/hard",
        "link conf/agent.toml data/hard",
        "link data/a data/hard",
        "link data/a private/hard",
        "link /etc/passwd data/hard",
        "link data/out data/hard",
        // The operator's file has a second name outside: what is written is a copy of it.
        "write data/linked changed",
        "append data/linked more",
        "touch data/linked",
    ])
    .succeeds();
    assert_eq!(ended.went_well().len(), 3, "{:?}", ended.log());
    assert_eq!(ended.changed, ["/bin/agent", "/data/linked"]);
    assert_eq!(ended.read("data/linked"), "changedmore");
    ended.undone();
}

#[test]
fn managed_files_that_may_be_written_are_copies_of_the_live_ones() {
    let lines = [
        "write share/lib patched",
        "append share/deep/er/x more",
        "cut bin/agent 0",
    ];
    let grants =
        "read = [\"**\"]\nwrite = [\"share/**\", \"bin/**\"]\nallow-managed-writes = true\n";
    for (then, phase) in [
        (None, "prepare"),
        (None, "migrate"),
        (Some("panics"), "migrate"),
    ] {
        let attack = Attack::script(&lines).may(grants).in_phase(phase);
        let settings = format!("{}.cofferdam/install.toml", attack.install);
        let text = std::fs::read_to_string(&settings).unwrap();
        let text = text.replace("# allow-managed-writes", "allow-managed-writes");
        std::fs::write(&settings, text).unwrap();
        let Some(then) = then else {
            // That the old generation has what it had is asserted for every update that succeeds.
            let ended = attack.succeeds();
            assert_eq!(ended.went_well().len(), 3, "{:?}", ended.log());
            ended.undone();
            continue;
        };
        attack.then(then).fails("step-panicked");
    }
}

#[test]
fn nothing_is_moved_out_of_the_grants_or_into_them() {
    let lines = [
        "rename private data/private",
        "rename private/key data/key",
        "rename data private",
        "rename data/sub private/sub",
        "rename data/a private/a",
        "rename data/a a",
        "rename data other",
        "rename bin data/bin",
        "rename bin/agent data/agent",
        "rename share data/share",
        "rename share/deep data/deep",
        "rename data/a bin/new",
        "rename data/a share/lib",
        "rename data/sub share/deep/er",
        "rename conf data/conf",
        "rename conf/agent.toml data/agent.toml",
        "rename data/a conf/agent.toml",
        "rename logs data/logs",
        "rename logs/today data/today",
        "rename data/a logs/today",
        "rename . data/root",
        "rename / data/root",
        "rename data/sub /",
        "rename data/sub data/sub/sub",
        "rename .. data/up",
    ]
    .map(str::to_owned);
    none_works(&format!("{DATA}{LONG}"), &lines);
    // With everything granted, what belongs to the package, to the operator's keys and to the live
    // files stays.
    let lines: Vec<String> = lines
        .into_iter()
        .filter(|line| !line.starts_with("rename private") && !line.contains(" private"))
        .filter(|line| !["rename data/a a", "rename data other"].contains(&line.as_str()))
        .collect();
    none_works(&format!("{ALL}{LONG}"), &lines);
}

#[test]
fn fifos_and_sockets_among_the_state_never_open_and_nobody_waits_for_them() {
    let with_both = |attack: Attack| {
        let fifo = attack.path("data/fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let socket = UnixListener::bind(attack.path("data/socket")).unwrap();
        (attack, socket)
    };
    let of_both = ["data/fifo", "data/socket"]
        .into_iter()
        .flat_map(every_operation);
    let lines: Vec<String> = of_both
        .filter(|line| !line.starts_with("stat ") && !line.starts_with("lstat "))
        .collect();
    let attack = Attack::script(&lines).in_phase("check");
    let (attack, _socket) = with_both(attack.may(&format!("read = [\"**\"]\n{LONG}")));
    let ended = attack.succeeds();
    assert_eq!(ended.went_well(), [""; 0]);
    assert_eq!(ended.log().len(), lines.len());

    // A step may remove what it was granted, whatever it is; open it, or move it, it may not.
    let removes = ["unlink ", "mkdir ", "rename data/a "];
    let lines: Vec<String> = every_operation("data/fifo")
        .into_iter()
        .filter(|line| !removes.iter().any(|removes| line.starts_with(removes)))
        .filter(|line| !line.starts_with("stat ") && !line.starts_with("lstat "))
        .collect();
    let (attack, _socket) = with_both(Attack::script(&lines).may(&format!("{DATA}{LONG}")));
    let ended = attack.succeeds();
    assert_eq!(ended.went_well(), [""; 0]);
    assert_eq!(ended.log().len(), lines.len());
}
