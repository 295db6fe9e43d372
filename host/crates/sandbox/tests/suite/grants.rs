// SPDX-License-Identifier: Apache-2.0
//! A step does with files what it was granted, and sees no more.

use crate::bench::Bench;
use cofferdam_sandbox::Denied;
use cofferdam_sandbox::Phase;
use std::fs;
use std::os::unix::fs::MetadataExt;

const DENIED: &str = "PermissionDenied";

#[test]
fn a_step_works_on_files_as_any_program() {
    let bench = Bench::writable();
    let ran = bench.script_ran(&[
        "write /data/b one",
        "append /data/b two",
        "read /data/b",
        "copy /data/b /data/c",
        "mkdirs /data/x/y",
        "rename /data/c /data/x/y/c",
        "list /data",
        "unlink /data/b",
        "cut /data/a 4",
        "read /data/a",
        "stat /data/x",
        "stat /data/a",
        "touch /data/a",
        "purge /data/x",
        "exists /data/x",
    ]);
    assert_eq!(
        ran.answers(),
        [
            "ok",
            "ok",
            "ok onetwo",
            "ok 6",
            "ok",
            "ok",
            "ok a,b,x",
            "ok",
            "ok",
            "ok hell",
            "ok directory 0 1700000000",
            "ok file 4 1700000000",
            "ok",
            "ok",
            "ok false",
        ]
    );
    assert!(ran.touched("data/b").created && ran.touched("data/b").removed);
    assert_eq!(ran.touched("data/b").written_bytes, 6);
    assert_eq!(
        ran.touched("data/c").renamed_to.as_deref(),
        Some("data/x/y/c")
    );
    assert!(ran.touched("data/a").is_change());
    assert_eq!(ran.outcome.record.usage.files, 4);
}

#[test]
fn without_a_grant_nothing_is_there() {
    let bench = Bench::new();
    bench.refuses(&[
        ("read /data/a", DENIED),
        ("stat /data/a", DENIED),
        ("stat /data/absent", DENIED),
        ("exists /data/a", "ok false"),
        ("list /data", DENIED),
        ("list /", "ok"),
        ("new /data/x", DENIED),
    ]);
    let ran = bench.script_ran(&["read /data/a"]);
    assert_eq!(ran.touched("data/a").denied, [Denied::Read].into());
}

#[test]
fn reading_is_not_writing() {
    Bench::new().read(&["data/**"]).refuses(&[
        ("read /data/a", "ok hello"),
        ("write /data/a x", DENIED),
        ("append /data/a x", DENIED),
        ("new /data/b", DENIED),
        ("unlink /data/a", DENIED),
        ("rename /data/a /data/b", DENIED),
        ("mkdir /data/d", DENIED),
        ("rmdir /data", DENIED),
        ("symlink a /data/l", DENIED),
        ("touch /data/a", DENIED),
    ]);
}

#[test]
fn whoever_may_write_may_read() {
    let bench = Bench::new().write(&["data/a"]);
    assert_eq!(bench.script(&["read /data/a"]), ["ok hello"]);
}

#[test]
fn check_and_health_write_nothing_whatever_the_grants_say() {
    for phase in [Phase::Check, Phase::Health] {
        let bench = Bench::writable().phase(phase);
        let before = bench.snapshot();
        let answer = if phase == Phase::Check {
            "ok"
        } else {
            "healthy"
        };
        let ran = bench.run_with(
            "script",
            &format!("write /data/a x\nnew /data/b\nread /data/a\nanswer {answer}"),
            &mut cofferdam_sandbox::NoConfig,
        );
        assert_eq!(ran.answers(), [DENIED, DENIED, "ok hello"]);
        assert_eq!(bench.snapshot(), before);
    }
}

#[test]
fn listings_show_what_is_granted_and_what_leads_there() {
    let bench = Bench::new()
        .file("data/deep/er/x.json", "{}")
        .file("data/deep/er/x.txt", "")
        .file("other/y", "")
        .read(&["data/deep/*/*.json"]);
    assert_eq!(
        bench.script(&[
            "list /",
            "list /data",
            "list /data/deep/er",
            "list /other",
            "stat /data/a",
            "stat /data"
        ]),
        [
            "ok data",
            "ok deep",
            "ok x.json",
            DENIED,
            DENIED,
            "ok directory 0 1700000000"
        ]
    );
}

#[test]
fn hidden_files_do_not_exist() {
    Bench::writable()
        .file("data/conf/agent.toml", "secret = 1")
        .file("data/logs/x", "live")
        .hidden(&["data/conf/agent.toml", "data/logs/**"])
        .refuses(&[
            ("read /data/conf/agent.toml", DENIED),
            ("write /data/conf/agent.toml x", DENIED),
            ("unlink /data/conf/agent.toml", DENIED),
            ("list /data/conf", "ok"),
            ("read /data/logs/x", DENIED),
            ("new /data/logs/y", DENIED),
            ("rename /data/conf/agent.toml /data/b", DENIED),
            ("rename /data/a /data/conf/agent.toml", DENIED),
            // Nor by moving the directory that they are in.
            ("rename /data/conf /data/other", DENIED),
            ("rename /data/logs /data/other", DENIED),
        ]);
}

#[test]
fn managed_files_are_read_and_never_changed() {
    Bench::new()
        .file("lib/plugins/old.so", "managed")
        .file("lib/plugins/state", "mine")
        .write(&["lib/**"])
        .protected(&["lib", "lib/plugins/old.so", "lib/next/x.so"])
        .refuses(&[
            ("read /lib/plugins/old.so", "ok managed"),
            ("write /lib/plugins/old.so x", DENIED),
            ("unlink /lib/plugins/old.so", DENIED),
            ("rename /lib/plugins/old.so /lib/plugins/new.so", DENIED),
            ("rename /lib/plugins/state /lib/plugins/old.so", DENIED),
            ("rename /lib/plugins /lib/gone", DENIED),
            ("purge /lib/plugins/old.so", "NotADirectory"),
            // What the new version brings cannot be prepared for with something of another kind.
            ("new /lib/next", DENIED),
            ("symlink plugins /lib/next", DENIED),
            ("rename /lib/plugins/state /lib/next", DENIED),
            ("touch /lib/plugins/old.so", DENIED),
        ]);
}

#[test]
fn files_with_an_execute_bit_are_left_alone_unless_granted() {
    let mut bench = Bench::writable()
        .file("data/tool", "#!/bin/sh")
        .mode("data/tool", 0o755);
    bench.refuses(&[
        ("read /data/tool", "ok #!/bin/sh"),
        ("write /data/tool x", DENIED),
        ("unlink /data/tool", DENIED),
        ("rename /data/tool /data/b", DENIED),
        ("rename /data/a /data/tool", DENIED),
    ]);
    bench.grants.executables = true;
    assert_eq!(bench.script(&["rename /data/tool /data/b"]), ["ok"]);
}

#[test]
fn nothing_new_appears_beside_executables() {
    let mut bench = Bench::writable().file("data/bin/x", "");
    bench.grants.no_new_in = ["data/bin".to_owned()].into();
    bench.refuses(&[
        ("new /data/bin/y", DENIED),
        ("rename /data/a /data/bin/y", DENIED),
        ("symlink x /data/bin/y", DENIED),
    ]);
    assert_eq!(bench.script(&["write /data/bin/x changed"]), ["ok"]);
}

#[test]
fn a_move_is_judged_at_both_ends_for_every_name() {
    Bench::new()
        .file("data/dir/one.json", "1")
        .file("data/dir/two.txt", "2")
        .write(&["data/**/*.json", "data/dir", "data/new", "data/dir2"])
        .refuses(&[
            ("rename /data/dir/one.json /secret/one.json", DENIED),
            ("rename /secret/key /data/key.json", DENIED),
            ("rename /data/dir /data/new", DENIED),
            ("rename /data /other", DENIED),
        ]);
}

#[test]
fn open_files_follow_when_their_directory_moves() {
    let bench = Bench::writable().file("data/x/f", "one");
    let ran = bench.script_ran(&["hold /data/x/f /data/x /data/y two"]);
    assert_eq!(ran.answers(), ["ok onetwo"]);
    assert_eq!(bench.text("data/y/f"), "onetwo");
    assert_eq!(
        ran.touched("data/y/f").renamed_from.as_deref(),
        Some("data/x/f")
    );
    assert_eq!(ran.touched("data/y/f").written_bytes, 3);
}

#[test]
fn what_is_made_is_no_more_open_than_its_directory() {
    let bench = Bench::writable().mode("data", 0o700);
    bench.script(&["new /data/b", "mkdir /data/d"]);
    let mode = |path: &str| fs::metadata(bench.path(path)).unwrap().mode() & 0o7777;
    assert_eq!((mode("data/b"), mode("data/d")), (0o600, 0o700));
    let bench = Bench::writable().mode("data", 0o755);
    bench.script(&["new /data/b", "mkdir /data/d"]);
    let mode = |path: &str| fs::metadata(bench.path(path)).unwrap().mode() & 0o7777;
    assert_eq!((mode("data/b"), mode("data/d")), (0o644, 0o755));
}

#[test]
fn a_file_moved_over_another_takes_its_mode() {
    let bench = Bench::writable().mode("data/a", 0o600);
    bench.script(&["write /data/tmp private", "rename /data/tmp /data/a"]);
    assert_eq!(
        fs::metadata(bench.path("data/a")).unwrap().mode() & 0o7777,
        0o600
    );
    assert_eq!(bench.text("data/a"), "private");
}
