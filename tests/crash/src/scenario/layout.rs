// SPDX-License-Identifier: Apache-2.0
//! What scenarios are made of: packages, machines laid out, commands.

#![expect(
    clippy::unwrap_used,
    reason = "a bench that cannot lay out its machine has nothing to say"
)]

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use super::Act;
use super::Step;
use crate::directors::KillIn;
use crate::filter::Openings;
use crate::journal::Stage;
use crate::machine::Machine;
use crate::machine::Source;
use crate::machine::Threads;
use crate::tracer;
use crate::tracer::Ended;
use crate::tracer::Watched;

pub(super) fn step(arguments: &[&str], exit: i32) -> Step {
    Step {
        arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        exit,
    }
}

pub(super) fn apply(machine: &Machine, package: &Path, exit: i32) -> Step {
    let package = package.to_str().unwrap();
    step(&["apply", machine.str(INSTALL), package, "--json"], exit)
}

/// An update, which is applied once more when it is there already.
pub(super) fn update(machine: &Machine, package: &Path) -> Act {
    Act {
        step: apply(machine, package, 0),
        again: vec![apply(machine, package, 0)],
    }
}

pub(super) fn other(machine: &Machine, words: &[&str]) -> Act {
    let mut arguments = vec![words[0], machine.str(INSTALL)];
    arguments.extend(&words[1..]);
    Act {
        step: step(&arguments, 0),
        again: Vec::new(),
    }
}

pub(super) const INSTALL: &str = crate::machine::INSTALL;

/// Two versions: files that stay, change, come and go; a mode, a symlink and a seed.
pub(super) fn version<'a>(machine: &'a Machine, version: &str, agent: &str) -> Source<'a> {
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

pub(super) fn plain(machine: &Machine) -> Vec<PathBuf> {
    vec![
        version(machine, "1.0.0", "one").pack(),
        version(machine, "1.1.0", "two").pack(),
    ]
}

/// The first package, laid out and adopted, with data of the operator's.
pub(super) fn adopted(machine: &Machine, packages: &[PathBuf]) -> String {
    let install = machine.install();
    laid_out(machine, packages);
    let text = install.to_str().unwrap().to_owned();
    adopt(machine, packages);
    text
}

pub(super) fn laid_out(machine: &Machine, packages: &[PathBuf]) {
    let install = machine.install();
    machine.lay_out(&packages[0], &install);
    fs::create_dir_all(install.join("data/empty")).unwrap();
    for name in ["a", "b"] {
        fs::write(install.join("data").join(name), format!("state {name}")).unwrap();
    }
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(install.join("data/b"), private).unwrap();
}

pub(super) fn adopt_words(machine: &Machine, packages: &[PathBuf]) -> Vec<String> {
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

pub(super) fn adopt(machine: &Machine, packages: &[PathBuf]) {
    machine.run(adopt_words(machine, packages)).expect(0);
}

pub(super) fn applied(machine: &Machine, package: &Path) {
    let install = machine.str(INSTALL);
    machine
        .run(["apply", install, package.to_str().unwrap()])
        .expect(0);
}

/// The script that the steps carry out is a file of the operator's. A plan then leaves their compiled
/// code in the cache, so that not every point has to compile them.
pub(super) fn script(machine: &Machine, packages: &[PathBuf], text: &str) {
    fs::write(machine.install().join("script"), text).unwrap();
    let package = packages[1].to_str().unwrap();
    let planned = machine.run(["plan", machine.str(INSTALL), package]);
    assert!(matches!(planned.exit, Some(0 | 5)), "{planned:?}");
}

/// Three configuration files on the other file system, two of which are there.
pub(super) fn with_configs_elsewhere(machine: &Machine) -> Vec<PathBuf> {
    let keys = "read = [\"script\"]\nconfig.write = [\"one:**\", \"two:**\", \"three:**\"]\n";
    let new = version(machine, "1.1.0", "two").toml(TWO_CONFIGS);
    vec![
        version(machine, "1.0.0", "one").toml(TWO_CONFIGS).pack(),
        new.step("keys", "migrate", "script", keys).pack(),
    ]
}

pub(super) fn configured_elsewhere(machine: &Machine, packages: &[PathBuf]) {
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
    let keys = "strict\nset one:port 8080\nset two:host b\nset three:NEW yes\n";
    script(machine, packages, keys);
}

/// A command that is killed when its transaction has come so far.
pub(super) fn cut_off(machine: &Machine, arguments: &[String], stage: Stage) {
    let mut command = machine.command(arguments, Threads::One);
    let mut killer = KillIn::new(machine.install(), stage);
    let roots = machine.roots();
    let watched = Watched {
        roots: &roots,
        product: machine.product(),
        openings: Openings::Changing,
        limit: Duration::from_mins(2),
    };
    let run = tracer::run(&mut command, &watched, &mut killer).unwrap();
    assert_eq!(run.ended, Ended::Killed);
}

pub(super) const FILES_AND_KEYS: &str = "strict\nappend data/a more\nwrite data/new text\n\
                              set port 8080\nset host b\n";
pub(super) const GRANTS: &str = "read = [\"**\"]\nwrite = [\"data/**\"]\nconfig.write = [\"**\"]\n";
pub(super) const ONE_CONFIG: &str =
    "[config.agent]\nfile = \"conf/seed.toml\"\nformat = \"toml\"\n";
pub(super) const TWO_CONFIGS: &str = "[config.one]\nfile = \"one.toml\"\nformat = \"toml\"\n\
                           [config.two]\nfile = \"two.json\"\nformat = \"json\"\n\
                           [config.three]\nfile = \"three.env\"\nformat = \"env\"\n";

pub(super) const GRANTS_WITHOUT_KEYS: &str = "read = [\"**\"]\nwrite = [\"data/**\"]\n";
