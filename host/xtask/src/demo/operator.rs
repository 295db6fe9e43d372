// SPDX-License-Identifier: Apache-2.0
//! The operator's part of the story.

use super::agent;
use super::agent::Service;
use super::agent::Watch;
use super::machine::INSTALL;
use super::machine::Machine;
use crate::failure::Failure;
use crate::failure::Outcome;
use crate::say;
use crate::tree;

const TOKEN: &str = "s3cr3t-of-this-machine";

/// The program as it was installed before Cofferdam, with the operator's own settings and data.
pub(super) fn installs_by_hand(machine: &Machine) -> Outcome<Service> {
    say::heading("5. A machine where acme-agent 1.0.0 has been running for a long time");
    let install = machine.install();
    tree::copy(&machine.folder.join("vendor/1.0.0/payload"), &install)?;
    let settings = install.join("conf/agent.toml");
    let text = tree::read(&settings)?
        .replace(
            "name = \"acme-agent\"",
            "name = \"pump house 3\"   # as on the door",
        )
        .replace(
            "port = 7410",
            &format!("port = {}    # agreed with the network team", machine.port),
        )
        .replace("token = \"change-me\"", &format!("token = \"{TOKEN}\""));
    tree::write(&settings, &text)?;
    tree::write(
        &install.join("plugins/local/loadavg.probe"),
        "# This machine is always busy.\nwarn_above = 32.0\n",
    )?;
    say::note(
        "The operator has edited the settings, chosen a threshold for a probe, and started it.",
    );
    machine.shell(&format!("cat {INSTALL}/conf/agent.toml"), 0)?;
    let service = Service(install);
    machine.shell(&format!("{INSTALL}/bin/acme-agentctl start"), 0)?;
    say::note("Devices post records.");
    for (name, value) in [
        ("door-17", "21.5 C"),
        ("pump-3", "ajar"),
        ("tank-1", "880 l"),
    ] {
        say::line(&posted(machine, name, value)?);
    }
    machine.shell(&format!("cat {INSTALL}/data/records/door-17.json"), 0)?;
    Ok(service)
}

/// The directory comes under care.
pub(super) fn adopts(machine: &Machine) -> Outcome {
    say::heading("6. The operator puts it under care");
    let line = format!("adopt {INSTALL} --trust acme.pub --package acme-agent-1.0.0.upd");
    machine.cofferdam(&line, 0)?;
    say::note(
        "The operator says how the service is stopped and started, and which files only grow.",
    );
    let settings = machine
        .folder
        .join(format!("{INSTALL}.cofferdam/install.toml"));
    let control = machine.install().join("bin/acme-agentctl");
    let control = control.display();
    let mine = format!(
        "\n[service]\nstop = [\"{control}\", \"stop\"]\nstart = [\"{control}\", \"start\"]\n\
         alive = [\"{control}\", \"alive\"]\nsettle = \"1s\"\n\n[state]\nlive = [\"logs/**\"]\n"
    );
    tree::write(&settings, &(tree::read(&settings)? + &mine))?;
    machine.shell(&format!("tail -n 8 {INSTALL}.cofferdam/install.toml"), 0)?;
    machine.cofferdam(&format!("status {INSTALL}"), 0)
}

/// What would 1.1.0 do? Returns the digest of the answer.
pub(super) fn plans(machine: &Machine) -> Outcome<String> {
    say::heading("7. The operator asks what 1.1.0 would do");
    let before = Snapshot::take(machine)?;
    let line = format!("plan {INSTALL} acme-agent-1.1.0.upd");
    machine.cofferdam(&line, 0)?;
    before.check("a plan changes nothing")?;
    let facts = machine.facts(&line)?;
    let digest = facts["outcome_digest"]
        .as_str()
        .ok_or("plan gave no outcome digest")?;
    Ok(digest.to_owned())
}

/// Exactly that, while clients ask.
pub(super) fn applies(machine: &Machine, digest: &str) -> Outcome {
    say::heading("8. The operator applies exactly that, while the agent serves");
    let watch = Watch::begin(machine.port);
    machine.cofferdam(
        &format!("apply {INSTALL} acme-agent-1.1.0.upd --expect {digest}"),
        0,
    )?;
    let seen = watch.finish()?;
    expect_version(machine, "1.1.0")?;
    say::holds(&format!(
        "a client asked all the time: {} answers, from {}; the longest silence was {} ms",
        seen.answers,
        seen.versions.join(", then "),
        seen.longest_silence.as_millis()
    ));
    let after = tree::read(&machine.install().join("conf/agent.toml"))?;
    let port = format!("port = {}    # agreed with the network team", machine.port);
    for kept in [
        "pump house 3\"   # as on the door",
        &port,
        TOKEN,
        "Keep it on loopback",
    ] {
        promise(
            after.contains(kept),
            &format!("the operator's settings lost `{kept}`"),
        )?;
    }
    promise(after.contains("[server]"), "the settings have no [server]")?;
    say::holds("the operator's values and comments are as they were, under [server]");
    say::line("");
    machine.shell(
        &format!(
            "diff {INSTALL}.cofferdam/generations/1/tree/conf/agent.toml {INSTALL}/conf/agent.toml"
        ),
        1,
    )?;
    machine.shell(&format!("cat {INSTALL}/data/records/door-17.json"), 0)?;
    machine.shell(&format!("ls {INSTALL}/plugins {INSTALL}/plugins/local"), 0)?;
    promise(
        machine.install().join("plugins/local/load.probe").is_file(),
        "the operator's threshold did not follow the renamed probe",
    )
}

/// Where do we stand?
pub(super) fn looks_around(machine: &Machine) -> Outcome {
    say::heading("9. Where do we stand?");
    machine.cofferdam(&format!("status {INSTALL}"), 0)?;
    machine.cofferdam(&format!("verify {INSTALL}"), 0)?;
    machine.shell(&format!("{INSTALL}/bin/acme-agentctl alive"), 0)
}

/// A step reaches for what it was not granted.
pub(super) fn meets_a_misbehaving_step(machine: &Machine) -> Outcome {
    say::heading("10. A signed package whose step misbehaves");
    let before = Snapshot::take(machine)?;
    machine.cofferdam(&format!("apply {INSTALL} acme-agent-1.1.1.upd"), 5)?;
    before.check("the install is byte for byte as before, data and settings too")?;
    expect_version(machine, "1.1.0")
}

/// A release that starts and cannot work.
pub(super) fn meets_an_unhealthy_release(machine: &Machine) -> Outcome {
    say::heading("11. A release that turns out unhealthy rolls back by itself");
    let before = Snapshot::take(machine)?;
    machine.cofferdam(&format!("apply {INSTALL} acme-agent-1.1.2.upd"), 7)?;
    before.check("after the roll back the install is byte for byte as before")?;
    expect_version(machine, "1.1.0")?;
    say::note("The package is condemned on this machine: nobody tries it again by accident.");
    machine.cofferdam(&format!("apply {INSTALL} acme-agent-1.1.2.upd"), 4)
}

/// A person changes their mind.
pub(super) fn rolls_back(machine: &Machine) -> Outcome {
    say::heading("12. The operator rolls back: program, settings and data together");
    say::note("In the meantime a device has posted. A roll back would lose that, so it asks.");
    say::line(&posted(machine, "door-17", "22.0 C")?);
    machine.cofferdam(&format!("rollback {INSTALL}"), 4)?;
    machine.cofferdam(&format!("rollback {INSTALL} --discard-changes"), 0)?;
    expect_version(machine, "1.0.0")?;
    machine.shell(&format!("cat {INSTALL}/data/records/door-17.json"), 0)
}

/// Two releases in one go.
pub(super) fn takes_the_long_way(machine: &Machine) -> Outcome {
    say::heading("13. 1.2.0 is cumulative: from 1.0.0 in one go");
    machine.cofferdam(&format!("apply {INSTALL} acme-agent-1.2.0.upd"), 0)?;
    expect_version(machine, "1.2.0")?;
    machine.shell(&format!("cat {INSTALL}/data/records/door-17.json"), 0)?;
    let record = tree::read(&machine.install().join("data/records/door-17.json"))?;
    promise(
        record.contains("\"schema\": 3"),
        "the record is not in schema 3",
    )?;
    let settings = tree::read(&machine.install().join("conf/agent.toml"))?;
    promise(
        settings.contains("[server]"),
        "the settings have no [server]",
    )
}

/// All of it is on record.
pub(super) fn reads_the_history(machine: &Machine) -> Outcome {
    say::heading("14. Everything is on record");
    machine.cofferdam(&format!("history {INSTALL} --verify"), 0)?;
    machine.cofferdam(&format!("status {INSTALL}"), 0)
}

fn posted(machine: &Machine, name: &str, value: &str) -> Outcome<String> {
    let answer = agent::post(machine.port, TOKEN, name, value);
    let answer = answer.map_err(|error| format!("posting a record: {error}"))?;
    promise(
        answer.ends_with("stored"),
        &format!("posting a record was answered `{answer}`"),
    )?;
    Ok(format!("{name} = {value}: {answer}"))
}

fn expect_version(machine: &Machine, version: &str) -> Outcome {
    let answer = agent::get(machine.port, "/version");
    let answer = answer.map_err(|error| format!("asking for the version: {error}"))?;
    promise(
        answer.ends_with(version),
        &format!("`{answer}` answers, expected {version}"),
    )?;
    say::holds(&format!("{answer} answers on port {}", machine.port));
    say::line("");
    Ok(())
}

fn promise(kept: bool, otherwise: &str) -> Outcome {
    if kept {
        Ok(())
    } else {
        Err(Failure::from(otherwise))
    }
}

/// The install as it was, without what only grows.
struct Snapshot<'a> {
    machine: &'a Machine,
}

impl<'a> Snapshot<'a> {
    fn take(machine: &'a Machine) -> Outcome<Self> {
        let copy = machine.folder.join("before");
        tree::remove(&copy)?;
        tree::copy(&machine.install(), &copy)?;
        Ok(Self { machine })
    }

    fn check(self, promise: &str) -> Outcome {
        let copy = self.machine.folder.join("before");
        let differences = tree::differences(&copy, &self.machine.install())?;
        let differences: Vec<_> = differences
            .into_iter()
            .filter(|found| !found.starts_with("logs/"))
            .collect();
        tree::remove(&copy)?;
        if differences.is_empty() {
            say::holds(promise);
            return Ok(());
        }
        Err(format!("not so: {promise}:\n{}", differences.join("\n")).into())
    }
}
