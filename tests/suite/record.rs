// SPDX-License-Identifier: Apache-2.0
//! Who reads the record of a step knows what it did, whoever changes the history is found out, and no
//! secret is in either.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use cofferdam_package::digest::Digest;
use serde_json::Value;
use serde_json::json;

use crate::harness::Machine;

const WRITE_DATA: &str = "read = [\"**\"]\nwrite = [\"data/**\"]";

/// An install with state, and a package with a step for each script.
struct Case {
    machine: Machine,
    install: &'static str,
    new: PathBuf,
}

impl Case {
    fn new(scripts: &[(&str, &str)], state: &[(&str, &str)]) -> Self {
        Self::with(scripts, state, "")
    }

    fn with(scripts: &[(&str, &str)], state: &[(&str, &str)], toml: &str) -> Self {
        let machine = Machine::new();
        let mut old = machine.source("1.0.0").toml(toml);
        let mut new = machine.source("1.1.0").toml(toml);
        for (number, (phase, script)) in scripts.iter().enumerate() {
            let file = format!("script-{number}");
            old = old.file(&file, script);
            new = new.file(&file, script).step(
                &format!("step-{number}"),
                phase,
                "script",
                WRITE_DATA,
            );
        }
        let (old, new) = (old.pack(), new.pack());
        let install = machine.adopted(&old);
        for (path, content) in state {
            let path = Path::new(install).join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self {
            machine,
            install,
            new,
        }
    }

    fn plan(&self) -> Value {
        self.machine.plan(self.install, &self.new)
    }

    fn applied(&self) -> Value {
        self.machine.apply(self.install, &self.new).expect(0).json()
    }

    fn history_file(&self) -> PathBuf {
        PathBuf::from(format!("{}.cofferdam/history.jsonl", self.install))
    }
}

fn file(content: &str) -> Value {
    json!({
        "type": "file",
        "bytes": content.len(),
        "digest": Digest::of(content.as_bytes()).to_string(),
    })
}

/// What a record says of a path: what happened, before, after.
#[track_caller]
fn at<'a>(step: &'a Value, path: &str) -> (&'a Value, &'a Value, &'a Value) {
    let files = step["record"]["files"].as_array().unwrap();
    let found = files.iter().find(|file| file["path"] == path);
    let found = found.unwrap_or_else(|| panic!("no `{path}` in {files:?}"));
    (found, &found["before"], &found["after"])
}

#[test]
fn each_changed_path_is_told_as_it_was_and_as_it_is_now_step_by_step() {
    let first = "read data/a\nwrite data/a changed\nunlink data/b\nrename data/sub data/moved\n\
                 symlink a data/link\nmkdir data/new\nwrite elsewhere no\n";
    let second = "append data/a !\nrename data/a data/z\nwrite data/b again\nunlink data/link\n";
    let case = Case::new(
        &[("prepare", first), ("migrate", second)],
        &[
            ("data/a", "hello"),
            ("data/b", "bee"),
            ("data/sub/c", "deep"),
        ],
    );
    let plan = case.plan();
    let applied = case.applied();
    for told in [&plan, &applied] {
        let [one, two] = [&told["steps"][0], &told["steps"][1]];
        let nothing = &Value::Null;
        let (what, before, after) = at(one, "data/a");
        assert_eq!(
            (&what["read_bytes"], &what["written"]),
            (&json!(5), &json!(true))
        );
        assert_eq!((before, after), (&file("hello"), &file("changed")));
        let (what, before, after) = at(one, "data/b");
        assert_eq!(what["removed"], true);
        assert_eq!((before, after), (&file("bee"), nothing));
        let (what, before, after) = at(one, "data/sub/c");
        assert_eq!(what["renamed_to"], "data/moved/c");
        assert_eq!((before, after), (&file("deep"), nothing));
        let (what, before, after) = at(one, "data/moved/c");
        assert_eq!(what["renamed_from"], "data/sub/c");
        assert_eq!((before, after), (nothing, &file("deep")));
        let directory = json!({ "type": "directory" });
        assert_eq!(at(one, "data/sub").1, &directory);
        assert_eq!(at(one, "data/new").2, &directory);
        let link = json!({ "type": "symlink", "target": "a" });
        assert_eq!(
            (at(one, "data/link").1, at(one, "data/link").2),
            (nothing, &link)
        );
        let (what, before, after) = at(one, "elsewhere");
        assert_eq!(what["denied"], json!(["create"]));
        assert_eq!((before, after), (nothing, nothing));

        assert_eq!(
            (at(two, "data/a").1, at(two, "data/a").2),
            (&file("changed"), nothing)
        );
        assert_eq!(
            (at(two, "data/z").1, at(two, "data/z").2),
            (nothing, &file("changed!"))
        );
        assert_eq!(
            (at(two, "data/b").1, at(two, "data/b").2),
            (nothing, &file("again"))
        );
        assert_eq!(
            (at(two, "data/link").1, at(two, "data/link").2),
            (&link, nothing)
        );
        let totals = &one["record"]["totals"];
        assert_eq!(
            (&totals["removed"], &totals["denied"]),
            (&json!(1), &json!(1))
        );
        assert_eq!(
            totals["bytes_before"],
            "hello".len() + "bee".len() + "deep".len()
        );
    }
    // Nothing was cut, so the history has the same.
    let steps = case.machine.history(case.install).into_iter();
    let steps: Vec<Value> = steps.filter(|record| record["kind"] == "step").collect();
    assert_eq!(steps[2]["body"], applied["steps"][0]);
    assert_eq!(steps[3]["body"], applied["steps"][1]);
}

#[test]
fn a_step_that_fails_is_recorded_as_far_as_it_came() {
    let script = "write data/a changed\nstrict\nread nothing\n";
    let case = Case::new(&[("migrate", script)], &[("data/a", "hello")]);
    let ran = case.machine.apply(case.install, &case.new).expect(5).json();
    let step = &ran["error"]["details"]["steps"][0];
    let (_, before, after) = at(step, "data/a");
    assert_eq!((before, after), (&file("hello"), &file("changed")));
    let history = case.machine.history(case.install);
    let recorded = &history[history.len() - 2]["body"];
    assert_eq!(at(recorded, "data/a").2, &file("changed"));
}

#[test]
fn limits_imports_keys_verdict_and_log_are_in_the_record_and_shown() {
    let case = Case::with(
        &[(
            "migrate",
            "write data/a changed\nget net.port\nget auth.token\nunlink data/b\n",
        )],
        &[
            ("data/a", "hello"),
            ("data/b", "bee"),
            ("conf/agent.toml", "[net]\nport = 1\n"),
        ],
        "[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\nsecret = [\"auth.*\"]",
    );
    let plan = case.plan();
    let step = &plan["steps"][0];
    let usage = &step["record"]["usage"];
    for member in [
        "fuel",
        "memory_peak_bytes",
        "written_bytes",
        "read_bytes",
        "log_bytes",
    ] {
        assert!(usage[member].as_u64().unwrap() > 0, "{member}: {usage}");
    }
    assert!(usage["time_ms"].is_u64() && usage["files"] == 0, "{usage}");
    assert_eq!(
        step["keys"]["denied"],
        json!(["agent:auth.token", "agent:net.port"])
    );
    let imports = step["record"]["imports"].as_array().unwrap();
    let interface = |import: &Value| import["interface"].as_str().unwrap().to_owned();
    assert!(
        imports
            .iter()
            .map(interface)
            .any(|name| name.starts_with("cofferdam:step/log@"))
    );
    assert_eq!(
        (&step["verdict"], &step["record"]["lost"]),
        (&json!("ok"), &json!(false))
    );
    assert_eq!(step["record"]["log"].as_array().unwrap().len(), 4);

    let text = ["plan", case.install, case.new.to_str().unwrap()];
    let text = case.machine.run(text).expect(0).stdout;
    let digest = |content: &str| Digest::of(content.as_bytes()).to_string()[..12].to_owned();
    let changed = format!(
        "written        data/a  (5 B {} → 7 B {})",
        digest("hello"),
        digest("changed")
    );
    let removed = format!("removed        data/b  (3 B {} → nothing)", digest("bee"));
    for shown in [
        changed.as_str(),
        removed.as_str(),
        "keys DENIED    agent:auth.token  agent:net.port",
        " s, memory ",
        " interfaces",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
}

#[test]
fn a_plan_whose_step_refuses_is_in_the_history_with_what_the_step_did() {
    let case = Case::with(
        &[("migrate", "strict\nwrite data/a changed\nanswer refuse\n")],
        &[("data/a", "hello")],
        "",
    );
    let plan = ["plan", case.install, case.new.to_str().unwrap(), "--json"];
    let code = case.machine.run(plan).expect(5).code();
    let history = case.machine.history(case.install);
    let [.., step, transaction] = &history[..] else {
        panic!("{history:?}")
    };
    assert_eq!(step["body"]["record"]["files"][0]["path"], "data/a");
    let body = &transaction["body"];
    assert_eq!(
        (&body["kind"], &body["code"]),
        (&json!("plan"), &json!(code))
    );
    let status = case.machine.status(case.install);
    assert_eq!(status["last"]["txid"], transaction["txid"]);
}

#[test]
fn no_digest_of_a_file_with_a_secret_is_told_under_any_name() {
    const TOKEN: &str = "hunter2-hunter2";
    let config = format!("[auth]\ntoken = \"{TOKEN}\"\n");
    let backup = format!("# of last year\n{config}");
    let script = "rename data/token data/other\ncopy data/backup data/copy\nunlink data/config\n\
                  write data/backup harmless\nwrite data/plain changed\nunlink conf/agent.toml\n";
    let case = Case::with(
        &[("migrate", script)],
        &[
            ("conf/agent.toml", &config),
            ("data/config", &config),
            ("data/backup", &backup),
            ("data/token", TOKEN),
            ("data/plain", "plain"),
        ],
        "[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\nsecret = [\"auth.*\"]",
    );
    let plan = ["plan", case.install, case.new.to_str().unwrap(), "--json"];
    let plan = case.machine.run(plan).expect(0);
    let withheld = json!({ "type": "withheld" });
    let told = plan.json();
    let step = &told["steps"][0];
    let nothing = &Value::Null;
    assert_eq!(
        (at(step, "data/token").1, at(step, "data/token").2),
        (&withheld, nothing)
    );
    assert_eq!(
        (at(step, "data/other").1, at(step, "data/other").2),
        (nothing, &withheld)
    );
    assert_eq!(
        (at(step, "data/copy").1, at(step, "data/copy").2),
        (nothing, &withheld)
    );
    assert_eq!(
        (at(step, "data/config").1, at(step, "data/config").2),
        (&withheld, nothing)
    );
    assert_eq!(
        (at(step, "data/backup").1, at(step, "data/backup").2),
        (&withheld, &file("harmless"))
    );
    assert_eq!(
        (at(step, "data/plain").1, at(step, "data/plain").2),
        (&file("plain"), &file("changed"))
    );
    let (denied, before, after) = at(step, "conf/agent.toml");
    assert_eq!(denied["denied"], json!(["remove"]));
    assert_eq!((before, after), (nothing, nothing));
    let applied = case.machine.apply(case.install, &case.new).expect(0);
    let history = fs::read_to_string(case.history_file()).unwrap();
    for secret in [TOKEN, &config, &backup] {
        let digest = Digest::of(secret.as_bytes()).to_string();
        for told in [&plan.stdout, &applied.stdout, &history] {
            assert!(!told.contains(&digest[..12]), "of {secret}");
        }
    }
}

#[test]
fn no_number_of_denials_pushes_a_change_out_of_the_plan_or_the_history() {
    let denials: Vec<String> = (0..600).map(|n| format!("mkdir a{n:04}\n")).collect();
    let script = format!("{}write data/zz changed\n", denials.concat());
    let case = Case::new(&[("migrate", &script)], &[("data/zz", "hello")]);
    let plan = ["plan", case.install, case.new.to_str().unwrap()];
    let shown = case.machine.run(plan).expect(0).stdout;
    let (change, denial) = (shown.find(" data/zz "), shown.find(" a0000"));
    assert!(change.is_some() && change < denial, "{shown}");
    case.applied();
    let history = case.machine.history(case.install);
    let step = history.iter().rfind(|record| record["kind"] == "step");
    let files = step.unwrap()["body"]["record"]["files"].as_array().unwrap();
    let has = |path: &str| {
        files
            .iter()
            .any(|file| file["path"].as_str().unwrap().starts_with(path))
    };
    assert!(has("data/zz") && has("a0000"), "{files:?}");
}

#[test]
fn a_history_that_was_changed_anywhere_is_found_out() {
    let case = Case::new(
        &[("migrate", "write data/a changed\n")],
        &[("data/a", "hello")],
    );
    case.applied();
    let path = case.history_file();
    let sound = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = sound.split_inclusive('\n').collect();
    let [adopted, step, transaction, confirmed] = lines[..] else {
        panic!("{lines:?}");
    };
    let verify = |from: &str| {
        let verify = [
            "history",
            case.install,
            "--verify",
            "--json",
            "--from",
            from,
        ];
        case.machine.run(verify)
    };
    let whole = verify("1").expect(0).json();
    assert_eq!(whole["end"]["seq"], 4);
    let last = Digest::of(confirmed.trim_end().as_bytes()).to_string();
    assert_eq!(whole["end"]["digest"], last);
    for (what, damaged, code) in [
        (
            "changed",
            sound.replacen("step-0", "step-1", 1),
            "history-unreadable",
        ),
        (
            "last one changed",
            sound.replacen("\"by\":\"health\"", "\"by\":\"nobody\"", 1),
            "history-unreadable",
        ),
        (
            "missing in the middle",
            [adopted, step, confirmed].concat(),
            "history-unreadable",
        ),
        (
            "first one missing",
            [step, transaction, confirmed].concat(),
            "history-unreadable",
        ),
        (
            "last one missing",
            [adopted, step, transaction].concat(),
            "history-cut",
        ),
        ("all but one missing", adopted.to_owned(), "history-cut"),
        ("all missing", String::new(), "history-cut"),
        (
            "in another order",
            [adopted, transaction, step, confirmed].concat(),
            "history-unreadable",
        ),
        (
            "twice the same",
            [&sound, confirmed].concat(),
            "history-unreadable",
        ),
    ] {
        assert_ne!(damaged, sound, "{what}");
        fs::write(&path, damaged).unwrap();
        let ran = verify("1").expect(9);
        assert_eq!(ran.code(), code, "{what}: {}", ran.stdout);
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(verify("1").expect(9).code(), "history-cut");
    fs::write(&path, [adopted, step].concat()).unwrap();
    let rest = verify("1").expect(9).json();
    assert_eq!(
        rest["records"].as_array().unwrap().len(),
        2,
        "what is left is shown"
    );
    assert_eq!(rest["verified"], false);

    // Life goes on, and what was lost stays to be seen.
    fs::write(&path, [adopted, step].concat()).unwrap();
    let again = ["apply", case.install, case.new.to_str().unwrap()];
    case.machine.run(again).expect(0);
    case.plan_of_another("1.2.0");
    let ran = verify("1").expect(9);
    assert_eq!(ran.code(), "history-unreadable", "{}", ran.stdout);
    let message = ran.json()["error"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("line 3 of"), "{message}");
    let since = verify("5").expect(0).json();
    assert_eq!(since["records"][0]["prev"], last);
}

impl Case {
    /// One more record.
    fn plan_of_another(&self, version: &str) {
        let package = self
            .machine
            .source(version)
            .file("share/lib", version)
            .pack();
        self.machine.plan(self.install, &package);
    }
}
