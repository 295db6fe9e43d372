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

/// An install whose version 1.0.0 declared a secret that 1.1.0, which is live, says nothing of.
fn forgotten(machine: &Machine, then: &str) -> &'static str {
    let grants = "read = [\"script\"]\n";
    let (install, new) = packages(machine, "", then, grants);
    machine.apply(install, &new).expect(0);
    install
}

/// Applies one more version, which reads whatever it may, and says how its step's lines went.
fn read_by(machine: &Machine, install: &str, version: &str, declared: &str) -> String {
    let script = "read conf/agent.toml\nget auth.token\nget port\n";
    fs::write(Path::new(install).join("script"), script).unwrap();
    let keys = if declared.is_empty() {
        ""
    } else {
        "config.read = [\"**\"]\n"
    };
    let grants = format!("read = [\"script\", \"conf/**\"]\n{keys}");
    let package = machine
        .source(version)
        .file_with_mode("bin/agent", "program", 0o755)
        .seed("conf/agent.toml", "port = 1\n[auth]\ntoken = \"hidden\"\n")
        .toml(declared)
        .step("script", "migrate", "script", &grants)
        .pack();
    machine.apply(install, &package).expect(0).stdout
}

const NO_SECRET: &str = "[config.main]\nfile = \"conf/agent.toml\"\nformat = \"toml\"\n";

#[test]
fn a_secret_is_not_read_by_forgetting_it_over_two_updates() {
    for declared in [NO_SECRET, ""] {
        let machine = Machine::new();
        let install = forgotten(&machine, declared);
        let told = read_by(&machine, install, "1.2.0", declared);
        assert!(!told.contains("hidden"), "{told}");
    }
}

#[test]
fn a_secret_stays_one_when_the_generation_that_declared_it_is_gone() {
    for declared in [NO_SECRET, ""] {
        let machine = Machine::new();
        let install = forgotten(&machine, declared);
        let settings = format!("{install}.cofferdam/install.toml");
        let text = fs::read_to_string(&settings).unwrap();
        let two = text.replace("generations = 3", "generations = 2");
        assert_ne!(two, text);
        fs::write(&settings, two).unwrap();
        for version in ["1.2.0", "1.3.0", "1.4.0"] {
            let told = read_by(&machine, install, version, declared);
            assert!(!told.contains("hidden"), "{version}: {told}");
        }
        let kept = machine.status(install)["generations"].clone();
        assert_eq!(kept.as_array().unwrap().len(), 2, "{kept}");
    }
}

#[test]
fn a_secret_of_the_operators_stays_one_under_another_name_of_the_file() {
    let machine = Machine::new();
    let install = forgotten(&machine, NO_SECRET);
    machine.settings(install, "[config.agent]\nsecret = [\"port\"]\n");
    let declared = format!("{NO_SECRET}secret = [\"other\"]\n");
    let told = read_by(&machine, install, "1.2.0", &declared);
    assert!(told.contains("get port: Secret"), "{told}");
}

#[test]
fn a_secret_that_the_operator_releases_is_one_no_more() {
    let machine = Machine::new();
    let install = forgotten(&machine, NO_SECRET);
    machine.settings(install, "[config.agent]\nrelease = true\n");
    let told = read_by(&machine, install, "1.2.0", NO_SECRET);
    assert!(told.contains("get auth.token: ok"), "{told}");
    assert!(!told.contains("read conf/agent.toml: ok"), "{told}");
}

#[test]
fn the_vendors_place_of_a_file_stays_closed_when_the_operator_has_the_file_elsewhere() {
    let machine = Machine::new();
    let grants = "read = [\"script\", \"conf/**\"]\n";
    let (install, new) = packages(&machine, "read conf/agent.toml\n", DECLARED, grants);
    let real = machine.path("etc/agent.toml");
    fs::write(&real, "port = 1\n").unwrap();
    let file = format!("[config.agent]\nfile = \"{}\"\n", real.display());
    machine.settings(install, &file);
    let ran = machine.apply(install, &new).expect(0);
    assert!(!ran.stdout.contains("hidden"), "{}", ran.stdout);
}
