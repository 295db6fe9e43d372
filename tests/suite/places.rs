// SPDX-License-Identifier: Apache-2.0
//! Wherever a configuration file is said to be, no step reaches more than its keys, and nothing that
//! the live tree shares is written.

use std::fs;
use std::path::Path;
use std::path::PathBuf;

use crate::harness::Machine;
use crate::harness::Snapshot;

const DECLARED: &str = "[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\n\
                        secret = [\"auth.*\"]\n";

/// An install of 1.0.0 that declares a config file, and a version 1.1.0 whose step does what the script
/// says, with these declarations and grants.
fn packages(
    machine: &Machine,
    script: &str,
    declared: &str,
    grants: &str,
) -> (&'static str, PathBuf) {
    let source = |version: &str| {
        machine
            .source(version)
            .file_with_mode("bin/agent", "program", 0o755)
            .seed("conf/agent.toml", "port = 1\n[auth]\ntoken = \"hidden\"\n")
    };
    let old = source("1.0.0").toml(DECLARED).pack();
    let new = source("1.1.0")
        .toml(declared)
        .step("script", "migrate", "script", grants)
        .pack();
    let install = machine.adopted(&old);
    fs::write(Path::new(install).join("script"), script).unwrap();
    (install, new)
}

#[test]
fn a_key_of_a_file_that_the_package_owns_is_not_changed_and_the_live_file_least_of_all() {
    let machine = Machine::new();
    let source = |version: &str| {
        machine
            .source(version)
            .file("conf/agent.toml", "port = 1\n")
            .toml("[config.agent]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\n")
    };
    let old = source("1.0.0").pack();
    let new = source("1.1.0")
        .step(
            "script",
            "migrate",
            "script",
            "read = [\"script\"]\nconfig.write = [\"port\"]\n",
        )
        .pack();
    let install = machine.adopted(&old);
    fs::write(Path::new(install).join("script"), "set port 2").unwrap();
    let before = Snapshot::of(install);
    let package = new.to_str().unwrap();
    let plan = machine.run(["plan", install, package, "--json"]).expect(4);
    assert_eq!(plan.code(), "config-managed");
    assert_eq!(Snapshot::of(install), before);
    machine.refused(install, &new, 4, "config-managed");
    assert_eq!(Snapshot::of(install), before);
}

#[test]
fn a_link_that_a_step_plants_on_the_way_to_a_config_file_leads_nowhere() {
    let machine = Machine::new();
    let script = "symlink bin etc\nset port 2\n";
    let declared = "[config.agent]\nfile = \"etc/agent\"\nformat = \"toml\"\n";
    let grants = "read = [\"script\"]\nwrite = [\"etc\"]\nconfig.write = [\"**\"]\n";
    let (install, new) = packages(&machine, script, declared, grants);
    let before = Snapshot::of(install);
    machine.refused(install, &new, 4, "symlink-swapped");
    assert_eq!(Snapshot::of(install), before);
}

#[test]
fn a_package_cannot_make_a_secret_readable_by_not_declaring_it() {
    let grants = "read = [\"script\", \"conf/**\"]\nconfig.read = [\"**\"]\n";
    let renamed = "[config.main]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\n";
    for (script, declared) in [
        ("read conf/agent.toml\n", ""),
        ("get auth.token\nread conf/agent.toml\n", renamed),
    ] {
        let machine = Machine::new();
        let grants = if declared.is_empty() {
            "read = [\"script\", \"conf/**\"]\n"
        } else {
            grants
        };
        let (install, new) = packages(&machine, script, declared, grants);
        let ran = machine.apply(install, &new);
        assert_eq!(ran.exit, Some(0), "{}", ran.stdout);
        assert!(!ran.stdout.contains("hidden"), "{}", ran.stdout);
        let history = fs::read_to_string(format!("{install}.cofferdam/history.jsonl")).unwrap();
        assert!(!history.contains("hidden"));
    }
}

#[test]
fn a_secret_is_not_read_by_declaring_its_file_in_another_format() {
    let machine = Machine::new();
    let declared = DECLARED.replace("\"toml\"", "\"ini\"");
    let grants = "read = [\"script\"]\nconfig.read = [\"**\"]\n";
    let script = "get \"auth.db\".password\nget auth.db.password\n";
    let (install, new) = packages(&machine, script, &declared, grants);
    let config = Path::new(install).join("conf/agent.toml");
    fs::write(config, "[auth.db]\npassword = \"hidden\"\n").unwrap();
    let before = Snapshot::of(install);
    let ran = machine.run(["plan", install, new.to_str().unwrap(), "--json"]);
    assert_eq!(ran.expect(4).code(), "config-format");
    let error = machine.refused(install, &new, 4, "config-format");
    let message = error["message"].as_str().unwrap();
    for told in ["`agent`", "`conf/agent.toml`", "as ini", "as toml"] {
        assert!(message.contains(told), "{message}");
    }
    assert_eq!(Snapshot::of(install), before);
    machine.settings(
        install,
        "[config.agent]\nformat = \"toml\"\nsecret = [\"auth.**\"]\n",
    );
    let ran = machine.apply(install, &new).expect(0);
    assert!(!ran.stdout.contains("hidden"), "{}", ran.stdout);
}

#[test]
fn an_absolute_path_into_the_install_means_the_file_in_the_tree() {
    let machine = Machine::new();
    let grants = "read = [\"script\"]\nconfig.write = [\"port\"]\n";
    let (install, new) = packages(&machine, "set port 2\n", DECLARED, grants);
    machine.settings(
        install,
        &format!("[config.agent]\nfile = \"{install}/conf/agent.toml\"\n"),
    );
    machine.apply(install, &new).expect(0);
    let live = fs::read_to_string(Path::new(install).join("conf/agent.toml")).unwrap();
    assert!(live.starts_with("port = 2\n"), "{live}");
    machine.run(["rollback", install]).expect(0);
}

#[test]
fn two_names_for_one_file_are_refused_before_anything_is_touched() {
    let machine = Machine::new();
    let declared =
        format!("{DECLARED}[config.other]\nfile = \"conf/other.toml\"\nformat = \"toml\"\n");
    let grants = "read = [\"script\"]\nconfig.write = [\"agent:port\"]\n";
    let (install, new) = packages(&machine, "set agent:port 2\n", &declared, grants);
    let real = machine.path("etc/real.toml");
    fs::write(&real, "port = 1\n").unwrap();
    let link = machine.path("etc/link.toml");
    std::os::unix::fs::symlink(&real, &link).unwrap();
    machine.settings(
        install,
        &format!(
            "[config.agent]\nfile = \"{}\"\n[config.other]\nfile = \"{}\"\n",
            real.display(),
            link.display()
        ),
    );
    machine.refused(install, &new, 4, "config-twice");
    assert_eq!(fs::read_to_string(real).unwrap(), "port = 1\n");
}
