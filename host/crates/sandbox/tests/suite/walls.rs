// SPDX-License-Identifier: Apache-2.0
//! Each wall holds alone: pulled down one by one, by switches that only a test's build has.

use crate::bench::Bench;
use crate::bench::Ran;
use crate::guests;
use cofferdam_sandbox::Deed;
use cofferdam_sandbox::Engine;
use cofferdam_sandbox::NoConfig;
use cofferdam_sandbox::Switches;
use std::fs;

/// A tree with a directory that may be written and one that may not, and with files that are linked
/// from outside, as unchanged files of the live tree are.
fn bench() -> Bench {
    let bench = Bench::writable().file("outer/keep", "kept");
    for place in ["outer/linked", "top"] {
        let outside = bench
            .root()
            .join("../outside")
            .join(place.replace('/', "-"));
        fs::write(&outside, "live").unwrap();
        fs::hard_link(&outside, bench.path(place)).unwrap();
    }
    bench
}

fn with(switches: Switches) -> Engine {
    Engine {
        switches,
        ..guests::engine()
    }
}

const NO_PATH_CHECKS: Switches = Switches {
    no_landlock: false,
    no_seccomp: false,
    no_path_checks: true,
    rogue: None,
};

const NO_KERNEL_WALLS: Switches = Switches {
    no_landlock: true,
    no_seccomp: true,
    no_path_checks: false,
    rogue: None,
};

/// What a step tries in order to get out of its grants.
const ESCAPES: [&str; 6] = [
    "write /data/../../outside/canary gone",
    "write /data/../secret/key gone",
    "fill /data/../../outside/new 10",
    "unlink /data/../../outside/canary",
    "write /outer/linked gone",
    "write /top gone",
];

fn lines(bench: &Bench, engine: &Engine, lines: &[&str]) -> Vec<String> {
    let ran = bench.run_on(engine, "script", &lines.join("\n"), &mut NoConfig);
    ran.answers()
}

#[test]
fn the_kernel_stops_every_escape_when_no_path_is_checked() {
    let bench = bench();
    let before = bench.snapshot();
    let engine = with(NO_PATH_CHECKS);
    for escape in ESCAPES {
        let answers = lines(&bench, &engine, &[escape]);
        assert!(!answers[0].starts_with("ok"), "{escape}: {answers:?}");
        assert_eq!(bench.snapshot(), before, "{escape}");
    }
    let granted = lines(&bench, &engine, &["fill /data/new 10"]);
    assert_eq!(granted, ["ok"], "what is granted still works");
}

#[test]
fn the_path_checks_stop_every_escape_when_the_kernel_has_no_walls() {
    let bench = bench();
    let before = bench.snapshot();
    let engine = with(NO_KERNEL_WALLS);
    for escape in ESCAPES {
        let answers = lines(&bench, &engine, &[escape]);
        assert!(!answers[0].starts_with("ok"), "{escape}: {answers:?}");
        assert_eq!(bench.snapshot(), before, "{escape}");
    }
}

/// The tests above prove something only when the escapes work where nothing stands in their way.
#[test]
fn with_neither_wall_the_escapes_succeed() {
    let engine = with(Switches {
        no_path_checks: true,
        ..NO_KERNEL_WALLS
    });
    for escape in ESCAPES {
        let bench = bench();
        let before = bench.snapshot();
        let answers = lines(&bench, &engine, &[escape]);
        assert!(answers[0].starts_with("ok"), "{escape}: {answers:?}");
        assert_ne!(bench.snapshot(), before, "{escape}");
    }
}

/// Landlock holds the directories of the write patterns, not what they stand for: a step must be told the
/// same where the kernel has no walls.
#[test]
fn a_directory_that_a_pattern_ends_in_stays_with_the_kernels_walls_and_without() {
    let lines = [
        "rmdir /data/sub",
        "rename /data/sub /data/sub2",
        "rename /data/sub /data/sub2/x",
        "rename /data/sub2/full /data/sub",
        "unlink /data/file",
        "rename /data/file /data/sub/x",
        "rename /data/sub2/a /data/file",
        "new /data/none",
        "symlink a /data/none",
        "rename /data/sub2/a /data/none",
        "rename /data/sub2/full /data/none",
    ];
    let patterns = [
        "data/sub/**",
        "data/sub2/**",
        "data/file/**",
        "data/none/**",
    ];
    for patterns in [&patterns[..2], &patterns] {
        for engine in [with(Switches::default()), with(NO_KERNEL_WALLS)] {
            let bench = Bench::new()
                .file("data/file", "")
                .file("data/sub2/a", "")
                .file("data/sub2/full/a", "")
                .write(patterns);
            fs::create_dir(bench.path("data/sub")).unwrap();
            for line in lines {
                let before = bench.snapshot();
                let ran = bench.run_on(&engine, "script", line, &mut NoConfig);
                assert_eq!(ran.answers(), ["PermissionDenied"], "{line}");
                let files = &ran.outcome.record.files;
                assert!(files.iter().any(|it| !it.denied.is_empty()), "{line}");
                assert_eq!(bench.snapshot(), before, "{line}");
            }
            let done = ["mkdir /data/sub/x", "rename /data/sub2/full /data/sub/x"];
            let answers = bench.run_on(&engine, "script", &done.join("\n"), &mut NoConfig);
            assert_eq!(answers.answers(), ["ok", "ok"]);
        }
    }
}

#[test]
fn a_directory_that_a_pattern_ends_in_can_be_made() {
    for engine in [with(Switches::default()), with(NO_KERNEL_WALLS)] {
        let bench = Bench::new().write(&["data/new/sub/**", "fresh/sub/*"]);
        let made = [
            "mkdirs /data/new/sub",
            "new /data/new/sub/a",
            "mkdirs /fresh/sub",
        ];
        let ran = bench.run_on(&engine, "script", &made.join("\n"), &mut NoConfig);
        assert_eq!(ran.answers(), ["ok", "ok", "ok"]);
    }
}

#[test]
fn missing_walls_are_told_and_can_be_required() {
    let bench = bench();
    let down = with(NO_KERNEL_WALLS);
    let ran = bench.run_on(&down, "script", "", &mut NoConfig);
    let missing: Vec<String> = ran
        .outcome
        .walls
        .iter()
        .filter(|wall| !wall.up && wall.can_be_required())
        .map(|wall| wall.wall.to_string())
        .collect();
    assert_eq!(missing, ["landlock", "no-new-privs", "seccomp"]);
    let required = Engine {
        require_confinement: true,
        ..with(NO_KERNEL_WALLS)
    };
    let before = bench.snapshot();
    let ran = bench.run_on(&required, "script", "fill /data/new 10", &mut NoConfig);
    assert_eq!(ran.code(), "sandbox-unconfined");
    assert!(ran.message().contains("landlock"), "{}", ran.message());
    assert_eq!(bench.snapshot(), before);
}

fn rogue(bench: &Bench, deed: Deed, switches: Switches) -> Ran {
    let engine = with(Switches {
        rogue: Some(deed),
        ..switches
    });
    bench.run_on(&engine, "script", "", &mut NoConfig)
}

#[test]
fn a_runner_gone_rogue_reaches_no_file_outside_of_its_grants() {
    let only_landlock = Switches {
        no_seccomp: true,
        ..NO_PATH_CHECKS
    };
    for deed in [
        Deed::ReadPasswords,
        Deed::WriteBeside,
        Deed::TruncateUngranted,
    ] {
        let bench = bench();
        let before = bench.snapshot();
        let ran = rogue(&bench, deed, only_landlock);
        assert!(
            ran.message().contains("PermissionDenied"),
            "{deed:?}: {}",
            ran.message()
        );
        assert_eq!(bench.snapshot(), before, "{deed:?}");
        let ran = rogue(&bench, deed, NO_KERNEL_WALLS);
        assert!(
            ran.message().contains("Ok("),
            "{deed:?} proves nothing: {}",
            ran.message()
        );
    }
}

#[test]
fn a_runner_gone_rogue_has_no_call_for_the_network_programs_or_signals() {
    let only_seccomp = Switches {
        no_landlock: true,
        ..NO_PATH_CHECKS
    };
    for deed in [Deed::Connect, Deed::Execute, Deed::SignalParent] {
        let bench = bench();
        let before = bench.snapshot();
        let ran = rogue(&bench, deed, only_seccomp);
        assert_eq!(ran.code(), "step-killed", "{deed:?}: {}", ran.message());
        assert!(
            ran.message().contains("system call"),
            "{deed:?}: {}",
            ran.message()
        );
        assert_eq!(bench.snapshot(), before, "{deed:?}");
    }
    let ran = rogue(&bench(), Deed::SignalParent, NO_KERNEL_WALLS);
    assert!(
        ran.message().contains("Ok("),
        "proves nothing: {}",
        ran.message()
    );
}

#[test]
fn landlock_alone_keeps_a_rogue_runner_from_the_network_programs_and_signals() {
    let only_landlock = Switches {
        no_seccomp: true,
        ..NO_PATH_CHECKS
    };
    for deed in [Deed::Connect, Deed::Execute, Deed::SignalParent] {
        let ran = rogue(&bench(), deed, only_landlock);
        assert!(
            ran.message().contains("PermissionDenied"),
            "{deed:?}: {}",
            ran.message()
        );
    }
}

#[test]
fn a_runner_that_takes_all_memory_or_hangs_is_ended() {
    let mut bench = bench();
    let ran = rogue(&bench, Deed::TakeMemory, Switches::default());
    assert_eq!(ran.code(), "step-killed", "{}", ran.message());
    assert!(ran.outcome.record.lost, "nobody knows what it did");
    bench.limits.time = std::time::Duration::from_secs(1);
    let ran = rogue(&bench, Deed::Hang, Switches::default());
    assert_eq!(ran.code(), "step-timed-out", "{}", ran.message());
    assert!(ran.message().contains("hung"), "{}", ran.message());
    let record = &ran.outcome.record;
    assert!(record.lost && record.usage.time_ms >= 1000, "{record:?}");
}

/// Otherwise it could have as much of the host's time as it likes.
#[test]
fn a_runner_that_begins_twice_is_ended() {
    let mut bench = bench();
    bench.limits.time = std::time::Duration::from_secs(1);
    let ran = rogue(&bench, Deed::StartOver, Switches::default());
    assert_eq!(ran.code(), "step-killed", "{}", ran.message());
    assert!(ran.message().contains("twice"), "{}", ran.message());
}

/// What the test of the shipped binary looks for is there where the switches are.
#[test]
fn a_binary_with_switches_can_be_told_by_their_names() {
    let child = fs::read(env!("CARGO_BIN_EXE_cofferdam-sandbox-child")).unwrap();
    assert!(child.windows(14).any(|bytes| bytes == b"no_path_checks"));
}
