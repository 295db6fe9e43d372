// SPDX-License-Identifier: Apache-2.0
//! What a command says, by its exit code, its words and the history, is what happened: also where the answer
//! cannot be printed, the history not be written, or the machine has nothing left to give.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::harness::Machine;
use crate::harness::Service;

/// An install, and an update of it.
fn packages(machine: &Machine) -> (&'static str, PathBuf) {
    let old = machine.source("1.0.0").file("agent", "one").pack();
    let new = machine.source("1.1.0").file("agent", "two").pack();
    (machine.adopted(&old), new)
}

/// Runs `cofferdam` behind shell words; `"$0"` is the binary.
fn shell(machine: &Machine, words: &str, arguments: &[&str]) -> crate::harness::Ran {
    machine.run_by(&["sh", "-c", words], arguments)
}

fn transactions(machine: &Machine, install: &str) -> Vec<Value> {
    let records = machine.history(install).into_iter();
    records
        .filter(|record| record["kind"] == "transaction")
        .collect()
}

#[test]
fn an_answer_that_cannot_be_printed_is_told_and_what_was_done_keeps_its_exit_code() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    let full = r#"exec "$0" "$@" > /dev/full"#;
    for arguments in [
        &["apply", install, update.to_str().unwrap()][..],
        &["rollback", install, "--json"],
        &["release", install],
    ] {
        let ran = shell(&machine, full, arguments).expect(0);
        assert!(ran.stderr.contains("standard output"), "{ran:?}");
    }
    assert!(!fs::exists(format!("{install}.cofferdam")).unwrap());
    let machine = Machine::new();
    let (install, _) = packages(&machine);
    shell(&machine, full, &["status", install]).expect(1);
}

#[test]
fn a_process_without_descriptors_fails_with_words_and_leaves_the_old_version_or_the_new_one() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    let _service = Service::running(&machine, install, "true", "true");
    machine.apply(install, &update).expect(0);
    let mut is_back = false;
    for descriptors in 6..64 {
        let limited = format!(r#"ulimit -n {descriptors}; exec "$0" "$@""#);
        let arguments = ["rollback", install, "--discard-changes"];
        let ran = shell(&machine, &limited, &arguments);
        assert!(
            [Some(0), Some(1), Some(4), Some(9)].contains(&ran.exit),
            "{descriptors}: {ran:?}"
        );
        assert!(!ran.stderr.contains("panicked"), "{descriptors}: {ran:?}");
        if ran.exit == Some(9) {
            machine.run(["recover", install]).expect(0);
        }
        let status = machine.status(install);
        is_back = status["version"] == "1.0.0";
        assert_eq!(status["state"], "idle", "{descriptors}: {ran:?}, {status}");
        if ran.exit != Some(9) {
            assert_eq!(is_back, ran.exit == Some(0), "{descriptors}: {ran:?}");
        }
        if is_back {
            break;
        }
    }
    assert!(is_back, "64 descriptors are not enough");
}

#[test]
fn a_rollback_that_does_not_happen_is_in_the_history_once_with_its_reason() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    machine.apply(install, &update).expect(0);
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, text.replacen("rm -f", "exit 3; rm -f", 1)).unwrap();
    for (arguments, code) in [
        (&["rollback", install, "--json"][..], "service-stop-failed"),
        (
            &["rollback", install, "--to", "9", "--json"],
            "no-generation",
        ),
    ] {
        let before = transactions(&machine, install).len();
        assert_eq!(machine.run(arguments).expect(4).code(), code);
        assert!(service.runs());
        let recovered = machine.run(["recover", install, "--json"]).expect(0).json();
        assert_eq!(recovered["recovered"]["action"], "nothing");
        let after = transactions(&machine, install);
        assert_eq!(after.len(), before + 1, "{after:?}");
        let body = &after[before]["body"];
        assert_eq!(
            (&body["kind"], &body["code"]),
            (&"rollback".into(), &code.into())
        );
    }
}

#[test]
fn a_condemnation_is_lifted_only_when_that_is_recorded() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    machine.apply(install, &update).expect(0);
    machine.run(["rollback", install]).expect(0);
    let history = format!("{install}.cofferdam/history.jsonl");
    let kept = fs::read(&history).unwrap();
    // A directory in its place can neither be read nor written as a file.
    fs::remove_file(&history).unwrap();
    fs::create_dir(&history).unwrap();
    let ran = machine.run(["allow", install, "1.1.0", "--json"]);
    assert!(!ran.code().is_empty() && ran.exit != Some(0), "{ran:?}");
    let condemned = machine.apply(install, &update).expect(4);
    assert_eq!(condemned.code(), "condemned");
    fs::remove_dir(&history).unwrap();
    fs::write(&history, kept).unwrap();
    machine.run(["allow", install, "1.1.0"]).expect(0);
    let records = machine.history(install);
    let allowed = records.iter().filter(|record| record["kind"] == "allow");
    assert_eq!(allowed.count(), 1);
    machine.apply(install, &update).expect(0);
}

#[test]
fn recover_tells_people_its_warnings() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    machine.apply(install, &update).expect(0);
    let history = format!("{install}.cofferdam/history.jsonl");
    let text = fs::read_to_string(&history).unwrap();
    let first = text.split_inclusive('\n').next().unwrap();
    for arguments in [&["recover", install][..], &["recover", "--all"]] {
        fs::write(&history, first).unwrap();
        let ran = machine.run(arguments).expect(0);
        assert!(ran.stderr.contains("warning: "), "{ran:?}");
        assert!(ran.stderr.contains("history"), "{ran:?}");
    }
}

/// More than the kernel takes as one argument: no process can be started with it, whatever the package.
#[test]
fn a_start_that_the_machine_refuses_takes_the_version_back_and_condemns_nobody() {
    let machine = Machine::new();
    let (install, update) = packages(&machine);
    let service = Service::running(&machine, install, "true", "true");
    let settings = format!("{install}.cofferdam/install.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let too_long = format!("start = [\"sh\", \"-c\", '{}", "x".repeat(200 << 10));
    fs::write(
        &settings,
        text.replacen("start = [\"sh\", \"-c\", '", &too_long, 1),
    )
    .unwrap();
    let ran = machine.apply(install, &update).expect(7);
    assert_eq!(ran.code(), "io");
    fs::write(&settings, text).unwrap();
    machine.run(["recover", install]).expect(0);
    assert!(service.runs());
    assert_eq!(machine.status(install)["version"], "1.0.0");
    machine.apply(install, &update).expect(0);
}
