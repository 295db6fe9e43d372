// SPDX-License-Identifier: Apache-2.0
//! After any sequence of commands, crashes, full disks and accidents, an install is what the model says.

use std::path::Path;

use cofferdam_model::DEFECTS;
use cofferdam_model::Setup;
use cofferdam_model::planted;
use cofferdam_model::regressions;
use cofferdam_model::survive;

use crate::harness::guest;

/// Sequences of fresh seeds, and how long they are; `COFFERDAM_MODEL_SEEDS=100` asks for more.
const SEEDS: u64 = 4;
const ACTIONS: usize = 20;

fn with_setup<T>(f: impl FnOnce(Setup<'_>) -> T) -> T {
    let script = guest("script");
    f(Setup {
        product: Path::new(env!("CARGO_BIN_EXE_cofferdam")),
        script: &script,
        with_program: false,
    })
}

fn survives(seed: u64, actions: usize) {
    with_setup(|setup| {
        if let Err(violation) = survive(setup, seed, actions) {
            panic!("{violation}");
        }
    });
}

#[test]
fn sequences_that_failed_once_do_not_fail_again() {
    for (seed, actions) in regressions() {
        survives(seed, actions);
    }
}

#[test]
fn after_any_sequence_an_install_is_what_the_model_says() {
    let asked = std::env::var("COFFERDAM_MODEL_SEEDS").ok();
    let seeds = asked.map_or(SEEDS, |seeds| seeds.parse().unwrap());
    if !rustix::process::geteuid().is_root() {
        println!("not tried: full disks, since only root may mount a small one");
    }
    for seed in 0..seeds {
        survives(seed, ACTIONS);
    }
}

#[test]
fn a_defect_that_the_model_does_not_know_of_is_found() {
    for defect in &DEFECTS {
        let found = with_setup(|setup| planted(setup, defect)).unwrap_err();
        assert!(found.starts_with(defect.name), "{defect:?}: {found}");
    }
}
