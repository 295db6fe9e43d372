// SPDX-License-Identifier: Apache-2.0
//! A sequence of actions on one install, from a seed; and defects that are planted to see them found.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::action::Action;
use crate::action::Chance;
use crate::action::Command;
use crate::disk::Disk;
use crate::driver::Driver;
use crate::machine::Machine;
use crate::model::Config;
use crate::model::Model;
use crate::program::Program;
use crate::survived::Survived;
use crate::versions::SEED;
use crate::versions::VERSIONS;

/// What is tried out.
#[derive(Clone, Copy, Debug)]
pub struct Setup<'a> {
    /// The binary.
    pub product: &'a Path,
    /// The component of the guest `script`.
    pub script: &'a Path,
    /// Whether a program runs in the install.
    pub with_program: bool,
}

/// Something did not hold.
#[derive(Clone, Debug)]
pub struct Violation {
    /// The seed of the sequence.
    pub seed: u64,
    /// What was done, in order; the last is what it was found after.
    pub actions: Vec<String>,
    /// What did not hold: the name of an invariant, and what was found.
    pub wrong: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (seed, count) = (self.seed, self.actions.len());
        writeln!(f, "seed {seed}, after {count} actions:")?;
        for action in &self.actions {
            writeln!(f, "  {action}")?;
        }
        writeln!(f, "{}", self.wrong)
    }
}

/// Defects that the model is not told of.
pub const DEFECTS: [Defect; 7] = [
    Defect {
        name: "invariant_the_tree_is_whole",
        plant: |machine| fs::write(machine.install().join("data/a"), "lost\n"),
    },
    Defect {
        name: "invariant_the_tree_is_whole",
        plant: |machine| fs::write(machine.install().join("data/new"), "nobody's\n"),
    },
    Defect {
        name: "invariant_the_tree_is_whole",
        plant: |machine| fs::write(machine.install().join("agent"), "1.0.0"),
    },
    Defect {
        name: "invariant_the_way_back_is_whole",
        plant: |machine| {
            let kept = machine.state().join("generations/1/tree/data/a");
            fs::write(kept, "lost\n")
        },
    },
    Defect {
        name: "invariant_configuration_goes_along",
        plant: |machine| fs::write(machine.config(), Config::default().text()),
    },
    Defect {
        name: "invariant_the_service_runs_what_is_live",
        plant: |machine| fs::remove_file(machine.path("up")),
    },
    Defect {
        name: "invariant_at_rest",
        plant: |machine| fs::create_dir(machine.state().join("incoming/left")),
    },
];

/// A defect, and the invariant that must find it.
#[derive(Clone, Copy, Debug)]
pub struct Defect {
    /// The invariant.
    pub name: &'static str,
    /// Puts it in place.
    plant: fn(&Machine) -> std::io::Result<()>,
}

/// One sequence of so many actions on a fresh install.
///
/// # Errors
/// The first thing that did not hold.
///
/// # Panics
/// The machine cannot be laid out.
pub fn survive(setup: Setup<'_>, seed: u64, actions: usize) -> Result<Survived, Violation> {
    let disk = Disk::new().expect("there is room for a folder");
    let mut driver = driver(setup, &disk);
    let program = setup.with_program.then(|| Program::start(&driver.machine));
    let mut chance = Chance::new(seed);
    let mut done = Vec::new();
    for _ in 0..actions {
        let action = chance.action(&driver.model, disk.can_be_filled());
        done.push(format!("{action:?}"));
        driver.carry_out(action).map_err(|wrong| Violation {
            seed,
            actions: done.clone(),
            wrong,
        })?;
    }
    if let Some(program) = program {
        driver.survived.program(&program.stop());
    }
    Ok(driver.survived)
}

/// Plants a defect in an install that was updated once.
///
/// # Errors
/// The invariant that finds it, and in which words.
///
/// # Panics
/// The machine cannot be laid out, or the defect cannot be planted.
pub fn planted(setup: Setup<'_>, defect: &Defect) -> Result<(), String> {
    let disk = Disk::new().expect("there is room for a folder");
    let mut driver = driver(setup, &disk);
    let update = VERSIONS.iter().position(|version| version.port.is_some());
    driver
        .carry_out(Action::Run(Command::Apply(update.unwrap_or_default())))
        .expect("an update as foretold");
    (defect.plant)(&driver.machine).expect("a defect that can be planted");
    driver.look()
}

fn driver<'a>(setup: Setup<'_>, disk: &'a Disk) -> Driver<'a> {
    let machine = Machine::new(setup.product, setup.script, disk.path());
    let mut state = BTreeMap::new();
    for (path, content) in [("data/a", "first\n"), ("data/b", "second\n")] {
        state.insert(path.to_owned(), content.to_owned());
    }
    let service = machine.adopt(state.clone());
    state.insert(SEED.to_owned(), VERSIONS[0].seed());
    let model = Model::adopted(state, Config::default());
    let mut survived = Survived::default();
    survived.sequence();
    Driver {
        machine,
        service,
        model,
        disk,
        survived,
    }
}
