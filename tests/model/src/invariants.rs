// SPDX-License-Identifier: Apache-2.0
//! What must hold of an install at rest, whatever happened: a function each, of the model and of what was
//! found.

use std::collections::BTreeSet;
use std::fmt::Debug;

use crate::found::Files;
use crate::found::Found;
use crate::model::Model;
use crate::model::Tree;
use crate::versions::File;
use crate::versions::VERSIONS;

/// Says what is wrong.
type Held = Result<(), String>;

/// Holds of an install at rest.
type Invariant = fn(&Model, &Found) -> Held;

/// Every invariant, with its name.
const INVARIANTS: [(&str, Invariant); 9] = [
    ("invariant_at_rest", invariant_at_rest),
    ("invariant_what_is_live", invariant_what_is_live),
    ("invariant_the_tree_is_whole", invariant_the_tree_is_whole),
    (
        "invariant_the_way_back_is_whole",
        invariant_the_way_back_is_whole,
    ),
    (
        "invariant_configuration_goes_along",
        invariant_configuration_goes_along,
    ),
    (
        "invariant_floors_and_condemnations",
        invariant_floors_and_condemnations,
    ),
    (
        "invariant_the_service_runs_what_is_live",
        invariant_the_service_runs_what_is_live,
    ),
    (
        "invariant_verify_sees_the_drift",
        invariant_verify_sees_the_drift,
    ),
    (
        "invariant_the_history_tells_of_it",
        invariant_the_history_tells_of_it,
    ),
];

/// Asks every invariant; the first that does not hold, by its name.
pub(crate) fn all(model: &Model, found: &Found) -> Held {
    for (name, holds) in INVARIANTS {
        holds(model, found).map_err(|wrong| format!("{name}: {wrong}"))?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, found: &T) -> Held {
    if expected == found {
        return Ok(());
    }
    Err(format!("{what}: expected {expected:?}, found {found:?}"))
}

/// Nothing is under way, nothing is owed, and nothing is left over.
fn invariant_at_rest(_model: &Model, found: &Found) -> Held {
    same("state", &"idle".into(), &found.status["state"])?;
    same("service owed", &false.into(), &found.status["service_owed"])?;
    same("left over", &BTreeSet::new(), &found.leftovers)
}

/// Version, generation and confirmation are the model's, and so is the list of generations.
fn invariant_what_is_live(model: &Model, found: &Found) -> Held {
    let status = &found.status;
    let live = model.live();
    same("generation", &model.live.into(), &status["generation"])?;
    same(
        "version",
        &VERSIONS[live.version].number.into(),
        &status["version"],
    )?;
    same("confirmed", &live.confirmed.into(), &status["confirmed"])?;
    let expected: Vec<String> = model
        .generations
        .iter()
        .map(|(number, generation)| {
            let version = VERSIONS[generation.version].number;
            let confirmed = generation.confirmed;
            let is_live = *number == model.live;
            format!(
                "{number}: \"{version}\" confirmed {confirmed} live {is_live} kept {}",
                !is_live
            )
        })
        .collect();
    let listed = status["generations"].as_array().cloned();
    let listed: Vec<String> = listed
        .unwrap_or_default()
        .iter()
        .map(|one| {
            format!(
                "{}: {} confirmed {} live {} kept {}",
                one["number"], one["version"], one["confirmed"], one["live"], one["kept"]
            )
        })
        .collect();
    same("generations", &expected, &listed)
}

/// The files at `DIR` are exactly the model's: content and mode of what is managed, content of state.
fn invariant_the_tree_is_whole(model: &Model, found: &Found) -> Held {
    same_tree("the install", &model.tree, &found.tree)
}

/// Every other generation has its tree, as it was left; and there is no other tree.
fn invariant_the_way_back_is_whole(model: &Model, found: &Found) -> Held {
    let kept = model
        .generations
        .keys()
        .filter(|number| **number != model.live);
    let kept: Vec<&u64> = kept.collect();
    same("kept trees", &kept, &found.kept.keys().collect())?;
    for (number, files) in &found.kept {
        if let Some((tree, _)) = &model.generations[number].kept {
            same_tree(&format!("generation {number}"), tree, files)?;
        }
    }
    Ok(())
}

fn same_tree(what: &str, expected: &Tree, found: &Files) -> Held {
    let paths: BTreeSet<&String> = expected
        .managed
        .keys()
        .chain(expected.state.keys())
        .chain(found.keys())
        .collect();
    for path in paths {
        let there = found.get(path);
        let what = format!("{what}, `{path}`");
        match (expected.managed.get(path), expected.state.get(path)) {
            (Some(file), _) => same(&what, &Some(file), &there)?,
            (None, Some(content)) => {
                let there = there.map(|File { content, .. }| content);
                same(&what, &Some(content), &there)?;
            }
            (None, None) => same(&what, &None, &there)?,
        }
    }
    Ok(())
}

/// The config file outside is that of the generation that is live.
fn invariant_configuration_goes_along(model: &Model, found: &Found) -> Held {
    same("config", &model.config.text(), &found.config)
}

/// Floors are the model's, and exactly its versions are condemned.
fn invariant_floors_and_condemnations(model: &Model, found: &Found) -> Held {
    let status = &found.status;
    let floor = VERSIONS[model.floors.version].number;
    same("version floor", &floor.into(), &status["version_floor"])?;
    let format = model.floors.data_format;
    same(
        "data format floor",
        &format.into(),
        &status["data_format_floor"],
    )?;
    let condemned = status["condemned"].as_array().cloned().unwrap_or_default();
    let condemned: BTreeSet<&str> = condemned
        .iter()
        .filter_map(|one| one["version"].as_str())
        .collect();
    let expected = model
        .condemned
        .iter()
        .map(|number| VERSIONS[*number].number);
    same("condemned", &expected.collect(), &condemned)
}

/// The service runs, and was started last with what is live.
fn invariant_the_service_runs_what_is_live(model: &Model, found: &Found) -> Held {
    let (runs, told) = &found.service;
    same("it runs", &true, runs)?;
    let Some(told) = told else {
        return Ok(());
    };
    // What it was told before an accident happened to `agent` is no matter of this.
    let version = VERSIONS[model.live().version].number;
    let is_drift = model.drift().iter().any(|path| path == "agent");
    if is_drift || *told == format!("start {version}") {
        return Ok(());
    }
    Err(format!("it was told `{told}` last, and {version} is live"))
}

/// `verify` names exactly the managed files that accidents happened to.
fn invariant_verify_sees_the_drift(model: &Model, found: &Found) -> Held {
    let drift = found.verified["drift"].as_array().cloned();
    let drift: Vec<String> = drift
        .unwrap_or_default()
        .iter()
        .filter_map(|one| one["path"].as_str().map(str::to_owned))
        .collect();
    same("drift", &model.drift(), &drift)
}

/// Every generation was committed by exactly one transaction, and the last transaction has its one record.
fn invariant_the_history_tells_of_it(model: &Model, found: &Found) -> Held {
    let transactions = |txid: &str| {
        let of_it = |record: &&serde_json::Value| {
            record["kind"] == "transaction" && record["txid"] == *txid
        };
        found.records.iter().filter(of_it).count()
    };
    if let Some(last) = found.status["last"]["txid"].as_str() {
        same("records of the last transaction", &1, &transactions(last))?;
    }
    let made = |number: u64| {
        let makes = |record: &&serde_json::Value| {
            let body = &record["body"];
            let body = if body["caught_up"] == true {
                &body["last"]
            } else {
                body
            };
            let is_made = ["apply", "repair"].iter().any(|kind| body["kind"] == *kind)
                && (body["result"] == "committed" || body["result"] == "unhealthy");
            is_made && (body["generation"] == number || body["to"] == number)
        };
        found.records.iter().filter(makes).count()
    };
    for number in model.generations.keys().filter(|number| **number > 1) {
        same(
            &format!("commits of generation {number}"),
            &1,
            &made(*number),
        )?;
    }
    Ok(())
}
