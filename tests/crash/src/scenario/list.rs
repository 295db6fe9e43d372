// SPDX-License-Identifier: Apache-2.0
//! The scenarios: each lays out one machine and names the commands that are crashed there.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot lay out its machine has nothing to say"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;

use super::Act;
use super::Between;
use super::Scenario;
use super::Step;
use crate::machine::Machine;
use crate::machine::Service;
use crate::machine::Source;

fn step(arguments: &[&str], exit: i32) -> Step {
    Step {
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        exit,
    }
}

fn apply(machine: &Machine, package: &Path, exit: i32) -> Step {
    let package = package.to_str().unwrap();
    step(&["apply", machine.str(INSTALL), package, "--json"], exit)
}

/// An update, which is applied once more when it is there already.
fn update(machine: &Machine, package: &Path) -> Act {
    Act {
        step: apply(machine, package, 0),
        again: vec![apply(machine, package, 0)],
    }
}

fn other(machine: &Machine, words: &[&str]) -> Act {
    let mut arguments = vec![words[0], machine.str(INSTALL)];
    arguments.extend(&words[1..]);
    Act {
        step: step(&arguments, 0),
        again: Vec::new(),
    }
}

const INSTALL: &str = crate::machine::INSTALL;

/// Two versions: files that stay, change, come and go; a mode, a symlink and a seed.
fn version<'a>(machine: &'a Machine, version: &str, agent: &str) -> Source<'a> {
    let source = machine
        .source(version)
        .file_with_mode("bin/run", "always the same", 0o755)
        .file("agent", agent)
        .file("share/same", "same")
        .file("share/deep/er/same", "same too")
        .file("share/changed", version)
        .file(&format!("only/{version}"), version)
        .seed("conf/seed.toml", "port = 80\n");
    if version == "1.0.0" {
        source.file_with_mode("bin/mode", "m", 0o644)
    } else {
        let source = source.file_with_mode("bin/mode", "m", 0o755);
        source.symlink("share/link", "same")
    }
}

fn plain(machine: &Machine) -> Vec<PathBuf> {
    vec![
        version(machine, "1.0.0", "one").pack(),
        version(machine, "1.1.0", "two").pack(),
    ]
}

/// The first package, laid out and adopted, with data of the operator's.
fn adopted(machine: &Machine, packages: &[PathBuf]) -> String {
    let install = machine.install();
    laid_out(machine, packages);
    let text = install.to_str().unwrap().to_owned();
    adopt(machine, packages);
    text
}

fn laid_out(machine: &Machine, packages: &[PathBuf]) {
    let install = machine.install();
    machine.lay_out(&packages[0], &install);
    fs::create_dir_all(install.join("data/empty")).unwrap();
    for name in ["a", "b"] {
        fs::write(install.join("data").join(name), format!("state {name}")).unwrap();
    }
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(install.join("data/b"), private).unwrap();
}

fn adopt_words(machine: &Machine, packages: &[PathBuf]) -> Vec<String> {
    let key = packages[0].with_file_name("../acme.pub");
    let words = [
        "adopt",
        machine.str(INSTALL),
        "--trust",
        key.to_str().unwrap(),
        "--package",
        packages[0].to_str().unwrap(),
    ];
    words.map(str::to_owned).to_vec()
}

fn adopt(machine: &Machine, packages: &[PathBuf]) {
    machine.run(adopt_words(machine, packages)).expect(0);
}

fn applied(machine: &Machine, package: &Path) {
    let install = machine.str(INSTALL);
    machine
        .run(["apply", install, package.to_str().unwrap()])
        .expect(0);
}

/// The script that the steps carry out is a file of the operator's. A plan then leaves their compiled
/// code in the cache, so that not every point has to compile them.
fn script(machine: &Machine, packages: &[PathBuf], text: &str) {
    fs::write(machine.install().join("script"), text).unwrap();
    let package = packages[1].to_str().unwrap();
    let planned = machine.run(["plan", machine.str(INSTALL), package]);
    assert!(matches!(planned.exit, Some(0 | 5)), "{planned:?}");
}

const FILES_AND_KEYS: &str = "strict\nappend data/a more\nwrite data/new text\n\
                              set port 8080\nset host b\n";
const GRANTS: &str = "read = [\"**\"]\nwrite = [\"data/**\"]\nconfig.write = [\"**\"]\n";
const ONE_CONFIG: &str = "[config.agent]\nfile = \"conf/seed.toml\"\nformat = \"toml\"\n";
const TWO_CONFIGS: &str = "[config.one]\nfile = \"one.toml\"\nformat = \"toml\"\n\
                           [config.two]\nfile = \"two.json\"\nformat = \"json\"\n\
                           [config.three]\nfile = \"three.env\"\nformat = \"env\"\n";

/// Every scenario.
///
/// # Panics
/// Its functions do, when they cannot lay out a machine.
pub fn all() -> Vec<Scenario> {
    vec![
        Scenario {
            name: "upgrade",
            about: "an update of plain files",
            is_small: true,
            build: plain,
            lay_out: |machine, packages| drop(adopted(machine, packages)),
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "service",
            about: "an update of a service that must run again afterwards",
            is_small: true,
            build: plain,
            lay_out: |machine, packages| {
                let install = adopted(machine, packages);
                let _its_files_stay = Service::running(machine, &install, "true", "true");
            },
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "steps",
            about: "an update whose steps change files and configuration keys",
            is_small: false,
            build: |machine| {
                let new = version(machine, "1.1.0", "two").toml(ONE_CONFIG);
                let new = new.step("prepare", "prepare", "script", GRANTS);
                let new = new.step("migrate", "migrate", "script", GRANTS);
                vec![
                    version(machine, "1.0.0", "one").toml(ONE_CONFIG).pack(),
                    new.pack(),
                ]
            },
            lay_out: |machine, packages| {
                adopted(machine, packages);
                script(machine, packages, FILES_AND_KEYS);
            },
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "compile",
            about: "an update whose step must be compiled first",
            is_small: false,
            build: |machine| {
                let new = version(machine, "1.1.0", "two");
                let new = new.step("migrate", "migrate", "script", GRANTS_WITHOUT_KEYS);
                vec![version(machine, "1.0.0", "one").pack(), new.pack()]
            },
            lay_out: |machine, packages| {
                adopted(machine, packages);
                fs::write(
                    machine.install().join("script"),
                    "strict\nappend data/a more\nrename data/b data/c\n",
                )
                .unwrap();
            },
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "config-elsewhere",
            about: "an update that changes two configuration files on another file system, and creates one",
            is_small: true,
            build: |machine| {
                let keys =
                    "read = [\"script\"]\nconfig.write = [\"one:**\", \"two:**\", \"three:**\"]\n";
                let new = version(machine, "1.1.0", "two").toml(TWO_CONFIGS);
                vec![
                    version(machine, "1.0.0", "one").toml(TWO_CONFIGS).pack(),
                    new.step("keys", "migrate", "script", keys).pack(),
                ]
            },
            lay_out: |machine, packages| {
                let install = adopted(machine, packages);
                let mut settings = String::new();
                for (name, text) in [
                    ("one.toml", Some("port = 80\n")),
                    ("two.json", Some("{\"host\": \"a\"}\n")),
                    ("three.env", None),
                ] {
                    let path = machine.elsewhere(name);
                    if let Some(text) = text {
                        fs::write(&path, text).unwrap();
                        let mode = fs::Permissions::from_mode(0o640);
                        fs::set_permissions(&path, mode).unwrap();
                    }
                    let short = name.split('.').next().unwrap();
                    let path = path.display();
                    writeln!(settings, "[config.{short}]\nfile = \"{path}\"").unwrap();
                }
                machine.settings(&install, &settings);
                script(
                    machine,
                    packages,
                    "strict\nset one:port 8080\nset two:host b\nset three:NEW yes\n",
                );
            },
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "rollback",
            about: "the way back to the older generation",
            is_small: true,
            build: plain,
            lay_out: |machine, packages| {
                adopted(machine, packages);
                applied(machine, &packages[1]);
            },
            acts: |machine, _| vec![other(machine, &["rollback"])],
            between: None,
        },
        Scenario {
            name: "keep-state",
            about: "the way back with today's state",
            is_small: false,
            build: plain,
            lay_out: |machine, packages| {
                adopted(machine, packages);
                applied(machine, &packages[1]);
                fs::write(machine.install().join("data/a"), "since then").unwrap();
            },
            acts: |machine, _| {
                let confirm = other(machine, &["confirm"]).step;
                vec![Act {
                    again: vec![confirm],
                    ..other(machine, &["rollback", "--to", "1", "--keep-state"])
                }]
            },
            between: None,
        },
        Scenario {
            name: "failing-step",
            about: "an update whose step refuses",
            is_small: false,
            build: |machine| {
                let new = version(machine, "1.1.0", "two");
                vec![
                    version(machine, "1.0.0", "one").pack(),
                    new.step("refuses", "migrate", "script", GRANTS_WITHOUT_KEYS)
                        .pack(),
                ]
            },
            lay_out: |machine, packages| {
                let install = adopted(machine, packages);
                script(
                    machine,
                    packages,
                    "strict\nappend data/a more\nanswer refuse\n",
                );
                let _its_files_stay = Service::running(machine, &install, "true", "true");
            },
            acts: |machine, packages| {
                vec![Act {
                    step: apply(machine, &packages[1], 5),
                    again: vec![apply(machine, &packages[1], 5)],
                }]
            },
            between: None,
        },
        Scenario {
            name: "unhealthy",
            about: "an update that is found unhealthy and rolled back",
            is_small: false,
            build: |machine| {
                let new = version(machine, "1.1.0", "two");
                let health = "read = [\"script\"]\n";
                vec![
                    version(machine, "1.0.0", "one").pack(),
                    new.step("health", "health", "script", health).pack(),
                ]
            },
            lay_out: |machine, packages| {
                let install = adopted(machine, packages);
                script(machine, packages, "answer unhealthy\n");
                let _its_files_stay = Service::running(machine, &install, "true", "true");
            },
            acts: |machine, packages| {
                vec![Act {
                    step: apply(machine, &packages[1], 7),
                    again: vec![apply(machine, &packages[1], 4)],
                }]
            },
            between: Some(|machine| Between {
                name: "committed and not judged",
                onwards: vec![step(&["rollback", machine.str(INSTALL)], 0)],
            }),
        },
        Scenario {
            name: "two-packages",
            about: "two updates in a row, the second of which lets the oldest generation go",
            is_small: false,
            build: |machine| {
                let mut packages = plain(machine);
                packages.push(version(machine, "1.2.0", "three").pack());
                packages
            },
            lay_out: |machine, packages| {
                adopted(machine, packages);
                let settings = crate::machine::state_of(&machine.install()).join("install.toml");
                let text = fs::read_to_string(&settings).unwrap();
                fs::write(
                    &settings,
                    text.replace("generations = 3", "generations = 2"),
                )
                .unwrap();
            },
            acts: |machine, packages| {
                vec![update(machine, &packages[1]), update(machine, &packages[2])]
            },
            between: None,
        },
        Scenario {
            name: "first-install",
            about: "the first package in an empty directory",
            is_small: false,
            build: plain,
            lay_out: |machine, packages| {
                fs::create_dir(machine.install()).unwrap();
                let key = packages[0].with_file_name("../acme.pub");
                let key = key.to_str().unwrap();
                let install = machine.str(INSTALL);
                machine
                    .run(["adopt", install, "--trust", key, "--id", "agent"])
                    .expect(0);
            },
            acts: |machine, packages| vec![update(machine, &packages[0])],
            between: None,
        },
        Scenario {
            name: "adopt",
            about: "a directory that comes under care",
            is_small: true,
            build: plain,
            lay_out: laid_out,
            acts: |machine, packages| {
                vec![Act {
                    step: Step {
                        arguments: adopt_words(machine, packages),
                        exit: 0,
                    },
                    again: Vec::new(),
                }]
            },
            between: None,
        },
        Scenario {
            name: "release",
            about: "a directory that goes out of care",
            is_small: false,
            build: plain,
            lay_out: |machine, packages| drop(adopted(machine, packages)),
            acts: |machine, _| vec![other(machine, &["release"])],
            between: None,
        },
        Scenario {
            name: "repair",
            about: "the live package once more, over a file that somebody edited",
            is_small: false,
            build: plain,
            lay_out: |machine, packages| {
                adopted(machine, packages);
                fs::write(machine.install().join("share/same"), "edited").unwrap();
            },
            acts: |machine, packages| vec![update(machine, &packages[0])],
            between: None,
        },
        Scenario {
            name: "plan",
            about: "a plan, which changes nothing",
            is_small: false,
            build: plain,
            lay_out: |machine, packages| drop(adopted(machine, packages)),
            acts: |machine, packages| {
                let package = packages[1].to_str().unwrap();
                vec![other(machine, &["plan", package])]
            },
            between: None,
        },
        Scenario {
            name: "many-files",
            about: "an update of 400 files",
            is_small: false,
            build: |machine| {
                let files = |number: &str, agent: &str| {
                    let mut source = version(machine, number, agent);
                    for file in 0..400 {
                        let content = if file % 4 == 0 { number } else { "same" };
                        source = source.file(&format!("many/{}/{file}", file % 7), content);
                    }
                    source.pack()
                };
                vec![files("1.0.0", "one"), files("1.1.0", "two")]
            },
            lay_out: |machine, packages| drop(adopted(machine, packages)),
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
        Scenario {
            name: "big-files",
            about: "an update of files of some MiB, beside state of some MiB",
            is_small: false,
            build: |machine| {
                let files = |number: &str, agent: &str| {
                    let big: Vec<u8> = (0..3 << 20_u32)
                        .map(|at: u32| {
                            (at.wrapping_mul(2_654_435_761) >> 24) as u8 ^ agent.as_bytes()[0]
                        })
                        .collect();
                    version(machine, number, agent)
                        .file("big/program", big)
                        .pack()
                };
                vec![files("1.0.0", "one"), files("1.1.0", "two")]
            },
            lay_out: |machine, packages| {
                adopted(machine, packages);
                let state: Vec<u8> = (0..2_500_000_u32).map(|at| (at >> 8) as u8).collect();
                fs::write(machine.install().join("data/big"), state).unwrap();
            },
            acts: |machine, packages| vec![update(machine, &packages[1])],
            between: None,
        },
    ]
}

const GRANTS_WITHOUT_KEYS: &str = "read = [\"**\"]\nwrite = [\"data/**\"]\n";
