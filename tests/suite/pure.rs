// SPDX-License-Identifier: Apache-2.0
//! The same package on the same tree makes the same: on every file system, twice in a row, with steps
//! compiled fresh and from the cache.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use serde_json::Value;
use serde_json::json;

use crate::harness::Disk;
use crate::harness::EVERY_KIND;
use crate::harness::Machine;

const GRANTS: &str = "read = [\"**\"]\nwrite = [\"data/**\"]\nconfig.read = [\"**\"]\n\
                      config.write = [\"**\"]\nlimits = { files = 1000, written = \"4MiB\", time = \"5m\" }\n";

const CONFIG: &str = "[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\n";

/// An install with much that file systems tell differently, and an update whose step writes down all of
/// it that it is told. What is made in which order differs from machine to machine, as on real ones.
struct Observed {
    machine: Machine,
    install: &'static str,
    update: PathBuf,
}

impl Observed {
    fn on(disk: Disk, number: usize) -> Option<Self> {
        let machine = Machine::on(disk)?;
        let source = |version: &str| {
            machine
                .source(version)
                .file_with_mode("bin/agent", format!("agent {version}"), 0o755)
                .file("share/lib", "lib")
                .symlink("bin/current", "agent")
                .seed("conf/agent.toml", "port = 1\n")
                .toml(CONFIG)
        };
        let old = source("1.0.0").file("share/old", "old").pack();
        let update = source("1.1.0")
            .file("share/new", "new")
            .step("observe", "migrate", "observes", GRANTS)
            .pack();
        let install = machine.adopted(&old);
        fill(Path::new(install), number);
        Some(Self {
            machine,
            install,
            update,
        })
    }

    fn plan(&self) -> Value {
        told(&self.machine.plan(self.install, &self.update))
    }
}

/// What must be the same everywhere: the digests, what changes, and what the step did and used.
fn told(report: &Value) -> Value {
    let steps = report["steps"].as_array().unwrap();
    let records = steps.iter().map(|step| {
        let mut record = step["record"].clone();
        assert!(
            record["usage"]
                .as_object_mut()
                .unwrap()
                .remove("time_ms")
                .is_some(),
            "{record}"
        );
        record
    });
    let records: Vec<Value> = records.collect();
    json!({
        "outcome": report["outcome_digest"],
        "data": report["data_digest"],
        "files": report["files"],
        "config": report["config"],
        "records": records,
    })
}

/// State that is the same for whoever sees names, kinds and content, and made in another order each time.
fn fill(install: &Path, number: usize) {
    let at = |path: &str| install.join("data").join(path);
    for folder in ["data", "data/deep/er", "data/empty"] {
        fs::create_dir_all(install.join(folder)).unwrap();
    }
    let mut names: Vec<String> = (0..300_u32)
        .map(|name| format!("{:08x}", name.wrapping_mul(0x9e37_79b9)))
        .collect();
    let names_in_all = names.len();
    names.rotate_left(number * 41 % names_in_all);
    for name in &names {
        fs::write(at(name), name.repeat(number + 1)).unwrap();
        fs::write(at(name), name).unwrap();
    }
    fs::write(at("a"), "hello").unwrap();
    fs::write(at("nothing"), "").unwrap();
    fs::hard_link(at("a"), at("deep/also-a")).unwrap();
    for (target, link) in [
        ("a", "short"),
        ("deep/../a", "around"),
        ("gone", "dangling"),
    ] {
        std::os::unix::fs::symlink(target, at(link)).unwrap();
    }
    std::os::unix::fs::symlink("n/".repeat(100), at("long")).unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(1 << 20).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        at("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
}

#[test]
pub(crate) fn an_update_makes_the_same_on_every_file_system_twice_in_a_row_and_from_the_cache() {
    let mut first: Option<(Disk, Value, String)> = None;
    for (number, disk) in EVERY_KIND.into_iter().enumerate() {
        let Some(observed) = Observed::on(disk, number) else {
            continue;
        };
        let Observed {
            machine,
            install,
            update,
        } = &observed;
        let cache = Path::new(&format!("{install}.cofferdam")).join("cache");
        let compiled = observed.plan();
        let code = fs::read_dir(&cache).unwrap().count();
        let cached = observed.plan();
        assert_eq!(cached, compiled, "{disk:?}: from the cache");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), code);
        let applied = machine.apply(install, update).expect(0).json();
        assert_eq!(told(&applied), compiled, "{disk:?}: applied");
        let seen = fs::read_to_string(Path::new(install).join("data/seen")).unwrap();
        assert!(
            seen.contains("/data/deep") && seen.contains("also-a"),
            "{seen}"
        );
        match &first {
            None => first = Some((disk, compiled, seen)),
            Some((other, expected, same)) => {
                for (line, (left, right)) in same.lines().zip(seen.lines()).enumerate() {
                    assert_eq!(right, left, "line {line} on {disk:?} and on {other:?}");
                }
                assert_eq!(&seen, same, "{disk:?} and {other:?}");
                assert_eq!(&compiled, expected, "{disk:?} and {other:?}");
            }
        }
    }
}

/// What a step with this script would do to an install with a link and a closed directory.
fn digests_of(script: &str) -> Value {
    let machine = Machine::new();
    let old = machine.source("1.0.0").file("bin/agent", "1").pack();
    let new = machine
        .source("1.1.0")
        .file("bin/agent", "2")
        .step(
            "script",
            "migrate",
            "script",
            "read = [\"**\"]\nwrite = [\"data/**\"]\n",
        )
        .pack();
    let install = machine.adopted(&old);
    let at = |path: &str| Path::new(install).join(path);
    fs::create_dir_all(at("data/closed")).unwrap();
    fs::set_permissions(at("data/closed"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink("old", at("data/current")).unwrap();
    // Nothing else may differ: the script is no part of the package.
    fs::write(at("script"), script).unwrap();
    let plan = machine.plan(install, &new);
    json!([plan["outcome_digest"], plan["data_digest"]])
}

#[test]
fn two_results_have_not_the_same_digests() {
    let scripts = [
        "",
        "unlink data/current\nsymlink good data/current\n",
        "unlink data/current\nsymlink evil data/current\n",
        "unlink data/current\nmkdir data/current\n",
        "rmdir data/closed\nmkdir data/closed\n",
        "rmdir data/closed\nwrite data/closed x\n",
    ];
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    for script in scripts {
        let digests = digests_of(script).to_string();
        let other = seen.insert(digests, script);
        assert_eq!(other, None, "as {script:?}");
    }
}
