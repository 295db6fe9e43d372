// SPDX-License-Identifier: Apache-2.0
//! What is crashed: installs, packages, and the commands of which every call is tried.
//!
//! A scenario says nothing about what is right. The states that may be found after a crash are those
//! that its own commands lead to when nobody disturbs them: see [`crate::stand`].

mod layout;
mod list;

use std::path::PathBuf;

pub use list::all;

use crate::machine::Machine;

/// A command of the product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its arguments.
    pub arguments: Vec<String>,
    /// How it ends when nobody disturbs it.
    pub exit: i32,
}

/// A command, and what is run when its effect is found to be there already.
#[derive(Clone, Debug)]
pub struct Act {
    /// The command.
    pub step: Step,
    /// Run instead of it once its effect is there.
    pub again: Vec<Step>,
}

/// A state between commands, in which a crash may leave the install although no command ends in it.
#[derive(Clone, Debug)]
pub struct Between {
    /// What it is called.
    pub name: &'static str,
    /// From it, these lead to where the commands lead.
    pub onwards: Vec<Step>,
}

/// Something to crash.
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Whether the short form tries it.
    pub is_small: bool,
    /// Whether mutants are tried in it.
    pub mutates: bool,
    /// Whether the commands begin with a transaction that was cut off: there is no state before them, and
    /// what they do when a call fails is not tried.
    pub is_cut_off: bool,
    /// Builds the packages, on a machine that is not crashed; answers with their files.
    pub build: fn(&Machine) -> Vec<PathBuf>,
    /// Lays out the machine.
    pub lay_out: fn(&Machine, &[PathBuf]),
    /// The commands that are crashed, in this order.
    pub acts: fn(&Machine, &[PathBuf]) -> Vec<Act>,
    /// A committed generation that was not judged yet: see [`Between`].
    pub between: Option<fn(&Machine) -> Between>,
}
