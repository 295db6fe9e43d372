// SPDX-License-Identifier: Apache-2.0
//! No path leads out of the tree, and none leads around the grants.

use crate::bench::Bench;
use cofferdam_sandbox::Denied;
use std::fs;

const DENIED: &str = "PermissionDenied";

#[test]
fn dots_lead_neither_out_nor_around_the_grants() {
    Bench::writable().file("data/sub/b", "b").refuses(&[
        ("read /data/../secret/key", DENIED),
        ("read /data/sub/../../secret/key", DENIED),
        ("read /../outside/canary", DENIED),
        ("read /data/../../outside/canary", DENIED),
        ("read /../../../../../../etc/passwd", DENIED),
        ("write /data/../secret/key x", DENIED),
        ("write /../outside/canary x", DENIED),
        ("new /data/../../outside/new", DENIED),
        ("mkdir /data/../secret/new", DENIED),
        ("list /data/../secret", DENIED),
        ("list /..", DENIED),
        ("unlink /../outside/canary", DENIED),
        ("rename /data/a /../outside/a", DENIED),
        ("rename /../outside/canary /data/canary", DENIED),
    ]);
}

#[test]
fn dots_that_stay_inside_work() {
    let bench = Bench::writable().file("data/sub/b", "b");
    assert_eq!(
        bench.script(&[
            "read /data/sub/../a",
            "read /./data/./a",
            "read /data//sub/./../sub/b"
        ]),
        ["ok hello", "ok hello", "ok b"]
    );
}

#[test]
fn absolute_paths_mean_the_tree() {
    Bench::writable().refuses(&[
        ("read /etc/passwd", DENIED),
        ("read /proc/self/environ", DENIED),
        ("write /tmp/x x", DENIED),
    ]);
}

#[test]
fn a_link_out_of_the_tree_is_not_followed() {
    Bench::writable()
        .symlink("/etc/passwd", "data/absolute")
        .symlink("../../outside/canary", "data/escaping")
        .symlink("../../outside", "data/folder")
        .symlink("/proc/self/root/etc", "data/magic")
        .symlink("escaping", "data/twice")
        .refuses(&[
            ("read /data/absolute", DENIED),
            ("read /data/escaping", DENIED),
            ("read /data/twice", DENIED),
            ("read /data/folder/canary", DENIED),
            ("read /data/magic/passwd", DENIED),
            ("write /data/escaping x", DENIED),
            ("cut /data/escaping 0", DENIED),
            ("new /data/folder/new", DENIED),
            ("mkdir /data/folder/new", DENIED),
            ("unlink /data/folder/canary", DENIED),
            ("rename /data/a /data/folder/a", DENIED),
            ("list /data/folder", DENIED),
            ("stat /data/escaping", DENIED),
            ("touch /data/escaping", DENIED),
        ]);
}

#[test]
fn a_link_is_judged_by_where_it_leads() {
    Bench::writable()
        .symlink("../secret/key", "data/sneaky")
        .symlink("../secret", "data/door")
        .refuses(&[
            ("read /data/sneaky", DENIED),
            ("write /data/sneaky x", DENIED),
            ("read /data/door/key", DENIED),
            ("list /data/door", DENIED),
            ("stat /data/sneaky", DENIED),
        ]);
    let bench = Bench::writable()
        .symlink("a", "data/alias")
        .symlink("data", "way");
    assert_eq!(
        bench.script(&["read /data/alias", "read /way/a", "readlink /data/alias"]),
        ["ok hello", "ok hello", "ok a"]
    );
}

/// The answer to a line, which has to leave everything as it is.
fn told(bench: &Bench, line: &str) -> String {
    let before = bench.snapshot();
    let answer = bench.script(&[line]).remove(0);
    assert_eq!(bench.snapshot(), before, "after `{line}`");
    answer
}

#[test]
fn no_way_round_tells_whether_something_ungranted_is_there() {
    let long = "n".repeat(300);
    let bench = Bench::writable()
        .file("private/sub/file", "")
        .symlink("private", "alias")
        .symlink("round", "round")
        .symlink("/etc", "absolute")
        .symlink("../..", "out")
        .symlink("../private", "data/door")
        .symlink("../nothere", "data/nodoor")
        .symlink("../private/sub/file", "data/toafile")
        .symlink("../round", "data/toaloop")
        .symlink("../private/../data/a", "data/detour")
        .symlink("../nothere/../data/a", "data/nodetour");
    let ways = [
        "private",
        "private/sub",
        "private/sub/file",
        "private/sub/nothere",
        "private/nothere",
        "nothere",
        "nothere/sub",
        "alias",
        "alias/sub/file",
        "round",
        "absolute",
        "out",
        "data/door",
        "data/door/sub",
        "data/door/sub/file",
        "data/door/nothere",
        "data/nodoor",
        "data/nodoor/sub",
        "data/toafile",
        "data/toaloop",
        "data/detour",
        "data/nodetour",
    ];
    for way in ways {
        for line in [
            format!("read /{way}/x"),
            format!("read /{way}/x/y"),
            format!("read /{way}/../data/a"),
            format!("read /{way}/x/../../data/a"),
            format!("read /data/../{way}/../data/a"),
            format!("lstat /{way}/{long}"),
            format!("lstat /{way}/../{long}/../data/a"),
            format!("mkdir /{way}/x"),
            format!("write /{way}/x x"),
            format!("rename /{way}/x /data/b"),
            format!("rename /data/a /{way}/x"),
        ] {
            assert_eq!(told(&bench, &line), DENIED, "{line}");
        }
    }
    for way in ["data/detour", "data/nodetour"] {
        assert_eq!(told(&bench, &format!("read /{way}")), DENIED, "{way}");
    }
    // What is granted gets the truth, also on the way through a link or `..`.
    let bench = Bench::writable().symlink("../data", "data/self");
    assert_eq!(
        bench.script(&[
            "read /data/self/a",
            "read /data/self/../data/a",
            "read /data/nothere/../a",
            "read /data/self/nothere/x",
            "read /data/a/../a",
            "read /data/self/nothere",
        ]),
        [
            "ok hello",
            "ok hello",
            "NotFound",
            "NotFound",
            "NotADirectory",
            "NotFound"
        ]
    );
}

#[test]
fn what_is_not_granted_is_not_there_where_a_pattern_leads() {
    let bench = || {
        Bench::new()
            .file("priv/sub/x.txt", "text")
            .read(&["priv/**/*.txt"])
            .write(&["data/**"])
    };
    let nothing = bench();
    let filled = [
        bench().file("priv/x", "file"),
        bench().file("priv/x", "").mode("priv/x", 0o755),
        bench().symlink("../secret", "priv/x"),
        bench().symlink("../secret/key", "priv/x"),
        bench().symlink("../nothere", "priv/x"),
        bench().symlink("nothere", "priv/x"),
        bench().symlink("x", "priv/x"),
        bench().symlink("/etc", "priv/x"),
        bench().symlink("../../outside", "priv/x"),
    ];
    let ways = [
        "priv/x",
        "priv/x/",
        "priv/x/y",
        "priv/x/y/z",
        "priv/x/y.txt",
        "priv/x/../sub/x.txt",
        "priv/x/y/../../sub/x.txt",
        "priv/../priv/x",
        "priv/../priv/x/y",
        "data/way/y",
        "data/way/../a",
    ];
    let answers = |bench: Bench| {
        let bench = bench.symlink("../priv/x", "data/way");
        let lines: Vec<String> = ways
            .iter()
            .flat_map(|way| {
                [
                    format!("read /{way}"),
                    format!("write /{way} x"),
                    format!("append /{way} x"),
                    format!("new /{way}"),
                    format!("rename /{way} /priv/b"),
                    format!("rename /data/a /{way}"),
                    format!("unlink /{way}"),
                    format!("rmdir /{way}"),
                    format!("symlink a /{way}"),
                    format!("stat /{way}"),
                    format!("lstat /{way}"),
                    format!("list /{way}"),
                    format!("touch /{way}"),
                ]
            })
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let before = bench.snapshot();
        let answers = bench.script(&lines);
        assert_eq!(bench.snapshot(), before);
        let answers = answers.into_iter().zip(lines);
        answers
            .map(|(answer, line)| format!("{line}: {answer}"))
            .collect::<Vec<_>>()
    };
    let expected = answers(nothing);
    assert!(expected.contains(&"stat /priv/x: NotFound".to_owned()));
    for bench in filled {
        assert_eq!(answers(bench), expected);
    }
}

#[test]
fn moving_nothing_to_what_is_not_granted_does_not_tell_what_is_there() {
    for way in ["secret/x", "secret/key", "secret/key/x", "nothere/x"] {
        let line = format!("rename /data/nothere /{way}");
        assert_eq!(Bench::writable().script(&[&line]), ["NotFound"], "{way}");
    }
}

#[test]
fn no_directory_tells_whether_a_hidden_file_is_in_it() {
    let bench = || {
        Bench::writable()
            .file("data/x/a", "")
            .hidden(&["data/conf/deep/agent.toml", "data/logs/*.log"])
    };
    let filled = bench()
        .file("data/conf/deep/agent.toml", "hidden")
        .file("data/logs/a.log", "hidden");
    let empty = bench();
    for directory in ["data/conf/deep", "data/logs"] {
        fs::create_dir_all(empty.path(directory)).unwrap();
    }
    for bench in [filled, empty] {
        bench.refuses(&[
            ("rmdir /data/conf", DENIED),
            ("rmdir /data/conf/deep", DENIED),
            ("rmdir /data/logs", DENIED),
            ("rename /data/conf /data/other", DENIED),
            ("rename /data/conf/deep /data/other", DENIED),
            ("rename /data/logs /data/other", DENIED),
            ("rename /data/x /data/conf", DENIED),
            ("rename /data/x /data/conf/deep", DENIED),
            ("rename /data/x /data/logs", DENIED),
        ]);
    }
}

#[test]
fn a_hidden_link_is_not_followed() {
    Bench::writable()
        .symlink("a", "data/hidden")
        .symlink("../data", "data/way")
        .hidden(&["data/hidden", "data/way"])
        .refuses(&[
            ("read /data/hidden", DENIED),
            ("read /data/nothere", "NotFound"),
            ("read /data/way/a", DENIED),
            ("read /data/way/../data/a", DENIED),
        ]);
}

#[test]
fn a_link_that_a_step_makes_is_no_peephole() {
    for target in [
        "../secret",
        "../secret/key",
        "../secret/nothere",
        "../nothere",
    ] {
        let bench = Bench::writable();
        assert_eq!(
            bench.script(&[
                &format!("symlink {target} /data/l"),
                "read /data/l",
                "stat /data/l",
                "read /data/l/x",
                "read /data/l/x/y",
                "read /data/l/../data/a",
                "mkdir /data/l/x",
                "readlink /data/l/x",
            ])[1..],
            [DENIED; 7],
            "{target}"
        );
    }
}

#[test]
fn links_in_circles_end() {
    Bench::writable()
        .symlink("round", "data/round")
        .symlink("pong", "data/ping")
        .symlink("ping", "data/pong")
        .refuses(&[
            ("read /data/round", "FilesystemLoop"),
            ("read /data/ping/x", "FilesystemLoop"),
        ]);
}

#[test]
fn a_step_cannot_plant_a_link_that_leads_out() {
    Bench::writable().refuses(&[
        ("symlink /etc/passwd /data/l", DENIED),
        ("symlink ../../outside/canary /data/l", DENIED),
        ("symlink a/../../../x /data/l", DENIED),
        // Harmless by its text; not when `d` is a link to somewhere higher.
        ("symlink d/../a /data/l", DENIED),
        ("symlink ../data/a /secret/l", DENIED),
        ("link /data/a /data/b", DENIED),
        ("link /secret/key /data/key", DENIED),
    ]);
    let bench = Bench::writable();
    assert_eq!(
        bench.script(&[
            "symlink ../secret/key /data/l",
            "read /data/l",
            "mkdirs /data/x/y",
            "symlink ../../../data/a /data/x/y/l",
            "read /data/x/y/l",
            // Two directories up it would lead out.
            "rename /data/x/y/l /data/l2",
            "rename /data/x/y /data/y",
        ]),
        ["ok", DENIED, "ok", "ok", "ok hello", DENIED, DENIED]
    );
}

#[test]
fn a_file_with_more_links_is_never_written() {
    let bench = Bench::writable().file("data/linked", "shared");
    let live = bench.root().parent().unwrap().join("outside/live");
    fs::hard_link(bench.path("data/linked"), &live).unwrap();
    bench.refuses(&[
        ("write /data/linked x", DENIED),
        ("append /data/linked x", DENIED),
        ("cut /data/linked 0", DENIED),
        ("touch /data/linked", DENIED),
    ]);
    // Taking the name away, or putting another file there, leaves the other link alone.
    assert_eq!(
        bench.script(&["write /data/tmp new", "rename /data/tmp /data/linked"]),
        ["ok", "ok"]
    );
    assert_eq!(fs::read_to_string(live).unwrap(), "shared");
    assert_eq!(bench.text("data/linked"), "new");
}

#[test]
fn fifos_and_sockets_never_open_and_never_hang() {
    let bench = Bench::writable();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        bench.path("data/fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o666),
        0,
    )
    .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(bench.path("data/socket")).unwrap();
    bench.refuses(&[
        ("read /data/fifo", DENIED),
        ("write /data/fifo x", DENIED),
        ("append /data/fifo x", DENIED),
        ("read /data/socket", DENIED),
        ("rename /data/fifo /data/g", DENIED),
        ("list /data", "ok a"),
    ]);
    let ran = bench.script_ran(&["read /data/fifo"]);
    assert_eq!(ran.touched("data/fifo").denied, [Denied::Open].into());
}

#[test]
fn devices_never_open() {
    let bench = Bench::writable();
    let made = [
        ("data/null", rustix::fs::FileType::CharacterDevice, (1, 3)),
        ("data/loop", rustix::fs::FileType::BlockDevice, (7, 0)),
    ]
    .map(|(path, kind, (major, minor))| {
        let mode = rustix::fs::Mode::from_raw_mode(0o666);
        let device = rustix::fs::makedev(major, minor);
        rustix::fs::mknodat(rustix::fs::CWD, bench.path(path), kind, mode, device)
    });
    if made.contains(&Err(rustix::io::Errno::PERM)) {
        println!("skipped: only root makes device nodes");
        return;
    }
    for path in ["/data/null", "/data/loop"] {
        bench.refuses(&[
            (&format!("read {path}"), DENIED),
            (&format!("write {path} x"), DENIED),
            (&format!("append {path} x"), DENIED),
            (&format!("cut {path} 0"), DENIED),
            (&format!("copy {path} /data/copy"), DENIED),
            (&format!("rename {path} /data/moved"), DENIED),
            (&format!("touch {path}"), DENIED),
            ("list /data", "ok a"),
        ]);
    }
}

#[test]
fn names_that_mislead_cannot_be_made() {
    let long = format!("new /data/{}", "n".repeat(256));
    let deep = format!("new /data/{}x", "d/".repeat(3000));
    Bench::writable().refuses(&[
        ("new /data/a\u{1b}[31m", "InvalidInput"),
        (&long, "InvalidFilename"),
        (&deep, "InvalidFilename"),
    ]);
}
