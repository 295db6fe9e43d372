// SPDX-License-Identifier: Apache-2.0
//! Steps change configuration by single keys: comments stay, secrets stay secret, rollbacks restore.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::harness::Machine;
use crate::harness::Snapshot;

/// An install whose operator has a configuration file, and a package with one step on its keys.
struct Case {
    machine: Machine,
    install: &'static str,
    new: PathBuf,
    file: String,
}

struct Wanted<'a> {
    format: &'a str,
    found: &'a str,
    script: &'a str,
    grants: &'a str,
    secret: &'a str,
}

const ALL_KEYS: &str = "config.read = [\"**\"]\nconfig.write = [\"**\"]";

impl Wanted<'_> {
    /// The file lies inside the install.
    fn inside(&self) -> Case {
        self.made("")
    }

    /// The operator says that the file lies elsewhere.
    fn outside(&self) -> Case {
        let case = self.made("etc/agent.conf");
        let text = format!("[config.agent]\nfile = \"{}\"", case.file);
        case.machine.settings(case.install, &text);
        case
    }

    fn made(&self, elsewhere: &str) -> Case {
        let machine = Machine::new();
        let source = |version: &str| {
            machine
                .source(version)
                .file("agent", version)
                .file("script", self.script)
                .toml(&format!(
                    "[config.agent]\nfile = \"agent.conf\"\nformat = \"{}\"\nsecret = [{}]",
                    self.format, self.secret
                ))
        };
        let old = source("1.0.0").pack();
        let grants = format!("read = [\"script\"]\n{}", self.grants);
        let new = source("1.1.0")
            .step("keys", "migrate", "script", &grants)
            .pack();
        let install = machine.adopted(&old);
        let file = match elsewhere {
            "" => format!("{install}/agent.conf"),
            elsewhere => machine.str(elsewhere).to_owned(),
        };
        fs::write(&file, self.found).unwrap();
        Case {
            machine,
            install,
            new,
            file,
        }
    }
}

impl Case {
    fn applied(&self) -> Value {
        self.machine.apply(self.install, &self.new).expect(0).json()
    }

    fn config(&self) -> String {
        fs::read_to_string(&self.file).unwrap()
    }
}

fn log(applied: &Value) -> Vec<&str> {
    let lines = applied["steps"][0]["record"]["log"].as_array().unwrap();
    lines
        .iter()
        .map(|line| line["line"].as_str().unwrap())
        .collect()
}

const TOML: &str = "# mine\n[net]\nport = 80 # as ever\nhost = 'a'\nold = true\n";
const TOML_SCRIPT: &str = "get net.port\nset net.port 8080\nmove net.host net.name\nremove net.old\n\
                           set net.fresh new\n";

#[test]
fn keys_change_and_comments_and_layout_stay_in_every_format() {
    for (format, found, script, expected) in [
        (
            "toml",
            TOML,
            TOML_SCRIPT,
            "# mine\n[net]\nport = 8080 # as ever\nname = 'a'\nfresh = \"new\"\n",
        ),
        (
            "json",
            "{\n  \"net\": {\n    \"port\": 80,\n    \"host\": \"a\",\n    \"old\": true\n  }\n}\n",
            "set net.port 8080\nmove net.host net.name\nremove net.old\n",
            "{\n  \"net\": {\n    \"port\": 8080,\n    \"name\": \"a\"\n  }\n}\n",
        ),
        (
            "ini",
            "; mine\n[net]\nport = 80\nhost = a\nold = yes\n",
            "set net.port 8080\nmove net.host net.name\nremove net.old\n",
            "; mine\n[net]\nport = 8080\nname = a\n",
        ),
        (
            "env",
            "# mine\nPORT=80\nHOST=a\nOLD=yes\n",
            "set PORT 8080\nmove HOST NAME\nremove OLD\n",
            "# mine\nPORT=8080\nNAME=a\n",
        ),
        (
            "yaml",
            "# mine\nnet:\n  port: 80 # as ever\n  host: a\n  old: true\n",
            "set net.port 8080\nmove net.host net.name\nremove net.old\n",
            "# mine\nnet:\n  port: 8080 # as ever\n  name: a\n",
        ),
    ] {
        let wanted = Wanted {
            format,
            found,
            script,
            grants: ALL_KEYS,
            secret: "",
        };
        let case = wanted.inside();
        let applied = case.applied();
        assert_eq!(case.config(), expected, "{format}: {:?}", log(&applied));
        let rollback = ["rollback", case.install, "--discard-changes"];
        case.machine.run(rollback).expect(0);
        assert_eq!(case.config(), found, "{format}");
    }
}

#[test]
fn the_plan_and_the_history_tell_each_key_that_changes() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: TOML_SCRIPT,
        grants: ALL_KEYS,
        secret: "",
    }
    .inside();
    let plan = case.machine.plan(case.install, &case.new);
    assert_eq!(case.config(), TOML, "a plan changes nothing");
    let expected = json!([
        { "key": "agent:net.fresh", "old": null, "new": "new" },
        { "key": "agent:net.host", "old": "a", "new": null },
        { "key": "agent:net.name", "old": null, "new": "a" },
        { "key": "agent:net.old", "old": true, "new": null },
        { "key": "agent:net.port", "old": 80, "new": 8080 },
    ]);
    assert_eq!(plan["config"], expected);
    let applied = case.applied();
    assert_eq!(applied["config"], expected);
    assert_eq!(applied["outcome_digest"], plan["outcome_digest"]);
    let history = case.machine.history(case.install);
    let committed = history
        .iter()
        .find(|record| record["body"]["result"] == "committed");
    assert_eq!(committed.unwrap()["body"]["config"], expected);
}

#[test]
fn a_file_outside_of_the_install_changes_with_the_commit_and_comes_back_with_a_rollback() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: TOML_SCRIPT,
        grants: ALL_KEYS,
        secret: "",
    }
    .outside();
    let etc = case.machine.path("etc");
    let before = Snapshot::of(&etc);
    case.machine.plan(case.install, &case.new);
    assert_eq!(Snapshot::of(&etc), before, "a plan changes nothing");
    case.applied();
    assert!(case.config().contains("port = 8080 # as ever"));
    assert_eq!(Snapshot::of(&etc).paths().len(), 2, "nothing is left over");
    let rollback = ["rollback", case.install, "--discard-changes"];
    case.machine.run(rollback).expect(0);
    assert_eq!(Snapshot::of(&etc), before);
}

#[test]
fn a_file_outside_that_a_failed_update_would_have_changed_is_untouched() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: "set net.port 8080\nanswer refuse\n",
        grants: ALL_KEYS,
        secret: "",
    }
    .outside();
    let etc = case.machine.path("etc");
    let before = Snapshot::of(&etc);
    case.machine
        .refused(case.install, &case.new, 5, "step-refused");
    assert_eq!(Snapshot::of(&etc), before);
}

const SECRETS: &str = "[auth]\ntoken = \"hunter2-hunter2\"\n[server]\nport = 1\n";

#[test]
fn a_secret_is_never_read_shown_or_recorded() {
    let case = Wanted {
        format: "toml",
        found: SECRETS,
        script: "get auth.token\nkeys auth\nmove auth.token server.token\nmove auth.token auth.key\n\
                 set server.port 2\n",
        grants: ALL_KEYS,
        secret: "\"auth.**\"",
    }
    .inside();
    let plan = ["plan", case.install, case.new.to_str().unwrap()];
    let mut told = vec![case.machine.run(plan).expect(0)];
    let plan = [plan.as_slice(), &["--json", "-v"]].concat();
    told.push(case.machine.run(plan).expect(0));
    let applied = case.machine.apply(case.install, &case.new).expect(0);
    assert_eq!(
        log(&applied.json()),
        [
            "get auth.token: Secret",
            "keys auth: ok ",
            "move auth.token server.token: Secret",
            "move auth.token auth.key: ok ",
            "set server.port 2: ok ",
        ]
    );
    let moved = json!({
        "key": "agent:auth.key", "old": null, "new": "(secret)", "moved_from": "agent:auth.token",
    });
    let config = applied.json()["config"].clone();
    assert!(config.as_array().unwrap().contains(&moved), "{config}");
    told.push(applied);
    told.push(case.machine.run(["history", case.install]).expect(0));
    let arguments = ["history", case.install, "--json"];
    told.push(case.machine.run(arguments).expect(0));
    for ran in &told {
        assert!(!ran.stdout.contains("hunter2"), "{}", ran.stdout);
        assert!(!ran.stderr.contains("hunter2"), "{}", ran.stderr);
    }
    let state = PathBuf::from(format!("{}.cofferdam", case.install));
    for file in ["history.jsonl", "transaction.json", "refused.json"] {
        let text = fs::read_to_string(state.join(file)).unwrap_or_default();
        assert!(!text.contains("hunter2"), "{file}");
    }
    assert!(case.config().contains("key = \"hunter2-hunter2\""));
}

#[test]
fn the_operator_can_declare_more_secrets_than_the_vendor() {
    let case = Wanted {
        format: "toml",
        found: SECRETS,
        script: "get server.port\nget auth.token\n",
        grants: ALL_KEYS,
        secret: "\"auth.**\"",
    }
    .inside();
    let text = "[config.agent]\nsecret = [\"server.*\"]";
    case.machine.settings(case.install, text);
    let applied = case.applied();
    let secret = ["get server.port: Secret", "get auth.token: Secret"];
    assert_eq!(log(&applied), secret);
}

#[test]
fn a_key_that_was_not_granted_is_neither_read_nor_written() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: "get net.port\nset net.port 1\nget net.host\nset net.host b\nmove net.port net.host\n\
                 remove net.old\nkeys net\n",
        grants: "config.read = [\"net.port\"]",
        secret: "",
    }
    .inside();
    let applied = case.applied();
    let log = log(&applied);
    assert_eq!(log[0], "get net.port: ok Some(Scalar(Integer(80)))");
    for line in &log[1..6] {
        assert!(line.ends_with("NotGranted"), "{line}");
    }
    assert_eq!(log[6], "keys net: ok net.port");
    assert_eq!(case.config(), TOML);
    let denied = &applied["steps"][0]["keys"]["denied"];
    assert_eq!(
        denied,
        &json!(["agent:net.host", "agent:net.old", "agent:net.port"])
    );
}

#[test]
fn a_value_of_another_type_is_not_forced_into_a_key() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: "set net.port text\nset net.host 5\nget net.host u16\n",
        grants: ALL_KEYS,
        secret: "",
    }
    .inside();
    let applied = case.applied();
    for line in log(&applied) {
        assert!(line.contains("TypeMismatch"), "{line}");
    }
    assert_eq!(case.config(), TOML);
}

#[test]
fn what_an_operator_edits_after_the_plan_is_kept_and_makes_another_outcome_only_at_those_keys() {
    let case = Wanted {
        format: "toml",
        found: TOML,
        script: "set net.port 8080\n",
        grants: ALL_KEYS,
        secret: "",
    }
    .outside();
    let plan = case.machine.plan(case.install, &case.new);
    let expected = plan["outcome_digest"].as_str().unwrap();
    fs::write(&case.file, TOML.replace("80 #", "81 #")).unwrap();
    let package = case.new.to_str().unwrap();
    let apply = [
        "apply",
        case.install,
        package,
        "--expect",
        expected,
        "--json",
    ];
    let ran = case.machine.run(apply).expect(4);
    assert_eq!(ran.code(), "outcome-differs");
    assert!(case.config().contains("port = 81"));

    let edited = TOML.replace("'a'", "'b' # edited");
    fs::write(&case.file, &edited).unwrap();
    case.machine.run(apply).expect(0);
    assert_eq!(case.config(), edited.replace("80", "8080"));
}

#[test]
fn a_file_that_is_damaged_or_missing_or_a_fifo_is_refused_and_never_waited_for() {
    let wanted = Wanted {
        format: "toml",
        found: "[net\nport = ",
        script: "set net.port 8080\n",
        grants: ALL_KEYS,
        secret: "",
    };
    for case in [wanted.inside(), wanted.outside()] {
        let ran = case.machine.apply(case.install, &case.new).expect(4);
        assert_eq!(ran.json()["error"]["details"]["config"], "agent");
        fs::remove_file(&case.file).unwrap();
        let made = std::process::Command::new("mkfifo")
            .arg(&case.file)
            .status();
        assert!(made.unwrap().success());
        let ran = case.machine.apply(case.install, &case.new).expect(1);
        assert!(!ran.code().is_empty());
        fs::remove_file(&case.file).unwrap();
        case.applied();
        assert_eq!(case.config(), "[net]\nport = 8080\n");
    }
}
