// SPDX-License-Identifier: Apache-2.0
//! The command line is an interface: one object for programs, words for people, codes that stand in
//! the documents.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use cofferdam::failure::Exit;
use cofferdam::vendor::Code;
use serde_json::Value;

use crate::harness::Machine;
use crate::harness::guest;

/// The commands that `--help` lists, those of `step` among them.
fn commands(machine: &Machine) -> Vec<Vec<String>> {
    let listed = |before: &[&str]| {
        let help = machine.run([before, &["--help"]].concat()).expect(0).stdout;
        let list = help.split("Commands:\n").nth(1).unwrap();
        let list = list.split("\n\n").next().unwrap();
        let names = list
            .lines()
            .filter_map(|line| {
                line.strip_prefix("  ")
                    .filter(|line| !line.starts_with(' '))
            })
            .map(|line| line.split(' ').next().unwrap().to_owned())
            .filter(|name| name != "help")
            .map(|name| {
                let mut words: Vec<String> = before.iter().map(ToString::to_string).collect();
                words.push(name);
                words
            });
        names.collect::<Vec<_>>()
    };
    let mut commands = listed(&[]);
    commands.extend(listed(&["step"]));
    commands
}

#[test]
fn every_command_says_what_it_is_for_and_how_it_is_used() {
    let machine = Machine::new();
    let commands = commands(&machine);
    assert!(commands.len() >= 20, "{commands:?}");
    for command in commands {
        let words = [command.clone(), vec!["--help".to_owned()]].concat();
        let help = machine.run(&words).expect(0);
        let purpose = help.stdout.lines().next().unwrap();
        assert!(purpose.len() >= 10, "{command:?}: {purpose:?}");
        assert!(
            help.stdout
                .contains(&format!("cofferdam {}", command.join(" ")))
        );
        let explained = help.stdout.split("Usage:").next().unwrap().lines().count() > 2;
        let example = help.stdout.contains("Example");
        assert!(explained || example, "{command:?}");
        assert_eq!(help.stderr, "");
        let short = [command.clone(), vec!["-h".to_owned()]].concat();
        machine.run(&short).expect(0);
    }
}

#[test]
fn what_is_not_understood_is_a_usage_error_that_names_it() {
    let machine = Machine::new();
    for arguments in [
        vec!["aply"],
        vec![],
        vec!["apply"],
        vec!["apply", "a", "b", "--frobnicate"],
        vec!["apply", "a", "b", "--expect", "no-digest"],
        vec!["rollback", "a", "--discard-changes", "--keep-state"],
        vec!["rollback", "a", "--to", "minus one"],
        vec!["allow", "a", "not-a-version"],
        vec!["adopt", "a", "--trust", "b"],
    ] {
        let ran = machine.run(&arguments).expect(2);
        assert_eq!(ran.stdout, "", "{arguments:?}");
        assert!(!ran.stderr.is_empty(), "{arguments:?}");
        let json = machine.run([arguments.clone(), vec!["--json"]].concat());
        assert_eq!(json.expect(2).code(), "usage", "{arguments:?}");
    }
}

/// Every command once, with success; and the members of its object that scripts rely on.
fn tour(machine: &Machine) -> Vec<(Vec<&'static str>, &'static [&'static str])> {
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    machine.lay_out(&old, &machine.path("opt/agent"));
    extracted(machine, &new);
    let install = machine.str("opt/agent");
    let path = |path: &Path| machine.str(path.strip_prefix(machine.path("")).unwrap());
    let (old, new, wasm) = (path(&old), path(&new), guest("script"));
    let wasm: &'static str = Box::leak(wasm.to_str().unwrap().to_owned().into_boxed_str());
    let signature = machine.str("manifest.json.minisig");
    let (key, public_key) = (machine.str("acme.key"), machine.str("acme.pub"));
    let other = machine.str("packages/1.1.0");
    vec![
        (
            vec!["keygen", machine.str("other"), "--no-password"],
            &["key_id", "public_key", "secret_key"],
        ),
        (vec!["pack", other, "-o", machine.str("x.upd")], &["id"]),
        (vec!["sign", old, "--key", key], &["package_digest"]),
        (vec!["attach", new, signature], &["package_digest"]),
        (
            vec!["inspect", new, "--trust", public_key],
            &[
                "id",
                "version",
                "package_digest",
                "signatures",
                "files",
                "bytes",
                "steps",
            ],
        ),
        (vec!["step", "new", machine.str("my-step")], &[]),
        (vec!["step", "run", wasm, "--root", machine.str("etc")], &[]),
        (vec!["try", new, "--from", old], &["outcome_digest"]),
        (
            vec!["adopt", install, "--trust", public_key, "--package", old],
            &["id", "version"],
        ),
        (
            vec!["plan", install, new],
            &[
                "id",
                "from",
                "to",
                "outcome_digest",
                "data_digest",
                "files",
                "drift",
                "config",
                "steps",
                "disk",
            ],
        ),
        (
            vec!["apply", install, new],
            &[
                "result",
                "generation",
                "version",
                "outcome_digest",
                "confirmed",
                "stages",
                "downtime_seconds",
                "steps",
            ],
        ),
        (vec!["confirm", install], &["generation", "confirmed"]),
        (
            vec!["status", install],
            &[
                "id",
                "version",
                "generation",
                "state",
                "confirmed",
                "generations",
                "roles",
                "last",
            ],
        ),
        (vec!["verify", install], &["drift"]),
        (vec!["history", install], &["records"]),
        (vec!["recover", install], &["generation"]),
        (vec!["recover", "--all"], &["installs"]),
        (vec!["rollback", install], &["generation", "version"]),
        (vec!["allow", install, "1.1.0"], &[]),
        (vec!["release", install], &[]),
        (vec!["completions", "bash"], &["script"]),
    ]
}

/// Leaves the signature of a package as a file.
fn extracted(machine: &Machine, package: &Path) {
    let folder = machine.str("look");
    machine
        .run(["inspect", package.to_str().unwrap(), "--extract", folder])
        .expect(0);
    let mut signatures = fs::read_dir(machine.path("look/signatures")).unwrap();
    let signature = signatures.next().unwrap().unwrap().path();
    fs::copy(signature, machine.path("manifest.json.minisig")).unwrap();
}

#[test]
fn every_command_answers_a_program_with_one_object_and_nothing_else() {
    let machine = Machine::new();
    let tour = tour(&machine);
    for command in commands(&machine) {
        let is_it = |arguments: &[&str]| {
            command
                .iter()
                .zip(arguments)
                .all(|(one, other)| one == other)
        };
        let shown = tour.iter().any(|(arguments, _)| is_it(arguments));
        assert!(shown, "no test of {command:?}");
    }
    for (mut arguments, members) in tour {
        arguments.push("--json");
        let ran = machine.run(&arguments).expect(0);
        let json = ran.json();
        for member in members {
            assert!(
                json.get(*member).is_some(),
                "{arguments:?}: no `{member}`: {json}"
            );
        }
        assert!(json.get("error").is_none(), "{json}");
        assert_eq!(ran.stderr, "", "{arguments:?}");
    }
}

#[test]
fn every_command_answers_people_without_a_terminal_in_plain_text() {
    let machine = Machine::new();
    for (arguments, _) in tour(&machine) {
        let ran = machine.run(&arguments).expect(0);
        for text in [&ran.stdout, &ran.stderr] {
            assert!(
                !text.contains('\u{1b}') && !text.contains('\r'),
                "{arguments:?}: {text:?}"
            );
        }
        assert!(!ran.stdout.trim().is_empty(), "{arguments:?}");
        assert!(!ran.stdout.contains("panicked"));
    }
}

#[test]
fn every_failure_is_one_object_for_programs_and_two_lines_for_people() {
    let machine = Machine::new();
    let nothing = machine.str("nothing");
    for arguments in [
        vec!["keygen", machine.str("acme"), "--no-password"],
        vec!["pack", nothing, "-o", machine.str("x.upd")],
        vec!["sign", nothing, "--key", machine.str("acme.key")],
        vec!["attach", nothing, nothing],
        vec!["inspect", nothing],
        vec!["step", "new", machine.str("etc")],
        vec!["step", "run", nothing, "--root", nothing],
        vec!["try", nothing, "--from", nothing],
        vec![
            "adopt",
            nothing,
            "--trust",
            machine.str("acme.pub"),
            "--id",
            "x",
        ],
        vec!["plan", nothing, nothing],
        vec!["apply", nothing, nothing],
        vec!["confirm", nothing],
        vec!["status", nothing],
        vec!["verify", nothing],
        vec!["history", nothing],
        vec!["recover", nothing],
        vec!["rollback", nothing],
        vec!["allow", nothing, "1.0.0"],
        vec!["release", nothing],
    ] {
        let people = machine.run(&arguments).expect(4);
        assert_eq!(people.stdout, "", "{arguments:?}");
        let program = machine.run([arguments.clone(), vec!["--json"]].concat());
        let code = program.expect(4).code();
        let first = format!("error[{code}]: ");
        assert!(people.stderr.contains(&first), "{}", people.stderr);
        assert!(people.stderr.contains("\nhelp: "), "{}", people.stderr);
    }
}

/// The rows of the tables of a kind in the document: code, exit, and the last column.
fn rows(code: impl Fn(&str) -> Option<&str>) -> BTreeMap<String, Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/exit-codes.md");
    let text = fs::read_to_string(path).unwrap();
    let mut rows = BTreeMap::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("| ")) {
        let cells: Vec<String> = line
            .trim_end_matches(" |")
            .split(" | ")
            .map(str::to_owned)
            .collect();
        if let Some(code) = code(&cells[0]) {
            let before = rows.insert(code.to_owned(), cells[1..].to_vec());
            assert_eq!(before, None, "{code} has two rows");
        }
    }
    rows
}

#[test]
fn the_document_has_every_exit_code_with_its_meaning() {
    let documented = rows(|cell| cell.parse::<u8>().is_ok().then_some(cell));
    let ours: BTreeMap<String, Vec<String>> = Exit::ALL
        .iter()
        .map(|(exit, meaning)| (exit.number().to_string(), vec![(*meaning).to_owned()]))
        .collect();
    assert_eq!(documented, ours);
}

#[test]
fn the_document_has_every_error_code() {
    let documented = rows(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
    let tables = [
        cofferdam_config::CODES,
        cofferdam_install::CODES,
        cofferdam_package::CODES,
        cofferdam_sandbox::CODES,
        cofferdam_tree::CODES,
    ];
    let of_libraries = tables.into_iter().flatten().map(|(code, _)| *code);
    let of_vendors = Code::ALL.iter().map(|code| code.entry().0);
    let missing: Vec<&str> = of_libraries
        .chain(of_vendors)
        .filter(|code| !documented.contains_key(*code))
        .collect();
    assert_eq!(missing, [""; 0]);
    for (code, exit, _) in Code::ALL.iter().map(|code| code.entry()) {
        let row = &documented[code];
        assert_eq!(row[0], exit.number().to_string(), "{code}");
    }
    for (code, row) in &documented {
        assert!(
            row[0].parse::<u8>().is_ok_and(|exit| exit <= 10),
            "{code}: {row:?}"
        );
        assert!(!row[1].is_empty(), "{code}");
    }
}

#[test]
fn every_code_in_the_source_of_the_host_stands_in_the_document() {
    let documented = rows(|cell| cell.strip_prefix('`')?.strip_suffix('`'));
    let mut missing = Vec::new();
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for call in text.split("Failure::new(").skip(1) {
                let literal = call.split(',').nth(1).unwrap().trim();
                let literal = literal
                    .strip_prefix('"')
                    .and_then(|text| text.strip_suffix('"'));
                if let Some(code) = literal.filter(|code| !documented.contains_key(*code)) {
                    missing.push((path.clone(), code.to_owned()));
                }
            }
        }
    }
    assert_eq!(missing, []);
}

#[test]
fn a_reader_that_goes_away_changes_no_outcome() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let mut command = machine.command(["apply", install, new.to_str().unwrap(), "--json"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = command.stdout(writer).status().unwrap();
    assert_eq!(status.code(), Some(0));
    let state: Value = machine.status(install);
    assert_eq!(state["version"], "1.1.0");
}
