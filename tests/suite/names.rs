// SPDX-License-Identifier: Apache-2.0
//! Who may update what: the package's id, the roles of keys; and names with anything in them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::harness::AtRest;
use crate::harness::Machine;
use crate::harness::Snapshot;

#[test]
fn a_package_of_another_program_is_refused() {
    let machine = Machine::new();
    let package = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.str("opt/other");
    fs::create_dir(install).unwrap();
    let trust = machine.str("acme.pub");
    machine
        .run(["adopt", install, "--trust", trust, "--id", "other"])
        .expect(0);
    machine.refused(install, &package, 4, "wrong-package");
}

#[test]
fn a_reviewers_signature_does_not_stand_for_the_vendors() {
    let machine = Machine::new();
    machine
        .run(["keygen", machine.str("auditor"), "--no-password"])
        .expect(0);
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack_unsigned();
    let install = machine.str("opt/agent");
    machine.lay_out(&old, Path::new(install));
    let (vendor, reviewer) = (machine.str("acme.pub"), machine.str("auditor.pub"));
    let old = old.to_str().unwrap();
    let adopt = ["adopt", install, "--package", old, "--trust", vendor];
    let both = [adopt.as_slice(), &["--trust-reviewer", vendor]].concat();
    machine.run(&both).expect(3);
    assert!(!machine.path("opt/agent.cofferdam").exists());
    let adopt = [adopt.as_slice(), &["--trust-reviewer", reviewer]].concat();
    machine.run(&adopt).expect(0);

    let sign = |key: &str| {
        let (package, key) = (new.to_str().unwrap(), machine.str(key));
        machine.run(["sign", package, "--key", key]).expect(0);
    };
    sign("auditor.key");
    machine.refused(install, &new, 3, "signatures-missing");
    sign("acme.key");
    machine.apply(install, &new).expect(0);
}

#[test]
fn an_operator_can_require_a_reviewers_signature() {
    let machine = Machine::new();
    machine
        .run(["keygen", machine.str("auditor"), "--no-password"])
        .expect(0);
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let key = fs::read_to_string(machine.path("auditor.pub")).unwrap();
    let key = key.lines().nth(1).unwrap();
    let text = text.replace("reviewer-signatures = 0", "reviewer-signatures = 1");
    let trust = format!("[[trust]]\nkey = \"{key}\"\nrole = \"reviewer\"\nname = \"auditor\"\n");
    fs::write(&settings, format!("{text}\n{trust}")).unwrap();
    machine.refused(install, &new, 3, "signatures-missing");
    let (package, key) = (new.to_str().unwrap(), machine.str("auditor.key"));
    machine.run(["sign", package, "--key", key]).expect(0);
    machine.apply(install, &new).expect(0);
}

#[test]
fn names_may_have_spaces_line_feeds_quotes_and_any_script() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    for name in [
        "with space",
        "line\nfeed",
        "Größe 数据",
        "quote\"and'both",
        "-dash",
        "e\u{301}",
        "\u{1b}[31mred",
    ] {
        let install = machine.str(format!("opt/{name}"));
        machine.lay_out(&old, Path::new(install));
        machine.adopt(install, &old);
        let package = machine.str(format!("packages/{name}.upd"));
        fs::copy(&new, package).unwrap();
        let people = machine.run(["plan", install, package]).expect(0);
        assert!(!people.stdout.contains('\u{1b}'), "{name:?}");
        machine.apply(install, Path::new(package)).expect(0);
        let status = machine.status(install);
        assert_eq!(status["version"], "1.1.0", "{name:?}");
        assert!(status["dir"].as_str().unwrap().ends_with(name));
        let people = machine.run(["status", install]).expect(0).stdout;
        assert!(!people.contains(name) || !name.contains(char::is_control));
        machine.run(["rollback", install]).expect(0);
        machine.run(["release", install]).expect(0);
    }
}

#[test]
fn files_with_any_name_are_state_and_stay() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let names = [
        "with space",
        "line\nfeed",
        "数据",
        "aux",
        "back\\slash",
        "\u{1b}[2J",
        "...",
        "C:",
        "e\u{301}",
        "\u{e9}",
    ];
    for name in names {
        fs::write(Path::new(install).join(name), name).unwrap();
    }
    symlink("/nowhere\n", Path::new(install).join("link")).unwrap();
    let paths: Vec<String> = Snapshot::of(install)
        .paths()
        .iter()
        .map(ToString::to_string)
        .collect();
    let plan = machine
        .run(["plan", install, new.to_str().unwrap()])
        .expect(0);
    assert!(!plan.stdout.contains('\u{1b}'));
    machine.apply(install, &new).expect(0);
    assert_eq!(Snapshot::of(install).paths(), paths);
    for name in names {
        let content = fs::read_to_string(Path::new(install).join(name)).unwrap();
        assert_eq!(content, name);
    }
}

#[test]
fn an_install_is_the_same_by_every_path_that_leads_to_it() {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    let install = machine.adopted(&old);
    let link = machine.str("link");
    symlink(install, link).unwrap();
    let real = machine.status(install);
    for other in [link, "opt/agent", "opt/agent/", "./opt/../opt/agent"] {
        assert_eq!(machine.status(other), real, "{other}");
    }
    let trust = machine.str("acme.pub");
    for again in [install, link] {
        let before = AtRest::of(&machine, install);
        let adopt = ["adopt", again, "--trust", trust, "--id", "agent", "--json"];
        assert_eq!(machine.run(adopt).expect(4).code(), "already-adopted");
        before.assert_still(&machine, install);
    }
    machine.apply("opt/agent", &new).expect(0);
    assert_eq!(machine.status(link)["version"], "1.1.0");
    assert!(Path::new(link).symlink_metadata().unwrap().is_symlink());
}

#[test]
fn what_cannot_be_an_install_is_refused() {
    let machine = Machine::new();
    let trust = machine.str("acme.pub");
    let package = machine.source("1.0.0").file("agent", "one").pack();
    let install = machine.adopted(&package);
    fs::write(machine.path("file"), "").unwrap();
    fs::create_dir(machine.path("opt/agent/inside")).unwrap();
    for directory in [
        "nothing".to_owned(),
        "file".to_owned(),
        "/".to_owned(),
        format!("{install}.cofferdam"),
        format!("{install}/inside"),
        String::new(),
    ] {
        let adopt = ["adopt", &directory, "--trust", trust, "--id", "x", "--json"];
        let ran = machine.run(adopt);
        assert!(matches!(ran.exit, Some(2 | 4)), "{directory:?}: {ran:?}");
        assert!(!ran.code().is_empty());
    }
    let listed = fs::read_dir(machine.path("opt")).unwrap().count();
    assert_eq!(listed, 2, "the install and its state directory");
}
