// SPDX-License-Identifier: Apache-2.0
//! `cargo xtask demo`: the main job, told on the sample.
//!
//! Every command shown is run as shown, in `target/demo`, and every promise is checked: the demo fails
//! when a command ends with another exit code than the story says, or leaves something else behind.

mod agent;
mod machine;
mod operator;
mod vendor;

use crate::failure::Outcome;
use crate::need;
use crate::repo::Profile;
use crate::repo::Repo;
use crate::sample;
use crate::say;
use machine::Machine;

/// Runs the task.
pub(crate) fn run(repo: &Repo) -> Outcome {
    need::wasm_target(repo)?;
    let cofferdam = repo.build_cofferdam(Profile::Dev)?;
    // An earlier demo may have been interrupted while its agent ran.
    agent::stop(&repo.target.join("demo/opt/acme-agent"));
    let folder = repo.fresh("demo")?;
    sample::lay(repo, &folder.join("vendor"))?;
    let machine = Machine::new(folder, cofferdam, repo.steps_target())?;

    say::note(
        "Every command below is run as it stands, in target/demo; nothing outside of it changes.",
    );
    vendor::makes_keys(&machine)?;
    vendor::packs_and_signs(&machine)?;
    vendor::rehearses(&machine)?;
    vendor::looks_inside(&machine)?;
    let service = operator::installs_by_hand(&machine)?;
    operator::adopts(&machine)?;
    let digest = operator::plans(&machine)?;
    operator::applies(&machine, &digest)?;
    operator::looks_around(&machine)?;
    operator::meets_a_misbehaving_step(&machine)?;
    operator::meets_an_unhealthy_release(&machine)?;
    operator::rolls_back(&machine)?;
    operator::takes_the_long_way(&machine)?;
    operator::reads_the_history(&machine)?;
    drop(service);
    say::heading("The end");
    say::holds("everything went as promised");
    say::note(
        "The install, its generations and the packages are in target/demo; the agent is stopped.",
    );
    Ok(())
}
