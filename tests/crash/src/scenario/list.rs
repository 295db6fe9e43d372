// SPDX-License-Identifier: Apache-2.0
//! The scenarios: each lays out one machine and names the commands that are crashed there.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot lay out its machine has nothing to say"
)]

use std::fs;

use super::Act;
use super::Between;
use super::Scenario;
use super::Step;
use super::layout::FILES_AND_KEYS;
use super::layout::GRANTS;
use super::layout::GRANTS_WITHOUT_KEYS;
use super::layout::INSTALL;
use super::layout::ONE_CONFIG;
use super::layout::adopt_words;
use super::layout::adopted;
use super::layout::applied;
use super::layout::apply;
use super::layout::configured_elsewhere;
use super::layout::cut_off;
use super::layout::laid_out;
use super::layout::other;
use super::layout::plain;
use super::layout::script;
use super::layout::step;
use super::layout::update;
use super::layout::version;
use super::layout::with_configs_elsewhere;
use crate::journal::Stage;
use crate::machine::Service;

/// An update of plain files; the others say in what they differ.
const PLAIN: Scenario = Scenario {
    name: "upgrade",
    about: "an update of plain files",
    is_small: false,
    mutates: false,
    is_cut_off: false,
    build: plain,
    lay_out: |machine, packages| drop(adopted(machine, packages)),
    acts: |machine, packages| vec![update(machine, &packages[1])],
    between: None,
};

/// Every scenario.
///
/// # Panics
/// Its functions do, when they cannot lay out a machine.
pub fn all() -> Vec<Scenario> {
    vec![
        PLAIN,
        Scenario {
            name: "service",
            about: "an update of a service that must run again afterwards",
            mutates: true,
            is_small: true,
            lay_out: |machine, packages| {
                let install = adopted(machine, packages);
                let _its_files_stay = Service::running(machine, &install, "true", "true");
            },
            ..PLAIN
        },
        Scenario {
            name: "steps",
            about: "an update whose steps change files and configuration keys",
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
            ..PLAIN
        },
        Scenario {
            name: "compile",
            about: "an update whose step must be compiled first",
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
            ..PLAIN
        },
        Scenario {
            name: "config-elsewhere",
            about: "an update that changes two configuration files on another file system, and creates one",
            mutates: true,
            is_small: true,
            build: with_configs_elsewhere,
            lay_out: configured_elsewhere,
            ..PLAIN
        },
        Scenario {
            name: "rollback",
            about: "the way back to the older generation",
            mutates: true,
            is_small: true,
            lay_out: |machine, packages| {
                adopted(machine, packages);
                applied(machine, &packages[1]);
            },
            acts: |machine, _| vec![other(machine, &["rollback"])],
            ..PLAIN
        },
        Scenario {
            name: "rollback-elsewhere",
            about: "the way back, with configuration files on another file system",
            mutates: true,
            build: with_configs_elsewhere,
            lay_out: |machine, packages| {
                configured_elsewhere(machine, packages);
                applied(machine, &packages[1]);
            },
            acts: |machine, _| vec![other(machine, &["rollback"])],
            ..PLAIN
        },
        Scenario {
            name: "recover-forward",
            about: "the recovery of an update that was cut off behind the exchange",
            mutates: true,
            is_cut_off: true,
            build: with_configs_elsewhere,
            lay_out: |machine, packages| {
                configured_elsewhere(machine, packages);
                let apply = apply(machine, &packages[1], 0);
                cut_off(machine, &apply.arguments, Stage::Exchanged);
            },
            acts: |machine, _| vec![other(machine, &["recover"])],
            ..PLAIN
        },
        Scenario {
            name: "recover-back",
            about: "the recovery of a rollback that was cut off before the exchange",
            mutates: true,
            is_cut_off: true,
            build: with_configs_elsewhere,
            lay_out: |machine, packages| {
                configured_elsewhere(machine, packages);
                applied(machine, &packages[1]);
                let rollback = other(machine, &["rollback"]).step;
                cut_off(machine, &rollback.arguments, Stage::Committing);
            },
            acts: |machine, _| vec![other(machine, &["recover"])],
            ..PLAIN
        },
        Scenario {
            name: "keep-state",
            about: "the way back with today's state",
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
            ..PLAIN
        },
        Scenario {
            name: "failing-step",
            about: "an update whose step refuses",
            mutates: true,
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
            ..PLAIN
        },
        Scenario {
            name: "unhealthy",
            about: "an update that is found unhealthy and rolled back",
            mutates: true,
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
            ..PLAIN
        },
        Scenario {
            name: "two-packages",
            about: "two updates in a row, the second of which lets the oldest generation go",
            mutates: true,
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
            ..PLAIN
        },
        Scenario {
            name: "first-install",
            about: "the first package in an empty directory",
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
            ..PLAIN
        },
        Scenario {
            name: "adopt",
            about: "a directory that comes under care",
            mutates: true,
            is_small: true,
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
            ..PLAIN
        },
        Scenario {
            name: "release",
            about: "a directory that goes out of care",
            mutates: true,
            acts: |machine, _| vec![other(machine, &["release"])],
            ..PLAIN
        },
        Scenario {
            name: "repair",
            about: "the live package once more, over a file that somebody edited",
            lay_out: |machine, packages| {
                adopted(machine, packages);
                fs::write(machine.install().join("share/same"), "edited").unwrap();
            },
            acts: |machine, packages| vec![update(machine, &packages[0])],
            ..PLAIN
        },
        Scenario {
            name: "plan",
            about: "a plan, which changes nothing",
            acts: |machine, packages| {
                let package = packages[1].to_str().unwrap();
                vec![other(machine, &["plan", package])]
            },
            ..PLAIN
        },
        Scenario {
            name: "many-files",
            about: "an update of 400 files",
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
            ..PLAIN
        },
        Scenario {
            name: "big-files",
            about: "an update of files of some MiB, beside state of some MiB",
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
            ..PLAIN
        },
    ]
}
