// SPDX-License-Identifier: Apache-2.0
//! Accidents, and what an operator does by hand: done to the real install and told to the model.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::action::Tamper;
use crate::driver::Driver;
use crate::found::answer;
use crate::model::Floors;
use crate::model::version_of;
use crate::versions::File;
use crate::versions::VERSIONS;

/// Lets it happen.
///
/// # Errors
/// The product does not take it as it should.
pub(crate) fn happen(driver: &mut Driver<'_>, accident: Tamper) -> Result<(), String> {
    driver.survived.happened(accident.word());
    if let Tamper::CutJournal(percent) = accident {
        return lose_the_journal(driver, percent);
    }
    done(driver, accident).map_err(|error| format!("the test itself failed: {error}"))?;
    driver.recover()
}

fn done(driver: &mut Driver<'_>, accident: Tamper) -> io::Result<()> {
    let (install, state) = (driver.machine.install(), driver.machine.state());
    let tree = &mut driver.model.tree;
    match accident {
        Tamper::WriteState(path, any) => {
            let text = format!("written {any}\n");
            fs::write(install.join(path), &text)?;
            tree.state.insert(path.to_owned(), text);
        }
        Tamper::RemoveState(path) => {
            if tree.state.remove(path).is_some() {
                fs::remove_file(install.join(path))?;
            }
        }
        Tamper::EditManaged(path, any) => {
            let content = format!("edited {any}\n");
            replace(&install.join(path), &content)?;
            let mode = 0o644;
            tree.managed.insert(path.to_owned(), File { mode, content });
        }
        Tamper::RemoveManaged(path) => {
            if tree.managed.remove(path).is_some() {
                fs::remove_file(install.join(path))?;
            }
        }
        Tamper::EditConfig(any) => {
            driver.model.config.note = format!("edited {any}");
            fs::write(driver.machine.config(), driver.model.config.text())?;
        }
        Tamper::DamageKept(any) => {
            let content = format!("damaged {any}\n");
            if let Some(number) = driver.model.damage(&content) {
                replace(
                    &state.join(format!("generations/{number}/tree/agent")),
                    &content,
                )?;
            }
        }
        Tamper::TearHistory => {
            let history = fs::File::options()
                .append(true)
                .open(state.join("history.jsonl"));
            history?.write_all(b"{\"seq\":99,\"prev\":\"")?;
        }
        Tamper::Litter => {
            let live = driver.model.live;
            fs::create_dir_all(state.join("generations/4711/tree/data"))?;
            fs::create_dir_all(state.join(format!("generations/{live}/tree/data")))?;
            fs::create_dir_all(state.join("incoming/0123456789abcdef"))?;
            for name in [
                ".transaction.json.new",
                ".refused.json.new",
                ".transaction.json.ahead",
            ] {
                fs::write(state.join(name), "{")?;
            }
        }
        Tamper::Lock(any) => {
            let choices: [&[u8]; 4] = [b"", b"\xff{", b"{\"pid\":1}", &[0; 5000]];
            fs::write(state.join("lock"), choices[(any % 4) as usize])?;
        }
        Tamper::DropCache => match fs::remove_dir_all(state.join("cache")) {
            // It is made by the next command that compiles, and was dropped before.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            dropped => dropped?,
        },
        // See `lose_the_journal`.
        Tamper::CutJournal(_) => {}
    }
    Ok(())
}

/// As an editor does it: another inode, so that no generation that shares the old one changes.
fn replace(path: &Path, content: &str) -> io::Result<()> {
    let beside = path.with_extension("edited");
    fs::write(&beside, content)?;
    fs::set_permissions(&beside, fs::Permissions::from_mode(0o644))?;
    fs::rename(&beside, path)
}

/// Nobody acts on a journal that was cut, or believes it; a person has it made anew from the disk.
fn lose_the_journal(driver: &mut Driver<'_>, percent: u64) -> Result<(), String> {
    // What accidents did to trees is a matter of its own there.
    if !driver.model.drift().is_empty() || driver.model.is_damaged() {
        return Ok(());
    }
    let machine = &driver.machine;
    let path = machine.state().join("transaction.json");
    let cut = fs::read(&path).and_then(|bytes| {
        let keep = bytes.len() * percent as usize / 100;
        fs::write(&path, &bytes[..keep])
    });
    cut.map_err(|error| error.to_string())?;
    for words in [&["status"][..], &["recover"], &["confirm"], &["rollback"]] {
        let refused = answer(machine, words, &[9])?;
        if refused["error"]["code"] != "journal-unreadable" {
            return Err(format!("invariant_nobody_guesses: {words:?}: {refused}"));
        }
    }
    answer(machine, &["recover", "--from-disk", "--yes"], &[0])?;
    let set_aside = machine.state().join("set-aside");
    fs::remove_dir_all(set_aside).map_err(|error| error.to_string())?;
    driver.recover()?;
    let status = answer(machine, &["status"], &[0])?;
    let floors = invariant_floors_do_not_fall(driver, &status)?;
    let proved = status["generations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let proved: BTreeSet<u64> = proved
        .iter()
        .filter(|one| one["confirmed"] == true)
        .filter_map(|one| one["number"].as_u64())
        .collect();
    if proved.contains(&driver.model.live) {
        return Err(format!("invariant_a_lost_proof_is_lost: {status}"));
    }
    driver.model = driver.model.clone().salvaged(&proved, floors);
    Ok(())
}

/// What a lost journal said of floors is not forgotten: they are as they were, or higher.
fn invariant_floors_do_not_fall(driver: &Driver<'_>, status: &Value) -> Result<Floors, String> {
    let floors = Floors {
        version: status["version_floor"]
            .as_str()
            .and_then(version_of)
            .unwrap_or_default(),
        data_format: status["data_format_floor"].as_u64().unwrap_or_default(),
    };
    let were = driver.model.floors;
    if floors.version >= were.version && floors.data_format >= were.data_format {
        return Ok(floors);
    }
    let version = VERSIONS[were.version].number;
    Err(format!(
        "invariant_floors_do_not_fall: were {version}: {status}"
    ))
}
